//! The parts of a role's page, each as its template takes it.

use super::Web;
use super::session::Visitor;
use super::todo::{action_path, action_title, number};
use super::trouble::Trouble;
use super::{deadline, ledger, page};
use crate::app::desks::{Asked, Escalation};
use crate::app::duties::Duty;
use crate::app::outbox::sums;
use crate::app::{Level, ReportError, check_up};
use crate::kernel::access::Reader;
use crate::kernel::decide::capture;
use crate::kernel::explain::due::DueExplained;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{DeskPart, DeskShow};
use crate::kernel::model::fact::Fact;
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Value;
use crate::kernel::report::{Table, page as report_page};
use crate::kernel::rules::Rules;
use crate::kernel::words::say;
use crate::store::items::{Filter, Listed};
use axum::http::StatusCode;
use chrono::Days;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a part; whoever has more finds the rest in the ledger or among what waits for them.
const ROWS: usize = 12;
const LONG: usize = 50;
/// Days from today that count as soon, in the numbers.
const SOON: u64 = 7;
/// Mails that could not be handed over.
const IN_TROUBLE: [&str; 3] = ["refused", "expired", "unknown"];

/// All parts of a page. Its reports are counted together, in one way through the items.
pub async fn fill(web: &Web, visitor: &Visitor, rules: &Arc<Rules>, parts: &[DeskPart]) -> Result<Vec<Json>, Trouble> {
    let named = parts.iter().filter_map(|part| match &part.show {
        DeskShow::Report { report, .. } => Some(report.clone()),
        _ => None,
    });
    let named: Vec<Name> = named.collect();
    let mut tables = match named.is_empty() {
        true => Vec::new(),
        false => visitor.app.tables(rules, &named, visitor.today()).await.map_err(|error| match error {
            ReportError::Store(error) => error.into(),
            ReportError::Eval(error) => error.into(),
            error => Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "report_fails").with("what", error),
        })?,
    }
    .into_iter();
    let mut out = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let mut shown = match &part.show {
            DeskShow::Numbers => numbers(visitor).await?,
            DeskShow::Duties => duties(visitor).await?,
            DeskShow::Requests => requests(visitor, rules).await?,
            DeskShow::Coming => coming(visitor).await?,
            DeskShow::Health => health(web, visitor).await?,
            DeskShow::Told => told(visitor).await?,
            DeskShow::Waiting { states, unit, action } => waiting(visitor, rules, states, unit.as_ref(), action.as_ref()).await?,
            DeskShow::Report { rows, .. } => reported(tables.next().ok_or_else(Trouble::not_found)?, *rows, place, visitor),
            DeskShow::Round { branch } => round(visitor, rules, branch).await?,
        };
        shown["title"] = json!(part.title);
        out.push(shown);
    }
    Ok(out)
}

async fn numbers(visitor: &Visitor) -> Result<Json, Trouble> {
    let (store, today) = (&visitor.app.store, visitor.today());
    let (open, late, soon) = store.standing(today, today.checked_add_days(Days::new(SOON)).unwrap_or(today)).await?;
    let mails = sums(store.count_notices().await?);
    let count = |words: &[&str]| words.iter().filter_map(|word| mails.get(*word)).sum::<u64>().to_string();
    let values = [
        ("open", open.to_string()),
        ("late", late.to_string()),
        ("soon", soon.to_string()),
        ("days", SOON.to_string()),
        ("failed", count(&IN_TROUBLE)),
        ("parked", count(&["parked", "held"])),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Ok(json!({ "kind": "numbers", "says": visitor.say("web.desk.numbers", &values), "late": late, "to_late": "/ledger?which=late" }))
}

/// A date as a light, with its day.
fn light(due: Option<&DueExplained>, item: &Item, visitor: &Visitor) -> Json {
    due.filter(|due| due.date.is_some()).map_or(Json::Null, |due| deadline::light(due, item.today, visitor.lang()))
}

fn about(rules: &Rules, item: &Item, title: &str) -> Json {
    json!({ "to": format!("/items/{}", page::encoded(&item.id)), "number": number(rules, item), "title": title })
}

fn branch_name(rules: &Rules, item: &Item, task: Option<u32>) -> Option<String> {
    let branch = item.branch(task?)?;
    let kind = rules.setting.workflow.branches.get(&branch.kind).map_or(&*branch.kind, |kind| kind.title.as_str());
    let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field).and_then(Value::as_text));
    Some(which.map_or_else(|| format!("{kind} {}", branch.no), |id| format!("{kind} {}", capture::title(rules, id))))
}

async fn duties(visitor: &Visitor) -> Result<Json, Trouble> {
    // The most urgent of them; all of them stand on the page of their own.
    let (duties, all) = visitor.app.some_duties(&visitor.person, None, 0, LONG as u32).await?;
    let mine: Vec<&Duty> = duties.iter().filter(|duty| duty.next.is_some()).collect();
    let rows = mine.iter().take(ROWS).map(|duty| {
        let kind = duty.task.and_then(|no| duty.item.branch(no)).map(|branch| &*branch.kind);
        let next = duty.next.as_ref().map(|action| match duty.open {
            1 => json!({ "to": action_path(&duty.item.id, action, duty.task), "title": action_title(&duty.rules, kind, action, visitor.lang()) }),
            count => json!({ "to": format!("/items/{}", page::encoded(&duty.item.id)), "title": visitor.say("web.todo.several", &[("count", &count.to_string())]) }),
        });
        let due = duty.due.as_ref().map(|due| due.title.clone());
        let hint: Vec<String> = [Some(duty.role.clone()), branch_name(&duty.rules, &duty.item, duty.task), due].into_iter().flatten().collect();
        json!({
            "about": about(&duty.rules, &duty.item, &duty.title),
            "light": light(duty.due.as_ref(), &duty.item, visitor),
            "hint": hint,
            "next": next.into_iter().collect::<Vec<_>>(),
        })
    });
    let rows: Vec<Json> = rows.collect();
    // Beyond those looked at, what waits for somebody else to move is among the others.
    let more = if all > LONG as u64 { all.saturating_sub(rows.len() as u64) } else { mine.len().saturating_sub(ROWS) as u64 };
    Ok(json!({ "kind": "rows", "rows": rows, "more": more, "all": "/todo" }))
}

async fn requests(visitor: &Visitor, rules: &Arc<Rules>) -> Result<Json, Trouble> {
    let asked = visitor.app.asked(rules, &visitor.person).await?;
    let rows = asked.iter().take(LONG).map(|asked: &Asked| {
        let (rules, item) = (&asked.of.rules, &asked.of.item);
        let kind = asked.task.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
        let by = asked.asked.as_ref().map(|fact| said(rules, item, fact, visitor));
        json!({
            "about": about(rules, item, &asked.title),
            "light": light(asked.due.as_ref(), item, visitor),
            "hint": branch_name(rules, item, asked.task).into_iter().chain(by).collect::<Vec<_>>(),
            "next": [{ "to": action_path(&item.id, &asked.action, asked.task), "title": action_title(rules, kind, &asked.action, visitor.lang()) },
                { "to": format!("/items/{}", page::encoded(&item.id)), "title": visitor.say("web.desk.look", &[]) }],
        })
    });
    Ok(json!({ "kind": "rows", "rows": rows.collect::<Vec<_>>(), "more": asked.len().saturating_sub(LONG), "all": "/ledger" }))
}

/// When somebody did what.
fn said(rules: &Rules, item: &Item, fact: &Fact, visitor: &Visitor) -> String {
    let who = fact.actor.person.as_ref().map_or_else(|| visitor.say("show.engine", &[]), |person| capture::title(rules, person));
    let what = capture::fact_title(rules, item, fact);
    visitor.say("web.form.news_line", &[("day", &fact.effective_on.to_string()), ("who", &who), ("what", &what)])
}

async fn coming(visitor: &Visitor) -> Result<Json, Trouble> {
    let foreseen = visitor.app.foresee_today().await?;
    let forecast = &foreseen.forecast;
    let all = visitor.app.rules();
    let zone = visitor.zone();
    let rows = forecast.mails().take(LONG).flat_map(|mail| {
        let person = capture_person(visitor, mail.person());
        let at = mail.at().with_timezone(&zone).format("%H:%M").to_string();
        mail.notices().map(move |carried| (at.clone(), person.clone(), carried)).collect::<Vec<_>>()
    });
    let rows = rows.take(LONG).map(|(at, person, carried)| {
        let workflow = all.workflows.get(&carried.reason.workflow).map(|rules| &rules.setting.workflow);
        let notice = workflow.and_then(|workflow| workflow.notices.get(&carried.reason.notice));
        json!({
            "at": at,
            "person": person,
            "what": notice.map_or(&*carried.reason.notice, |notice| notice.title.as_str()),
            "rule": carried.reason.rule,
            "to": format!("/items/{}", page::encoded(carried.item)),
            "item": foreseen.titles.get(carried.item).map_or(&**carried.item, String::as_str),
        })
    });
    let reds = forecast.count_reds();
    let values =
        [("mails", forecast.count_mails().to_string()), ("notices", forecast.count_notices().to_string()), ("reds", reds.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Ok(json!({ "kind": "coming", "says": visitor.say("web.desk.coming", &values), "rows": rows.collect::<Vec<_>>() }))
}

fn capture_person(visitor: &Visitor, person: &Name) -> String {
    visitor.app.rules().directory.person_title(person).to_string()
}

async fn health(web: &Web, visitor: &Visitor) -> Result<Json, Trouble> {
    let (lang, zone, now) = (visitor.lang(), visitor.zone(), web.offices.now());
    let state = web.pulse.state();
    let moment = |at: crate::kernel::time::Instant| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let never = || say(lang, "web.system.never", &[]);
    let checks = check_up(&web.offices.store, Some(visitor.app.store.jurisdiction()), now).await?;
    let rows = checks.iter().filter(|check| check.level != Level::Good).map(|check| {
        let (sentence, todo) = check.sentences(zone, lang);
        json!({ "title": say(lang, &format!("doctor.{}", check.check), &[]), "bad": check.level == Level::Fault, "says": sentence, "do": todo })
    });
    Ok(json!({
        "kind": "health",
        "troubles": web.pulse.troubles(now),
        "rows": rows.collect::<Vec<_>>(),
        "good": checks.iter().filter(|check| check.level == Level::Good).count(),
        "last": state.last_tick.map_or_else(never, moment),
        "next": state.next.map_or_else(|| say(lang, "web.system.nothing", &[]), moment),
    }))
}

/// Who sees an item's fact: what stands on a branch is shown to whom the branch is.
fn sees(escalation: &Escalation, fact: &Fact, visitor: &Visitor) -> bool {
    let of = &escalation.of;
    let reader = Reader { rules: &of.rules, item: &of.item, facts: &of.facts, person: Some(&visitor.person), day: of.item.today };
    fact.branch.and_then(|no| of.item.branch(no)).is_none_or(|branch| reader.sees_branch(branch).unwrap_or(false))
}

async fn told(visitor: &Visitor) -> Result<Json, Trouble> {
    let escalations = visitor.app.escalations(&visitor.person).await?;
    let rows = escalations.iter().map(|one| {
        let (rules, item) = (&one.of.rules, &one.of.item);
        let workflow = &rules.setting.workflow;
        let zone = workflow.timezone;
        let kind = one.task.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
        let told = one.before.iter().map(|(day, notices)| {
            let titles: Vec<&str> =
                notices.iter().map(|notice| workflow.notices.get(notice).map_or(&**notice, |notice| notice.title.as_str())).collect();
            visitor.say("web.desk.told_line", &[("day", &day.to_string()), ("what", &titles.join(&visitor.say("show.comma", &[])))])
        });
        let open = one.open.iter().map(
            |action| json!({ "to": action_path(&item.id, action, one.task), "title": action_title(rules, kind, action, visitor.lang()) }),
        );
        json!({
            "about": about(rules, item, &one.title),
            "notice": workflow.notices.get(one.notice.notice.as_str()).map_or(one.notice.notice.as_str(), |notice| notice.title.as_str()),
            "at": one.notice.recorded_at.with_timezone(&zone).format("%Y-%m-%d").to_string(),
            "branch": branch_name(rules, item, one.task),
            "what": one.due.as_ref().map(|due| due.title.clone()),
            "light": light(one.due.as_ref(), item, visitor),
            "over": one.over,
            "told": told.collect::<Vec<_>>(),
            "last": one.last.as_ref().filter(|fact| sees(one, fact, visitor)).map(|fact| said(rules, item, fact, visitor)),
            "open": open.collect::<Vec<_>>(),
        })
    });
    // What still runs stands above what has been done since.
    let (over, running): (Vec<Json>, Vec<Json>) = rows.partition(|row| row["over"] == json!(true));
    Ok(json!({ "kind": "told", "rows": running, "over": over }))
}

async fn waiting(
    visitor: &Visitor,
    rules: &Arc<Rules>,
    states: &[Name],
    unit: Option<&Name>,
    action: Option<&Name>,
) -> Result<Json, Trouble> {
    let workflow = &rules.setting.workflow;
    let mut found: Vec<Listed> = Vec::new();
    for state in states {
        let filter = Filter { workflow: Some(workflow.name.to_string()), state: Some(state.to_string()), ..Filter::default() };
        found.extend(visitor.app.store.list(&filter, LONG as u32).await?);
    }
    let today = visitor.today();
    let suggested = match unit {
        Some(field) => visitor.app.suggested(&found, field).await?,
        None => Default::default(),
    };
    let title = |id: &str| rules.setting.directory.units.get(id).map_or_else(|| id.to_string(), |unit| unit.title.clone());
    let row = |row: &Listed| {
        let reason = suggested.get(&row.id).map(|like| {
            let values = [
                ("unit", title(&like.unit)),
                ("count", like.count.to_string()),
                ("number", ledger::number_of(rules, &like.example)),
                ("title", like.example.title.clone()),
            ];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            visitor.say("web.desk.suggested", &values)
        });
        json!({
            "item": row.id,
            "to": format!("/items/{}", page::encoded(&row.id)),
            "number": ledger::number_of(rules, row),
            "title": row.title,
            "state": visitor.app.state_title(row),
            "light": ledger::light(row, today, visitor.lang()),
            "reason": reason,
            "unit": unit.and_then(|field| row.fields[&**field].as_str()).map(&title),
        })
    };
    let rows: Vec<Json> = found.iter().map(row).collect();
    // Those with the same suggestion are one batch, tried with all that it would cause before it is done.
    let mut batches: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &found {
        if let Some(like) = suggested.get(&row.id) {
            batches.entry(&like.unit).or_default().push(&row.id);
        }
    }
    let mut by_size: Vec<_> = batches.into_iter().collect();
    by_size.sort_by_key(|(_, items)| std::cmp::Reverse(items.len()));
    let batches = by_size.iter().map(|(id, items)| json!({ "unit": title(id), "items": items, "count": items.len() }));
    let batches: Vec<Json> = if action.is_some() { batches.collect() } else { Vec::new() };
    let load: Vec<Json> = match unit {
        Some(field) => {
            let in_hand = visitor.app.store.in_hand(&workflow.name, field, today).await?;
            let most = in_hand.first().map_or(1, |(_, all, _)| *all).max(1);
            let row =
                |(id, all, late): &(String, u64, u64)| json!({ "unit": title(id), "count": all, "late": late, "part": all * 100 / most });
            in_hand.iter().take(LONG).map(row).collect()
        }
        None => Vec::new(),
    };
    Ok(json!({
        "kind": "waiting",
        "rows": rows,
        "batches": batches,
        "load": load,
        "field": unit.map(|field| format!("in.{field}")),
        "act": action.map(|action| json!({ "to": format!("/bulk/{}/{}", page::encoded(&workflow.name), page::encoded(action)), "title": action_title(rules, None, action, visitor.lang()) })),
    }))
}

/// The first rows of a report that was counted.
fn reported(mut table: Table, rows: usize, place: usize, visitor: &Visitor) -> Json {
    let all = table.rows.len();
    table.rows.truncate(rows);
    let mut shown = report_page::part(&table, place, visitor.lang());
    shown["kind"] = json!("report");
    shown["chart"] = Json::Null;
    shown["more"] = json!(all.saturating_sub(rows));
    shown["to"] = json!(format!("/reports/{}", page::encoded(&table.report)));
    shown
}

async fn round(visitor: &Visitor, rules: &Arc<Rules>, branch: &Name) -> Result<Json, Trouble> {
    let rounds = visitor.app.rounds(rules, branch).await?;
    let today = visitor.today();
    let (ended, all) = rounds.iter().fold((0, 0), |(ended, all), round| (ended + round.ended, all + round.all));
    let units =
        rules.setting.workflow.fields.iter().find(|(_, field)| matches!(field.kind.inner(), crate::kernel::model::value::Type::Unit));
    let rows = rounds.iter().map(|round| {
        let unit = units.and_then(|(name, _)| round.row.fields[&**name].as_str()).map(|id| capture::title(rules, &id.into()));
        json!({
            "to": format!("/items/{}", page::encoded(&round.row.id)),
            "title": unit.unwrap_or_else(|| round.row.title.clone()),
            "state": visitor.app.state_title(&round.row),
            "ended": round.ended,
            "all": round.all,
            "part": round.ended * 100 / round.all.max(1),
            "light": ledger::light(&round.row, today, visitor.lang()),
        })
    });
    let values = [("ended", ended.to_string()), ("all", all.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Ok(json!({ "kind": "round", "says": visitor.say("web.desk.round", &values), "rows": rows.collect::<Vec<_>>() }))
}
