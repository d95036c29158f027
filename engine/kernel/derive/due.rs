//! The due date of a clock, in the fixed order: anchor, length, extensions, pauses, cap, day off, provisional. Every step is kept for explaining.
//!
//! Counting follows the Civil Code of China, articles 200 to 204: the starting day is not counted, a month ends on the corresponding day.

use crate::kernel::model::definition::{Deadline, FieldRef, Holder, LengthRule};
use crate::kernel::model::item::{Clock, Due, DueStep, ExtendedBy, Item};
use crate::kernel::model::value::Value;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Length, Unit};
use chrono::Datelike;

/// Deadlines may lean on each other so deep; a circle has no date.
const DEEPEST: usize = 8;

/// The rules that give a cycle its date: its length, or what an extension put in its place, and its cap.
pub fn rules_in_use<'a>(deadline: &'a Deadline, clock: &'a Clock) -> impl Iterator<Item = &'a LengthRule> {
    let extended = clock.extensions.iter().rev().find_map(|extension| match &extension.by {
        ExtendedBy::To(rule) => Some(rule),
        ExtendedBy::Length(_) => None,
    });
    extended.or(clock.rule.as_ref()).into_iter().chain(&deadline.no_later_than)
}

/// Whether the date of a running cycle depends on nothing but itself and recorded fields: no pause is open, and it leans on no neighbour.
pub fn stands(deadline: &Deadline, clock: &Clock) -> bool {
    clock.pauses.iter().all(|pause| pause.to.is_some()) && !rules_in_use(deadline, clock).any(leans_on_neighbour)
}

fn leans_on_neighbour(rule: &LengthRule) -> bool {
    match rule {
        LengthRule::Before(..) => true,
        LengthRule::EarliestOf(parts) => parts.iter().any(leans_on_neighbour),
        _ => false,
    }
}

/// `None` while the rule gives no date (`until` an empty field, a neighbour that does not run).
pub fn due(rules: &Rules, item: &Item, clock: &Clock, today: Date) -> Option<Due> {
    derive(rules, item, clock, today, 0)
}

fn derive(present: &Rules, item: &Item, clock: &Clock, today: Date, depth: usize) -> Option<Due> {
    let (rules, deadline) = present.dating(clock)?;
    let mut work = Work { present, rules, item, deadline, clock, today, depth, steps: Vec::new() };
    work.steps.push(DueStep::Anchor { on: clock.anchor, seq: clock.started_seq, name: clock.started_by.clone() });
    let replaced = clock.extensions.iter().rposition(|extension| matches!(extension.by, ExtendedBy::To(_)));
    let (rule, later) = match replaced {
        Some(index) => match &clock.extensions[index].by {
            ExtendedBy::To(rule) => {
                let extension = &clock.extensions[index];
                work.steps.push(DueStep::Extended { seq: extension.seq, rule: extension.rule.clone(), gives: clock.anchor });
                (rule.clone(), &clock.extensions[index + 1..])
            }
            ExtendedBy::Length(_) => return None,
        },
        None => (clock.rule.clone()?, &clock.extensions[..]),
    };
    let mut raw = work.part(&rule)?;
    if let Some(DueStep::Extended { gives, .. }) = work.steps.get_mut(1) {
        *gives = raw.date;
    }
    for extension in later {
        if let ExtendedBy::Length(length) = &extension.by {
            raw.date = work.add(raw.date, *length);
            raw.pauses_by_working_days &= length.unit == Unit::WorkingDay;
            work.steps.push(DueStep::Extended { seq: extension.seq, rule: length.to_string(), gives: raw.date });
        }
    }
    let mut date = work.pauses(raw.date, &raw);
    if let Some(cap_rule) = &deadline.no_later_than {
        date = work.cap(cap_rule, date, &raw)?;
    }
    if raw.rolls {
        date = work.roll(date);
    }
    let known_until = rules.setting.calendar.known_until();
    let provisional = date > known_until;
    if provisional {
        work.steps.push(DueStep::Provisional { known_until });
    }
    Some(Due { date, provisional, steps: work.steps })
}

/// A date before pauses, cap and roll.
#[derive(Clone, Copy)]
struct Raw {
    date: Date,
    rolls: bool,
    pauses: bool,
    pauses_by_working_days: bool,
}

struct Work<'a> {
    /// The rules in use, and those by which this clock has its date.
    present: &'a Rules,
    rules: &'a Rules,
    item: &'a Item,
    deadline: &'a Deadline,
    clock: &'a Clock,
    today: Date,
    /// So many neighbours lean on this one's date.
    depth: usize,
    steps: Vec<DueStep>,
}

impl Work<'_> {
    fn part(&mut self, rule: &LengthRule) -> Option<Raw> {
        let anchor = self.clock.anchor;
        match rule {
            LengthRule::Fixed(length) => Some(self.length(length.to_string(), *length, None, None)),
            LengthRule::Param(name) => {
                let row = self.rules.setting.workflow.params.get(name)?.on(anchor)?;
                match &row.value {
                    Value::Length(length) => Some(self.length(name.to_string(), *length, row.source.clone(), Some(row.from))),
                    _ => None,
                }
            }
            // Answered when the cycle started; an open table gives no date.
            LengthRule::Table(_) => None,
            LengthRule::Until(field) => {
                let date = self.field(field)?.as_date()?;
                self.steps.push(DueStep::Fixed { rule: format!("until {}", field.text()), gives: date });
                Some(Raw { date, rolls: true, pauses: true, pauses_by_working_days: false })
            }
            LengthRule::OnDay { month, day, at_least } => {
                let earliest = at_least.map_or(anchor, |length| self.add(anchor, length));
                let date = next_yearly(anchor, *month, *day, |date| date > anchor && date >= earliest)?;
                self.steps.push(DueStep::Fixed { rule: format!("on {month:02}-{day:02}"), gives: date });
                Some(Raw { date, rolls: false, pauses: false, pauses_by_working_days: false })
            }
            LengthRule::Before(length, neighbour) => {
                let branch = self.clock.branch;
                let neighbour = self.present.setting.workflow.deadline_now(neighbour);
                let other = self.item.clock(neighbour, branch).or_else(|| self.item.clock(neighbour, None))?;
                let date = self.rules.setting.calendar.subtract(self.date_of(other)?, *length, self.rules.setting.workflow.month_overflow);
                self.steps.push(DueStep::Fixed { rule: format!("{length} before {neighbour}"), gives: date });
                Some(Raw { date, rolls: true, pauses: false, pauses_by_working_days: false })
            }
            LengthRule::EarliestOf(rules) => {
                let mut parts = Vec::new();
                for rule in rules {
                    let Some(raw) = self.part(rule) else { continue };
                    let mut date = self.pauses(raw.date, &raw);
                    if raw.rolls {
                        date = self.roll(date);
                    }
                    parts.push((text_of(rule), date));
                }
                let date = parts.iter().map(|(_, date)| *date).min()?;
                if parts.len() > 1 {
                    self.steps.push(DueStep::Earliest { parts, gives: date });
                }
                Some(Raw { date, rolls: false, pauses: false, pauses_by_working_days: false })
            }
        }
    }

    /// The date of a neighbour: the one it carries when nothing can have moved it since, or else as it is now.
    fn date_of(&self, other: &Clock) -> Option<Date> {
        let (_, deadline) = self.present.dating(other)?;
        if let Some(due) = other.due.as_ref().filter(|_| other.end.is_some() || stands(deadline, other)) {
            return Some(due.date);
        }
        if self.depth >= DEEPEST {
            return None;
        }
        let until = other.end.as_ref().map_or(self.today, |end| end.on);
        derive(self.present, self.item, other, until, self.depth + 1).map(|due| due.date)
    }

    fn length(&mut self, rule: String, length: Length, source: Option<String>, since: Option<Date>) -> Raw {
        let anchor = self.clock.anchor;
        let date = self.add(anchor, length);
        self.steps.push(DueStep::Length { rule, length: Some(length), source, since, gives: date });
        if matches!(length.unit, Unit::Month | Unit::Year) && date.day() != anchor.day() {
            self.steps.push(DueStep::Clamped { gives: date });
        }
        Raw { date, rolls: true, pauses: true, pauses_by_working_days: length.unit == Unit::WorkingDay }
    }

    fn add(&self, from: Date, length: Length) -> Date {
        self.rules.setting.calendar.add(from, length, self.rules.setting.workflow.month_overflow)
    }

    /// A pause counts when it began by the date reached so far, so that none makes an overdue item timely.
    fn pauses(&mut self, mut date: Date, raw: &Raw) -> Date {
        if !raw.pauses {
            return date;
        }
        for pause in &self.clock.pauses {
            let to = pause.to.unwrap_or(self.today).max(pause.from);
            if pause.from > date || to == pause.from {
                continue;
            }
            let calendar = &self.rules.setting.calendar;
            let days =
                if raw.pauses_by_working_days { calendar.working_days_between(pause.from, to) } else { (to - pause.from).num_days() };
            let unit = if raw.pauses_by_working_days { Unit::WorkingDay } else { Unit::Day };
            date = self.add(date, Length::new(u32::try_from(days).unwrap_or(0), unit));
            self.steps.push(DueStep::Paused { from: pause.from, to, days, seq: pause.seq, gives: date });
        }
        date
    }

    fn cap(&mut self, rule: &LengthRule, date: Date, raw: &Raw) -> Option<Date> {
        let kept = std::mem::take(&mut self.steps);
        let cap = self.part(rule).map(|cap| if self.deadline.pauses_move_cap { self.pauses(cap.date, raw) } else { cap.date });
        self.steps = kept;
        let Some(cap) = cap else { return Some(date) };
        let gives = date.min(cap);
        self.steps.push(DueStep::Cap { rule: text_of(rule), cap, reached: cap < date, gives });
        Some(gives)
    }

    fn roll(&mut self, date: Date) -> Date {
        let calendar = &self.rules.setting.calendar;
        let how = self.deadline.day_off.unwrap_or(self.rules.setting.workflow.day_off);
        calendar.roll_with_steps(date, how, &mut self.steps)
    }

    fn field(&self, field: &FieldRef) -> Option<&Value> {
        let branch = match field.of {
            Holder::Item => None,
            Holder::Task => Some(self.clock.branch?),
            Holder::Input => return None,
        };
        let fields = self.item.fields_of(branch)?;
        if self.clock.kept.is_none() {
            return fields.get(&field.field);
        }
        // What was called otherwise then.
        let kind = branch.and_then(|no| self.item.branch(no)).map(|branch| &*branch.kind);
        fields.get(self.present.setting.workflow.field_now(kind, &field.field))
    }
}

/// The first day `month`-`day` (29 February only where it exists) after `from` that fits.
pub fn next_yearly(from: Date, month: u32, day: u32, fits: impl Fn(Date) -> bool) -> Option<Date> {
    (from.year()..=from.year() + 9).filter_map(|year| Date::from_ymd_opt(year, month, day)).find(|date| fits(*date))
}

/// A rule as the author wrote it.
pub fn text_of(rule: &LengthRule) -> String {
    match rule {
        LengthRule::Fixed(length) => length.to_string(),
        LengthRule::Param(name) | LengthRule::Table(name) => name.to_string(),
        LengthRule::Until(field) => format!("until {}", field.text()),
        LengthRule::OnDay { month, day, at_least: None } => format!("on {month:02}-{day:02}"),
        LengthRule::OnDay { month, day, at_least: Some(length) } => format!("on {month:02}-{day:02} if at least {length} away"),
        LengthRule::Before(length, neighbour) => format!("{length} before {neighbour}"),
        LengthRule::EarliestOf(rules) => format!("earliest of {}", rules.iter().map(text_of).collect::<Vec<_>>().join(", ")),
    }
}
