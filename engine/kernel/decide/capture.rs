//! What templates may show of an item, captured as JSON at the moment of the fact: persons and units by their titles, no secret field.

use crate::kernel::derive::rungs;
use crate::kernel::model::Name;
use crate::kernel::model::attached::Attached;
use crate::kernel::model::definition::{Ask, Deadline, Field, Reads, Request, Section};
use crate::kernel::model::fact::{Cause, Fact, RungKey};
use crate::kernel::model::item::{Clock, Item};
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::{Rules, View};
use crate::kernel::time::Date;
use serde_json::{Map, Value as Json, json};

/// Everything that a wording reads but the addressee; the item and the part at hand are always there.
pub fn base(
    rules: &Rules,
    item: &Item,
    task: Option<u32>,
    fact: Option<&Fact>,
    rung: Option<&RungKey>,
    today: Date,
    reads: &Reads,
) -> Json {
    let mut out = Map::new();
    out.insert("item".into(), item_values(rules, item));
    out.insert("task".into(), task.map_or(Json::Null, |no| branch_values(rules, item, no)));
    out.insert("due".into(), dues(rules, item, task, rung, today, reads));
    out.insert("branches".into(), branches(rules, item, reads));
    out.insert("param".into(), params(rules, today, reads));
    if reads.view("request") {
        out.insert("request".into(), requests(rules, item, task));
    }
    out.insert("letter".into(), json!(rules.setting.workflow.letter));
    out.insert("today".into(), json!(today.to_string()));
    if let Some(fact) = fact {
        out.insert("input".into(), input_values(rules, item, fact));
        out.insert("actor".into(), person_values(rules, fact.actor.person.as_ref(), fact.actor.role.as_ref(), today));
        out.insert("fact".into(), json!({ "on": fact.effective_on.to_string(), "title": fact_title(rules, item, fact), "seq": fact.seq }));
    }
    Json::Object(out)
}

/// The base values with `to`, `reader` and `copy_of`. Who is copied in reads the letter to the main addressee: `to` is the latter.
pub fn addressed(rules: &Rules, mut base: Json, reader: (&Name, &Name), to: (&Name, &Name), copy_of: &[Name], today: Date) -> Json {
    if let Json::Object(map) = &mut base {
        map.insert("to".into(), person_values(rules, Some(to.0), Some(to.1), today));
        map.insert("reader".into(), person_values(rules, Some(reader.0), Some(reader.1), today));
        map.insert("copy_of".into(), Json::Array(copy_of.iter().map(|person| json!(person_title(rules, person))).collect()));
    }
    base
}

/// What `say` may show.
pub fn for_sentence(rules: &Rules, item: &Item, view: &View) -> Json {
    let mut out = base(rules, item, view.task, None, None, view.today, &Reads::default());
    if let Json::Object(map) = &mut out {
        let input = view.input.iter().map(|(name, value)| (name.to_string(), plain(value)));
        map.insert("input".into(), Json::Object(input.collect()));
        map.insert("actor".into(), person_values(rules, view.actor.person.as_ref(), view.actor.role.as_ref(), view.today));
    }
    out
}

fn item_values(rules: &Rules, item: &Item) -> Json {
    let workflow = &rules.setting.workflow;
    let mut out = fields(rules, &workflow.fields, &item.fields, item.today);
    out.insert("id".into(), json!(item.id));
    out.insert("state".into(), json!(item.state));
    let title = workflow.states.get(&item.state).map_or_else(|| item.state.to_string(), |state| state.title.clone());
    out.insert("state_title".into(), json!(title));
    out.insert("flag".into(), json!(item.flag));
    out.insert("created_on".into(), json!(item.created_on.to_string()));
    Json::Object(out)
}

fn branch_values(rules: &Rules, item: &Item, no: u32) -> Json {
    let Some(branch) = item.branch(no) else { return Json::Null };
    let Some(kind) = rules.setting.workflow.branches.get(&branch.kind) else { return Json::Null };
    let mut out = fields(rules, &kind.fields, &branch.fields, item.today);
    for built_in in ["unit", "person"] {
        if let Some(id) = branch.fields.get(built_in).and_then(Value::as_text) {
            out.entry(built_in).or_insert_with(|| json!(title_on(rules, id, item.today)));
            out.insert(format!("{built_in}_id"), json!(id));
        }
    }
    out.insert("no".into(), json!(no));
    out.insert("kind".into(), json!(branch.kind));
    out.insert("state".into(), json!(branch.state));
    let title = kind.states.get(&branch.state).map_or_else(|| branch.state.to_string(), |state| state.title.clone());
    out.insert("state_title".into(), json!(title));
    out.insert("ended".into(), json!(branch.ended));
    out.insert("opened_on".into(), json!(branch.opened_on.to_string()));
    Json::Object(out)
}

/// Every declared field, empty ones as null, so that a strict template can ask for them; secret ones are left out.
fn fields(rules: &Rules, declared: &Section<Field>, values: &Fields, day: Date) -> Map<String, Json> {
    let mut out = Map::new();
    for (name, field) in declared.iter().filter(|(_, field)| !field.secret) {
        let value = values.get(name).unwrap_or(&Value::Empty);
        out.insert(name.to_string(), typed(rules, &field.kind, value, day));
        if matches!(field.kind, Type::Choice(_)) {
            let title = value.as_text().map(|option| field.option_titles.get(option).cloned().unwrap_or_else(|| option.to_string()));
            out.insert(format!("{name}_title"), json!(title));
        }
    }
    out
}

/// A value of a type, persons and units by their titles on a day.
pub fn typed(rules: &Rules, kind: &Type, value: &Value, day: Date) -> Json {
    match (kind, value) {
        (Type::Person | Type::Unit, Value::Text(id)) => json!(title_on(rules, id, day)),
        (Type::File, Value::Text(text)) => json!(Attached::shown(text)),
        (Type::List(kind), Value::List(list)) => Json::Array(list.iter().map(|value| typed(rules, kind, value, day)).collect()),
        (Type::Record(branch), Value::Record(record)) => {
            let declared = rules.setting.workflow.fields_of(Some(branch));
            declared.map_or(Json::Null, |declared| Json::Object(fields(rules, declared, record, day)))
        }
        (_, value) => plain(value),
    }
}

/// A value as plain JSON: dates and lengths as texts.
pub fn plain(value: &Value) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(value) => json!(value),
        Value::Text(text) => json!(text),
        Value::Date(date) => json!(date.to_string()),
        Value::Length(length) => json!(length.to_string()),
        Value::List(list) => Json::Array(list.iter().map(plain).collect()),
        Value::Record(record) => Json::Object(record.iter().map(|(name, value)| (name.to_string(), plain(value))).collect()),
    }
}

fn input_values(rules: &Rules, item: &Item, fact: &Fact) -> Json {
    let workflow = &rules.setting.workflow;
    let kind = fact.branch.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
    let action = workflow.actions_of(kind).and_then(|actions| actions.values().find(|action| action.records_as == fact.name));
    let asks = action.into_iter().flat_map(|action| action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask)));
    let mut out = Map::new();
    for ask in asks {
        let value = fact.input.get(&ask.name).unwrap_or(&Value::Empty);
        out.insert(ask.name.to_string(), typed(rules, &ask.kind, value, item.today));
    }
    Json::Object(out)
}

fn dues(rules: &Rules, item: &Item, task: Option<u32>, rung: Option<&RungKey>, today: Date, reads: &Reads) -> Json {
    let mut out = Map::new();
    for (name, deadline) in rules.setting.workflow.deadlines.iter().filter(|(name, _)| reads.entry("due", name)) {
        let holder = if deadline.branch.is_some() { task } else { None };
        let clock = item.clock(name, holder);
        out.insert(name.to_string(), due(rules, &deadline.title, clock, today));
    }
    if let Some(key) = rung {
        let deadline = rules.setting.workflow.deadlines.get(&key.deadline);
        let clock =
            item.clocks.iter().find(|clock| clock.deadline == key.deadline && clock.branch == key.branch && clock.cycle == key.cycle);
        let mut this = due(rules, deadline.map_or("", |deadline| &deadline.title), clock.map(|clock| &**clock), today);
        if let Json::Object(this) = &mut this {
            this.insert("name".into(), json!(key.deadline));
            this.insert("rung".into(), json!(key.rung));
            let told = clock.into_iter().flat_map(|clock| &clock.fired).filter(|fired| fired.skipped.is_none());
            let earlier = told.filter(|fired| !(fired.rung == key.rung && fired.occurrence == key.occurrence));
            this.insert("reminders".into(), Json::Array(earlier.map(|fired| json!(fired.on.to_string())).collect()));
            if reads.view("due.this.rungs") {
                this.insert("rungs".into(), ladder_days(rules, deadline, clock.map(|clock| &**clock)));
            }
        }
        out.insert("this".into(), this);
    }
    Json::Object(out)
}

/// The day of every rung of a ladder, of its first occurrence. The names of other ladders are there too, without a day: one wording
/// serves several.
fn ladder_days(rules: &Rules, deadline: Option<&Deadline>, clock: Option<&Clock>) -> Json {
    let every = rules.setting.workflow.deadlines.values().flat_map(|deadline| &deadline.ladder);
    let mut out: Map<String, Json> = every.map(|rung| (rung.rung.to_string(), Json::Null)).collect();
    let due = clock.and_then(|clock| Some((clock, clock.due.as_deref()?)));
    for (index, rung) in deadline.iter().flat_map(|deadline| &deadline.ladder).enumerate() {
        let day = due.and_then(|(clock, due)| rungs::occurrence(rules, clock, due, rung, index, 1)).map(|first| first.day.to_string());
        out.insert(rung.rung.to_string(), json!(day));
    }
    Json::Object(out)
}

fn due(rules: &Rules, title: &str, clock: Option<&Clock>, today: Date) -> Json {
    let calendar = &rules.setting.calendar;
    let date = clock.and_then(|clock| clock.due.as_ref()).map(|due| due.date);
    let until = clock.and_then(|clock| clock.end.as_ref()).map_or(today, |end| end.on);
    let left = date.map(|date| (date - until).num_days());
    let working = date.map(|date| calendar.working_days_between(until, date));
    json!({
        "title": title,
        "date": date.map(|date| date.to_string()),
        "days_left": left.map(|days| days.max(0)),
        "working_days_left": working.map(|days| days.max(0)),
        "days_late": left.map(|days| (-days).max(0)),
        "working_days_late": date.map(|date| calendar.working_days_between(date, until).max(0)),
        "times_extended": clock.map_or(0, |clock| clock.times_extended),
        "provisional": clock.and_then(|clock| clock.due.as_ref()).is_some_and(|due| due.provisional),
        "running": clock.is_some_and(Clock::is_running),
    })
}

fn branches(rules: &Rules, item: &Item, reads: &Reads) -> Json {
    let kinds = rules.setting.workflow.branches.keys().filter(|kind| reads.entry("branches", kind));
    let of = |kind: &Name| {
        item.branches.iter().filter(|branch| branch.kind == *kind).map(|branch| branch_values(rules, item, branch.no)).collect()
    };
    Json::Object(kinds.map(|kind| (kind.to_string(), Json::Array(of(kind)))).collect())
}

/// What was asked last in each request, of the branch at hand or of the item; nothing where it was never asked.
fn requests(rules: &Rules, item: &Item, task: Option<u32>) -> Json {
    let of = |(name, request): (&Name, &Request)| {
        let holder = if request.branch.is_some() { task } else { None };
        let asked = item.requests.iter().rev().find(|asked| asked.request == *name && asked.branch == holder);
        let value = |ask: &Ask| asked.and_then(|asked| asked.input.get(&ask.name)).unwrap_or(&Value::Empty);
        let fields: Map<String, Json> =
            request.ask.iter().map(|ask| (ask.name.to_string(), typed(rules, &ask.kind, value(ask), item.today))).collect();
        (name.to_string(), Json::Object(fields))
    };
    Json::Object(rules.setting.workflow.requests.iter().map(of).collect())
}

fn params(rules: &Rules, today: Date, reads: &Reads) -> Json {
    let params = rules.setting.workflow.params.iter().filter(|(name, _)| reads.entry("param", name));
    Json::Object(params.filter_map(|(name, param)| Some((name.to_string(), plain(&param.on(today)?.value)))).collect())
}

/// A person with the units of their duties and the title of the role in which they appear.
pub fn person_values(rules: &Rules, person: Option<&Name>, role: Option<&Name>, today: Date) -> Json {
    let directory = &rules.setting.directory;
    let known = person.and_then(|person| directory.persons.get(person));
    let unit = known.and_then(|known| known.duties.iter().find(|duty| duty.holds_on(today))).map(|duty| &duty.value.unit);
    let role_title = role.map(|role| rules.setting.workflow.roles.get(role).map_or_else(|| role.to_string(), |role| role.title.clone()));
    json!({
        "person": person,
        "name": person.map(|person| person_title(rules, person)),
        "unit": unit.map(|unit| title_on(rules, unit, today)),
        "phone": known.and_then(|known| known.phone.clone()),
        "role": role,
        "role_title": role_title,
    })
}

fn person_title(rules: &Rules, person: &Name) -> String {
    rules.setting.directory.persons.get(person).map_or_else(|| person.to_string(), |person| person.title.clone())
}

/// A unit's or a person's title, the id when the directory does not know it.
pub fn title(rules: &Rules, id: &Name) -> String {
    title_on(rules, id, Date::MAX)
}

/// The same as it was on a day.
pub fn title_on(rules: &Rules, id: &Name, day: Date) -> String {
    let unit = rules.setting.directory.units.get(id).map(|unit| unit.title_on(day).to_string());
    unit.unwrap_or_else(|| person_title(rules, id))
}

/// Facts of the engine's own.
const BUILT_IN: [&str; 3] = [super::perform::ITEM_ENDED, super::errands::DONE, super::errands::REFUSED];

/// What a fact is called for people: its action's title, or the rung's deadline.
pub fn fact_title(rules: &Rules, item: &Item, fact: &Fact) -> String {
    if matches!(fact.cause, Cause::Amend { .. }) {
        return super::amend::title(rules);
    }
    let workflow = &rules.setting.workflow;
    let kind = fact.branch.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
    let by_action = [kind, None].into_iter().filter_map(|kind| workflow.actions_of(kind));
    let mut titles =
        by_action.filter_map(|actions| actions.values().find(|action| action.records_as == fact.name)).map(|action| action.title.clone());
    titles
        .next()
        .or_else(|| workflow.sweeps.get(&fact.name).map(|sweep| sweep.title.clone()))
        .or_else(|| workflow.deadlines.get(fact.name.split('.').next().unwrap_or_default()).map(|deadline| deadline.title.clone()))
        .or_else(|| BUILT_IN.contains(&&*fact.name).then(|| super::amend::built_in(rules, &fact.name)))
        .unwrap_or_else(|| fact.name.to_string())
}
