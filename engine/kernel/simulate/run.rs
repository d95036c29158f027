//! Running stories: each step through the world, all differences reported. What is expected is `expect`'s, what must never be `never`'s.

use super::coverage::Coverage;
use super::people::with_people;
use super::tables::{function_tests, table_tests};
use super::world::{Sent, World};
use crate::kernel::calendar::{Calendar, Year};
use crate::kernel::decide;
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::fact::{Actor, Cause, Fact, Outcome};
use crate::kernel::model::step::{CalendarYear, Step};
use crate::kernel::model::story::{Story, StoryFile};
use crate::kernel::model::value::{Fields, Value};
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
    /// What is no mistake, but says less than it seems to: `W903`, `W905`, `W906`.
    pub remarks: Vec<Difference>,
}

/// Something that was not as the author said. The text stands in the catalogue under `story.WHAT`.
#[derive(Clone, Debug)]
pub struct Difference {
    /// 1-based; 0 is the story as a whole.
    pub step: usize,
    pub at: String,
    pub what: &'static str,
    pub values: Vec<(&'static str, String)>,
    /// What the rules answered, to be told in the words of whoever reads it.
    pub refusal: Option<Refusal>,
}

impl Difference {
    pub fn text(&self, lang: Lang) -> String {
        let mut values: Vec<(&str, &str)> = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sentence = self.refusal.as_ref().map(|refusal| match self.values.iter().find(|(name, _)| *name == "found") {
            // What a story has to say stands there to the letter.
            Some((_, found)) => in_both(found, words::refusal(lang, refusal)),
            None => words::refusal(lang, refusal),
        });
        values.extend(sentence.as_ref().map(|sentence| ("sentence", sentence.as_str())));
        // What has a code is worded where the checks are.
        let coded = self.what.starts_with('W');
        words::say(lang, &if coded { format!("check.{}", self.what) } else { format!("story.{}", self.what) }, &values)
    }
}

fn in_both(found: &str, told: String) -> String {
    if found == told { told } else { format!("{found} ({told})") }
}

/// Every story of a file, its table tests and function tests, and what they covered. Refusals are compared in the first language of
/// the rule set; why something differs is told in the reader's. Every mail that is sent is worded with the rule set's templates, so that
/// one that cannot be worded is found here.
/// `workflows` are all of the rule set: what is asked of items of the others is done there; what was covered is told for each.
pub fn run(
    workflows: &IndexMap<Name, Arc<Rules>>,
    rules: &Arc<Rules>,
    templates: &IndexMap<Name, String>,
    file: &StoryFile,
    reader: Lang,
) -> (Vec<Outcomes>, BTreeMap<Name, Coverage>) {
    let lang = Lang::of(&rules.setting.workflow.languages);
    let (mut coverage, mut covered) = (Coverage::default(), BTreeMap::<Name, Coverage>::new());
    let others = workflows.iter().filter(|(name, _)| **name != rules.setting.workflow.name);
    let others: BTreeMap<Name, Arc<Rules>> = others.map(|(name, other)| (name.clone(), with_people(other, file))).collect();
    let rules = with_people(rules, file);
    let mut out = Vec::new();
    for (index, story) in file.tests.iter().enumerate() {
        let mut telling = Telling::new(&rules, &others, templates, file, story, (lang, reader));
        telling.tell();
        let same =
            |other: &&Story| other.steps == story.steps && other.given == story.given && other.may == story.may && other.from == story.from;
        if let Some(other) = file.tests[..index].iter().find(same) {
            telling.remark("W906", vec![("other", other.name.clone())]);
        }
        coverage.add(&telling.world.coverage);
        telling.world.covered.iter().for_each(|(name, touched)| covered.entry(name.clone()).or_default().add(touched));
        let (name, steps, days) = (story.name.clone(), story.steps.len(), telling.days());
        out.push(Outcomes { name, steps, days, differences: telling.differences, remarks: telling.remarks });
    }
    out.extend(table_tests(&rules, file, &mut coverage));
    out.extend(function_tests(&rules, file));
    covered.insert(rules.setting.workflow.name.clone(), coverage);
    (out, covered)
}

pub(super) struct Telling<'a> {
    pub(super) templates: &'a IndexMap<Name, String>,
    pub(super) file: &'a StoryFile,
    pub(super) story: &'a Story,
    pub(super) lang: Lang,
    /// Of whoever reads what differs.
    pub(super) reader: Lang,
    pub(super) world: World,
    pub(super) id: Name,
    pub(super) step: usize,
    pub(super) seen_mails: usize,
    pub(super) worded: usize,
    pub(super) seen_facts: usize,
    pub(super) began: Instant,
    pub(super) differences: Vec<Difference>,
    pub(super) remarks: Vec<Difference>,
    /// The step at hand says itself that dates are provisional.
    pub(super) says_provisional: bool,
}

impl<'a> Telling<'a> {
    fn new(
        rules: &Arc<Rules>,
        others: &BTreeMap<Name, Arc<Rules>>,
        templates: &'a IndexMap<Name, String>,
        file: &'a StoryFile,
        story: &'a Story,
        (lang, reader): (Lang, Lang),
    ) -> Self {
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
            reader,
            world: World::among(rules.clone(), others.clone(), began),
            id,
            step: 0,
            seen_mails: 0,
            worded: 0,
            seen_facts: 0,
            began,
            differences: Vec::new(),
            remarks: Vec::new(),
            says_provisional: false,
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

    pub(super) fn differs(&mut self, what: &'static str, values: Vec<(&'static str, String)>) {
        self.tell_difference(what, values, None);
    }

    fn tell_difference(&mut self, what: &'static str, values: Vec<(&'static str, String)>, refusal: Option<Refusal>) {
        let at = self.local(self.world.now);
        self.differences.push(Difference { step: self.step, at, what, values, refusal });
    }

    pub(super) fn remark(&mut self, what: &'static str, values: Vec<(&'static str, String)>) {
        let at = self.local(self.world.now);
        self.remarks.push(Difference { step: self.step, at, what, values, refusal: None });
    }

    pub(super) fn local(&self, at: Instant) -> String {
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
            if expect.mails.is_none() {
                self.unasked_mails();
            }
            // What is expected beside an item is expected of it, as long as it is one of this workflow.
            let workflow = &self.world.rules.setting.workflow.name;
            let shown = step.item.clone().filter(|id| self.world.items.get(id).is_some_and(|kept| kept.workflow == *workflow));
            let about = shown.map(|shown| std::mem::replace(&mut self.id, shown));
            self.expect(expect);
            if let Some(about) = about {
                self.id = about;
            }
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
        match (answer, &step.refused) {
            (Ok(()), None) => {}
            (Ok(()), Some(wanted)) => self.differs("not_refused", vec![("action", action.to_string()), ("sentence", wanted.clone())]),
            (Err(refusal), None) => self.tell_difference("refused", vec![("action", action.to_string())], Some(refusal)),
            (Err(refusal), Some(wanted)) => {
                let found = words::refusal(self.lang, &refusal);
                if found != *wanted {
                    let values = vec![("action", action.to_string()), ("wanted", wanted.clone()), ("found", found)];
                    self.tell_difference("other_sentence", values, Some(refusal));
                }
            }
        }
    }

    /// Words every mail sent since the last step, as it would go out.
    fn word_mails(&mut self) {
        let mut failed: Vec<(String, String)> = Vec::new();
        for Sent { notice, .. } in &self.world.sent[self.worded..] {
            let Some(declared) = self.world.rules_of(&notice.workflow).setting.workflow.notices.get(&notice.notice).cloned() else {
                continue;
            };
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
        let rules = Rules {
            hash: old.hash.clone(),
            setting: Arc::new(setting),
            scripts: old.scripts.clone(),
            places: old.places.clone(),
            carried: old.carried.clone(),
        };
        if let Err(error) = self.world.change_rules(Arc::new(rules)) {
            self.differs("rule_failed", vec![("what", error.to_string())]);
        }
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

/// A value as stories write it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Empty => "-".to_string(),
        Value::Text(text) => text.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Length(length) => length.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
