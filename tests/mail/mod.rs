//! Mail: what is composed, what becomes of it at a server that misbehaves, and what an independent server makes of it.

mod compose;
mod incoming;
mod matrix;
mod peer;
mod relay;
mod send;
mod smtp;
mod transports;

use chrono::{DateTime, Utc};
use duban::kernel::render::Letter;
use duban::mail::{Address, Message, Parcel, Sender};

fn sender() -> Sender {
    Sender {
        name: "示范市人大常委会代表工委".into(),
        address: Address::parse("duban@example.gov.cn").unwrap(),
        reply_to: Some(Address::parse("office@example.gov.cn").unwrap()),
        domain: "duban.example.gov.cn".into(),
    }
}

fn letter() -> Letter {
    Letter {
        subject: "【办理提醒·还剩7天】第087号建议请于6月30日前答复（关于加快老旧小区充电设施建设的建议）".into(),
        text: "市住房和城乡建设局：\n\n你单位主办的第087号建议，应于2026年6月30日前书面答复。\n.\n..点\n".into(),
        html: "<!doctype html><p>应于2026年6月30日前书面答复。</p>\n".into(),
    }
}

fn message(letter: &Letter) -> Message<'_> {
    Message {
        key: "2026-087/answer/1/before_7/0/answer_soon/zhang",
        name: "张三",
        address: "zhang@zhujian.example.gov.cn",
        letter,
        workflow: "suggestion",
        list_title: "代表建议办理提醒",
        item: Some("2026-087"),
        notice: "answer_soon",
        reason: "host_officer",
        rules: "9f2c51",
        agenda: None,
        at: at(),
    }
}

fn at() -> DateTime<Utc> {
    "2026-06-23T00:30:00Z".parse().unwrap()
}

struct Envelope {
    id: String,
    from: Address,
    to: Address,
    bytes: Vec<u8>,
}

/// A mail that differs from others by its number only.
fn envelope(number: usize) -> Envelope {
    let id = format!("<mail{number}@duban.example.gov.cn>");
    Envelope {
        bytes: format!("Message-ID: {id}\r\nSubject: mail {number}\r\n\r\n.leading dot\r\nthe end\r\n").into_bytes(),
        id,
        from: Address::parse("duban@example.gov.cn").unwrap(),
        to: Address::parse("zhang@example.org").unwrap(),
    }
}

impl Envelope {
    fn parcel(&self) -> Parcel<'_> {
        Parcel { id: &self.id, from: &self.from, to: &self.to, at: at(), bytes: &self.bytes }
    }
}
