//! `requests`: asked and decided while the item goes on. A row becomes three actions and, when it has a length, a deadline.

use super::actions;
use super::deadlines;
use super::keys;
use super::reader::{Reader, Row};
use super::tree::{Content, Node};
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Action, Ask, By, Deadline, Effects, Request, RequestStep, Scope};
use crate::kernel::model::problem::Places;

/// What a row becomes.
#[derive(Debug)]
pub struct Made {
    pub request: Request,
    /// By name, all three.
    pub actions: Vec<(Name, Action)>,
    pub deadline: Option<Deadline>,
}

pub fn read(reader: &mut Reader, world: &World, name: &Name, node: &Node) -> Option<Made> {
    let row = reader.row(node, &keys::REQUEST)?;
    let title = reader.need_text(row, "title");
    let branch = row.get("branch").and_then(|node| reader.name(node));
    let scope = |step: &str| Scope {
        branch: branch.clone(),
        action: Some(format!("{name}.{step}").into()),
        request: Some(name.clone()),
        each: None,
    };
    let from = reader.need(row, "from").map(|node| reader.names(node)).unwrap_or_default();
    let asks = row.get("ask").map(|node| actions::ask(reader, world, node, branch.as_ref())).unwrap_or_default();
    let asking = scope("ask");
    let ask_by = reader.need(row, "ask_by").map(|node| actions::by(reader, world, node, &asking)).unwrap_or_default();
    let (decide_by, all_must_consent) =
        reader.need(row, "decide_by").map(|node| decide_by(reader, world, node, &scope("approve"))).unwrap_or_default();
    let base = Action {
        title: title.clone(),
        records_as: format!("{name}.asked").into(),
        by: ask_by,
        not_by: None,
        creates: false,
        from,
        to: None,
        choose: Vec::new(),
        ask: asks.clone(),
        require: row.get("require").map(|node| actions::require(reader, node, &asking)).unwrap_or_default(),
        effects: Effects::default(),
        freeze: Vec::new(),
        sequence: Vec::new(),
        request: Some((name.clone(), RequestStep::Ask)),
    };
    let mut actions = vec![(Name::from(format!("{name}.ask")), base.clone())];
    for (key, past, step) in [("approve", "approved", RequestStep::Approve), ("refuse", "refused", RequestStep::Refuse)] {
        let mut action = Action {
            records_as: format!("{name}.{past}").into(),
            by: decide_by.clone(),
            ask: Vec::new(),
            require: Vec::new(),
            request: Some((name.clone(), step)),
            ..base.clone()
        };
        if let Some(node) = row.get(key) {
            outcome(reader, world, node, &scope(key), &asks, &mut action);
        }
        actions.push((format!("{name}.{key}").into(), action));
    }
    let deadline = deadline(reader, world, row, name, &title, branch.as_ref());
    let request = Request { title, branch, ask: asks, decide_by, all_must_consent };
    Some(Made { request, actions, deadline })
}

fn outcome(reader: &mut Reader, world: &World, node: &Node, scope: &Scope, asked: &[Ask], action: &mut Action) {
    let Some(row) = reader.row(node, &keys::OUTCOME) else { return };
    if let Some(title) = row.get("title").and_then(|node| reader.text(node)) {
        action.title = title;
    }
    action.to = row.get("to").and_then(|node| reader.name(node));
    action.ask = row.get("ask").map(|node| actions::ask(reader, world, node, scope.branch.as_ref())).unwrap_or_default();
    action.require = row.get("require").map(|node| actions::require(reader, node, scope)).unwrap_or_default();
    let asks: Vec<Ask> = action.ask.iter().chain(asked).cloned().collect();
    action.effects = actions::effects(reader, world, row, scope, &asks);
}

/// Roles of which one decides, or `[{ all: [A, B] }]`: every one must consent.
fn decide_by(reader: &mut Reader, world: &World, node: &Node, scope: &Scope) -> (Vec<By>, bool) {
    if let Content::List(nodes) = &node.content {
        if let [only] = nodes.as_slice() {
            if let Some(all) = only.get("all") {
                reader.row(only, &keys::CONSENT);
                return (actions::by(reader, world, all, scope), true);
            }
        }
    }
    (actions::by(reader, world, node, scope), false)
}

fn deadline(reader: &mut Reader, world: &World, row: Row, name: &Name, title: &str, branch: Option<&Name>) -> Option<Deadline> {
    let length = deadlines::length_rule(reader, world, row.get("length")?)?;
    let scope = Scope { branch: branch.cloned(), ..Scope::default() };
    Some(Deadline {
        title: title.to_string(),
        branch: branch.cloned(),
        starts_on: vec![format!("{name}.asked").into()],
        ends_on: vec![format!("{name}.approved").into(), format!("{name}.refused").into()],
        runs_in: Vec::new(),
        anchor: None,
        length,
        when: None,
        pauses_in: Vec::new(),
        quiet_in: Vec::new(),
        pauses_move_cap: false,
        extended_by: Vec::new(),
        extended_to: Vec::new(),
        no_later_than: None,
        day_off: None,
        by_hour: None,
        ladder: row.get("ladder").map(|node| deadlines::ladder(reader, world, node, &scope)).unwrap_or_default(),
        closes: Vec::new(),
        counts_as: row.get("counts_as").and_then(|node| reader.name(node)),
        of_request: true,
    })
}

/// The parts of a request are also found under the actions and the deadline made of it.
pub fn record(name: &str, node: &Node, places: &mut Places) {
    let branch = node.get("branch").and_then(|node| node.text());
    let actions = branch.map_or("actions".to_string(), |branch| format!("branches.{branch}.actions"));
    for step in ["ask", "approve", "refuse"] {
        let action = format!("{actions}.{name}.{step}");
        places.insert(action.clone(), node.place.clone());
        places.insert(format!("{action}@"), node.at.clone());
        if let Some(node) = node.get(step).filter(|_| step != "ask") {
            node.record_as(&action, places);
        }
        if let Some(node) = node.get("from") {
            node.record_as(&format!("{action}.from"), places);
        }
        let by = node.get(if step == "ask" { "ask_by" } else { "decide_by" });
        if let Some(node) = by {
            let all = match &node.content {
                Content::List(nodes) => nodes.first().and_then(|node| node.get("all")),
                _ => None,
            };
            all.unwrap_or(node).record_as(&format!("{action}.by"), places);
        }
    }
    for key in ["ask", "require"] {
        if let Some(node) = node.get(key) {
            node.record_as(&format!("{actions}.{name}.ask.{key}"), places);
        }
    }
    let deadline = format!("deadlines.{name}");
    places.insert(deadline.clone(), node.place.clone());
    places.insert(format!("{deadline}@"), node.at.clone());
    for key in ["length", "ladder", "branch", "counts_as"] {
        if let Some(node) = node.get(key) {
            node.record_as(&format!("{deadline}.{key}"), places);
        }
    }
}
