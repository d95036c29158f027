//! `duban explain mail REFERENCE`: what each notice in a mail was caused by, from which date it counts, and why this person.

use super::who::filled;
use crate::app::{Explained, outbox};
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit, table};
use crate::kernel::explain::due::name_of;
use crate::kernel::explain::mail::NoticeExplained;
use crate::kernel::rules::Rules;
use crate::kernel::words::{due, say};
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, id: &str, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let told = office.app.told(id, None).await.map_err(|error| Stop::act(lang, &error.into()))?;
    let none = || Stop::new(exit::FINDINGS, lang, "outbox.none", &[("id", id)]);
    let Explained { mail, notices: explained } = told.ok_or_else(none)?;
    if context.json {
        let notices: Vec<&NoticeExplained> = explained.iter().map(|(_, notice)| notice).collect();
        anstream::println!("{}", json!({ "mail": mail, "notices": notices }));
        return Ok(exit::DONE);
    }
    if let Some(mail) = &mail {
        let zone = explained.first().map_or(chrono_tz::UTC, |(rules, _)| rules.setting.workflow.timezone);
        let at = table::moment(mail.ended_at.unwrap_or(mail.next_try), zone);
        let values = [
            ("id", mail.id.clone()),
            ("address", mail.address.clone()),
            ("status", outbox::status_word(&mail.status, lang)),
            ("at", at),
            ("count", explained.len().to_string()),
        ];
        anstream::println!("{}", filled(lang, "explain.mail", &values).bold());
    }
    for (rules, notice) in &explained {
        anstream::print!("{}", text(rules, notice, context));
        // In no mail yet: what keeps it from one.
        if mail.is_none() {
            let rows = office.app.store.notices_of(&notice.item).await.map_err(|error| Stop::store(lang, &error))?;
            if let Some(row) = rows.iter().find(|row| row.key == notice.key) {
                anstream::println!("  {}", outbox::became(row, rules.setting.workflow.timezone, lang));
            }
        }
    }
    Ok(exit::DONE)
}

fn text(rules: &Rules, notice: &NoticeExplained, context: &Context) -> String {
    let lang = context.lang;
    let zone = rules.setting.workflow.timezone;
    let branch = notice.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let values = [("item", format!("{}{branch}", notice.item)), ("notice", notice.title.clone()), ("person", notice.person_title.clone())];
    let mut out = format!("{}\n", filled(lang, "explain.notice", &values).bold());
    if !notice.copy_of.is_empty() {
        let names = notice.copy_of.join(&say(lang, "explain.comma", &[]));
        out += &format!("  {}\n", filled(lang, "explain.copy_of", &[("names", names)]));
    }
    if let Some(fact) = &notice.fact {
        let by = fact.person_title.clone().unwrap_or_else(|| say(lang, "show.engine", &[]));
        let values = [("seq", fact.seq.to_string()), ("on", due::day(lang, fact.on)), ("title", fact.title.clone()), ("by", by)];
        out += &format!("  {}\n", filled(lang, "explain.because", &values));
    }
    if let Some(counted) = &notice.due {
        let date = counted.date.map_or_else(|| say(lang, "explain.no_date", &[]), |date| due::day(lang, date));
        let values = [("deadline", counted.title.clone()), ("rung", counted.rung.to_string()), ("date", date)];
        out += &format!("  {}\n", filled(lang, "explain.by_rung", &values));
        let rows = counted.steps.iter().map(|step| {
            let day = due::gives(step).map(|day| due::day(lang, day)).unwrap_or_default();
            [day, due::step(lang, step, |name| name_of(rules, name))]
        });
        out += &table::columns(rows, 4, &[]);
    }
    if let Some(place) = &notice.place {
        let rules = notice.fact.as_ref().map(|fact| office::short(&fact.rules)).unwrap_or_default();
        out += &format!("  {}\n", filled(lang, "explain.place", &[("place", office::place(context, place)), ("rules", rules)]).dimmed());
    }
    if let Some(told_at) = notice.told_at.filter(|told_at| notice.not_before > *told_at) {
        let values = [("told", table::moment(told_at, zone)), ("leaves", table::moment(notice.not_before, zone))];
        out += &format!("  {}\n", filled(lang, "explain.window", &values));
    }
    if let Some(role) = &notice.role {
        let inner = super::who::text(role, context);
        out += &inner.lines().map(|line| format!("  {line}\n")).collect::<String>();
    }
    out
}
