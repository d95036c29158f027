//! Running stories: each step through the world, each expectation against what came of it, all differences reported.

use super::coverage::Coverage;
use super::world::{Sent, World};
use crate::kernel::calendar::window::day_of;
use crate::kernel::calendar::{Calendar, Year};
use crate::kernel::decide;
use crate::kernel::derive::{self, clocks};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::directory::{Dated, Directory, DutyIn, Person, Unit};
use crate::kernel::model::fact::{Actor, Cause, Fact, Outcome};
use crate::kernel::model::item::{Clock, Item};
use crate::kernel::model::step::{CalendarYear, Expect, ExpectedMail, ExpectedSkip, Step};
use crate::kernel::model::story::{Story, StoryFile};
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::render;
use crate::kernel::rules::{Rules, Setting};
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::{self, Lang};
use chrono::{NaiveDateTime, TimeZone, Utc};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of one story.
#[derive(Clone, Debug)]
pub struct Outcomes {
    pub name: String,
    pub steps: usize,
    /// Days from the first step to the last.
    pub days: i64,
    pub differences: Vec<Difference>,
}

/// Something that was not as the author said. The text stands in the catalogue under `story.WHAT`.
#[derive(Clone, Debug)]
pub struct Difference {
    /// 1-based; 0 is the story as a whole.
    pub step: usize,
    pub at: String,
    pub what: &'static str,
    pub values: Vec<(&'static str, String)>,
}

impl Difference {
    pub fn text(&self, lang: Lang) -> String {
        let values: Vec<(&str, &str)> = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        words::say(lang, &format!("story.{}", self.what), &values)
    }
}

/// Every story of a file, its table tests and function tests, and what they covered. Refusals are compared in the first language of
/// the rule set. Every mail that is sent is worded with the rule set's templates, so that one that cannot be worded is found here.
pub fn run(rules: &Arc<Rules>, templates: &IndexMap<Name, String>, file: &StoryFile) -> (Vec<Outcomes>, Coverage) {
    let english = rules.setting.workflow.languages.first().is_some_and(|language| language.starts_with("en"));
    let lang = if english { Lang::En } else { Lang::Zh };
    let mut coverage = Coverage::default();
    let rules = with_people(rules, file);
    let mut out = Vec::new();
    for story in &file.tests {
        let mut telling = Telling::new(&rules, templates, file, story, lang);
        telling.tell();
        coverage.add(&telling.world.coverage);
        out.push(Outcomes { name: story.name.clone(), steps: story.steps.len(), days: telling.days(), differences: telling.differences });
    }
    out.extend(table_tests(&rules, file, &mut coverage));
    out.extend(function_tests(&rules, file));
    (out, coverage)
}

struct Telling<'a> {
    templates: &'a IndexMap<Name, String>,
    file: &'a StoryFile,
    story: &'a Story,
    lang: Lang,
    world: World,
    id: Name,
    step: usize,
    seen_mails: usize,
    worded: usize,
    seen_facts: usize,
    began: Instant,
    differences: Vec<Difference>,
}

impl<'a> Telling<'a> {
    fn new(rules: &Arc<Rules>, templates: &'a IndexMap<Name, String>, file: &'a StoryFile, story: &'a Story, lang: Lang) -> Self {
        let zone = rules.setting.workflow.timezone;
        let first = story.from.as_deref().or_else(|| story.steps.iter().find_map(|step| step.at.as_deref().or(step.advance_to.as_deref())));
        let began = first
            .and_then(|text| moment(text, zone))
            .unwrap_or_else(|| Utc.with_ymd_and_hms(2026, 3, 20, 1, 0, 0).single().unwrap_or_default());
        let id = file.item.get("number").and_then(Value::as_text).cloned().unwrap_or_else(|| "story-1".into());
        Telling {
            templates,
            file,
            story,
            lang,
            world: World::new(rules.clone(), began),
            id,
            step: 0,
            seen_mails: 0,
            worded: 0,
            seen_facts: 0,
            began,
            differences: Vec::new(),
        }
    }

    fn days(&self) -> i64 {
        (self.world.now - self.began).num_days()
    }

    fn tell(&mut self) {
        if !self.story.starts_empty {
            self.open_given();
        }
        for (index, step) in self.story.steps.iter().enumerate() {
            self.step = index + 1;
            self.take(step);
            self.never();
        }
        self.step = 0;
        for (person, wanted) in &self.story.may {
            self.may(person, wanted);
        }
    }

    fn differs(&mut self, what: &'static str, values: Vec<(&'static str, String)>) {
        let at = self.local(self.world.now);
        self.differences.push(Difference { step: self.step, at, what, values });
    }

    fn local(&self, at: Instant) -> String {
        at.with_timezone(&self.world.rules.setting.workflow.timezone).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The item as the file and the story give it, through one made-up first fact.
    fn open_given(&mut self) {
        let rules = self.world.rules.clone();
        let workflow = &rules.setting.workflow;
        let today = self.world.today();
        let blank = derive::fold::begin(&rules, &self.id, today, today);
        let mut outcomes = Vec::new();
        for (name, value) in self.file.item.iter().chain(&self.story.given) {
            if &**name == "state" {
                if let Some(state) = value.as_text() {
                    outcomes.push(Outcome::State { to: state.clone() });
                }
                continue;
            }
            let Some(field) = workflow.fields.get(name) else {
                self.differs("unknown_field", vec![("field", name.to_string())]);
                continue;
            };
            match decide::input::coerce(&rules, &blank, &field.kind, value) {
                Ok(value) => outcomes.push(Outcome::Set { field: name.clone(), value }),
                Err(_) => self.differs("bad_value", vec![("field", name.to_string()), ("value", shown(value))]),
            }
        }
        let fact = Fact {
            seq: 1,
            name: "given".into(),
            branch: None,
            recorded_at: self.world.now,
            effective_on: today,
            actor: Actor::default(),
            cause: Cause::Command { id: "given".into() },
            input: Fields::new(),
            outcomes,
            not_started: Vec::new(),
            told: Vec::new(),
            rules: rules.hash.clone(),
        };
        let id = self.id.clone();
        if let Err(error) = self.world.put(&id, vec![fact]) {
            self.differs("rule_failed", vec![("what", error.to_string())]);
        }
        self.seen_facts = 1;
    }

    fn take(&mut self, step: &Step) {
        let zone = self.world.rules.setting.workflow.timezone;
        let when = step.at.as_deref().or(step.advance_to.as_deref());
        let target = match when.map(|text| moment(text, zone)) {
            Some(None) => return self.differs("bad_moment", vec![("text", when.unwrap_or_default().to_string())]),
            Some(target) => target,
            None => None,
        };
        if let Some(target) = target {
            if target < self.world.now {
                self.differs("backwards", vec![("text", when.unwrap_or_default().to_string())]);
            }
            self.world.advance_to(target);
        }
        if step.engine.as_deref() == Some("down") {
            match step.until.as_deref().and_then(|text| moment(text, zone)) {
                Some(until) => self.world.down_until(until),
                None => self.differs("bad_moment", vec![("text", step.until.clone().unwrap_or_default())]),
            }
        }
        if let Some(years) = &step.calendar_adds {
            self.add_calendar(years);
        }
        if let Some(action) = &step.action {
            self.act(step, action);
            // What leaves at once is part of this step.
            self.world.advance_to(self.world.now);
        }
        self.word_mails();
        if let Some(expect) = &step.expect {
            self.expect(expect);
        } else {
            self.seen_mails = self.world.sent.len();
        }
        self.seen_facts = self.world.items.get(&self.id).map_or(0, |kept| kept.facts.len());
        let quarantined: Vec<String> = self.world.quarantined.values().cloned().collect();
        for reason in quarantined {
            self.differs("rule_failed", vec![("what", reason)]);
        }
        self.world.quarantined.clear();
    }

    fn act(&mut self, step: &Step, action: &Name) {
        let command = Command {
            id: format!("step-{}", self.step).into(),
            item: step.item.clone().unwrap_or_else(|| self.id.clone()),
            branch: step.branch.clone().map(BranchAddress::Named),
            action: action.clone(),
            input: step.with.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            by: step.by.clone().unwrap_or_else(|| "".into()),
            via: None,
            effective_on: step.effective_on,
            seen_rev: None,
        };
        if self.story.starts_empty && !self.world.items.contains_key(&self.id) {
            self.id = command.item.clone();
        }
        let answer = self.world.act(&command);
        let sentence = |refusal: &Refusal| words::refusal(self.lang, refusal);
        match (answer, &step.refused) {
            (Ok(()), None) => {}
            (Ok(()), Some(wanted)) => self.differs("not_refused", vec![("action", action.to_string()), ("sentence", wanted.clone())]),
            (Err(refusal), None) => {
                let sentence = sentence(&refusal);
                self.differs("refused", vec![("action", action.to_string()), ("sentence", sentence)]);
            }
            (Err(refusal), Some(wanted)) => {
                let sentence = sentence(&refusal);
                if sentence != *wanted {
                    self.differs(
                        "other_sentence",
                        vec![("action", action.to_string()), ("wanted", wanted.clone()), ("sentence", sentence)],
                    );
                }
            }
        }
    }

    fn expect(&mut self, expect: &Expect) {
        if let Some(wanted) = &expect.mails {
            self.expect_mails(wanted);
        }
        self.seen_mails = self.world.sent.len();
        if let Some(wanted) = &expect.skipped {
            self.expect_skipped(wanted);
        }
        let Some(item) = self.world.item(&self.id) else { return };
        if let Some(wanted) = &expect.state {
            self.same("state", "", wanted.to_string(), item.state.to_string());
        }
        if let Some(wanted) = expect.flag {
            self.same("flag", "", format!("{:?}", wanted.flag()), format!("{:?}", item.flag));
        }
        for (field, wanted) in &expect.item {
            let kind = self.world.rules.setting.workflow.fields.get(field).map(|field| field.kind.clone());
            let wanted =
                kind.and_then(|kind| decide::input::coerce(&self.world.rules, &item, &kind, wanted).ok()).unwrap_or_else(|| wanted.clone());
            self.same("field", field, shown(&wanted), shown(item.field(field)));
        }
        for (address, wanted) in &expect.branches {
            let found = self
                .branch(&item, address)
                .map_or_else(|| "-".to_string(), |no| item.branch(no).map_or_else(String::new, |branch| branch.state.to_string()));
            self.same("branch", address, wanted.to_string(), found);
        }
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
            let running: Vec<String> =
                item.clocks.iter().filter(|clock| clock.is_running()).map(|clock| clock.deadline.to_string()).collect();
            self.same("due", "", String::new(), running.join(", "));
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
            if found.map(|due| due.date) != *wanted {
                let steps = |due: &crate::kernel::model::item::Due| {
                    due.steps.iter().map(|step| words::due::step(self.lang, step, str::to_string)).collect::<Vec<_>>()
                };
                let why = found.map_or_else(String::new, |due| format!("({})", steps(due).join(" · ")));
                let text = |date: Option<Date>| date.map_or_else(|| "-".to_string(), |date| date.to_string());
                let values =
                    vec![("of", name.clone()), ("wanted", text(*wanted)), ("found", text(found.map(|due| due.date))), ("why", why)];
                self.differs("due", values);
            }
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

    /// Words every mail sent since the last step, as it would go out.
    fn word_mails(&mut self) {
        let mut failed: Vec<(String, String)> = Vec::new();
        for Sent { notice, .. } in &self.world.sent[self.worded..] {
            let Some(declared) = self.world.rules.setting.workflow.notices.get(&notice.notice) else { continue };
            let subject = render::line_in(self.lang, &declared.subject, &notice.values);
            let body = self.templates.get(&declared.template).map(|template| render::text_in(self.lang, template, &notice.values));
            let errors = [subject.err(), body.and_then(Result::err)];
            for error in errors.into_iter().flatten() {
                let entry = (notice.notice.to_string(), error.to_string());
                if !failed.contains(&entry) {
                    failed.push(entry);
                }
            }
        }
        self.worded = self.world.sent.len();
        for (notice, what) in failed {
            self.differs("wording", vec![("notice", notice), ("what", what)]);
        }
    }

    fn expect_mails(&mut self, wanted: &[ExpectedMail]) {
        let mut found = self.mails(&self.world.sent[self.seen_mails..]);
        found.retain(|mail| !self.story.ignore_notices.contains(&mail.notice));
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
            };
            match found.iter().position(same) {
                Some(index) => drop(found.remove(index)),
                None => missing.push(wanted.clone()),
            }
        }
        for mail in missing {
            self.differs("mail_missing", vec![("mail", mail_text(&mail))]);
        }
        for mail in found {
            self.differs("mail_extra", vec![("mail", mail_text(&mail))]);
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
                    out.push((cause, ExpectedMail { notice: notice.notice.clone(), to: Vec::new(), cc: Vec::new(), sent }));
                    let (_, mail) = out.last_mut().expect("a mail was pushed just now");
                    mail
                }
            };
            if notice.copy_of.is_empty() { mail.to.push(notice.person.clone()) } else { mail.cc.push(notice.person.clone()) }
        }
        out.into_iter().map(|(_, mail)| mail).collect()
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

    fn may(&mut self, person: &Name, wanted: &[Name]) {
        let Some(item) = self.world.item(&self.id) else { return };
        let today = self.world.today();
        match decide::offers(&self.world.rules, &item, person, today) {
            Ok(offers) => {
                let open: Vec<Name> = offers.into_iter().filter(|offer| offer.refusal.is_none()).map(|offer| offer.action).collect();
                let sorted = |mut names: Vec<String>| {
                    names.sort();
                    names.dedup();
                    names.join(", ")
                };
                let wanted = sorted(wanted.iter().map(|name| name.to_string()).collect());
                let found = sorted(open.iter().map(|name| name.to_string()).collect());
                self.same("may", person, wanted, found);
            }
            Err(error) => self.differs("rule_failed", vec![("what", error.to_string())]),
        }
    }

    fn add_calendar(&mut self, years: &BTreeMap<i32, CalendarYear>) {
        let old = &self.world.rules;
        let mut data = old.setting.calendar.data().clone();
        for (year, added) in years {
            let day = |text: &str| text.trim().parse::<Date>().ok();
            let range = |text: &String| match text.split_once("..") {
                Some((from, to)) => Some((day(from)?, day(to)?)),
                None => day(text).map(|day| (day, day)),
            };
            let holidays = added
                .holidays
                .iter()
                .flat_map(|(name, days)| days.iter().filter_map(move |days| range(days).map(|(from, to)| (from, to, name.clone()))));
            let year_data = Year {
                official: true,
                source: added.source.clone(),
                holidays: holidays.collect(),
                makeup_workdays: added.makeup_workdays.clone(),
            };
            data.years.insert(*year, year_data);
        }
        let setting =
            Setting { workflow: old.setting.workflow.clone(), calendar: Calendar::new(data), directory: old.setting.directory.clone() };
        let rules = Rules { hash: old.hash.clone(), setting: Arc::new(setting), scripts: old.scripts.clone(), places: old.places.clone() };
        if let Err(error) = self.world.change_rules(Arc::new(rules)) {
            self.differs("rule_failed", vec![("what", error.to_string())]);
        }
    }

    /// The invariants of the file, as far as this step can break them.
    fn never(&mut self) {
        for sentence in &self.file.never {
            match Never::read(sentence) {
                None => {
                    if self.step == 1 {
                        self.differs("unknown_never", vec![("sentence", sentence.clone())]);
                    }
                }
                Some(never) => {
                    if let Some(what) = self.broken(never) {
                        self.differs("never", vec![("sentence", sentence.clone()), ("what", what)]);
                    }
                }
            }
        }
    }

    fn broken(&self, never: Never) -> Option<String> {
        let setting = &self.world.rules.setting;
        let zone = setting.workflow.timezone;
        match never {
            Never::MailOnDayOff => {
                let sent = self.world.sent.iter().find(|sent| !setting.calendar.is_working_day(day_of(sent.at, zone)))?;
                Some(format!("{} {}", sent.notice.notice, self.local(sent.at)))
            }
            Never::MoreMailsADay(most) => {
                let mut per_day: BTreeMap<(Name, Date), usize> = BTreeMap::new();
                for sent in &self.world.sent {
                    *per_day.entry((sent.notice.person.clone(), day_of(sent.at, zone))).or_default() += 1;
                }
                let ((person, day), count) = per_day.into_iter().find(|(_, count)| *count > most)?;
                Some(format!("{person} {day}: {count}"))
            }
            Never::WithoutOwner => {
                let item = self.world.item(&self.id)?;
                let owner = setting.workflow.states.get(&item.state).and_then(|state| state.owner.as_ref());
                (!item.ended && owner.is_none()).then(|| item.state.to_string())
            }
        }
    }
}

/// The invariants that a file of stories may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {
    MailOnDayOff,
    MoreMailsADay(usize),
    WithoutOwner,
}

impl Never {
    /// Sentences of the catalogue (`never.…`), in either language; `{n}` stands for a number.
    pub fn read(sentence: &str) -> Option<Never> {
        let sentence = sentence.trim();
        for lang in [Lang::Zh, Lang::En] {
            if sentence == words::say(lang, "never.day_off", &[]) {
                return Some(Never::MailOnDayOff);
            }
            if sentence == words::say(lang, "never.owner", &[]) {
                return Some(Never::WithoutOwner);
            }
            let digits: String = sentence.chars().filter(char::is_ascii_digit).collect();
            if !digits.is_empty() && sentence == words::say(lang, "never.per_day", &[("n", &digits)]) {
                return digits.parse().ok().map(Never::MoreMailsADay);
            }
        }
        None
    }
}

/// The rules with the persons and units that the file adds to the directory.
fn with_people(rules: &Arc<Rules>, file: &StoryFile) -> Arc<Rules> {
    if file.people.is_empty() && file.units.is_empty() {
        return rules.clone();
    }
    let mut directory: Directory = (*rules.setting.directory).clone();
    let person =
        |id: &Name| Person { title: id.to_string(), mail: None, phone: None, groups: Vec::new(), duties: Vec::new(), stand_in: Vec::new() };
    for (id, extra) in &file.people {
        let entry = directory.persons.entry(id.clone()).or_insert_with(|| person(id));
        entry.groups.extend(extra.groups.iter().cloned().map(Dated::always));
    }
    for (id, duties) in &file.units {
        let unit = directory.units.entry(id.clone()).or_insert_with(|| Unit {
            title: id.to_string(),
            also: Vec::new(),
            kind: None,
            parent: None,
            committee: None,
            phone: None,
        });
        for (duty, persons) in duties {
            match &**duty {
                "kind" => unit.kind = persons.first().cloned(),
                "committee" => unit.committee = persons.first().cloned(),
                "parent" => unit.parent = persons.first().cloned(),
                _ => {
                    for holder in persons {
                        let entry = directory.persons.entry(holder.clone()).or_insert_with(|| person(holder));
                        entry.duties.push(Dated::always(DutyIn { duty: duty.clone(), unit: id.clone() }));
                    }
                }
            }
        }
    }
    let setting =
        Setting { workflow: rules.setting.workflow.clone(), calendar: rules.setting.calendar.clone(), directory: Arc::new(directory) };
    Arc::new(Rules { hash: rules.hash.clone(), setting: Arc::new(setting), scripts: rules.scripts.clone(), places: rules.places.clone() })
}

fn table_tests(rules: &Arc<Rules>, file: &StoryFile, coverage: &mut Coverage) -> Vec<Outcomes> {
    let workflow = &rules.setting.workflow;
    let mut out = Vec::new();
    for (name, rows) in &file.table_tests {
        let mut differences = Vec::new();
        let mut differs = |step: usize, what: &'static str, values: Vec<(&'static str, String)>| {
            differences.push(Difference { step, at: String::new(), what, values })
        };
        for (index, test) in rows.iter().enumerate() {
            let Some(table) = workflow.tables.get(name) else {
                differs(index + 1, "unknown_table", vec![("table", name.to_string())]);
                continue;
            };
            let as_of = test.get("as_of").and_then(|value| value.as_text()).and_then(|text| text.parse::<Date>().ok()).unwrap_or_default();
            let mut item = derive::fold::begin(rules, "table", as_of, as_of);
            for (field, value) in test.iter().filter_map(|(key, value)| Some((key.strip_prefix("item.")?, value))) {
                item.fields.insert(field.into(), value.clone());
            }
            let row = table.rows.iter().position(|row| clocks::matches(&item, None, row));
            let found = row.map(|row| (row, &table.rows[row].gives));
            let text = match found {
                None => "-".to_string(),
                Some((row, gives)) => {
                    coverage.table_rows.insert(format!("{name}[{}]", row + 1).into());
                    match gives {
                        crate::kernel::model::definition::LengthRule::Param(param) => workflow
                            .params
                            .get(param)
                            .and_then(|param| param.on(as_of))
                            .map_or_else(|| "-".to_string(), |row| shown(&row.value)),
                        other => derive::due::text_of(other),
                    }
                }
            };
            let wanted = test.get("gives").map_or_else(String::new, shown);
            let same = text == wanted || crate::kernel::time::Length::parse(&wanted).is_some_and(|wanted| wanted.to_string() == text);
            if !same {
                differs(index + 1, "table", vec![("of", name.to_string()), ("wanted", wanted), ("found", text)]);
            }
        }
        out.push(Outcomes { name: name.to_string(), steps: rows.len(), days: 0, differences });
    }
    out
}

fn function_tests(rules: &Arc<Rules>, file: &StoryFile) -> Vec<Outcomes> {
    let today = Date::default();
    let blank = Arc::new(derive::fold::begin(rules, "function", today, today));
    let mut out = Vec::new();
    for (name, tests) in &file.function_tests {
        let mut differences = Vec::new();
        for (index, test) in tests.iter().enumerate() {
            let takes = rules.setting.workflow.functions.get(name).map(|function| &function.takes);
            let typed = |name: &Name, value: &Value| match takes.and_then(|takes| takes.get(name)) {
                Some(kind) => argument(rules, &blank, kind, value),
                None => value.clone(),
            };
            let arguments: Fields = test.with.iter().map(|(name, value)| (name.clone(), typed(name, value))).collect();
            let found = match rules.scripts.call(name, &arguments, &derive::view(rules, &blank, None)) {
                Ok(value) => shown(&value),
                Err(error) => error.what,
            };
            let wanted = shown(&test.gives);
            if found != wanted {
                let values = vec![("of", name.to_string()), ("wanted", wanted), ("found", found)];
                differences.push(Difference { step: index + 1, at: String::new(), what: "function", values });
            }
        }
        out.push(Outcomes { name: name.to_string(), steps: tests.len(), days: 0, differences });
    }
    out
}

/// A test's value in the type that the function takes; what a view has and the test leaves out is empty.
fn argument(rules: &Rules, blank: &Item, kind: &Type, value: &Value) -> Value {
    let workflow = &rules.setting.workflow;
    let coerced = |kind: &Type, value: &Value| decide::input::coerce(rules, blank, kind, value).unwrap_or_else(|_| value.clone());
    let given = |name: &Name, kind: &Type, record: &Fields| match (record.get(name), kind) {
        (None, Type::List(_)) => Value::List(Vec::new()),
        (found, kind) => coerced(kind, found.unwrap_or(&Value::Empty)),
    };
    let of_fields = |fields: &crate::kernel::model::definition::Section<crate::kernel::model::definition::Field>, record: &Fields| {
        fields.iter().map(|(name, field)| (name.clone(), given(name, &field.kind, record))).collect::<Fields>()
    };
    match (kind, value) {
        (Type::ItemView, Value::Record(record)) => Value::Record(of_fields(&workflow.fields, record)),
        (Type::TaskView(branch), Value::Record(record)) => match workflow.fields_of(Some(branch)) {
            Some(fields) => Value::Record(of_fields(fields, record)),
            None => value.clone(),
        },
        (Type::InputView(action), Value::Record(record)) => {
            let (branch, name) = action.split_once('.').map_or((None, &**action), |(branch, name)| (Some(branch), name));
            let of_branch = branch.and_then(|branch| workflow.actions_of(Some(branch))).and_then(|actions| actions.get(name));
            let Some(action) = of_branch.or_else(|| workflow.actions.get(action)) else { return value.clone() };
            Value::Record(action.ask.iter().map(|ask| (ask.name.clone(), given(&ask.name, &ask.kind, record))).collect())
        }
        (kind, value) => coerced(kind, value),
    }
}

/// Local civil time, or a day alone (its 09:00).
pub fn moment(text: &str, zone: chrono_tz::Tz) -> Option<Instant> {
    let text = text.trim();
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
        .or_else(|_| NaiveDateTime::parse_from_str(&format!("{text} 09:00"), "%Y-%m-%d %H:%M"))
        .ok()?;
    zone.from_local_datetime(&local).earliest().map(|at| at.with_timezone(&Utc))
}

fn mail_text(mail: &ExpectedMail) -> String {
    let people = |people: &[Name]| people.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
    let cc = if mail.cc.is_empty() { String::new() } else { format!(", cc: [{}]", people(&mail.cc)) };
    let sent = mail.sent.as_ref().map(|sent| format!(", sent: {sent}")).unwrap_or_default();
    format!("{{ notice: {}, to: [{}]{cc}{sent} }}", mail.notice, people(&mail.to))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Empty => "-".to_string(),
        Value::Text(text) => text.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Length(length) => length.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
