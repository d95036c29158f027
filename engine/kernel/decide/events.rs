//! What other programs are told of a decision.

use crate::kernel::model::event::{Event, EventKind};
use crate::kernel::model::fact::{Cause, Fact, RungKey};
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;

/// What these facts tell, `item` being as it stands after them. What happens on a branch that not everybody sees is told to no program.
pub fn of(rules: &Rules, item: &Item, facts: &[Fact]) -> Vec<Event> {
    let mut events = Vec::new();
    for fact in facts.iter().filter(|fact| is_open(rules, item, fact.branch)) {
        let event = Event {
            kind: EventKind::Fact,
            item: item.id.clone(),
            workflow: item.workflow.clone(),
            fact: fact.seq,
            name: fact.name.clone(),
            branch: fact.branch,
            on: fact.effective_on,
            at: fact.recorded_at,
            state: item.state.clone(),
        };
        let passed = match &fact.cause {
            Cause::Rung { key, .. } if is_open(rules, item, key.branch) && is_first_behind(item, key) => Some(key),
            _ => None,
        };
        if let Some(key) = passed {
            events.push(Event { kind: EventKind::DeadlinePassed, name: key.deadline.clone(), branch: key.branch, ..event.clone() });
        }
        events.push(event);
    }
    events
}

fn is_open(rules: &Rules, item: &Item, branch: Option<u32>) -> bool {
    let Some(no) = branch else { return true };
    let kind = item.branch(no).and_then(|branch| rules.setting.workflow.branches.get(&branch.kind));
    kind.is_some_and(|kind| kind.visible_to.is_empty() && kind.sealed_until.is_none())
}

/// Whether a rung is the first of its cycle behind the due day.
fn is_first_behind(item: &Item, key: &RungKey) -> bool {
    let mut clocks = item.clocks.iter();
    let clock = clocks.find(|clock| clock.deadline == key.deadline && clock.branch == key.branch && clock.cycle == key.cycle);
    let Some((clock, due)) = clock.and_then(|clock| Some((clock, clock.due.as_deref()?))) else { return false };
    let first = clock.fired.iter().find(|fired| fired.on > due.date);
    first.is_some_and(|first| first.rung == key.rung && first.occurrence == key.occurrence)
}
