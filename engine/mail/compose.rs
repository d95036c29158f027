//! A letter becomes the bytes of a message: headers, encodings, parts. The same input gives the same bytes.

use super::{Address, AddressError};
use crate::kernel::render::Letter;
use crate::kernel::time::Instant;
use lettre::message::header::{ContentDisposition, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::SystemTime;

/// In whose name mails go out.
#[derive(Clone, Debug)]
pub struct Sender {
    /// A name that people know, such as the office's.
    pub name: String,
    pub address: Address,
    /// A mailbox that somebody reads.
    pub reply_to: Option<Address>,
    /// Stands behind the @ of Message-IDs and in List-Id.
    pub domain: String,
}

/// What a mail is about and to whom it goes.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Unique per mail and the same at every try: the key of its notice, or of its bundle.
    pub key: &'a str,
    pub name: &'a str,
    pub address: &'a str,
    pub letter: &'a Letter,
    pub workflow: &'a str,
    /// What people read as the name of the list.
    pub list_title: &'a str,
    /// The item; none when it is about several.
    pub item: Option<&'a str>,
    /// Name of the notice.
    pub notice: &'a str,
    /// Why this person: the role, by its name.
    pub reason: &'a str,
    /// Hash of the rule set.
    pub rules: &'a str,
    /// A calendar of the deadlines that it is about (RFC 5545).
    pub agenda: Option<&'a str>,
    pub at: Instant,
}

/// A message as it is stored and handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The Message-ID with its angle brackets.
    pub id: String,
    pub to: Address,
    /// ASCII, lines ended by CRLF.
    pub bytes: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A line break or another control character, which could forge a header.
    #[error("the {what} `{text}` holds a control character")]
    ControlCharacter { what: &'static str, text: String },
    #[error("the {0} is empty")]
    Empty(&'static str),
    #[error("building the message: {0}")]
    Build(String),
}

/// Makes the bytes of a mail. Whatever could make the mail library fail is refused before it is asked.
pub fn compose(sender: &Sender, message: &Message) -> Result<Composed, ComposeError> {
    let to = Address::parse(message.address)?;
    for (what, text) in [
        ("name of the recipient", message.name),
        ("name of the sender", &sender.name),
        ("subject", &message.letter.subject),
        ("title of the list", message.list_title),
    ] {
        if text.chars().any(is_breaking) {
            return Err(ComposeError::ControlCharacter { what, text: text.escape_debug().to_string() });
        }
    }
    if message.letter.subject.trim().is_empty() {
        return Err(ComposeError::Empty("subject"));
    }

    let id = message_id(sender, message);
    let mut builder = lettre::Message::builder()
        .from(mailbox(&sender.name, &sender.address))
        .to(mailbox(message.name, &to))
        .subject(message.letter.subject.trim())
        .date(SystemTime::from(message.at))
        .message_id(Some(id.clone()));
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.reply_to(mailbox("", reply_to));
    }
    if let Some(item) = message.item {
        let root = root_id(sender, message.workflow, item);
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    let list = format!("{} <{}.{}>", message.list_title.trim(), slug(message.workflow), sender.domain);
    for (name, value) in [
        ("List-Id", list.trim()),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Duban-Item", message.item.unwrap_or_default()),
        ("X-Duban-Notice", message.notice),
        ("X-Duban-Reason", message.reason),
        ("X-Duban-Rule", message.rules),
    ] {
        if !value.is_empty() {
            let value = value.chars().map(|c| if is_breaking(c) { ' ' } else { c }).collect();
            builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        }
    }
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("duban_{}", &hash(message.key)[..24]))
        .singlepart(part(ContentType::TEXT_PLAIN, &message.letter.text))
        .singlepart(part(ContentType::TEXT_HTML, &message.letter.html));
    let whole = match message.agenda {
        None => parts,
        Some(agenda) => {
            let boundary = format!("duban_{}", &hash(&format!("{} calendar", message.key))[..24]);
            let mixed = MultiPart::builder().kind(MultiPartKind::Mixed).boundary(boundary);
            mixed.multipart(parts).singlepart(calendar(agenda, message.item)?)
        }
    };
    let built = builder.multipart(whole).map_err(|error| ComposeError::Build(error.to_string()))?;
    // Every header is encoded and every part is base64, quoted-printable or plain ASCII.
    let bytes = String::from_utf8(built.formatted()).map_err(|error| ComposeError::Build(error.to_string()))?;
    Ok(Composed { id, to, bytes })
}

/// The item's own id, to which all its mails refer, so that mail programs show them together.
pub fn root_id(sender: &Sender, workflow: &str, item: &str) -> String {
    format!("<{}.{}@{}>", slug(item), &hash(&format!("{workflow}/{item}"))[..12], sender.domain)
}

/// From the mail's key, so that a second try is recognised as the same mail. The person appears only inside the hash.
fn message_id(sender: &Sender, message: &Message) -> String {
    format!("<{}@{}>", reference(message.item, message.notice, message.key), sender.domain)
}

/// What stands before the @ of a Message-ID: under this a mail is asked about.
pub fn reference(item: Option<&str>, notice: &str, key: &str) -> String {
    let about = item.map(|item| format!("{}.", slug(item))).unwrap_or_default();
    format!("{about}{}.{}", slug(notice), &hash(key)[..24])
}

fn mailbox(name: &str, address: &Address) -> Mailbox {
    let name = name.trim();
    Mailbox::new((!name.is_empty()).then(|| name.to_string()), address.to_lettre())
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    let clean: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    // lettre would insert each CR by itself, which takes quadratic time.
    SinglePart::builder().header(kind).body(clean.replace('\n', "\r\n"))
}

/// A calendar to be taken in, under a name that every mail program can read.
fn calendar(agenda: &str, item: Option<&str>) -> Result<SinglePart, ComposeError> {
    let kind =
        ContentType::parse("text/calendar; charset=utf-8; method=PUBLISH").map_err(|error| ComposeError::Build(error.to_string()))?;
    let name = item.map_or_else(|| "deadlines.ics".to_string(), |item| format!("item-{}.ics", slug(item)));
    Ok(SinglePart::builder().header(kind).header(ContentDisposition::attachment(&name)).body(agenda.to_string()))
}

/// Line and paragraph separators count as line breaks to some mail programs.
fn is_breaking(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// ASCII letters, digits and `-` of a name, at most 40 of them.
fn slug(name: &str) -> String {
    let kept: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
    if kept.is_empty() { "x".to_string() } else { kept }
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
