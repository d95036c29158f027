//! `amend`: a recorded value that was wrong is put right in a new fact. No script runs again, and nothing is un-sent.
//!
//! It is done like an action, with `fact`, one of `field`, `input` and `effective_on`, the right `value`, and a `reason`.

use super::perform::Work;
use super::{addressing, input, refusal};
use crate::kernel::access::Reader;
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{self, past, roles};
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Decision, Refusal, RefusalCode};
use crate::kernel::model::fact::{Actor, Amended, Cause, Fact, Outcome};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::{self, Lang};
use std::sync::Arc;

/// The name of the built-in action, and of its facts.
pub const AMEND: &str = "amend";

const INPUTS: [&str; 6] = ["fact", "field", "input", "effective_on", "value", "reason"];

/// Whether a command amends. A rule set that says nobody may has no such action.
pub fn is_amend(rules: &Rules, command: &Command) -> bool {
    &*command.action == AMEND && !rules.setting.workflow.amend_by.is_empty()
}

/// The title of the action, in the first language of the rule set.
pub fn title(rules: &Rules) -> String {
    built_in(rules, AMEND)
}

/// The title of a fact of the engine's own.
pub fn built_in(rules: &Rules, name: &str) -> String {
    words::say(Lang::of(&rules.setting.workflow.languages), &format!("fact.{name}"), &[])
}

/// Decides an amendment on all facts of the item.
pub fn amend(rules: &Rules, facts: &[Fact], command: &Command, now: Instant) -> Decision {
    let today = day_of(now, rules.setting.workflow.timezone);
    let Some(item) = derive::derive(rules, &command.item, facts, today)? else {
        return Err(refusal(RefusalCode::UnknownItem, &[("item", &command.item)]));
    };
    if let Some(seen) = command.seen_rev.filter(|seen| *seen != item.rev) {
        return Err(refusal(RefusalCode::StaleRevision, &[("seen", &seen.to_string()), ("now", &item.rev.to_string())]));
    }
    let on = command.effective_on.unwrap_or(today);
    if on > today || on < item.created_on {
        return Err(refusal(RefusalCode::BadDate, &[("date", &on.to_string()), ("why", "future")]));
    }
    let mut actor = may(rules, &item, &command.by, on)?;
    actor.via.clone_from(&command.via);
    let asked = Asked::read(&command.input)?;

    let present = derive::in_present_words(&rules.setting.workflow, facts);
    let amended = past::with_amendments(&present);
    let branch = command.branch.as_ref().map(|address| addressing::branch(rules, &item, address, AMEND)).transpose()?;
    let branch = branch.map(|branch| branch.no);
    let wrong = asked.fact(&amended, branch)?;
    let work = Correcting { rules, item: &item, facts: &amended, wrong, person: &command.by, on };
    let (what, was, right) = match asked.what {
        What::EffectiveOn(given) => work.effective_on(given, today)?,
        What::Input(name) => work.input(name, asked.value)?,
        What::Field(name) => work.field(name, branch, asked.value)?,
    };

    let fact = Fact {
        seq: item.rev + 1,
        name: AMEND.into(),
        branch: if let Amended::Field { branch, .. } = &what { *branch } else { wrong.branch },
        recorded_at: now,
        effective_on: on,
        actor,
        cause: Cause::Amend { id: command.id.clone(), seq: wrong.seq, what: what.clone(), value: right.clone() },
        input: Fields::from_iter([("was".into(), was), ("reason".into(), asked.reason.clone())]),
        outcomes: Vec::new(),
        not_started: Vec::new(),
        told: Vec::new(),
        rules: rules.hash.clone(),
    };
    let all: Vec<Fact> = facts.iter().chain([&fact]).cloned().collect();
    let Some(after) = derive::derive(rules, &command.item, &all, today)? else {
        return Err(refusal(RefusalCode::UnknownItem, &[("item", &command.item)]));
    };
    let mut work = Work::new(rules, after, now, &|_| 0);
    work.facts.push(fact);
    let mut accepted = work.finish()?;
    if let Amended::Field { branch: None, field } = what {
        let unique = rules.setting.workflow.fields.get(&field).is_some_and(|declared| declared.unique);
        if unique && !right.is_empty() && item.field(&field) != &right {
            accepted.unique.push((field, right));
        }
    }
    Ok(accepted)
}

fn may(rules: &Rules, item: &Arc<Item>, person: &Name, on: Date) -> Result<Actor, Refusal> {
    let workflow = &rules.setting.workflow;
    let Some(known) = rules.setting.directory.persons.get(person) else {
        return Err(refusal(RefusalCode::UnknownPerson, &[("person", person)]));
    };
    for role in &workflow.amend_by {
        if let Some(standing) = roles::standing(rules, item, role, None, person, on)? {
            let (person, role) = (Some(person.clone()), Some(role.clone()));
            return Ok(Actor { person, role, stands_in_for: standing.absent(), ..Actor::default() });
        }
    }
    let titles: Vec<&str> = workflow.amend_by.iter().filter_map(|role| workflow.roles.get(role)).map(|role| role.title.as_str()).collect();
    let values = [("action", title(rules)), ("person", known.title.clone()), ("roles", titles.join(crate::kernel::words::LIST))];
    let mut out = refusal(RefusalCode::WrongRole, &values.each_ref().map(|(name, value)| (*name, value.as_str())));
    out.rule = Some("amend_by".into());
    Err(out)
}

/// What was handed in.
struct Asked<'a> {
    fact: &'a Value,
    what: What<'a>,
    value: &'a Value,
    reason: &'a Value,
}

enum What<'a> {
    EffectiveOn(&'a Value),
    Input(&'a Name),
    Field(&'a Name),
}

impl<'a> Asked<'a> {
    fn read(given: &'a Fields) -> Result<Asked<'a>, Refusal> {
        let wrong = |input: &str| refusal(RefusalCode::AmendInput, &[("input", input)]);
        if let Some(unknown) = given.keys().find(|name| !INPUTS.contains(&&***name)) {
            return Err(wrong(unknown));
        }
        let get = |name: &str| given.get(name).filter(|value| !value.as_text().is_some_and(|text| text.trim().is_empty()));
        let need = |name: &str| get(name).filter(|value| !value.is_empty()).ok_or_else(|| wrong(name));
        let name = |key: &str, value: &'a Value| value.as_text().ok_or_else(|| wrong(key));
        let what = match (get("field"), get("input"), get("effective_on")) {
            (Some(field), None, None) => What::Field(name("field", field)?),
            (None, Some(input), None) => What::Input(name("input", input)?),
            (None, None, Some(date)) => What::EffectiveOn(date),
            _ => return Err(wrong("field, input, effective_on")),
        };
        // Nothing at all can be the right value; then it has to be said.
        let value = match (&what, given.get("value")) {
            (What::EffectiveOn(_), Some(_)) | (What::Field(_) | What::Input(_), None) => return Err(wrong("value")),
            (_, given) => given.filter(|_| get("value").is_some()).unwrap_or(&Value::Empty),
        };
        let reason = need("reason")?;
        name("reason", reason)?;
        Ok(Asked { fact: need("fact")?, what, value, reason })
    }

    /// By its number, or the latest of a name.
    fn fact<'f>(&self, facts: &'f [Fact], branch: Option<u32>) -> Result<&'f Fact, Refusal> {
        let number = match self.fact {
            Value::Number(number) => u64::try_from(*number).ok(),
            value => value.as_text().and_then(|text| text.trim().parse().ok()),
        };
        let named = |fact: &&Fact| self.fact.as_text().is_some_and(|name| fact.name == *name) && branch.is_none_or(|no| concerns(fact, no));
        let found = match number {
            Some(seq) => facts.iter().find(|fact| fact.seq == seq),
            None => facts.iter().rev().find(named),
        };
        let found = found.ok_or_else(|| {
            let asked = serde_json::to_string(self.fact).unwrap_or_default();
            refusal(RefusalCode::NoSuchFact, &[("fact", asked.trim_matches('"')), ("last", &facts.len().to_string())])
        })?;
        match found.cause {
            Cause::Rung { .. } | Cause::Amend { .. } => {
                Err(refusal(RefusalCode::NotAmendable, &[("fact", &found.seq.to_string()), ("name", &found.name)]))
            }
            _ => Ok(found),
        }
    }
}

fn concerns(fact: &Fact, branch: u32) -> bool {
    let recorded =
        |outcome: &Outcome| matches!(outcome, Outcome::Open { branch: no, .. } | Outcome::BranchSet { branch: no, .. } if *no == branch);
    fact.branch == Some(branch) || fact.outcomes.iter().any(recorded)
}

/// A fact that recorded something wrong. Each function gives what is amended, the value that was wrong, and the right one.
struct Correcting<'a> {
    rules: &'a Rules,
    item: &'a Arc<Item>,
    facts: &'a [Fact],
    wrong: &'a Fact,
    person: &'a Name,
    on: Date,
}

type Corrected = (Amended, Value, Value);

impl Correcting<'_> {
    /// Never before what it follows, after what follows it, or in the future.
    fn effective_on(&self, given: &Value, today: Date) -> Result<Corrected, Refusal> {
        let Ok(Value::Date(date)) = input::coerce(self.rules, self.item, &Type::Date, given) else {
            return Err(self.unfit("effective_on", "effective_on", given, &Type::Date, None));
        };
        let before = &self.facts[..self.facts.iter().position(|fact| fact.seq == self.wrong.seq).unwrap_or(0)];
        let from = derive::derive(self.rules, &self.item.id, before, today)?
            .map(|item| self.wrong.branch.and_then(|no| item.branch(no)).map_or(item.since, |branch| branch.since));
        let moved = past::done_with(self.facts, self.wrong.seq);
        let follows = |fact: &&Fact| {
            let alone = !matches!(fact.cause, Cause::Rung { .. } | Cause::Amend { .. });
            alone && fact.seq > self.wrong.seq && fact.branch == self.wrong.branch && !moved.contains(&fact.seq)
        };
        let to = self.facts.iter().filter(follows).map(|fact| fact.effective_on).min().unwrap_or(today).min(today);
        if from.is_some_and(|from| date < from) || date > to {
            let from = from.map_or_else(|| "—".to_string(), |from| from.to_string());
            let values = [("fact", self.wrong.seq.to_string()), ("date", date.to_string()), ("from", from), ("to", to.to_string())];
            return Err(refusal(RefusalCode::AmendDate, &values.each_ref().map(|(name, value)| (*name, value.as_str()))));
        }
        self.differs("effective_on", Amended::EffectiveOn, Value::Date(self.wrong.effective_on), Value::Date(date))
    }

    fn input(&self, name: &Name, value: &Value) -> Result<Corrected, Refusal> {
        let Some(was) = self.wrong.input.get(name) else {
            return Err(self.not_recorded(name, self.wrong.input.keys().map(|name| &**name).collect()));
        };
        let workflow = &self.rules.setting.workflow;
        let kind = self.wrong.branch.and_then(|no| self.item.branch(no)).map(|branch| &*branch.kind);
        let mut actions = [kind, None].into_iter().filter_map(|kind| workflow.actions_of(kind)).flat_map(|actions| actions.values());
        let action = actions.find(|action| action.records_as == self.wrong.name);
        let asks = action.into_iter().flat_map(|action| action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask)));
        let right = match asks.into_iter().find(|ask| ask.name == *name) {
            Some(ask) if ask.required && value.is_empty() => return Err(refusal(RefusalCode::AmendInput, &[("input", "value")])),
            Some(ask) => input::coerce(self.rules, self.item, &ask.kind, value)
                .map_err(|wants| self.unfit(name, &ask.title, value, &ask.kind, wants))?,
            None => value.clone(),
        };
        self.differs(name, Amended::Input(name.clone()), was.clone(), right)
    }

    fn field(&self, name: &Name, branch: Option<u32>, value: &Value) -> Result<Corrected, Refusal> {
        let mut recorded: Vec<(Option<u32>, &Value)> = Vec::new();
        let mut known: Vec<&str> = Vec::new();
        for outcome in &self.wrong.outcomes {
            match outcome {
                Outcome::Set { field, value } => {
                    known.push(field);
                    recorded.extend((field == name && branch.is_none()).then_some((None, value)));
                }
                Outcome::BranchSet { branch: no, field, value } => {
                    known.push(field);
                    recorded.extend((field == name && branch.is_none_or(|asked| asked == *no)).then_some((Some(*no), value)));
                }
                Outcome::Open { branch: no, fields, .. } => {
                    known.extend(fields.keys().map(|name| &**name));
                    recorded.extend(fields.get(name).filter(|_| branch.is_none_or(|asked| asked == *no)).map(|value| (Some(*no), value)));
                }
                _ => {}
            }
        }
        // What is the item's own comes first; the same name in several branches has to be told apart.
        if recorded.iter().any(|(of, _)| of.is_none()) {
            recorded.retain(|(of, _)| of.is_none());
        }
        let holders: Vec<String> = recorded.iter().filter_map(|(of, _)| of.map(|no| no.to_string())).collect();
        let Some((of, was)) = recorded.last().copied() else { return Err(self.not_recorded(name, known)) };
        if recorded.iter().any(|(other, _)| *other != of) {
            return Err(refusal(RefusalCode::AmbiguousBranch, &[("action", name), ("branches", &holders.join(", "))]));
        }
        let workflow = &self.rules.setting.workflow;
        let kind = of.and_then(|no| self.item.branch(no)).map(|branch| &*branch.kind);
        let declared = workflow.fields_of(kind).and_then(|fields| fields.get(name));
        let right = match declared {
            Some(declared) => {
                let reader = Reader { rules: self.rules, item: self.item, facts: self.facts, person: Some(self.person), day: self.on };
                let of_branch = of.and_then(|no| self.item.branch(no)).map_or(Ok(true), |branch| reader.sees_branch(branch))?;
                if !of_branch || !reader.sees_field(of, name, declared)? {
                    return Err(refusal(RefusalCode::AmendHidden, &[("fact", &self.wrong.seq.to_string()), ("what", &declared.title)]));
                }
                if declared.required && value.is_empty() {
                    return Err(refusal(RefusalCode::AmendInput, &[("input", "value")]));
                }
                input::coerce(self.rules, self.item, &declared.kind, value)
                    .map_err(|wants| self.unfit(name, &declared.title, value, &declared.kind, wants))?
            }
            // `unit` and `person` of a branch are given by the engine; who it was opened for is not changed.
            None => return Err(self.not_recorded(name, known)),
        };
        self.differs(name, Amended::Field { branch: of, field: name.clone() }, was.clone(), right)
    }

    fn differs(&self, name: &str, what: Amended, was: Value, right: Value) -> Result<Corrected, Refusal> {
        if was == right {
            let value = serde_json::to_string(&right).unwrap_or_default();
            let values = [("fact", self.wrong.seq.to_string()), ("what", name.to_string()), ("value", value)];
            return Err(refusal(RefusalCode::SameValue, &values.each_ref().map(|(name, value)| (*name, value.as_str()))));
        }
        Ok((what, was, right))
    }

    fn not_recorded(&self, name: &str, mut known: Vec<&str>) -> Refusal {
        known.sort_unstable();
        known.dedup();
        let known = if known.is_empty() { "—".to_string() } else { known.join(", ") };
        let fact = self.wrong.seq.to_string();
        refusal(RefusalCode::NotRecorded, &[("fact", &fact), ("name", &self.wrong.name), ("what", name), ("known", &known)])
    }

    fn unfit(&self, name: &str, title: &str, value: &Value, kind: &Type, wants: Option<String>) -> Refusal {
        let given = serde_json::to_string(value).unwrap_or_default();
        let wants = wants.unwrap_or_else(|| input::kind_word(kind));
        refusal(RefusalCode::BadInput, &[("input", name), ("title", title), ("value", &given), ("wants", &wants)])
    }
}
