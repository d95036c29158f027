//! What comes back about mails, read: a report of delivery (RFC 3464), an answer of a machine (RFC 3834), an answer of a person.
//!
//! Nothing that is written there is believed: it is kept as plain text beside the mail that it names, and acts on nothing.

use super::letter::without_tokens;
use crate::kernel::words::is_automatic_subject;
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use sha2::{Digest, Sha256};

/// More of a message is not looked at.
pub const LARGEST: usize = 1 << 20;
/// So many characters of its text are kept.
const LONGEST: usize = 8_000;
/// So many Message-IDs are looked up.
const MOST_NAMED: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It did not arrive, and will not.
    Failed,
    /// It is still on its way.
    Delayed,
    /// A machine answered.
    Automatic,
    Reply,
}

impl Kind {
    /// The word under which it is kept.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Delayed => "delayed",
            Kind::Automatic => "automatic",
            Kind::Reply => "reply",
        }
    }
}

/// A message that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The same for the same message.
    pub id: String,
    pub kind: Kind,
    /// Message-IDs, with their brackets, that it says it is about; the likeliest first.
    pub about: Vec<String>,
    pub sender: String,
    /// An enhanced status code (RFC 3463).
    pub status: Option<String>,
    pub words: String,
}

/// Reads a message; nothing when these bytes are none. What lies beyond [`LARGEST`] is left out.
pub fn read(bytes: &[u8]) -> Option<Returned> {
    let bytes = &bytes[..bytes.len().min(LARGEST)];
    let message = MessageParser::default().parse(bytes)?;
    let report = Report::of(&message);
    let sender = message.from().and_then(|from| from.first()).and_then(|from| from.address()).unwrap_or_default();
    let text = message.body_text(0).unwrap_or_default();
    let (mut kind, mut status, mut why) = (Kind::Reply, None, None);
    if let Some(report) = &report {
        kind = report.kind;
        (status, why) = (report.status.clone(), report.why.clone());
    } else if is_automatic(&message, sender) {
        kind = Kind::Automatic;
        // Some servers tell in words alone that they could not deliver.
        if is_postmaster(sender) {
            if let Some(code) = enhanced_code(&text).filter(|code| code.starts_with('5')) {
                (kind, status) = (Kind::Failed, Some(code));
            }
        }
    }
    let words = match why {
        Some(why) => format!("{why}\n\n{text}"),
        None => text.into_owned(),
    };
    let id = match message.message_id() {
        Some(id) if !id.trim().is_empty() => hash(id.trim().as_bytes()),
        _ => hash(bytes),
    };
    Some(Returned { id, kind, about: about(&message), sender: plain(sender, 200), status, words: plain(&without_tokens(&words), LONGEST) })
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Text without control characters, cut to a length.
fn plain(text: &str, longest: usize) -> String {
    let kept = text.chars().filter(|c| !c.is_control() || *c == '\n').take(longest);
    kept.collect::<String>().trim().to_string()
}

/// What a report of delivery says, of the worst of those whom it names.
struct Report {
    kind: Kind,
    status: Option<String>,
    why: Option<String>,
}

impl Report {
    fn of(message: &Message) -> Option<Report> {
        let is_status = |part: &&mail_parser::MessagePart| {
            part.content_type().is_some_and(|kind| {
                kind.ctype().eq_ignore_ascii_case("message")
                    && kind.subtype().is_some_and(|sub| {
                        sub.eq_ignore_ascii_case("delivery-status") || sub.eq_ignore_ascii_case("global-delivery-status")
                    })
            })
        };
        let part = message.parts.iter().find(is_status)?;
        let text = String::from_utf8_lossy(part.contents()).into_owned();
        let (mut worst, mut status, mut why) = (None, None, None);
        for (name, value) in fields(&text) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "action" => {
                    let kind = match value.split([' ', ';', '(']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
                        "failed" => Kind::Failed,
                        "delayed" => Kind::Delayed,
                        _ => Kind::Automatic,
                    };
                    worst = match (worst, kind) {
                        (Some(Kind::Failed), _) | (_, Kind::Failed) => Some(Kind::Failed),
                        (Some(Kind::Delayed), _) | (_, Kind::Delayed) => Some(Kind::Delayed),
                        _ => Some(Kind::Automatic),
                    };
                }
                "status" => {
                    let code = enhanced_code(value);
                    if status.is_none() || code.as_deref().is_some_and(|code| code.starts_with('5')) {
                        status = code;
                    }
                }
                "diagnostic-code" => why = why.or(Some(value.to_string())),
                _ => {}
            }
        }
        let by_status = || match status.as_deref().and_then(|code: &str| code.chars().next()) {
            Some('5') => Kind::Failed,
            Some('4') => Kind::Delayed,
            _ => Kind::Automatic,
        };
        Some(Report { kind: worst.unwrap_or_else(by_status), status: status.clone(), why })
    }
}

/// Header fields of a text, what is folded put together.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), out.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, _, Some((name, value))) => out.push((name.trim().to_string(), value.trim().to_string())),
            _ => {}
        }
    }
    out
}

/// The first `4.x.x` or `5.x.x` of a text.
fn enhanced_code(text: &str) -> Option<String> {
    let is_code = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3
            && ["2", "4", "5"].contains(&parts[0])
            && parts[1..].iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.')).find(is_code).map(str::to_string)
}

fn is_postmaster(sender: &str) -> bool {
    let local = sender.split('@').next().unwrap_or_default().to_ascii_lowercase();
    ["mailer-daemon", "postmaster"].contains(&local.as_str())
}

/// Whether a machine wrote it: it says so (RFC 3834), as older ones do, or nobody may answer it.
fn is_automatic(message: &Message, sender: &str) -> bool {
    let header = |name: &str| message.header_raw(name).map(|value| value.trim().to_ascii_lowercase());
    let submitted = header("Auto-Submitted").is_some_and(|value| !value.is_empty() && value.split(';').next().map(str::trim) != Some("no"));
    let precedence =
        header("Precedence").is_some_and(|value| ["auto_reply", "auto-reply", "bulk", "junk", "list"].contains(&value.as_str()));
    let older =
        ["X-Autoreply", "X-Autorespond", "X-Auto-Reply", "X-Autogenerated", "X-Mailer-Daemon"].iter().any(|name| header(name).is_some());
    let nobody = header("Return-Path").is_some_and(|value| value == "<>");
    let report = message.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart") && kind.subtype().is_some_and(|sub| sub.eq_ignore_ascii_case("report"))
    });
    submitted
        || precedence
        || older
        || nobody
        || report
        || is_postmaster(sender)
        || is_automatic_subject(message.subject().unwrap_or_default())
}

/// The Message-IDs that it names: what it answers, then what a mail that comes back with it is called.
fn about(message: &Message) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |text: &str| {
        for id in text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let id = format!("<{}>", id.trim());
            if id.contains('@') && id.len() <= 998 && !out.contains(&id) && out.len() < MOST_NAMED {
                out.push(id);
            }
        }
    };
    for name in ["Original-Message-ID", "X-Original-Message-ID", "In-Reply-To", "References"] {
        add(message.header_raw(name).unwrap_or_default());
    }
    for part in &message.parts {
        let contents = match &part.body {
            PartType::Multipart(_) => continue,
            _ => String::from_utf8_lossy(part.contents()),
        };
        for (name, value) in fields(&contents) {
            if ["message-id", "original-message-id", "x-original-message-id"].contains(&name.to_ascii_lowercase().as_str()) {
                add(&value);
            }
        }
    }
    out
}
