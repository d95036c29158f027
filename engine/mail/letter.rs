//! A mail read back as a person would read it.

use mail_parser::MessageParser;

/// The headers that people read, and the text. A mail that cannot be read is shown as it is.
pub fn read_back(bytes: &str) -> (Vec<(&'static str, String)>, String) {
    let Some(message) = MessageParser::default().parse(bytes.as_bytes()) else { return (Vec::new(), bytes.to_string()) };
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
    (headers, message.body_text(0).unwrap_or_default().into_owned())
}
