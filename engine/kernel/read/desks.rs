//! Desks, the columns and filters of the ledger, and what is published.

use super::keys;
use super::reader::Reader;
use super::tree::Node;
use crate::kernel::model::definition::{Desk, DeskPart, DeskShow, LedgerView, Published};

/// Rows of a report on a desk, where nothing else is said.
const ROWS: u32 = 10;

#[derive(Clone, Copy)]
enum Kind {
    Numbers,
    Duties,
    Requests,
    Coming,
    Health,
    Told,
    Waiting,
    Report,
    Round,
}

const KINDS: [(&str, Kind); 9] = [
    ("numbers", Kind::Numbers),
    ("duties", Kind::Duties),
    ("requests", Kind::Requests),
    ("coming", Kind::Coming),
    ("health", Kind::Health),
    ("told", Kind::Told),
    ("waiting", Kind::Waiting),
    ("report", Kind::Report),
    ("round", Kind::Round),
];

/// What `show` may say.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(word, _)| *word)
}

pub fn read(reader: &mut Reader, node: &Node) -> Option<Desk> {
    let row = reader.row(node, &keys::DESK)?;
    let title = reader.need_text(row, "title");
    let roles = reader.need(row, "for").map(|node| reader.names(node)).unwrap_or_default();
    let first_for = reader.names_at(row, "first_for");
    let nodes = reader.need(row, "parts").map(|node| reader.list(node)).unwrap_or_default();
    Some(Desk { title, roles, first_for, parts: nodes.iter().filter_map(|node| part(reader, node)).collect() })
}

fn part(reader: &mut Reader, node: &Node) -> Option<DeskPart> {
    let kind = node.get("show").and_then(|node| node.text()).and_then(|word| KINDS.iter().find(|(known, _)| **known == **word));
    let own: &[&str] = match kind {
        Some((_, Kind::Waiting)) => &keys::DESK_WAITING,
        Some((_, Kind::Report)) => &keys::DESK_REPORT,
        Some((_, Kind::Round)) => &keys::DESK_ROUND,
        Some(_) => &keys::DESK_PLAIN,
        None => &keys::DESK_PART,
    };
    let row = reader.row(node, own)?;
    let title = reader.need_text(row, "title");
    let kind = reader.need(row, "show").and_then(|node| reader.word(node, &KINDS))?;
    let show = match kind {
        Kind::Numbers => DeskShow::Numbers,
        Kind::Duties => DeskShow::Duties,
        Kind::Requests => DeskShow::Requests,
        Kind::Coming => DeskShow::Coming,
        Kind::Health => DeskShow::Health,
        Kind::Told => DeskShow::Told,
        Kind::Waiting => DeskShow::Waiting {
            states: reader.need(row, "states").map(|node| reader.names(node)).unwrap_or_default(),
            unit: row.get("unit").and_then(|node| reader.name(node)),
            action: row.get("action").and_then(|node| reader.name(node)),
        },
        Kind::Report => DeskShow::Report {
            report: reader.need(row, "report").and_then(|node| reader.name(node))?,
            rows: row.get("rows").and_then(|node| reader.number(node)).unwrap_or(ROWS) as usize,
        },
        Kind::Round => DeskShow::Round { branch: reader.need(row, "branch").and_then(|node| reader.name(node))? },
    };
    Some(DeskPart { title, show, path: node.path.clone() })
}

pub fn ledger(reader: &mut Reader, node: &Node) -> LedgerView {
    let Some(row) = reader.row(node, &keys::LEDGER) else { return LedgerView::default() };
    LedgerView { columns: reader.names_at(row, "columns"), filters: reader.names_at(row, "filters") }
}

pub fn published(reader: &mut Reader, node: &Node) -> Option<Published> {
    let row = reader.row(node, &keys::PUBLISHED)?;
    let mut names = |key| reader.need(row, key).map(|node| reader.names(node)).unwrap_or_default();
    let (states, is, fields) = (names("states"), names("is"), names("fields"));
    let title = reader.need_text(row, "title");
    Some(Published { title, states, is, fields, field: reader.need(row, "field").and_then(|node| reader.name(node))? })
}
