//! Deadlines, their ladders and the numbers that the law sets (E501, E502, E505 to E509, W517 to W523, E527, E528).
//! That every state has a clock is `cover`; cron stands in `sweeps`.

use super::at::{Act, Checked, words};
use super::graph::{Graph, sets};
use super::holders::{self, Known, Nobody, fields_of_role};
use super::lengths::{Days, days};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::spellings_of;
use std::collections::{BTreeSet, HashSet};

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    let known = at.known();
    let mut nobody = HashSet::new();
    for (name, deadline) in &at.workflow.deadlines {
        let base = if deadline.of_request { format!("requests.{name}") } else { format!("deadlines.{name}") };
        let look = Look { at, known, name, deadline, base };
        look.beginning_and_end(&mut problems);
        look.lengths(&mut problems);
        look.ladder(&mut problems);
        look.told(&mut problems);
        look.nobody(&mut nobody, &mut problems);
        look.anchor(&mut problems);
    }
    params(at, &mut problems);
    problems
}

/// One deadline being looked at.
struct Look<'c, 'a> {
    at: &'c Checked<'a>,
    known: &'c Known<'a>,
    name: &'a Name,
    deadline: &'a Deadline,
    base: String,
}

impl<'c, 'a> Look<'c, 'a> {
    fn problem(&self, code: &'static str, key: &str) -> Problem {
        self.at.problem(code, &format!("{}{key}", self.base)).with("deadline", self.name)
    }

    fn is_window(&self) -> bool {
        !self.deadline.closes.is_empty()
    }

    fn branch(&self) -> Option<&'a Name> {
        self.deadline.branch.as_ref()
    }

    /// E501, E502
    fn beginning_and_end(&self, problems: &mut Vec<Problem>) {
        let deadline = self.deadline;
        if deadline.of_request {
            return;
        }
        if !deadline.runs_in.is_empty() {
            let states: Vec<&Name> =
                self.known.graph(self.branch()).map(|(graph, _)| graph.states.iter().map(|(name, _)| *name).collect()).unwrap_or_default();
            let reached = |name: &Name| {
                self.known.graph(self.branch()).is_some_and(|(graph, _)| {
                    graph.states.iter().zip(&graph.reached).any(|((state, _), reached)| *state == name && *reached)
                })
            };
            if deadline.starts_on.is_empty() && deadline.runs_in.iter().all(|state| states.contains(&state) && !reached(state)) {
                problems.push(self.problem("E501", ".runs_in"));
            }
            return;
        }
        let happens = |fact: &Name| {
            self.at.is_opening(self.branch(), fact) || self.at.facts(self.branch(), fact).iter().any(|act| self.can_happen(act))
        };
        let declared = |facts: &[Name]| {
            facts.iter().all(|fact| self.at.is_opening(self.branch(), fact) || !self.at.facts(self.branch(), fact).is_empty())
        };
        if deadline.starts_on.is_empty() {
            problems.push(self.problem("E501", "@"));
        } else if declared(&deadline.starts_on) && !deadline.starts_on.iter().any(happens) {
            problems.push(self.problem("E501", ".starts_on"));
        }
        if deadline.ends_on.is_empty() && !self.is_window() {
            problems.push(self.problem("E502", "@"));
        } else if !deadline.ends_on.is_empty() && declared(&deadline.ends_on) && !deadline.ends_on.iter().any(happens) {
            problems.push(self.problem("E502", ".ends_on"));
        }
    }

    fn can_happen(&self, act: &Act) -> bool {
        let Some((graph, _)) = self.known.graph(act.branch) else { return true };
        graph.acts.iter().position(|other| other.name == act.name).is_none_or(|number| graph.act_reached(number))
    }

    /// E509, E519
    fn lengths(&self, problems: &mut Vec<Problem>) {
        let deadline = self.deadline;
        let length = days(self.at, &deadline.length);
        if let (Some(length), Some(cap)) = (length, deadline.no_later_than.as_ref().and_then(|rule| days(self.at, rule))) {
            if cap.most < length.least {
                problems.push(self.problem("E509", ".no_later_than"));
            }
        }
        for (fact, expr) in deadline.extended_by.iter().filter(|_| deadline.no_later_than.is_none()) {
            let asked = words(&expr.source).any(|word| spelt("input", word) || spelt("request", word));
            let acts = self.at.facts(self.branch(), fact);
            let conditions = acts.iter().flat_map(|act| act.action.require.iter().chain(self.asking(act)));
            let counted = conditions.flat_map(|require| words(&require.condition.source)).any(|word| spelt("times_extended", word));
            if asked || !counted {
                problems.push(self.problem("E519", &format!(".extended_by.{fact}")).with("fact", fact));
            }
        }
    }

    /// What is required of the request that an approval follows.
    fn asking(&self, act: &Act) -> impl Iterator<Item = &'a Require> {
        let request = act.action.request.clone().map(|(request, _)| request);
        let asks = self
            .at
            .acts()
            .iter()
            .filter(move |other| request.is_some() && other.action.request == request.clone().map(|name| (name, RequestStep::Ask)));
        asks.flat_map(|other| other.action.require.iter()).collect::<Vec<_>>().into_iter()
    }

    /// E505, E506, W507, W508, W520, E521
    fn ladder(&self, problems: &mut Vec<Problem>) {
        let rungs = &self.deadline.ladder;
        let longest = days(self.at, &self.deadline.length).map(|length| length.most + 14);
        let grows = !self.deadline.extended_by.is_empty() || !self.deadline.extended_to.is_empty();
        let mut worst: Option<(&Rung, Flag)> = None;
        let mut in_order: Vec<&Rung> = rungs.iter().collect();
        in_order.sort_by_key(|rung| offset(rung.at));
        for (index, rung) in rungs.iter().enumerate() {
            let here = |code: &'static str, key: &str| {
                self.at.problem(code, &format!("{}{key}", rung.path)).with("deadline", self.name).with("rung", &rung.rung)
            };
            if rungs[..index].iter().any(|other| other.rung == rung.rung) {
                problems.push(here("E505", ".rung"));
            }
            if let (RungAt::Before(length), Some(longest)) = (rung.at, longest.filter(|_| !grows)) {
                if Days::of(length).least > longest {
                    problems.push(here("E506", ".at"));
                }
            }
            let alike = rungs[..index].iter().find(|other| other.at == rung.at && other.when.is_none() && rung.when.is_none());
            if let Some(other) = alike {
                problems.push(here("W507", ".at").with("other", &other.rung));
            }
            if let (RungAt::EveryAfter(_), None) = (rung.at, rung.at_most) {
                problems.push(here("E521", ".at"));
            }
            // a window is closed then: what is reminded of is no longer possible
            let reminds = |notice: &Name| self.at.workflow.notices.get(notice).is_some_and(|notice| notice.kind == NoticeKind::Reminder);
            if self.is_window() && is_after(rung) && rung.tell.iter().any(reminds) {
                problems.push(here("W520", ".at"));
            }
        }
        for rung in in_order.into_iter().filter(|rung| rung.when.is_none()) {
            let Some(flag) = rung.flag else { continue };
            if let Some((other, _)) = worst.filter(|(_, before)| flag < *before) {
                let problem = self.at.problem("W508", &format!("{}.flag", rung.path)).with("deadline", self.name);
                problems.push(problem.with("rung", &rung.rung).with("other", &other.rung));
            }
            worst = Some((rung, flag)).filter(|(_, flag)| worst.is_none_or(|(_, before)| before < *flag)).or(worst);
        }
    }

    /// W522, W523
    fn told(&self, problems: &mut Vec<Problem>) {
        if self.is_window() {
            return;
        }
        let after = |rung: &&Rung| is_after(rung);
        let before = |rung: &&Rung| !after(rung) && rung.at != RungAt::OnTheDay;
        let tells = |rung: &&Rung| !rung.tell.is_empty();
        let short = days(self.at, &self.deadline.length).is_some_and(|length| length.least < 5);
        if !short && !self.deadline.of_request && !self.deadline.ladder.iter().filter(before).any(|rung| tells(&rung)) {
            problems.push(self.problem("W522", "@"));
        }
        let acts = self.deadline.ladder.iter().filter(after).any(|rung| rung.action.is_some());
        let notices = |rungs: Vec<&'a Rung>| {
            rungs.into_iter().flat_map(|rung| &rung.tell).filter_map(|name| self.at.workflow.notices.get(name)).collect::<Vec<_>>()
        };
        let roles = |notices: &[&'a Notice]| -> HashSet<&'a Name> {
            notices.iter().flat_map(|notice| notice.to.iter().chain(&notice.cc)).map(|recipient| &recipient.role).collect()
        };
        let told_before = notices(self.deadline.ladder.iter().filter(|rung| !after(rung)).collect());
        let told_after = notices(self.deadline.ladder.iter().filter(after).collect());
        let (known, late) = (roles(&told_before), roles(&told_after));
        let above = told_after.iter().any(|notice| notice.kind == NoticeKind::Escalation) || (!known.is_empty() && !late.is_subset(&known));
        if !acts && !above {
            problems.push(self.problem("W523", "@"));
        }
    }

    /// E527: late, and perhaps nobody is told.
    fn nobody(&self, told: &mut HashSet<(Name, Name)>, problems: &mut Vec<Problem>) {
        let late = self.deadline.ladder.iter().filter(|rung| is_after(rung));
        for (rung, name) in late.flat_map(|rung| rung.tell.iter().map(move |name| (rung, name))) {
            let Some(notice) = self.at.workflow.notices.get(name) else { continue };
            let reasons: Vec<Option<Nobody>> =
                notice.to.iter().map(|recipient| if recipient.or.is_some() { None } else { self.why_nobody(&recipient.role) }).collect();
            let Some(Some(reason)) = reasons.iter().find(|_| !reasons.is_empty() && reasons.iter().all(Option::is_some)) else { continue };
            if told.insert((name.clone(), notice.to[0].role.clone())) {
                let (variant, what) = reason.told();
                let problem = self.at.problem("E527", &format!("notices.{name}.to[0]")).variant(variant).with("what", what);
                problems.push(
                    problem.with("role", &notice.to[0].role).with("notice", name).with("deadline", self.name).with("rung", &rung.rung),
                );
            }
        }
    }

    fn why_nobody(&self, role: &Name) -> Option<Nobody> {
        let declared = self.at.workflow.roles.get(role)?;
        if declared.who.last().is_some_and(|case| case.when.is_some()) {
            return Some(Nobody::NoCase);
        }
        // a field that a condition looks at first is not empty where that case is used
        let last = Role { title: String::new(), who: declared.who.iter().filter(|case| case.when.is_none()).cloned().collect() };
        let empty =
            fields_of_role(&last).into_iter().find(|field| self.may_be_empty(field)).map(|field| Nobody::Field(field.field.clone()));
        empty.or_else(|| holders::gaps(self.at, declared).into_iter().map(|(_, gap)| gap).next())
    }

    fn may_be_empty(&self, field: &FieldRef) -> bool {
        let branch = self.branch();
        let started = self.deadline.starts_on.iter().any(|fact| match self.at.is_opening(branch, fact) {
            true => self.known.may_be_empty_after(self.at, branch, None, field),
            false => self.at.facts(branch, fact).iter().any(|act| self.known.may_be_empty_after(self.at, branch, Some(act), field)),
        });
        started || self.deadline.runs_in.iter().any(|state| self.known.may_be_empty_in(self.at, branch, state, field))
    }

    /// E528: a second start would count from the day of the first.
    fn anchor(&self, problems: &mut Vec<Problem>) {
        let Some(anchor) = &self.deadline.anchor else { return };
        let Some((graph, _)) = self.known.graph(self.branch()) else { return };
        let holder = anchor.of;
        if holder != graph.holder() || self.at.field_type(self.branch(), anchor).is_none() {
            return;
        }
        if let Some(again) = starts_again(self.at, graph, self.deadline, anchor) {
            problems.push(self.problem("E528", ".anchor").with("field", &anchor.field).with("action", again));
        }
    }
}

/// A start that can follow another without the field being set in between.
fn starts_again<'g>(at: &Checked, graph: &'g Graph, deadline: &Deadline, anchor: &FieldRef) -> Option<&'g Name> {
    let inside = |state: usize| deadline.runs_in.contains(graph.states[state].0);
    let starts = |act: &Act, from: usize, to: usize| {
        let by_fact = deadline
            .starts_on
            .iter()
            .any(|fact| at.facts(graph.branch, fact).iter().any(|other| other.branch == act.branch && other.name == act.name));
        by_fact || (inside(to) && !inside(from))
    };
    let sets_anchor = |act: &Act, row: Option<usize>| {
        let mut set = BTreeSet::new();
        sets(act, row.map(|row| &act.action.choose[row].effects), anchor.of, &mut set);
        set.contains(&anchor.field)
    };
    // what holds: the field was set since the last start
    let fresh = BTreeSet::from([()]);
    let opened = deadline.starts_on.iter().any(|fact| at.is_opening(graph.branch, fact));
    let begins_started = opened || graph.acts.iter().any(|act| act.action.creates && starts(act, 0, 0)) || graph.starts().any(inside);
    let at_start = if begins_started { BTreeSet::new() } else { fresh.clone() };
    let holds = graph.on_every_path(&at_start, |here, edge| {
        let act = &graph.acts[edge.act];
        let set = sets_anchor(act, edge.row);
        match starts(act, edge.from, edge.to) {
            true => BTreeSet::new(),
            false if set => fresh.clone(),
            false => here.clone(),
        }
    });
    let mut again = graph.edges.iter().filter(|edge| {
        let act = &graph.acts[edge.act];
        starts(act, edge.from, edge.to) && !sets_anchor(act, edge.row) && holds[edge.from].as_ref().is_some_and(BTreeSet::is_empty)
    });
    again.next().map(|edge| graph.acts[edge.act].name)
}

fn is_after(rung: &Rung) -> bool {
    matches!(rung.at, RungAt::After(_) | RungAt::EveryAfter(_))
}

fn spelt(name: &str, word: &str) -> bool {
    spellings_of(name).contains(&word)
}

/// Days from the due date, for bringing rungs into order.
fn offset(at: RungAt) -> i64 {
    match at {
        RungAt::Before(length) => -Days::of(length).most,
        RungAt::OnTheDay => 0,
        RungAt::After(length) | RungAt::EveryAfter(length) => Days::of(length).most,
        RungAt::YearlyUntilDue { .. } | RungAt::EveryUntilDue(_) => i64::MIN,
    }
}

/// W517
fn params(at: &Checked, problems: &mut Vec<Problem>) {
    for (name, param) in &at.workflow.params {
        for (index, row) in param.values.iter().enumerate() {
            let path = |key: &str| format!("params.{name}[{index}].{key}");
            if row.source.as_deref().is_none_or(|source| source.trim().is_empty()) {
                problems.push(at.problem("W517", &path("value")).with("name", name).with("from", row.from));
            }
        }
    }
}
