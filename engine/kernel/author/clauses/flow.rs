//! Fields, states, actions, branches and requests: what is recorded, where an item can stand, and who may do what.

use super::{Clauses, Kind, Row, sorted};
use crate::kernel::author::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::value::Type;

pub fn fields(speaker: &Speaker, branch: Option<&Name>, rows: &mut Vec<Row>) {
    let of = branch.map(|branch| &**branch);
    for (name, field) in speaker.workflow.fields_of(of).into_iter().flatten() {
        let mut clauses = Clauses::titled(speaker, &field.title);
        let text = match &field.kind {
            Type::Choice(options) => {
                let titles = options.iter().map(|option| field.option_titles.get(option).map_or(&**option, String::as_str));
                speaker.say("options", &[("options", &speaker.list(titles))])
            }
            kind => speaker.kind(kind),
        };
        clauses.add("type", format!("{:?}", field.kind), text);
        for (option, title) in &field.option_titles {
            clauses.wording("option_title", &**option, title);
        }
        clauses.on("required", field.required);
        clauses.on("unique", field.unique);
        clauses.on("secret", field.secret);
        if let Some(value) = &field.default {
            clauses.add("default", format!("{value:?}"), speaker.value(value, Some(field)));
        }
        clauses.condition("is", &field.is);
        if let Some(tally) = &field.tally {
            tallied(&mut clauses, speaker, tally);
        }
        hidden(&mut clauses, speaker, of, &field.visible_to, field.sealed_until.as_ref());
        rows.push(clauses.row(Kind::Field, branch, name, &field.title));
    }
}

fn hidden(clauses: &mut Clauses, speaker: &Speaker, branch: Option<&str>, visible_to: &[Name], sealed_until: Option<&Name>) {
    clauses.names("visible_to", visible_to, |speaker| speaker.roles(visible_to));
    if let Some(action) = sealed_until {
        clauses.add("sealed_until", &**action, speaker.fact(branch, action));
    }
}

pub fn states(speaker: &Speaker, branch: Option<&Name>, rows: &mut Vec<Row>) {
    for (name, state) in speaker.workflow.states_of(branch.map(|branch| &**branch)).into_iter().flatten() {
        let mut clauses = Clauses::titled(speaker, &state.title);
        let kind = match state.kind {
            StateKind::Start => "start",
            StateKind::Active => "active",
            StateKind::Waiting => "waiting",
            StateKind::End => "end",
        };
        clauses.add("state_kind", kind, speaker.say(&format!("state.{kind}"), &[]));
        if let Some(owner) = &state.owner {
            clauses.add("owner", &**owner, speaker.role(owner));
        }
        clauses.on("no_deadline_needed", state.no_deadline_needed);
        rows.push(clauses.row(Kind::State, branch, name, &state.title));
    }
}

pub fn branch(speaker: &Speaker, kind: &Name, branch: &Branch) -> Row {
    let mut clauses = Clauses::titled(speaker, &branch.title);
    if let Some(one_per) = branch.one_per {
        let word = if one_per == OnePer::Unit { "unit" } else { "person" };
        clauses.add("one_per", word, speaker.say(&format!("one_per.{word}"), &[]));
    }
    if let Some(most) = branch.at_most {
        clauses.add("at_most", most.to_string(), most.to_string());
    }
    for (view, condition) in &branch.views {
        clauses.of("view", &**view, speaker.meaning(condition), speaker.expr(condition));
    }
    let ends = match branch.when_item_ends {
        WhenItemEnds::Cancel => "cancel",
        WhenItemEnds::KeepOpen => "keep_open",
    };
    clauses.add("when_item_ends", ends, speaker.say(&format!("when_item_ends.{ends}"), &[]));
    if let Some(state) = &branch.cancelled_state {
        clauses.add("cancelled_state", &**state, speaker.state(Some(kind), state));
    }
    hidden(&mut clauses, speaker, Some(kind), &branch.visible_to, branch.sealed_until.as_ref());
    clauses.row(Kind::Branch, None, kind, &branch.title)
}

pub fn actions(speaker: &Speaker, branch: Option<&Name>, rows: &mut Vec<Row>) {
    for (name, action) in speaker.workflow.actions_of(branch.map(|branch| &**branch)).into_iter().flatten() {
        let mut clauses = Clauses::titled(speaker, &action.title);
        done_by(&mut clauses, speaker, branch, action);
        moves(&mut clauses, speaker, branch, action);
        asked(&mut clauses, speaker, "ask", &action.ask);
        required(&mut clauses, speaker, &action.require);
        for freeze in &action.freeze {
            let columns = freeze.set.iter().map(|(field, column)| {
                let (_, value) = speaker.report(&freeze.workflow, &freeze.report, column);
                speaker.say("set", &[("field", &speaker.field(None, field)), ("value", value)])
            });
            let columns = speaker.list(columns);
            let (row, (report, _)) = (speaker.reference(None, &freeze.row), speaker.report(&freeze.workflow, &freeze.report, ""));
            let text = speaker.say("freeze", &[("report", report), ("row", &row), ("columns", &columns)]);
            clauses.entry("freeze", format!("{freeze:?}"), text);
        }
        for sequence in &action.sequence {
            let field = speaker.field(branch.map(|branch| &**branch), &sequence.field);
            let per = sequence.per.iter().map(|field| speaker.field(None, field));
            let key = if sequence.per.is_empty() { "sequence" } else { "sequence_per" };
            let values = [("field", &*field), ("format", &sequence.format), ("per", &speaker.list(per))];
            clauses.of("sequence", &*sequence.field, format!("{} {}", sequence.format, sorted(&sequence.per)), speaker.say(key, &values));
        }
        effects(&mut clauses, speaker, branch, "", &action.effects);
        rows.push(clauses.row(Kind::Action, branch, name, speaker.action_title(action)));
    }
}

fn done_by(clauses: &mut Clauses, speaker: &Speaker, branch: Option<&Name>, action: &Action) {
    for by in &action.by {
        let mut text = speaker.role(&by.role);
        if let Some(role) = &by.on_behalf_of {
            text = speaker.say("on_behalf", &[("role", &text), ("of", &speaker.role(role))]);
        }
        let asks = by.ask.iter().map(|ask| ask.title.as_str());
        if !by.ask.is_empty() {
            text = speaker.say("asking", &[("text", &text), ("asks", &speaker.list(asks))]);
        }
        let asks: Vec<String> = by.ask.iter().map(|ask| format!("{} {:?} {}", ask.name, ask.kind, ask.required)).collect();
        let meaning = speaker.meaning_when(format!("{} for {:?} asking {}", by.role, by.on_behalf_of, asks.join(", ")), &by.when);
        clauses.entry("by", meaning, speaker.when(text, &by.when));
    }
    let all = action.request.as_ref().filter(|(_, step)| *step != RequestStep::Ask);
    clauses.on("all_must_consent", all.is_some_and(|(request, _)| speaker.workflow.requests[request].all_must_consent));
    if let Some(other) = &action.not_by {
        clauses.add("not_by", &**other, speaker.fact(branch.map(|branch| &**branch), other));
    }
}

fn moves(clauses: &mut Clauses, speaker: &Speaker, branch: Option<&Name>, action: &Action) {
    let of = branch.map(|branch| &**branch);
    clauses.on("creates", action.creates);
    clauses.names("from", &action.from, |speaker| speaker.states(of, &action.from));
    if let Some(to) = &action.to {
        clauses.add("to", &**to, speaker.state(of, to));
    }
    for (index, row) in action.choose.iter().enumerate() {
        let to =
            row.to.as_ref().map_or_else(|| speaker.say("stays", &[]), |to| speaker.say("becomes", &[("state", &speaker.state(of, to))]));
        let text = match &row.when {
            Some(when) => speaker.say("choose", &[("condition", &speaker.expr(when)), ("to", &to)]),
            None => speaker.say("choose_otherwise", &[("to", &to)]),
        };
        let mut inside = Clauses::new(speaker);
        effects(&mut inside, speaker, branch, "", &row.effects);
        let more = inside.clauses.iter().map(|clause| speaker.labelled(clause)).collect::<Vec<_>>();
        let text = match more.is_empty() {
            true => text,
            false => speaker.say("and_then", &[("text", &text), ("more", &more.join(&speaker.say("semicolon", &[])))]),
        };
        let when = row.when.as_ref().map_or("otherwise".to_string(), |when| speaker.meaning(when));
        let effects = inside.clauses.iter().map(|clause| format!("{} {}", clause.aspect, clause.meaning)).collect::<Vec<_>>().join("; ");
        // The first row that holds is taken: their order counts.
        clauses.of("choose", (index + 1).to_string(), format!("{when} → {:?} {effects}", row.to), text);
    }
}

fn asked(clauses: &mut Clauses, speaker: &Speaker, aspect: &'static str, asks: &[Ask]) {
    for ask in asks {
        let key = if ask.required { "ask" } else { "ask_optional" };
        let text = match ask.records {
            // A declared field is known by its title.
            Some(_) => speaker.say(key, &[("title", &ask.title)]),
            None => speaker.say(&format!("{key}_kind"), &[("title", &ask.title), ("kind", &speaker.kind(&ask.kind))]),
        };
        clauses.of(aspect, &*ask.name, format!("{:?} {} {:?}", ask.kind, ask.required, ask.records), text);
    }
}

fn required(clauses: &mut Clauses, speaker: &Speaker, require: &[Require]) {
    for require in require {
        let meaning = speaker.meaning(&require.condition);
        clauses.of("require", meaning.clone(), meaning.clone(), speaker.expr(&require.condition));
        clauses.wording("refusal", meaning, &require.say);
    }
}

pub fn effects(clauses: &mut Clauses, speaker: &Speaker, branch: Option<&Name>, prefix: &str, effects: &Effects) {
    let of = branch.map(|branch| &**branch);
    for set in &effects.set {
        let branch = if set.of == Holder::Task { of } else { None };
        let (meaning, text) = set_said(speaker, branch, set);
        clauses.of("set", format!("{prefix}{:?} {}", set.of, set.field), meaning, text);
    }
    for open in &effects.open {
        let each = open.for_each.as_ref().map(|each| speaker.expr(each));
        let text = match &each {
            Some(each) => speaker.say("open_each", &[("each", each), ("branch", &speaker.branch(&open.branch))]),
            None => speaker.say("open", &[("branch", &speaker.branch(&open.branch))]),
        };
        let sets: Vec<(String, String)> = open.set.iter().map(|set| set_said(speaker, Some(&open.branch), set)).collect();
        let text = match sets.is_empty() {
            true => text,
            false => speaker.say("with", &[("text", &text), ("sets", &speaker.list(sets.iter().map(|(_, text)| text)))]),
        };
        let set = open.set.iter().zip(&sets).map(|(set, (meaning, _))| format!("{} = {meaning}", set.field)).collect::<Vec<_>>();
        let each = open.for_each.as_ref().map(|each| speaker.meaning(each)).unwrap_or_default();
        let meaning = speaker.meaning_when(format!("{} each {each} with {}", open.branch, set.join(", ")), &open.when);
        clauses.entry("open", meaning, speaker.when(text, &open.when));
    }
    for kind in &effects.cancel {
        clauses.entry("cancel", &**kind, speaker.branch(kind));
    }
    for (kind, action) in &effects.do_on {
        let text = speaker.say("do_on", &[("branch", &speaker.branch(kind)), ("action", &speaker.fact(Some(kind), action))]);
        clauses.entry("do_on", format!("{kind} {action}"), text);
    }
    clauses.on("or_none", effects.or_none && !effects.do_on.is_empty());
    for notice in &effects.tell {
        clauses.entry("tell", &**notice, speaker.told(notice));
    }
    for action in &effects.then_try {
        clauses.entry("then_try", &**action, speaker.fact(None, action));
    }
    for errand in &effects.errands {
        let (key, to) = match &errand.to {
            ErrandTo::New { id, .. } => ("opens", id.clone()),
            ErrandTo::Named(field) => ("sends", speaker.reference(of, field)),
        };
        let (meaning, with) = handed_over(speaker, &errand.with);
        let (workflow, action) = speaker.other(&errand.workflow, &errand.action);
        let text = speaker.say(key, &[("workflow", workflow), ("action", action), ("to", &to)]);
        let text = if with.is_empty() { text } else { speaker.say("with", &[("text", &text), ("sets", &with)]) };
        let meaning = format!("{} {} {:?} with {meaning}", errand.workflow, errand.action, errand.to);
        clauses.entry(key, speaker.meaning_when(meaning, &errand.when), speaker.when(text, &errand.when));
    }
}

fn tallied(clauses: &mut Clauses, speaker: &Speaker, tally: &Tally) {
    let of = Some(&*tally.of);
    let option = |field: &str, option: &Name| {
        let declared = speaker.workflow.fields_of(of).and_then(|fields| fields.get(field));
        declared.and_then(|field| field.option_titles.get(option)).map_or_else(|| option.to_string(), String::clone)
    };
    let points = tally.points.iter().map(|(name, points)| format!("{} {points}", option(&tally.answer, name)));
    let weights = tally.weights.iter().map(|(name, weight)| match weight {
        Weight::Number(number) => format!("{} {number}", option(&tally.group, name)),
        Weight::Param(param) => format!("{} {}", option(&tally.group, name), speaker.param(param)),
    });
    let values = [
        ("of", speaker.branch(&tally.of)),
        ("states", speaker.states(of, &tally.counts_in)),
        ("answer", speaker.field(of, &tally.answer)),
        ("points", speaker.list(points)),
        ("group", speaker.field(of, &tally.group)),
        ("weights", speaker.list(weights)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    clauses.add("tally", format!("{tally:?}"), speaker.say("tally", &values));
}

/// What is handed over to another item: what it means, and how it is said.
pub fn handed_over(speaker: &Speaker, with: &[(Name, Expr)]) -> (String, String) {
    let meaning = with.iter().map(|(name, expr)| format!("{name} = {}", speaker.meaning(expr))).collect::<Vec<_>>().join(", ");
    let said = with.iter().map(|(name, expr)| speaker.say("set", &[("field", name), ("value", &speaker.expr(expr))])).collect::<Vec<_>>();
    (meaning, speaker.list(said.iter()))
}

fn set_said(speaker: &Speaker, branch: Option<&str>, set: &Set) -> (String, String) {
    let field = speaker.workflow.fields_of(branch).and_then(|fields| fields.get(&set.field));
    let (meaning, value) = match &set.value {
        SetValue::Literal(value) => (format!("{value:?}"), speaker.value(value, field)),
        SetValue::Expr(expr) => (speaker.meaning(expr), speaker.expr(expr)),
    };
    let text = speaker.say("set", &[("field", &speaker.field(branch, &set.field)), ("value", &value)]);
    (speaker.meaning_when(meaning, &set.when), speaker.when(text, &set.when))
}

pub fn requests(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, request) in &speaker.workflow.requests {
        let mut clauses = Clauses::titled(speaker, &request.title);
        if let Some(branch) = &request.branch {
            clauses.add("of_branch", &**branch, speaker.branch(branch));
        }
        rows.push(clauses.row(Kind::Request, None, name, &request.title));
    }
}

pub fn always(speaker: &Speaker) -> Option<Row> {
    if speaker.workflow.always.is_empty() {
        return None;
    }
    let mut clauses = Clauses::new(speaker);
    required(&mut clauses, speaker, &speaker.workflow.always);
    Some(clauses.row(Kind::Always, None, "always", ""))
}
