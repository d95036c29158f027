//! A forecast as tables for spreadsheets, and as lines of JSON for programs.

use crate::app::Foreseen;
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::definition::NoticeKind;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::forecast::{Carried, Mail, Reason};
use crate::kernel::words::{Lang, say};
use crate::sheet::write::{Cell, Table};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A forecast beside the rules that it was made under.
pub struct Shown<'a> {
    pub foreseen: &'a Foreseen,
    pub rules: &'a RuleSet,
    pub lang: Lang,
}

impl<'a> Shown<'a> {
    fn workflow(&self, name: &str) -> Option<&'a Arc<Rules>> {
        self.rules.workflows.get(name)
    }

    fn any(&self) -> Option<&'a Arc<Rules>> {
        self.rules.workflows.values().next()
    }

    /// A person or a unit by its title.
    pub fn title(&self, id: &Name) -> String {
        self.any().map_or_else(|| id.to_string(), |rules| capture::title(rules, id))
    }

    /// The unit in which a person has a duty today.
    pub fn unit(&self, person: &Name) -> String {
        let rows = self.rules.directory.persons.get(person).map(|person| &person.duties);
        rows.and_then(|duties| duties.first()).map_or_else(String::new, |duty| self.title(&duty.value.unit))
    }

    pub fn kind(&self, kind: NoticeKind) -> String {
        say(self.lang, &format!("simulate.kind.{}", word(kind)), &[])
    }

    pub fn notice(&self, reason: &Reason) -> String {
        let notice = self.workflow(&reason.workflow).and_then(|rules| rules.setting.workflow.notices.get(&reason.notice));
        notice.map_or_else(|| reason.notice.to_string(), |notice| notice.title.clone())
    }

    pub fn deadline(&self, workflow: &str, deadline: &str) -> String {
        let deadline_of = self.workflow(workflow).and_then(|rules| rules.setting.workflow.deadlines.get(deadline));
        deadline_of.map_or_else(|| deadline.to_string(), |deadline| deadline.title.clone())
    }

    /// `deadlines.yaml:57`, inside the folder of the rule set.
    pub fn place(&self, workflow: &str, rule: &str) -> String {
        let place = self.workflow(workflow).filter(|_| !rule.is_empty()).and_then(|rules| rules.places.find(rule));
        place.map_or_else(String::new, |place| format!("{}:{}", place.file, place.line))
    }

    fn item_title(&self, item: &Name) -> &str {
        self.foreseen.titles.get(item).map_or("", String::as_str)
    }

    fn heading(&self, name: &str) -> String {
        say(self.lang, &format!("simulate.column.{name}"), &[])
    }

    fn table(&self, name: &str, headings: &[&str], rows: Box<dyn Iterator<Item = Vec<Cell>> + 'a>) -> Table<'a> {
        let headings = headings.iter().map(|heading| self.heading(heading)).collect();
        Table { name: say(self.lang, &format!("simulate.sheet.{name}"), &[]), headings, rows }
    }

    /// Every notice that leaves, in the order in which it does; those of one mail have its number.
    pub fn mails(&'a self) -> Table<'a> {
        let headings = [
            "leaves", "mail", "person", "name", "unit", "kind", "notice", "item", "title", "branch", "deadline", "rung", "role", "copy",
            "rule",
        ];
        let rows = self.foreseen.forecast.mails().zip(1_u64..);
        let rows = rows.flat_map(move |(mail, number)| mail.notices().map(move |carried| self.row(&mail, number, &carried)));
        self.table("mails", &headings, Box::new(rows))
    }

    fn row(&self, mail: &Mail, number: u64, carried: &Carried) -> Vec<Cell> {
        let reason = carried.reason;
        let zone = self.any().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let role = self.workflow(&reason.workflow).and_then(|rules| rules.setting.workflow.roles.get(&reason.role));
        let (deadline, rung) = match &reason.rung {
            Some((deadline, rung)) => (self.deadline(&reason.workflow, deadline), rung.to_string()),
            None => Default::default(),
        };
        vec![
            Cell::Moment(mail.at().with_timezone(&zone).naive_local()),
            Cell::Number(number),
            Cell::from(&**mail.person()),
            Cell::Text(self.title(mail.person())),
            Cell::from(self.unit(mail.person()).as_str()),
            Cell::Text(self.kind(reason.kind)),
            Cell::Text(self.notice(reason)),
            Cell::from(&**carried.item),
            Cell::from(self.item_title(carried.item)),
            carried.branch.map_or(Cell::Empty, |no| Cell::Number(u64::from(no))),
            Cell::from(deadline.as_str()),
            Cell::from(rung.as_str()),
            Cell::Text(role.map_or_else(|| reason.role.to_string(), |role| role.title.clone())),
            Cell::from(if reason.copy { self.heading("copy") } else { String::new() }.as_str()),
            Cell::from(self.place(&reason.workflow, &reason.rule).as_str()),
        ]
    }

    pub fn days(&'a self) -> Table<'a> {
        let headings = ["day", "mails", "notices", "messages", "reminders", "escalations", "persons", "busiest", "most"];
        let rows = self.foreseen.forecast.days().into_iter().map(|day| {
            vec![
                Cell::Day(day.day),
                Cell::Number(day.mails),
                Cell::Number(day.notices),
                Cell::Number(day.messages),
                Cell::Number(day.reminders),
                Cell::Number(day.escalations),
                Cell::Number(day.persons),
                Cell::Text(self.title(&day.busiest.0)),
                Cell::Number(day.busiest.1),
            ]
        });
        self.table("days", &headings, Box::new(rows))
    }

    pub fn persons(&'a self) -> Table<'a> {
        let headings = ["person", "name", "unit", "mails", "notices", "busiest_day", "most"];
        let rows = self.foreseen.forecast.persons().into_iter().map(|load| {
            vec![
                Cell::from(&*load.person),
                Cell::Text(self.title(&load.person)),
                Cell::from(self.unit(&load.person).as_str()),
                Cell::Number(load.mails),
                Cell::Number(load.notices),
                Cell::Day(load.busiest.0),
                Cell::Number(load.busiest.1),
            ]
        });
        self.table("persons", &headings, Box::new(rows))
    }

    pub fn reds(&'a self) -> Table<'a> {
        let headings = ["day", "item", "title", "deadline", "branch", "rung"];
        let rows = self.foreseen.forecast.reds.iter().map(|red| {
            let (deadline, branch, rung) = match &red.rung {
                Some(key) => (self.deadline(&red.workflow, &key.deadline), key.branch, key.rung.to_string()),
                None => Default::default(),
            };
            vec![
                Cell::Day(red.day),
                Cell::from(&*red.item),
                Cell::from(self.item_title(&red.item)),
                Cell::from(deadline.as_str()),
                branch.map_or(Cell::Empty, |no| Cell::Number(u64::from(no))),
                Cell::from(rung.as_str()),
            ]
        });
        self.table("reds", &headings, Box::new(rows))
    }

    pub fn mail_in_json(&self, mail: &Mail) -> Json {
        let notices = mail.notices().map(|carried| {
            let reason = carried.reason;
            let place =
                self.workflow(&reason.workflow).filter(|_| !reason.rule.is_empty()).and_then(|rules| rules.places.find(&reason.rule));
            json!({
                "item": carried.item, "branch": carried.branch, "workflow": reason.workflow, "notice": reason.notice, "kind": reason.kind,
                "role": reason.role, "copy": reason.copy,
                "deadline": reason.rung.as_ref().map(|(deadline, _)| deadline), "rung": reason.rung.as_ref().map(|(_, rung)| rung),
                "rule": place.map(|place| json!({ "file": place.file, "line": place.line })),
            })
        });
        json!({ "type": "mail", "leaves": mail.at(), "day": mail.day(), "person": mail.person(), "notices": notices.collect::<Vec<_>>() })
    }
}

/// The word of a kind in the catalogue.
fn word(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Message => "message",
        NoticeKind::Reminder => "reminder",
        NoticeKind::Escalation => "escalation",
    }
}
