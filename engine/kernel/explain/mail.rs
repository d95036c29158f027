//! Why a mail was sent: for each notice in it the fact that caused it, the rung and the date it counts from as they stood then, and by
//! which role the person was found.

use super::due::{branch_title, name_of};
use super::who::{self, RoleExplained};
use crate::kernel::decide::{self, capture};
use crate::kernel::derive::{self, past};
use crate::kernel::model::Name;
use crate::kernel::model::decision::Notice;
use crate::kernel::model::definition::NoticeKind;
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::DueStep;
use crate::kernel::model::problem::Place;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct NoticeExplained {
    pub key: String,
    pub item: Name,
    pub notice: Name,
    pub title: String,
    pub kind: NoticeKind,
    pub person: Name,
    pub person_title: String,
    /// Those whose letter this is a copy of.
    pub copy_of: Vec<String>,
    pub branch: Option<String>,
    /// The fact that caused it.
    pub fact: Option<CausedBy>,
    /// The deadline behind it, as it stood then.
    pub due: Option<CountedFrom>,
    /// How the person was found then.
    pub role: Option<RoleExplained>,
    /// When it was told, and when it could leave: in between it waited for the sending window.
    pub told_at: Option<Instant>,
    pub not_before: Instant,
    /// Notices with the same bundle go in one mail.
    pub bundle: String,
    /// The line of the rules that told it.
    pub place: Option<Place>,
    /// Where the notice itself is declared.
    pub declared: Option<Place>,
}

#[derive(Clone, Debug, Serialize)]
pub struct CausedBy {
    pub seq: u64,
    pub title: String,
    pub on: Date,
    /// Empty for the engine itself.
    pub person: Option<Name>,
    pub person_title: Option<String>,
    /// Hash of the rule set it was decided under.
    pub rules: Name,
}

#[derive(Clone, Debug, Serialize)]
pub struct CountedFrom {
    pub deadline: Name,
    pub title: String,
    pub rung: Name,
    pub occurrence: u32,
    pub cycle: u32,
    pub date: Option<Date>,
    pub steps: Vec<DueStep>,
    pub branch: Option<String>,
}

/// One notice, seen from the facts up to the one that caused it, under the rules in use.
pub fn explain(rules: &Rules, facts: &[Fact], notice: &Notice) -> Result<NoticeExplained, EvalError> {
    let workflow = &rules.setting.workflow;
    let known = past::with_amendments(facts);
    let fact = known.iter().find(|fact| fact.seq == notice.seq);
    let until: Vec<Fact> = known.iter().filter(|fact| fact.seq <= notice.seq).cloned().collect();
    let day = fact.map(|fact| crate::kernel::calendar::window::day_of(fact.recorded_at, workflow.timezone));
    let item = match day {
        Some(day) => derive::derive(rules, &notice.item, &until, day)?,
        None => None,
    };
    let declared = workflow.notices.get(&notice.notice);
    let rung = fact.and_then(|fact| match &fact.cause {
        Cause::Rung { key, .. } => Some(key),
        _ => None,
    });
    let due = rung.zip(item.as_ref()).map(|(key, item)| {
        let same = |clock: &&std::sync::Arc<crate::kernel::model::item::Clock>| {
            clock.deadline == key.deadline && clock.branch == key.branch && clock.cycle == key.cycle
        };
        let clock = item.clocks.iter().find(same);
        let due = clock.and_then(|clock| clock.due.as_deref());
        CountedFrom {
            deadline: key.deadline.clone(),
            title: name_of(rules, &key.deadline),
            rung: key.rung.clone(),
            occurrence: key.occurrence,
            cycle: key.cycle,
            date: due.map(|due| due.date),
            steps: due.map(|due| due.steps.clone()).unwrap_or_default(),
            branch: clock.and_then(|clock| branch_title(rules, item, clock)),
        }
    });
    let role = match &item {
        Some(item) => who::explain(rules, item, &notice.role, notice.branch)?.into_iter().next(),
        None => None,
    };
    let path = fact.map(|fact| decide::rule_of(rules, item.as_deref(), fact));
    Ok(NoticeExplained {
        key: notice.key.clone(),
        item: notice.item.clone(),
        notice: notice.notice.clone(),
        title: declared.map_or_else(|| notice.notice.to_string(), |declared| declared.title.clone()),
        kind: notice.kind,
        person: notice.person.clone(),
        person_title: capture::title(rules, &notice.person),
        copy_of: notice.copy_of.iter().map(|person| capture::title(rules, person)).collect(),
        branch: notice.branch.zip(item.as_ref()).and_then(|(no, item)| super::due::title_of_branch(rules, item, no)),
        fact: fact.map(|fact| CausedBy {
            seq: fact.seq,
            title: item.as_ref().map_or_else(|| fact.name.to_string(), |item| capture::fact_title(rules, item, fact)),
            on: fact.effective_on,
            person: fact.actor.person.clone(),
            person_title: fact.actor.person.as_ref().map(|person| capture::title(rules, person)),
            rules: fact.rules.clone(),
        }),
        due,
        role,
        told_at: fact.map(|fact| fact.recorded_at),
        not_before: notice.not_before,
        bundle: notice.bundle.clone(),
        place: path.and_then(|path| rules.places.find(&path).cloned()),
        declared: rules.places.find(&format!("notices.{}@", notice.notice)).cloned(),
    })
}
