//! Desks, the ledger, and what anybody may read.

use super::{Clauses, Kind, Row};
use crate::kernel::author::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{DeskPart, DeskShow};

pub fn pages(speaker: &Speaker, rows: &mut Vec<Row>) {
    let workflow = speaker.workflow;
    for (name, desk) in &workflow.desks {
        let mut clauses = Clauses::titled(speaker, &desk.title);
        clauses.add("desk_for", joined(&desk.roles), speaker.roles(&desk.roles));
        if !desk.first_for.is_empty() {
            clauses.add("desk_first", joined(&desk.first_for), speaker.roles(&desk.first_for));
        }
        for (place, part) in desk.parts.iter().enumerate() {
            let (meaning, text) = shown(speaker, part);
            clauses.of("desk_part", (place + 1).to_string(), meaning, text);
        }
        rows.push(clauses.row(Kind::Page, None, name, &desk.title));
    }
    let fields = |names: &[Name]| speaker.list(names.iter().map(|name| speaker.field(None, name)));
    let (columns, filters) = (&workflow.ledger.columns, &workflow.ledger.filters);
    if !columns.is_empty() || !filters.is_empty() {
        let mut clauses = Clauses::new(speaker);
        for (aspect, names) in [("ledger_columns", columns), ("ledger_filters", filters)] {
            if !names.is_empty() {
                clauses.add(aspect, joined(names), fields(names));
            }
        }
        rows.push(clauses.row(Kind::Page, None, "ledger", speaker.say("page.ledger", &[])));
    }
    if let Some(published) = &workflow.published {
        let mut clauses = Clauses::titled(speaker, &published.title);
        clauses.add("published_in", joined(&published.states), speaker.states(None, &published.states));
        let meaning = format!("{} {}", published.field, joined(&published.is));
        let declared = workflow.fields.get(&published.field);
        let options = published.is.iter().map(|option| {
            let title = declared.and_then(|field| field.option_titles.get(option));
            title.cloned().unwrap_or_else(|| option.to_string())
        });
        let options = speaker.any_of(options.collect::<Vec<_>>());
        let text = speaker.say("page.published_if", &[("field", &speaker.field(None, &published.field)), ("options", &options)]);
        clauses.add("published_if", meaning, text);
        clauses.add("published_fields", joined(&published.fields), fields(&published.fields));
        rows.push(clauses.row(Kind::Page, None, "published", &published.title));
    }
}

fn joined(names: &[Name]) -> String {
    names.iter().map(|name| &**name).collect::<Vec<_>>().join(" ")
}

/// What a part does, and how people read it.
fn shown(speaker: &Speaker, part: &DeskPart) -> (String, String) {
    let title = |known: Option<&String>, name: &Name| known.cloned().unwrap_or_else(|| name.to_string());
    let workflow = speaker.workflow;
    let (word, of) = match &part.show {
        DeskShow::Numbers => ("numbers", String::new()),
        DeskShow::Duties => ("duties", String::new()),
        DeskShow::Requests => ("requests", String::new()),
        DeskShow::Coming => ("coming", String::new()),
        DeskShow::Health => ("health", String::new()),
        DeskShow::Told => ("told", String::new()),
        DeskShow::Waiting { states, .. } => ("waiting", speaker.states(None, states)),
        DeskShow::Report { report, .. } => ("report", title(workflow.reports.get(report).map(|report| &report.title), report)),
        DeskShow::Round { branch } => ("round", speaker.branch(branch)),
    };
    let text = speaker.say(&format!("page.{word}"), &[("title", &part.title), ("of", &of)]);
    (format!("{:?} {:?}", part.title, part.show), text)
}
