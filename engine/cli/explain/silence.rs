//! `duban explain why-no-mail ITEM --to PERSON`: each rung and notice that could have told them, with what stood in its way.

use super::who::{filled, values_text};
use crate::app::{look, outbox};
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit, table};
use crate::kernel::decide::capture;
use crate::kernel::explain::silence::{self, Question, Recorded, Silent, Why};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::{due, say};
use crate::store::outbox::NoticeStatus;
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, id: &str, to: &str, since: Option<Date>, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = super::item(office, id, lang).await?;
    let person = office.person(to)?;
    let store = |error| Stop::store(lang, &error);
    let recorded = office.app.store.item(id).await.map_err(store)?;
    let facts = recorded.map(|recorded| recorded.facts).unwrap_or_default();
    let notices = office.app.store.notices_of(id).await.map_err(store)?;
    let rows: Vec<Recorded> = notices.iter().map(look::recorded).collect();
    let question = Question { person: &person, since: since.unwrap_or(item.created_on), now: office.app.now() };
    let explained = silence::explain(&rules, &item, &facts, &rows, question);
    let explained = explained.map_err(|error| Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]))?;
    if context.json {
        anstream::println!("{}", json!({ "item": item.id, "person": person, "since": question.since, "reasons": explained }));
        return Ok(exit::DONE);
    }
    let values = [("item", item.id.to_string()), ("person", capture::title(&rules, &person)), ("since", question.since.to_string())];
    anstream::println!("{}", filled(lang, "explain.silence", &values).bold());
    let (others, mine): (Vec<&Silent>, Vec<&Silent>) = explained.iter().partition(|silent| matches!(silent.why, Why::NotAddressed { .. }));
    anstream::print!("{}", text(&rules, &mine, &notices, context));
    if mine.is_empty() {
        anstream::println!("  {}", say(lang, "explain.nothing_for_them", &[]));
    }
    if !others.is_empty() {
        anstream::println!("{}\n{}", say(lang, "explain.not_to_them", &[]), text(&rules, &others, &notices, context).trim_end());
    }
    Ok(exit::DONE)
}

fn text(rules: &Rules, silent: &[&Silent], notices: &[NoticeStatus], context: &Context) -> String {
    let lang = context.lang;
    let rows = silent.iter().map(|silent| {
        let day = silent.day.map(|day| due::day(lang, day)).unwrap_or_default();
        let of = match (&silent.deadline, &silent.rung) {
            (Some(deadline), Some(rung)) => {
                let branch = silent.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
                format!("{deadline}{branch} {rung}")
            }
            _ => String::new(),
        };
        let place = silent.place.as_ref().map(|place| office::place(context, place)).unwrap_or_default();
        [day, of, silent.title.clone(), why_text(rules, &silent.why, notices, context), place.dimmed().to_string()]
    });
    table::columns(rows, 2, &[])
}

fn why_text(rules: &Rules, why: &Why, notices: &[NoticeStatus], context: &Context) -> String {
    let lang = context.lang;
    let zone = rules.setting.workflow.timezone;
    let comma = say(lang, "explain.comma", &[]);
    match why {
        Why::Told { key, status, mail, at, not_before, .. } => {
            let row = notices.iter().find(|row| row.key == *key);
            let said = row.map_or_else(|| outbox::status_word(status, lang), |row| outbox::became(row, zone, lang));
            if &**status == "ready" {
                return filled(lang, "explain.waits", &[("status", said), ("at", table::moment(*not_before, zone))]);
            }
            let at = at.map(|at| table::moment(at, zone)).unwrap_or_default();
            filled(lang, "explain.went", &[("status", said), ("at", at), ("mail", mail.clone().unwrap_or_default())])
        }
        Why::NotAddressed { to, roles } => {
            let names = if to.is_empty() { say(lang, "explain.nobody", &[]) } else { to.join(&comma) };
            filled(lang, "explain.goes_to", &[("names", names), ("roles", roles.join(&comma))])
        }
        Why::NotYet { leaves_on } => filled(lang, "explain.not_yet", &[("day", leaves_on.to_string())]),
        Why::Superseded { .. } => say(lang, "explain.skipped.superseded", &[]),
        Why::Condition { source, on, seen, .. } => {
            let seen = values_text(seen, lang);
            let key = if on.is_some() { "explain.condition_then" } else { "explain.condition_now" };
            filled(lang, key, &[("source", source.to_string()), ("seen", seen)])
        }
        Why::Paused => say(lang, "explain.no_wake.paused", &[]),
        Why::Quiet => say(lang, "explain.no_wake.quiet", &[]),
        Why::Ended { on, .. } => filled(lang, "explain.ended_before", &[("on", on.to_string())]),
        Why::BeforeStart => say(lang, "explain.before_start", &[]),
        Why::Exhausted => say(lang, "explain.exhausted", &[]),
        Why::NotStarted { starts_on } => filled(lang, "explain.not_started", &[("actions", starts_on.join(&comma))]),
        Why::NoDate => say(lang, "explain.no_wake.no_date", &[]),
    }
}
