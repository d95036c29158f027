//! What a story expects after a step, held against what came of it; every difference is told.

use super::run::{Telling, shown};
use super::world::Sent;
use crate::kernel::access::Reader;
use crate::kernel::decide;
use crate::kernel::derive::roles;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Notice;
use crate::kernel::model::definition::Flag;
use crate::kernel::model::fact::Cause;
use crate::kernel::model::item::{Clock, Item};
use crate::kernel::model::step::{Expect, ExpectedFigures, ExpectedMail, ExpectedSkip, OtherItem};
use crate::kernel::model::value::Value;
use crate::kernel::render;
use crate::kernel::report::{self, Column, Row};
use crate::kernel::rules::EvalError;
use crate::kernel::time::{Date, Instant};
use crate::kernel::words;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Telling<'_> {
    pub(super) fn expect(&mut self, expect: &Expect) {
        if let Some(wanted) = &expect.mails {
            self.expect_mails(wanted);
        }
        self.seen_mails = self.world.sent.len();
        expect.others.iter().for_each(|(id, wanted)| self.expect_other(id, wanted));
        if let Some(wanted) = &expect.skipped {
            self.expect_skipped(wanted);
        }
        let Some(item) = self.world.item(&self.id) else { return };
        if let Some(wanted) = &expect.state {
            self.same("state", "", wanted.to_string(), item.state.to_string());
        }
        if let Some(wanted) = expect.flag {
            self.same("flag", "", flag_text(wanted.flag()), flag_text(item.flag));
        }
        for (field, wanted) in &expect.item {
            let kind = self.world.rules.setting.workflow.fields.get(field).map(|field| field.kind.clone());
            let wanted =
                kind.and_then(|kind| decide::input::coerce(&self.world.rules, &item, &kind, wanted).ok()).unwrap_or_else(|| wanted.clone());
            self.same("field", field, shown(&wanted), shown(item.field(field)));
        }
        for (address, wanted) in &expect.branches {
            match self.branch(&item, address).and_then(|no| item.branch(no)) {
                Some(branch) => self.same("branch", address, wanted.to_string(), branch.state.to_string()),
                // That there is none may be what is expected.
                None if &**wanted == "-" => {}
                None => self.no_branch(&item, address),
            }
        }
        self.expect_tasks(&item, &expect.tasks);
        expect.may.iter().for_each(|(person, wanted)| self.may(person, wanted));
        self.expect_people(&item, expect);
        expect.reports.iter().for_each(|(name, wanted)| self.expect_report(name, wanted));
        self.says_provisional = expect.provisional.is_some();
        if let Some(wanted) = &expect.due {
            self.expect_due(&item, wanted);
        }
        let running = || item.clocks.iter().filter(|clock| clock.is_running());
        if let Some(wanted) = &expect.paused {
            self.same_names("paused", wanted, running().filter(|clock| clock.paused).map(|clock| &clock.deadline).collect());
        }
        if let Some(wanted) = &expect.provisional {
            let provisional = running().filter(|clock| clock.due.as_ref().is_some_and(|due| due.provisional));
            self.same_names("provisional", wanted, provisional.map(|clock| &clock.deadline).collect());
        }
    }

    /// An item that the story is not about.
    fn expect_other(&mut self, id: &Name, wanted: &OtherItem) {
        let found = self.world.item(id);
        let state = found.as_ref().map_or_else(|| "-".to_string(), |item| item.state.to_string());
        if let Some(wanted) = &wanted.state {
            self.same("other_state", id, wanted.to_string(), state);
        }
        let Some(item) = found else { return };
        let rules = self.world.rules_of(&item.workflow);
        for (field, wanted) in &wanted.item {
            let kind = rules.setting.workflow.fields.get(field).map(|field| &field.kind);
            let typed = kind.and_then(|kind| decide::input::coerce(&rules, &item, kind, wanted).ok());
            self.same("other_field", &format!("{id}.{field}"), shown(typed.as_ref().unwrap_or(wanted)), shown(item.field(field)));
        }
    }

    fn expect_tasks(&mut self, item: &Arc<Item>, wanted: &BTreeMap<String, BTreeMap<Name, Value>>) {
        for (address, fields) in wanted {
            let Some(branch) = self.branch(item, address).and_then(|no| item.branch(no)) else {
                self.no_branch(item, address);
                continue;
            };
            for (field, wanted) in fields {
                let declared = self.world.rules.setting.workflow.fields_of(Some(&branch.kind)).and_then(|fields| fields.get(field));
                let typed = declared.and_then(|field| decide::input::coerce(&self.world.rules, item, &field.kind, wanted).ok());
                let found = branch.fields.get(field).unwrap_or(&Value::Empty);
                self.same("of_branch", &format!("{address}.{field}"), shown(typed.as_ref().unwrap_or(wanted)), shown(found));
            }
        }
    }

    /// Who owns the state in which the item or a branch stands, and from whom which fields are hidden.
    fn expect_people(&mut self, item: &Arc<Item>, expect: &Expect) {
        let rules = self.world.rules.clone();
        for (address, wanted) in &expect.waits_for {
            let task = self.branch(item, address).filter(|_| address != "item");
            let branch = task.and_then(|no| item.branch(no));
            let (kind, state) = branch.map_or((None, &item.state), |branch| (Some(&*branch.kind), &branch.state));
            if address != "item" && branch.is_none() {
                self.no_branch(item, address);
                continue;
            }
            let owner = rules.setting.workflow.states_of(kind).and_then(|states| states.get(state)).and_then(|state| state.owner.as_ref());
            let held = owner.map_or(Ok(Vec::new()), |owner| roles::holders(&rules, item, owner, task, self.world.today()));
            match held {
                Ok(found) => self.same_list("waits_for", address, wanted, found),
                Err(error) => self.differs("rule_failed", vec![("what", error.to_string())]),
            }
        }
        for (person, wanted) in &expect.hidden {
            match self.hidden_from(item, person) {
                Ok(found) => self.same_list("hidden", person, wanted, found),
                Err(error) => self.differs("rule_failed", vec![("what", error.to_string())]),
            }
        }
    }

    fn hidden_from(&self, item: &Arc<Item>, person: &Name) -> Result<Vec<Name>, EvalError> {
        let rules = &self.world.rules;
        let facts = self.world.items.get(&self.id).map_or(&[][..], |kept| &kept.facts);
        let reader = Reader { rules, item, facts, person: Some(person), day: self.world.today() };
        let mut hidden = Vec::new();
        for (name, field) in &rules.setting.workflow.fields {
            if !reader.sees_field(None, name, field)? {
                hidden.push(name.clone());
            }
        }
        for branch in &item.branches {
            let seen = reader.sees_branch(branch)?;
            for (name, field) in rules.setting.workflow.fields_of(Some(&branch.kind)).into_iter().flatten() {
                if !seen || !reader.sees_field(Some(branch.no), name, field)? {
                    hidden.push(format!("{}.{name}", branch.kind).into());
                }
            }
        }
        Ok(hidden)
    }

    /// Figures as of today, over every item of the story.
    fn expect_report(&mut self, name: &Name, wanted: &ExpectedFigures) {
        let rules = self.world.rules.clone();
        if !rules.setting.workflow.reports.contains_key(name) {
            return;
        }
        let items = self.world.items.iter().map(|(id, kept)| (&**id, &kept.facts[..]));
        let table = match report::table(&rules, name, items, &[self.world.today()], None) {
            Ok(table) => table,
            Err(error) => return self.differs("rule_failed", vec![("what", error.to_string())]),
        };
        let keys = |row: &Row| row.keys.iter().map(|key| if key.value.is_empty() { "-" } else { &key.value }).collect::<Vec<_>>().join(" ");
        if let Some(wanted) = &wanted.counts {
            let text = |counts: &mut dyn Iterator<Item = (String, u64)>| {
                let mut counts: Vec<String> = counts.map(|(value, count)| format!("{value} {count}")).collect();
                counts.sort();
                counts.join(", ")
            };
            let named = |row: &Row| if row.keys.len() == 1 { row.keys[0].value.clone() } else { keys(row) };
            let found = text(&mut table.rows.iter().filter(|row| row.counted[0] > 0).map(|row| (named(row), row.counted[0])));
            let wanted = text(&mut wanted.iter().map(|(value, count)| (value.clone(), *count)));
            self.same("report", name, wanted, found);
        }
        if let Some(share) = &wanted.share {
            let found = table.figures(0).and_then(|figures| figures.share);
            let found = found.map_or_else(|| "-".to_string(), |share| report::Cell::Share(share).plain());
            self.same("report", name, share.clone(), found);
        }
        for (called, figures) in &wanted.rows {
            let titles = |row: &Row| row.keys.iter().map(|key| key.shown.plain()).collect::<Vec<_>>().join(" ");
            match table.rows.iter().find(|row| keys(row) == *called || titles(row) == *called) {
                Some(row) => self.expect_figures(&format!("{name} {called}"), &table.columns, &row.cells[0], figures),
                None => {
                    let known: Vec<String> = table.rows.iter().map(keys).collect();
                    self.differs("no_row", vec![("of", name.to_string()), ("row", called.clone()), ("known", known.join(", "))]);
                }
            }
        }
        self.expect_figures(name, &table.columns, &table.totals[0], &wanted.total);
        if let Some(wanted) = &wanted.list {
            self.same("report", name, wanted.len().to_string(), table.rows.len().to_string());
            for (place, (row, figures)) in table.rows.iter().zip(wanted).enumerate() {
                self.expect_figures(&format!("{name} {}", place + 1), &table.columns, &row.cells[0], figures);
            }
        }
    }

    fn expect_figures(&mut self, of: &str, columns: &[Column], cells: &[report::Cell], wanted: &BTreeMap<String, Value>) {
        for (column, wanted) in wanted {
            // A column that is not there has been told as an unknown name.
            let Some(place) = columns.iter().position(|known| *known.name == **column || known.title == *column) else { continue };
            let wanted = match wanted {
                Value::Empty => "-".to_string(),
                Value::Text(text) => text.to_string(),
                Value::Number(number) => number.to_string(),
                Value::Bool(yes) => yes.to_string(),
                other => shown(other),
            };
            self.same("report", &format!("{of} {column}"), wanted, cells[place].plain());
        }
    }

    fn same_list(&mut self, what: &'static str, of: &str, wanted: &[Name], found: Vec<Name>) {
        let sorted = |names: &[Name]| {
            let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
            names.sort_unstable();
            names.dedup();
            names.join(", ")
        };
        self.same(what, of, sorted(wanted), sorted(&found));
    }

    fn same(&mut self, what: &'static str, of: &str, wanted: String, found: String) {
        if wanted != found {
            self.differs(what, vec![("of", of.to_string()), ("wanted", wanted), ("found", found)]);
        }
    }

    fn same_names(&mut self, what: &'static str, wanted: &[Name], found: Vec<&Name>) {
        let sorted = |mut names: Vec<&Name>| {
            names.sort();
            names.dedup();
            names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
        };
        self.same(what, "", sorted(wanted.iter().collect()), sorted(found));
    }

    fn expect_due(&mut self, item: &Item, wanted: &BTreeMap<String, Option<Date>>) {
        if wanted.is_empty() {
            let dated = |clock: &Clock| match &clock.due {
                Some(due) => format!("{} {}", clock.deadline, due.date),
                None => clock.deadline.to_string(),
            };
            let running: Vec<String> = item.clocks.iter().filter(|clock| clock.is_running()).map(|clock| dated(clock)).collect();
            if !running.is_empty() {
                let values = [("of", ""), ("wanted", "-"), ("found", &running.join(", ")), ("why", "")];
                self.differs("due", values.map(|(name, value)| (name, value.to_string())).into());
            }
        }
        for (name, wanted) in wanted {
            let (deadline, address) = name.split_once(' ').map_or((name.as_str(), None), |(deadline, address)| (deadline, Some(address)));
            let kind = self.world.rules.setting.workflow.deadlines.get(deadline).and_then(|deadline| deadline.branch.clone());
            let of: Option<&Clock> = match (&kind, address) {
                (Some(kind), Some(address)) => {
                    self.branch(item, &format!("{kind} {address}")).and_then(|no| item.clock(deadline, Some(no)))
                }
                (Some(_), None) => {
                    item.clocks.iter().rev().map(|clock| &**clock).find(|clock| &*clock.deadline == deadline && clock.is_running())
                }
                (None, _) => item.clock(deadline, None),
            };
            let found = of.filter(|clock| clock.is_running()).and_then(|clock| clock.due.as_ref());
            if found.is_some_and(|due| due.provisional && Some(due.date) == *wanted) && !self.says_provisional {
                self.remark("W905", vec![("of", name.clone())]);
            }
            if found.map(|due| due.date) != *wanted {
                let steps = |due: &crate::kernel::model::item::Due| {
                    due.steps.iter().map(|step| words::due::step(self.reader, step, str::to_string)).collect::<Vec<_>>()
                };
                let why =
                    found.map_or_else(String::new, |due| words::say(self.reader, "story.why.due", &[("steps", &steps(due).join(" · "))]));
                let text = |date: Option<Date>| date.map_or_else(|| "-".to_string(), |date| date.to_string());
                let values =
                    vec![("of", name.clone()), ("wanted", text(*wanted)), ("found", text(found.map(|due| due.date))), ("why", why)];
                self.differs("due", values);
            }
        }
    }

    /// What is said of a branch that is not there cannot be held against anything.
    fn no_branch(&mut self, item: &Item, address: &str) {
        let mut known = Vec::new();
        for (index, branch) in item.branches.iter().enumerate() {
            let opened_for = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field).and_then(Value::as_text));
            let ordinal = item.branches[..=index].iter().filter(|other| other.kind == branch.kind).count();
            known.push(format!("{} {}", branch.kind, opened_for.map_or_else(|| ordinal.to_string(), |id| id.to_string())));
        }
        match known.is_empty() {
            true => self.differs("no_branch_at_all", vec![("of", address.to_string())]),
            false => self.differs("no_branch", vec![("of", address.to_string()), ("known", known.join(", "))]),
        }
    }

    fn branch(&self, item: &Item, address: &str) -> Option<u32> {
        let (kind, which) = address.split_once(' ').unwrap_or((address, ""));
        let of_kind = || item.branches.iter().filter(|branch| &*branch.kind == kind);
        if which.is_empty() {
            return of_kind().next_back().map(|branch| branch.no);
        }
        if let Ok(ordinal) = which.parse::<usize>() {
            return of_kind().nth(ordinal.checked_sub(1)?).map(|branch| branch.no);
        }
        let is_meant = |id: &Name| &**id == which || decide::capture::title(&self.world.rules, id) == which;
        let fits = |branch: &&Arc<crate::kernel::model::item::Branch>| {
            ["unit", "person"].iter().any(|field| branch.fields.get(*field).and_then(Value::as_text).is_some_and(is_meant))
        };
        of_kind().rev().find(fits).map(|branch| branch.no)
    }

    /// W903: something is expected of a step, but not what it sends.
    pub(super) fn unasked_mails(&mut self) {
        let sent = self.world.sent[self.seen_mails..].iter().map(|sent| sent.notice.notice.clone());
        let mut notices: Vec<Name> = sent.filter(|notice| !self.story.ignore_notices.contains(notice)).collect();
        notices.sort();
        notices.dedup();
        if !notices.is_empty() {
            let names: Vec<&str> = notices.iter().map(|name| &**name).collect();
            self.remark("W903", vec![("notices", names.join(", "))]);
        }
    }

    /// Why a mail that was expected did not come: where the rungs that tell it stand, or what became of them.
    fn why_missing(&self, notice: &Name) -> String {
        let rules = &self.world.rules;
        let place = |path: &str| rules.places.find(path).map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
        let Some(item) = self.world.item(&self.id) else { return String::new() };
        let mut out = Vec::new();
        for (name, deadline) in &rules.setting.workflow.deadlines {
            for (index, rung) in deadline.ladder.iter().enumerate().filter(|(_, rung)| rung.tell.contains(notice)) {
                let of_rung = format!("{name}.{}", rung.rung);
                for clock in item.clocks.iter().filter(|clock| clock.deadline == *name) {
                    let fired = clock.fired.iter().rev().find(|fired| fired.rung == rung.rung);
                    let values = |day: String, why: String| {
                        let values = [("rung", of_rung.as_str()), ("place", &place(&rung.path)), ("day", &day), ("why", &why)];
                        values.map(|(name, value)| (name, value.to_string()))
                    };
                    let say = |key: &str, values: [(&str, String); 4]| {
                        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
                        words::say(self.reader, key, &values)
                    };
                    let due = clock.due.as_deref().filter(|_| clock.is_running());
                    match (fired, due) {
                        (Some(fired), _) => {
                            let on = fired.on.to_string();
                            out.push(match &fired.skipped {
                                Some(why) => {
                                    let why = words::say(self.reader, &format!("explain.skipped.{why}"), &[]);
                                    say("story.why.came_in_vain", values(on, why))
                                }
                                None => say("story.why.came", values(on, String::new())),
                            });
                        }
                        (None, Some(due)) => {
                            let next = crate::kernel::derive::rungs::occurrence(rules, clock, due, rung, index, 1);
                            let due_on = due.date.to_string();
                            match next {
                                Some(next) => out.push(say("story.why.comes", values(next.day.to_string(), due_on))),
                                None => out.push(say("story.why.never", values(String::new(), due_on))),
                            }
                        }
                        (None, None) => {
                            let end = clock.end.as_ref().map_or_else(String::new, |end| end.on.to_string());
                            out.push(say("story.why.over", values(end, String::new())));
                        }
                    }
                }
            }
        }
        out.dedup();
        if out.is_empty() { words::say(self.reader, "story.why.nothing", &[]) } else { out.join("; ") }
    }

    /// By which rule a mail came that was not expected.
    fn why_extra(&self, mail: &ExpectedMail) -> String {
        let rules = &self.world.rules;
        let sent = self.world.sent[self.seen_mails..].iter().find(|sent| sent.notice.notice == mail.notice);
        let fact = sent.and_then(|sent| self.world.items.get(&sent.notice.item)?.facts.iter().find(|fact| fact.seq == sent.notice.seq));
        let Some(fact) = fact else { return String::new() };
        let item = self.world.item(&self.id);
        let path = decide::rule_of(rules, item.as_deref(), fact);
        let place = rules.places.find(&path).map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default();
        words::say(self.reader, "story.why.told", &[("fact", &fact.name), ("day", &fact.effective_on.to_string()), ("place", &place)])
    }

    fn expect_mails(&mut self, wanted: &[ExpectedMail]) {
        let mut found = self.mails(&self.world.sent[self.seen_mails..]);
        found.retain(|mail| !self.story.ignore_notices.contains(&mail.notice));
        // Told is what was asked for.
        let asks = |of: fn(&ExpectedMail) -> bool| wanted.iter().any(of);
        let (kinds, bundles) = (asks(|mail| mail.kind.is_some()), asks(|mail| mail.bundled.is_some()));
        let subjects = asks(|mail| mail.subject.is_some());
        for mail in &mut found {
            mail.kind = mail.kind.filter(|_| kinds);
            mail.bundled = mail.bundled.filter(|_| bundles);
            mail.subject = mail.subject.take().filter(|_| subjects);
        }
        let mut missing = Vec::new();
        for wanted in wanted {
            let same = |mail: &ExpectedMail| {
                let people = |mut people: Vec<Name>| {
                    people.sort();
                    people
                };
                mail.notice == wanted.notice
                    && people(mail.to.clone()) == people(wanted.to.clone())
                    && people(mail.cc.clone()) == people(wanted.cc.clone())
                    && wanted.sent.as_ref().is_none_or(|sent| mail.sent.as_ref() == Some(sent))
                    && (wanted.kind.is_none() || wanted.kind == mail.kind)
                    && (wanted.bundled.is_none() || wanted.bundled == mail.bundled)
                    && (wanted.subject.is_none() || wanted.subject == mail.subject)
            };
            match found.iter().position(same) {
                Some(index) => drop(found.remove(index)),
                None => missing.push(wanted.clone()),
            }
        }
        for mail in missing {
            let why = self.why_missing(&mail.notice);
            self.differs("mail_missing", vec![("mail", mail_text(&mail)), ("why", why)]);
        }
        for mail in found {
            let why = self.why_extra(&mail);
            self.differs("mail_extra", vec![("mail", mail_text(&mail)), ("why", why)]);
        }
    }

    /// Notices of one cause sent at one moment, with all whom they went to.
    fn mails(&self, sent: &[Sent]) -> Vec<ExpectedMail> {
        let mut out: Vec<((Name, u64, Option<u32>, Instant), ExpectedMail)> = Vec::new();
        for Sent { at, notice } in sent {
            let cause = (notice.notice.clone(), notice.seq, notice.branch, *at);
            let mail = match out.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, mail)) => mail,
                None => {
                    let sent = Some(self.local(*at));
                    let (kind, bundled) = (Some(notice.kind), Some(!notice.bundle.is_empty()));
                    let (name, subject) = (notice.notice.clone(), self.subject(notice));
                    out.push((cause, ExpectedMail { notice: name, to: Vec::new(), cc: Vec::new(), sent, kind, bundled, subject }));
                    let (_, mail) = out.last_mut().expect("a mail was pushed just now");
                    mail
                }
            };
            if notice.copy_of.is_empty() { mail.to.push(notice.person.clone()) } else { mail.cc.push(notice.person.clone()) }
        }
        out.into_iter().map(|(_, mail)| mail).collect()
    }

    /// Of a notice to the first who gets it; what cannot be worded is told by itself.
    fn subject(&self, notice: &Notice) -> Option<String> {
        let declared = self.world.rules.setting.workflow.notices.get(&notice.notice)?;
        render::line_in(self.lang, &declared.subject, &notice.values).ok()
    }

    fn expect_skipped(&mut self, wanted: &[ExpectedSkip]) {
        let facts = self.world.items.get(&self.id).map_or(&[][..], |kept| &kept.facts[self.seen_facts.min(kept.facts.len())..]);
        let skipped: Vec<ExpectedSkip> = facts
            .iter()
            .filter_map(|fact| match &fact.cause {
                Cause::Rung { key, skipped: Some(because), .. } if &**because != "when" => {
                    Some(ExpectedSkip { rung: format!("{}.{}", key.deadline, key.rung).into(), because: because.clone() })
                }
                _ => None,
            })
            .collect();
        let text =
            |list: &[ExpectedSkip]| list.iter().map(|skip| format!("{} ({})", skip.rung, skip.because)).collect::<Vec<_>>().join(", ");
        if skipped != wanted {
            let (wanted, found) = (text(wanted), text(&skipped));
            self.differs("skipped", vec![("of", String::new()), ("wanted", wanted), ("found", found)]);
        }
    }

    pub(super) fn may(&mut self, person: &Name, wanted: &[Name]) {
        let Some(item) = self.world.item(&self.id) else { return };
        let today = self.world.today();
        match decide::offers(&self.world.rules, &item, person, today) {
            Ok(offers) => {
                let open: Vec<Name> = offers.into_iter().filter(|offer| offer.refusal.is_none()).map(|offer| offer.action).collect();
                self.same_list("may", person, wanted, open);
            }
            Err(error) => self.differs("rule_failed", vec![("what", error.to_string())]),
        }
    }
}

/// As it is written in a story.
fn flag_text(flag: Option<Flag>) -> String {
    match flag {
        None => "none",
        Some(Flag::Amber) => "amber",
        Some(Flag::Red) => "red",
    }
    .to_string()
}

fn mail_text(mail: &ExpectedMail) -> String {
    let people = |people: &[Name]| people.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
    let cc = if mail.cc.is_empty() { String::new() } else { format!(", cc: [{}]", people(&mail.cc)) };
    let sent = mail.sent.as_ref().map(|sent| format!(", sent: {sent}")).unwrap_or_default();
    let kind = mail.kind.and_then(|kind| serde_json::to_value(kind).ok()).and_then(|kind| Some(format!(", kind: {}", kind.as_str()?)));
    let bundled = mail.bundled.map(|bundled| format!(", bundled: {bundled}")).unwrap_or_default();
    let subject = mail.subject.as_ref().map(|subject| format!(", subject: {subject}")).unwrap_or_default();
    format!("{{ notice: {}, to: [{}]{cc}{sent}{}{bundled}{subject} }}", mail.notice, people(&mail.to), kind.unwrap_or_default())
}
