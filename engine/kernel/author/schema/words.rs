//! The phrases of the language as patterns: what `read::phrase` accepts, in English and Chinese.

use crate::kernel::words::spellings;

pub const DATE: &str = r"\d{4}-\d{2}-\d{2}";
pub const HOUR: &str = r"\d{2}:\d{2}";

/// A length: `10 working days`, and the same in Chinese.
pub fn length() -> String {
    format!(r"\d+ ?({})", spellings::UNITS)
}

/// A reference to a field.
pub fn reference() -> String {
    format!(r"({})\.[^ .]+", spellings::HOLDERS)
}

/// Everything that may stand as a length, beside the names of params and tables.
pub fn lengths() -> String {
    let (length, reference) = (length(), reference());
    format!(
        r"{length}|until {reference}|{until} ?{reference}|on \d\d-\d\d( if at least {length} away)?|{on}|{length} before [^ ]+|[^ ]+{before}{length}",
        until = spellings::UNTIL,
        on = spellings::on_day(&length),
        before = spellings::BEFORE,
    )
}

/// When a rung stands.
pub fn rung_at() -> String {
    let length = length();
    format!(
        r"{length} (before|after)|on the day|every {length} (after|until due)|every \d+ [A-Z][a-z]+( until due)?|{}",
        spellings::rung_at(&length)
    )
}

pub fn send_window() -> String {
    format!(r"({}) ?{HOUR}-{HOUR}", spellings::DAYS)
}
