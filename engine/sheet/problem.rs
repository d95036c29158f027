//! What is wrong with a workbook: as a whole ([`Error`]) or in one cell ([`SheetProblem`]), each with its sentence out of the catalogue.

use super::workbook::column_letters;
use crate::kernel::words::{self, Lang};
use serde::Serialize;
use thiserror::Error;

/// Stands between the entries of a list in a value; what people read there depends on their language.
pub(super) const BETWEEN: &str = "\u{1f}";

/// Why a workbook cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    #[error("cannot read `{file}`: {reason}")]
    Unreadable { file: String, reason: String },
    #[error("`{file}` is not an .xlsx workbook")]
    NotAWorkbook { file: String },
    #[error("the file is neither UTF-8 nor GB 18030 text")]
    NotText,
    #[error("the workbook is protected by a password")]
    Protected,
    #[error("the workbook is damaged: {reason}")]
    Damaged { reason: String },
    #[error("the file is larger than {megabytes} MB")]
    TooLarge { megabytes: u64 },
    #[error("the workbook unpacks to more than {megabytes} MB")]
    UnpacksTooLarge { megabytes: u64 },
    #[error("a part of the workbook is packed to less than 1/{ratio} of its size")]
    PackedTooTight { ratio: u64 },
    #[error("the workbook has more than {most} parts")]
    TooManyParts { most: usize },
    #[error("the sheet has more than {rows} rows or {cells} cells with something in them")]
    TooManyCells { rows: usize, cells: usize },
    #[error("the sheet has more than {most} merged regions among its data")]
    TooManyMerged { most: usize },
    #[error("there is no sheet `{wanted}`")]
    NoSheet { wanted: String, has: String },
    #[error("no row near the top of `{sheet}` has the headings")]
    NoHeader { sheet: String, headings: String },
}

impl Error {
    /// What the office reads.
    pub fn sentence(&self, lang: Lang) -> String {
        let text = |value: &dyn ToString| value.to_string();
        let (key, values): (&str, Vec<(&str, String)>) = match self {
            Error::Unreadable { file, reason } => ("sheet.unreadable", vec![("file", text(file)), ("reason", text(reason))]),
            Error::NotAWorkbook { file } => ("sheet.not_a_workbook", vec![("file", text(file))]),
            Error::NotText => ("sheet.not_text", vec![]),
            Error::Protected => ("sheet.protected", vec![]),
            Error::Damaged { reason } => ("sheet.damaged", vec![("reason", text(reason))]),
            Error::TooLarge { megabytes } => ("sheet.too_large", vec![("megabytes", text(megabytes))]),
            Error::UnpacksTooLarge { megabytes } => ("sheet.unpacks_too_large", vec![("megabytes", text(megabytes))]),
            Error::PackedTooTight { ratio } => ("sheet.packed_too_tight", vec![("ratio", text(ratio))]),
            Error::TooManyParts { most } => ("sheet.too_many_parts", vec![("most", text(most))]),
            Error::TooManyCells { rows, cells } => ("sheet.too_many_cells", vec![("rows", text(rows)), ("cells", text(cells))]),
            Error::TooManyMerged { most } => ("sheet.too_many_merged", vec![("most", text(most))]),
            Error::NoSheet { wanted, has } => ("sheet.no_sheet", vec![("wanted", text(wanted)), ("has", text(has))]),
            Error::NoHeader { sheet, headings } => ("sheet.no_header", vec![("sheet", text(sheet)), ("headings", text(headings))]),
        };
        sentence(lang, key, &values)
    }
}

/// What is wrong in one cell, one row, or (a missing column) in the row of headings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SheetProblem {
    pub sheet: String,
    /// As Excel counts, from 1.
    pub row: u32,
    /// Letters; empty when the whole row is meant.
    pub column: String,
    /// Its text stands in the catalogue under this key.
    pub code: &'static str,
    /// What the text speaks of.
    pub values: Vec<(&'static str, String)>,
}

impl SheetProblem {
    pub(super) fn new(sheet: &str, code: &'static str, row: u32, column: Option<u32>) -> Self {
        SheetProblem { sheet: sheet.to_string(), row, column: column.map(column_letters).unwrap_or_default(), code, values: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.values.push((name, value));
        self
    }

    /// Where to look, such as `建议!G37`.
    pub fn place(&self) -> String {
        format!("{}!{}{}", self.sheet, self.column, self.row)
    }

    /// A fault of the headings spoils every row.
    pub fn concerns_the_sheet(&self) -> bool {
        matches!(self.code, "sheet.missing_column" | "sheet.missing_column_nearest" | "sheet.perhaps_renamed" | "sheet.column_twice")
    }

    /// What the office reads.
    pub fn sentence(&self, lang: Lang) -> String {
        sentence(lang, self.code, &self.values)
    }
}

fn sentence(lang: Lang, key: &str, values: &[(&str, String)]) -> String {
    let comma = words::say(lang, "mail.comma", &[]);
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.replace(BETWEEN, &comma))).collect();
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    words::say(lang, key, &values)
}
