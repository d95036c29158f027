//! `duban explain wakeups ITEM`: when it is looked at next, by which clock, and which rounds pass over it.

use super::who::filled;
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit, table};
use crate::kernel::explain::wakeups::{self, WakeUpsExplained};
use crate::kernel::rules::Rules;
use crate::kernel::words::{due, say};
use crate::store::items::{HISTORIC, Listed};
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, id: &str, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = super::item(office, id, lang).await?;
    let row = office.app.store.listed(id).await.map_err(|error| Stop::store(lang, &error))?;
    let explained = wakeups::explain(&rules, &item, office.app.now());
    if context.json {
        let stored = row.as_ref().and_then(|row| row.wake_at);
        let aside = row.as_ref().and_then(|row| row.quarantine.clone());
        let historic = row.as_ref().is_some_and(|row| row.rules_rev == HISTORIC);
        anstream::println!("{}", json!({ "derived": explained, "stored": stored, "set_aside": aside, "historic": historic }));
    } else {
        anstream::print!("{}", text(&rules, &explained, row.as_ref(), context));
    }
    Ok(exit::DONE)
}

fn text(rules: &Rules, explained: &WakeUpsExplained, row: Option<&Listed>, context: &Context) -> String {
    let lang = context.lang;
    let zone = rules.setting.workflow.timezone;
    let head = match explained.next {
        Some(next) => filled(lang, "explain.wakes", &[("item", explained.item.to_string()), ("at", table::moment(next, zone))]),
        None => filled(lang, "explain.wakes_never", &[("item", explained.item.to_string())]),
    };
    let mut out = format!("{}\n", head.bold());
    if let Some(row) = row {
        if let Some(why) = &row.quarantine {
            out += &format!("  {}\n", say(lang, "show.set_aside", &[("why", why)]).red());
        } else if row.rules_rev == HISTORIC {
            out += &format!("  {}\n", say(lang, "explain.historic", &[]));
        } else if row.wake_at != explained.next {
            // An earlier one does no harm, and a later one is put right by the background pass.
            let stored = row.wake_at.map_or_else(|| say(lang, "explain.none", &[]), |at| table::moment(at, zone));
            out += &format!("  {}\n", filled(lang, "explain.wakes_stored", &[("at", stored)]));
        }
    }
    let rows = explained.clocks.iter().map(|clock| {
        let branch = clock.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
        let at = clock.next.map_or_else(String::new, |at| table::moment(at, zone));
        let what = match clock.why_not {
            Some(why) => say(lang, &format!("explain.no_wake.{why}"), &[]),
            None => clock.rungs.iter().map(|rung| rung.to_string()).collect::<Vec<_>>().join(&say(lang, "explain.comma", &[])),
        };
        let due = clock.due.map_or_else(|| say(lang, "explain.no_date", &[]), |day| due::day(lang, day));
        let place = clock.place.as_ref().map(|place| office::place(context, place)).unwrap_or_default();
        [at, format!("{}{branch}", clock.title), what, filled(lang, "explain.due_on", &[("day", due)]), place.dimmed().to_string()]
    });
    out += &table::columns(rows, 2, &[]);
    let rows: Vec<_> = explained
        .rounds
        .iter()
        .map(|round| {
            let at = round.next.map_or_else(String::new, |at| table::moment(at, zone));
            let place = round.place.as_ref().map(|place| office::place(context, place)).unwrap_or_default();
            [at, round.title.clone(), round.cron.clone(), place.dimmed().to_string()]
        })
        .collect();
    if !rows.is_empty() {
        out += &format!("  {}\n{}", say(lang, "explain.rounds", &[]), table::columns(rows, 4, &[]));
    }
    out
}
