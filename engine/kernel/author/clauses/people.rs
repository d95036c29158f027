//! Roles, and the rows of the directory.

use super::{Clauses, Kind, Row};
use crate::kernel::author::speaker::Speaker;
use crate::kernel::model::directory::{Dated, Directory};

pub fn roles(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, role) in &speaker.workflow.roles {
        let mut clauses = Clauses::titled(speaker, &role.title);
        let cases = role.who.iter().enumerate().map(|(index, case)| match (index, &case.when) {
            (1.., None) => speaker.say("who.otherwise", &[("who", &speaker.who(None, &case.who))]),
            _ => speaker.when(speaker.who(None, &case.who), &case.when),
        });
        let meaning = role.who.iter().map(|case| speaker.meaning_when(format!("{:?}", case.who), &case.when));
        // The first case that holds names the holders: their order counts.
        let meaning = meaning.collect::<Vec<_>>().join("; ");
        let text = cases.collect::<Vec<_>>().join(&speaker.say("semicolon", &[]));
        clauses.add("who", meaning, text);
        rows.push(clauses.row(Kind::Role, None, name, &role.title));
    }
}

/// Units and persons, which belong to the rule set and to none of its workflows.
pub fn directory(speaker: &Speaker, directory: &Directory) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, unit) in &directory.units {
        let mut clauses = Clauses::titled(speaker, &unit.title);
        if let Some(kind) = &unit.kind {
            clauses.add("unit_kind", &**kind, speaker.unit(kind));
        }
        for (aspect, rows) in [("parent", &unit.parent), ("committee", &unit.committee)] {
            for row in rows {
                clauses.entry(aspect, format!("{} {}", row.value, days(row)), dated(speaker, row, speaker.unit(&row.value)));
            }
        }
        for row in &unit.formerly {
            clauses.entry("formerly", format!("{} {}", row.value, days(row)), dated(speaker, row, row.value.clone()));
        }
        if let Some(row) = &unit.merged_into {
            clauses.entry("merged_into", format!("{} {}", row.value, days(row)), dated(speaker, row, speaker.unit(&row.value)));
        }
        for also in &unit.also {
            clauses.entry("also", also, also);
        }
        if let Some(phone) = &unit.phone {
            clauses.wording("phone", "", phone);
        }
        rows.push(clauses.row(Kind::Directory, None, id, &unit.title));
    }
    for (id, person) in &directory.persons {
        let mut clauses = Clauses::titled(speaker, &person.title);
        if let Some(mail) = &person.mail {
            clauses.add("mail", mail, mail);
        }
        if let Some(phone) = &person.phone {
            clauses.wording("phone", "", phone);
        }
        for row in &person.groups {
            clauses.entry("group", format!("{} {}", row.value, days(row)), dated(speaker, row, row.value.to_string()));
        }
        for row in &person.duties {
            let text = speaker.say("duty_in", &[("duty", &row.value.duty), ("unit", &speaker.unit(&row.value.unit))]);
            clauses.entry("duty", format!("{} {} {}", row.value.duty, row.value.unit, days(row)), dated(speaker, row, text));
        }
        for row in &person.stand_in {
            let name = directory.persons.get(&row.value).map_or(row.value.to_string(), |person| person.title.clone());
            clauses.entry("stand_in", format!("{} {}", row.value, days(row)), dated(speaker, row, name));
        }
        rows.push(clauses.row(Kind::Directory, None, id, &person.title));
    }
    rows
}

fn days<T>(row: &Dated<T>) -> String {
    format!("{:?} {:?}", row.from, row.to)
}

fn dated<T>(speaker: &Speaker, row: &Dated<T>, text: String) -> String {
    let day = |day: &Option<crate::kernel::time::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let key = match (row.from, row.to) {
        (None, None) => return text,
        (Some(_), None) => "dated.from",
        (None, Some(_)) => "dated.to",
        (Some(_), Some(_)) => "dated.between",
    };
    speaker.say(key, &[("text", &text), ("from", &day(&row.from)), ("to", &day(&row.to))])
}
