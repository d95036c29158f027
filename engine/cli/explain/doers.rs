//! `duban explain action ITEM ACTION`: who may do it, by which role, and what would be said to each of them now.

use super::who::filled;
use crate::cli::office::{Office, Stop};
use crate::cli::{Context, exit, table};
use crate::kernel::explain::doers::{self, DoersExplained};
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, refusal, say};
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, id: &str, action: &str, branch: Option<&str>, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = super::item(office, id, lang).await?;
    let name = super::action_name(&rules, action);
    let explained = doers::explain(&rules, &item, &name, branch.map(super::branch_address), lang);
    let explained = explained.map_err(|no| Stop { code: exit::FINDINGS, sentence: refusal(lang, &no) })?;
    if context.json {
        anstream::println!("{}", json!(explained));
    } else {
        anstream::print!("{}", text(&rules, &explained, lang));
    }
    let open = explained.ways.iter().flat_map(|way| &way.persons).any(|doer| doer.open);
    Ok(if open { exit::DONE } else { exit::FINDINGS })
}

fn text(rules: &Rules, explained: &DoersExplained, lang: Lang) -> String {
    let branch = explained.branch_title.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let values = [("item", format!("{}{branch}", explained.item)), ("action", explained.title.clone())];
    let mut out = format!("{}\n", filled(lang, "explain.doers", &values).bold());
    if explained.ways.is_empty() {
        out += &format!("  {}\n", say(lang, "show.engine", &[]));
    }
    for way in &explained.ways {
        let when = way.when.as_ref().map(|when| filled(lang, "explain.if", &[("source", when.to_string())])).unwrap_or_default();
        let role = match &way.on_behalf_of {
            Some(of) => {
                let of = rules.setting.workflow.roles.get(of).map_or(&**of, |role| role.title.as_str());
                say(lang, "author.on_behalf", &[("role", &way.role.title), ("of", of)])
            }
            None => way.role.title.clone(),
        };
        out += &format!("  {role}{when}\n");
        if way.persons.is_empty() {
            out += &format!("    {}\n", say(lang, "explain.nobody", &[]));
        }
        let rows = way.persons.iter().map(|doer| {
            let mark = if doer.open { format!("{}", "✓".green()) } else { format!("{}", "✗".red()) };
            [mark, doer.title.clone(), doer.refused.clone().unwrap_or_default()]
        });
        out += &table::columns(rows, 4, &[]);
    }
    out
}
