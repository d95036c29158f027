//! Rules tried out: their stories played, their states drawn with the items that stand in them today, and what leaves until a day if nobody
//! does anything.

use super::{bench, short, source, told};
use crate::app::workshop::Source;
use crate::kernel::access::Room;
use crate::kernel::author::graph::{Counts, Format, graph};
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::definition::StateKind;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::RuleSet;
use crate::kernel::simulate::forecast::Forecast;
use crate::kernel::simulate::run::{Difference, Outcomes};
use crate::kernel::time::Date;
use crate::kernel::words::due;
use crate::web::Web;
use crate::web::page::encoded;
use crate::web::session::Visitor;
use crate::web::trouble::Trouble;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{Datelike, Days};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// So far is looked ahead at most, and so far unless somebody chooses a day.
const MOST_DAYS: i64 = 400;
const DAYS: u64 = 42;
/// Mails of one day, persons and items on a page.
const ROWS: usize = 200;
const NAMED: usize = 12;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TrialQuery {
    /// `folder`, or the rules in use
    of: String,
    workflow: String,
    /// Stories are played when it is there, and only those in whose name it stands.
    run: Option<String>,
    until: String,
    day: String,
}

/// Of whose rules it is, as choices.
fn choices(web: &Web, visitor: &Visitor, chosen: &str) -> Vec<Json> {
    let all = if bench(web, visitor).folder().is_ok() { &["folder", "use"][..] } else { &["use"][..] };
    let is_folder = source(chosen) == Source::Folder;
    let one = |of: &&str| json!({ "value": of, "title": visitor.say(&format!("web.rules.of_{of}"), &[]), "on": (**of == *"folder") == is_folder });
    all.iter().map(one).collect()
}

/// Only these two are tried out.
fn tried(of: &str) -> Source {
    if of == "folder" { Source::Folder } else { Source::InUse }
}

pub async fn stories(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<TrialQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let bench = bench(&web, &visitor);
    let only = asked.run.as_deref().map(str::trim);
    let report = match only {
        Some(only) => Some(bench.stories(&visitor.app, &Source::Folder, Some(only).filter(|only| !only.is_empty()), visitor.lang()).await?),
        None => bench.folder().map(|_| None)?,
    };
    let lang = visitor.lang();
    let report = report.map(|report| {
        let story = |outcomes: &Outcomes| {
            let says = |difference: &Difference| {
                let step = visitor.say("test.step", &[("step", &difference.step.to_string()), ("at", &difference.at)]);
                format!("{step} {}", difference.text(lang))
            };
            json!({
                "name": outcomes.name, "good": outcomes.differences.is_empty(),
                "steps": visitor.say("test.steps", &[("steps", &outcomes.steps.to_string()), ("days", &outcomes.days.to_string())]),
                "differences": outcomes.differences.iter().map(says).collect::<Vec<_>>(),
                "again": format!("/rules/stories?run={}", encoded(&outcomes.name)),
            })
        };
        let files = report.files.iter().map(|file| {
            let measure = |measure: &crate::kernel::simulate::coverage::Measure| {
                format!("{} {}/{}", visitor.say(&format!("test.{}", measure.what), &[]), measure.covered, measure.all)
            };
            let below = |(what, percent, bar): &(String, usize, usize)| {
                visitor.say("check.E904", &[("what", what), ("percent", &percent.to_string()), ("bar", &bar.to_string())])
            };
            json!({
                "path": file.path, "to": super::file_page(&file.path), "stories": file.outcomes.iter().map(story).collect::<Vec<_>>(),
                "coverage": file.coverage.iter().map(measure).collect::<Vec<_>>().join(&visitor.say("show.comma", &[])),
                "below": file.below.iter().map(below).collect::<Vec<_>>(),
            })
        });
        let errors: Vec<Problem> = report.problems.iter().filter(|problem| problem.is_error()).cloned().collect();
        json!({
            "files": files.collect::<Vec<_>>(), "passed": report.passed(), "failed": report.failed(), "good": report.is_good(),
            "problems": told(&visitor, &errors, None), "only": only,
        })
    });
    let page = json!({ "tab": "stories", "report": report, "run": only.unwrap_or_default() });
    visitor.page(&web, "rules_stories.html", &visitor.say("web.rules.stories", &[]), page)
}

/// The workflow that is meant, and the open items by state.
async fn drawn(web: &Web, visitor: &Visitor, asked: &TrialQuery) -> Result<(Arc<RuleSet>, Name, Counts), Trouble> {
    let set = bench(web, visitor).rules(&visitor.app, &tried(&asked.of)).await?;
    let found = match asked.workflow.is_empty() {
        true => set.workflows.first(),
        false => set.workflows.get_key_value(asked.workflow.as_str()),
    };
    let name = found.map(|(name, _)| name.clone()).ok_or_else(Trouble::not_found)?;
    let counted = visitor.app.count_by_state().await?;
    let counts = counted.into_iter().filter(|(of, ..)| **of == *name).map(|(_, state, count)| (state.as_str().into(), count)).collect();
    Ok((set, name, counts))
}

/// The states of a workflow, drawn, and as a list, with how many open items stand in each.
pub async fn diagram(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<TrialQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let (set, name, counts) = drawn(&web, &visitor, &asked).await?;
    let rules = set.workflows.get(&name).ok_or_else(Trouble::not_found)?;
    let workflow = &rules.setting.workflow;
    let of = if tried(&asked.of) == Source::Folder { "folder" } else { "use" };
    let states = workflow.states.iter().map(|(state, declared)| {
        let is_end = declared.kind == StateKind::End;
        json!({
            "title": declared.title, "count": (!is_end).then(|| counts.get(state).copied().unwrap_or(0)),
            "to": format!("/ledger?workflow={}&state={}", encoded(&name), encoded(state)),
        })
    });
    // Items that stand where these rules know no state.
    let strange = counts.iter().filter(|(state, count)| **count > 0 && !workflow.states.contains_key(*state));
    let page = json!({
        "tab": "diagram", "of": choices(&web, &visitor, of), "states": states.collect::<Vec<_>>(),
        "strange": strange.map(|(state, count)| json!({ "state": state, "count": count })).collect::<Vec<_>>(),
        "workflows": set.workflows.iter().map(|(known, rules)| json!({ "value": known, "title": rules.setting.workflow.title, "on": *known == name })).collect::<Vec<_>>(),
        "picture": format!("/rules/diagram.svg?of={of}&workflow={}", encoded(&name)), "title": workflow.title,
    });
    visitor.page(&web, "rules_diagram.html", &visitor.say("web.rules.diagram", &[]), page)
}

/// The picture by itself. Its style stands in it, so it may have one; it loads nothing and runs nothing.
pub async fn drawing(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<TrialQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let (set, name, counts) = drawn(&web, &visitor, &asked).await?;
    let lang = visitor.lang();
    let draw = move || set.workflows.get(&name).map(|rules| graph(&set, rules, lang, Some(&counts)).draw(Format::Svg));
    let svg = bench(&web, &visitor).aside(draw).await?.ok_or_else(Trouble::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ),
    ];
    Ok((headers, svg).into_response())
}

/// What leaves until a day, as a calendar; and the mails of one of its days.
pub async fn forecast(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<TrialQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let bench = bench(&web, &visitor);
    let today = visitor.today();
    let read = |text: &str| text.parse::<Date>().map_err(|_| Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "no_day").with("day", text));
    let source = tried(&asked.of);
    let of = if source == Source::Folder { "folder" } else { "use" };
    let chosen = Some(asked.until.trim()).filter(|until| !until.is_empty()).map(read).transpose()?;
    let until = chosen.or_else(|| today.checked_add_days(Days::new(DAYS))).unwrap_or(today);
    if until < today || (until - today).num_days() > MOST_DAYS {
        return Err(Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "rules_until").with("day", until).with("days", MOST_DAYS));
    }
    let mut page = json!({
        "tab": "forecast", "of": choices(&web, &visitor, of), "until": until.to_string(), "today": today.to_string(),
        "last": today.checked_add_days(Days::new(MOST_DAYS.unsigned_abs())).map(|day| day.to_string()), "shown": null,
    });
    // Lives of all items are only led when somebody asks for it.
    if chosen.is_some() {
        let under = bench.rules(&visitor.app, &source).await?;
        let day = Some(asked.day.trim()).filter(|day| !day.is_empty()).map(read).transpose()?;
        let foreseen = bench.foresee(&visitor.app, &under, until).await?;
        page["shown"] = shown(&visitor, &under, &foreseen.forecast, &foreseen.titles, (today, until, day), of);
    }
    visitor.page(&web, "rules_forecast.html", &visitor.say("web.rules.forecast", &[]), page)
}

fn shown(
    visitor: &Visitor,
    under: &RuleSet,
    forecast: &Forecast,
    titles: &HashMap<Name, String>,
    (today, until, day): (Date, Date, Option<Date>),
    of: &str,
) -> Json {
    let any = under.workflows.values().next();
    let person = |id: &Name| any.map_or_else(|| id.to_string(), |rules| capture::title(rules, id));
    let notice = |workflow: &str, notice: &str| {
        let declared = under.workflows.get(workflow).and_then(|rules| rules.setting.workflow.notices.get(notice));
        declared.map_or_else(|| notice.to_string(), |notice| notice.title.clone())
    };
    let loads: BTreeMap<Date, _> = forecast.days().into_iter().map(|load| (load.day, load)).collect();
    let most = loads.values().map(|load| load.mails).max().unwrap_or(0).max(1);
    let monday = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday()))).unwrap_or(today);
    let weeks: Vec<Vec<Json>> = monday.iter_weeks().take_while(|monday| *monday <= until).map(|monday| {
        let cell = |one: Date| {
            let load = loads.get(&one);
            json!({
                "day": one.to_string(), "no": one.day(), "month": (one.day() == 1 || one == today).then(|| one.format("%Y-%m").to_string()),
                "out": one < today || one > until, "mails": load.map_or(0, |load| load.mails), "escalations": load.map_or(0, |load| load.escalations),
                "heat": load.map_or(0, |load| (load.mails * 4).div_ceil(most)), "on": day == Some(one),
                "to": load.map(|_| format!("/rules/forecast?of={of}&until={until}&day={one}#day")),
            })
        };
        monday.iter_days().take(7).map(cell).collect()
    }).collect();
    let of_day = day.map(|day| {
        let mails: Vec<_> = forecast.mails().filter(|mail| mail.day() == day).collect();
        let rows = mails.iter().take(ROWS).map(|mail| {
            let carried = mail.notices().map(|carried| {
                json!({
                    "item": carried.item, "to": format!("/items/{}", encoded(carried.item)), "title": titles.get(carried.item),
                    "notice": notice(&carried.reason.workflow, &carried.reason.notice),
                })
            });
            json!({ "person": person(mail.person()), "notices": carried.collect::<Vec<_>>() })
        });
        json!({ "day": due::day(visitor.lang(), day), "rows": rows.collect::<Vec<_>>(), "more": mails.len().saturating_sub(ROWS) })
    });
    let kinds = forecast.by_kind();
    let of_kind = |kind| kinds.get(&kind).copied().unwrap_or(0).to_string();
    use crate::kernel::model::definition::NoticeKind;
    let values = [
        ("items", forecast.items.to_string()),
        ("facts", forecast.facts.to_string()),
        ("mails", forecast.count_mails().to_string()),
        ("notices", forecast.count_notices().to_string()),
        ("reminders", of_kind(NoticeKind::Reminder)),
        ("escalations", of_kind(NoticeKind::Escalation)),
        ("messages", of_kind(NoticeKind::Message)),
        ("reds", forecast.count_reds().to_string()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let persons = forecast.persons();
    let persons = persons.iter().take(NAMED).map(
        |load| json!({ "person": person(&load.person), "mails": load.mails, "most": load.busiest.1, "day": load.busiest.0.to_string() }),
    );
    let reds = forecast.reds.iter().take(NAMED * 4).map(|red| {
        json!({ "day": red.day.to_string(), "item": red.item, "to": format!("/items/{}", encoded(&red.item)), "title": titles.get(&red.item) })
    });
    json!({
        "weeks": weeks, "day": of_day, "sum": visitor.say("simulate.totals", &values), "hash": short(&under.hash),
        "persons": persons.collect::<Vec<_>>(), "reds": reds.collect::<Vec<_>>(), "more_reds": forecast.reds.len().saturating_sub(NAMED * 4),
        "stopped": forecast.stopped.len(), "parked": forecast.parked.values().sum::<u64>(),
    })
}
