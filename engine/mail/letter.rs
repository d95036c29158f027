//! A mail read back as a person would read it.

use mail_parser::MessageParser;

/// The headers that people read, and the text without the tokens of its links, which are its addressee's alone. A mail that cannot be read is
/// shown as it is.
pub fn read_back(bytes: &str) -> (Vec<(&'static str, String)>, String) {
    let Some(message) = MessageParser::default().parse(bytes.as_bytes()) else { return (Vec::new(), without_tokens(bytes)) };
    let people = |list: Option<&mail_parser::Address>| {
        let list = list.into_iter().flat_map(|list| list.iter());
        let one = |one: &mail_parser::Addr| match (one.name(), one.address()) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (name, address) => name.or(address).unwrap_or_default().to_string(),
        };
        list.map(one).collect::<Vec<_>>().join(", ")
    };
    let mut headers = vec![
        ("From", people(message.from())),
        ("To", people(message.to())),
        ("Subject", message.subject().unwrap_or_default().to_string()),
    ];
    headers.extend(message.date().map(|date| ("Date", date.to_rfc3339())));
    headers.extend(message.message_id().map(|id| ("Message-ID", format!("<{id}>"))));
    (headers, without_tokens(&message.body_text(0).unwrap_or_default()))
}

/// Tokens of links are hexadecimal digits behind this; so many are one, or a good part of one that a mail program has broken off.
const BEFORE_TOKEN: &str = "/j/";
const TOKEN: usize = 16;

/// A text without the tokens of links, whole or cut.
pub(super) fn without_tokens(text: &str) -> String {
    let mut pieces = text.split(BEFORE_TOKEN);
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(BEFORE_TOKEN);
        out.push_str(if digits >= TOKEN { "\u{2026}" } else { &piece[..digits] });
        out.push_str(&piece[digits..]);
    }
    out
}
