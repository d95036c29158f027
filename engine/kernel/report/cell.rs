//! One value in a table, and how people read it.

use crate::kernel::time::Date;
use crate::kernel::words::{Lang, say};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    #[default]
    Empty,
    Text(String),
    Number(i64),
    /// In hundredths of a percent, rounded half up.
    Share(u64),
    Day(Date),
    YesNo(bool),
    Several(Vec<Cell>),
}

impl Cell {
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Share(hundredths) => percent(*hundredths) + "%",
            Cell::Day(day) => day.to_string(),
            Cell::YesNo(yes) => say(lang, if *yes { "author.yes" } else { "author.no" }, &[]),
            Cell::Several(cells) => cells.iter().map(|cell| cell.text(lang)).collect::<Vec<_>>().join(&say(lang, "mail.comma", &[])),
        }
    }

    /// For programs and stories: whatever the reader's language, and `-` for nothing.
    pub fn plain(&self) -> String {
        match self {
            Cell::Empty => "-".to_string(),
            Cell::YesNo(yes) => yes.to_string(),
            Cell::Several(cells) => cells.iter().map(Cell::plain).collect::<Vec<_>>().join(", "),
            other => other.text(Lang::En),
        }
    }

    pub fn number(&self) -> Option<i64> {
        match self {
            Cell::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// Hundredths of a percent as `38.66`.
pub fn percent(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
