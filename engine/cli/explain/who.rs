//! `duban explain who ROLE ITEM`: the cases of a role one by one, the way through the directory, and whom it leads to.

use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit};
use crate::kernel::decide::capture;
use crate::kernel::explain::values::Seen;
use crate::kernel::explain::who::{self, Held, RoleExplained};
use crate::kernel::model::command::BranchAddress;
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, role: &str, id: &str, branch: Option<&str>, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = super::item(office, id, lang).await?;
    let roles = &rules.setting.workflow.roles;
    let found = roles.iter().find(|(name, declared)| ***name == *role || declared.title == role).map(|(name, _)| name);
    let known = || roles.iter().map(|(name, role)| format!("{name} {}", role.title)).collect::<Vec<_>>().join(", ");
    let name = found.ok_or_else(|| Stop::usage(lang, "explain.no_role", &[("role", role), ("known", &known())]))?;
    let task = branch.map(|text| branch_no(&rules, &item, text, lang)).transpose()?;
    let explained = who::explain(&rules, &item, name, task);
    let explained = explained.map_err(|error| Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]))?;
    if context.json {
        anstream::println!("{}", json!({ "item": item.id, "today": item.today, "roles": explained }));
    } else {
        for explained in &explained {
            anstream::print!("{}", text(explained, context));
        }
    }
    Ok(if explained.iter().all(|role| role.holders.is_empty()) { exit::FINDINGS } else { exit::DONE })
}

/// A branch by its number, or its kind with the unit or person.
fn branch_no(rules: &Rules, item: &Item, text: &str, lang: Lang) -> anyhow::Result<u32> {
    let unknown = || Stop::new(exit::FINDINGS, lang, "refusal.unknown_branch", &[("branch", text), ("action", "")]);
    match super::branch_address(text) {
        BranchAddress::No(no) => Ok(item.branch(no).map(|branch| branch.no).ok_or_else(unknown)?),
        BranchAddress::Named(name) => {
            let (kind, which) = name.split_once(char::is_whitespace).unwrap_or((&name, ""));
            let fits = |branch: &&std::sync::Arc<crate::kernel::model::item::Branch>| {
                let ids = ["unit", "person"].iter().filter_map(|field| branch.fields.get(*field)?.as_text());
                let mut ids = ids.map(|id| &**id == which.trim() || capture::title(rules, id) == which.trim());
                &*branch.kind == kind && (which.trim().is_empty() || ids.any(|same| same))
            };
            Ok(item.branches.iter().rev().find(fits).map(|branch| branch.no).ok_or_else(unknown)?)
        }
    }
}

/// A role with the way to whoever holds it.
pub fn text(role: &RoleExplained, context: &Context) -> String {
    let lang = context.lang;
    let branch = role.branch_title.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let names: Vec<String> = role.holders.iter().map(|held| held.title.clone()).collect();
    let names = if names.is_empty() { say(lang, "explain.nobody", &[]) } else { names.join(&say(lang, "explain.comma", &[])) };
    let values = [("item", format!("{}{branch}", role.item)), ("role", role.title.clone()), ("names", names)];
    let mut out = format!("{}\n", filled(lang, "explain.who", &values).bold());
    for case in &role.cases {
        let mark = match case.holds {
            Some(true) => format!("{}", "✓".green()),
            Some(false) => format!("{}", "✗".red()),
            None => " ".to_string(),
        };
        let when = case.when.as_ref().map(|when| filled(lang, "explain.if", &[("source", when.to_string())])).unwrap_or_default();
        out += &format!("  {mark} {}{when}\n", case.who);
        let seen = values_text(&case.seen, lang);
        if !seen.is_empty() {
            out += &format!("      {}\n", seen.dimmed());
        }
        for (path, units) in &case.way {
            let units = if units.is_empty() { say(lang, "explain.none", &[]) } else { units.join(&say(lang, "explain.comma", &[])) };
            out += &format!("      {path} = {units}\n");
        }
    }
    for held in &role.holders {
        out += &format!("  → {}\n", held_text(held, lang));
    }
    if let Some(place) = &role.place {
        out += &format!("  {}\n", office::place(context, place).dimmed());
    }
    out
}

fn held_text(held: &Held, lang: Lang) -> String {
    let mut words = Vec::new();
    match (held.from, held.to) {
        (Some(from), Some(to)) => words.push(filled(lang, "explain.from_to", &[("from", from.to_string()), ("to", to.to_string())])),
        (Some(from), None) => words.push(filled(lang, "explain.from", &[("from", from.to_string())])),
        (None, Some(to)) => words.push(filled(lang, "explain.until", &[("to", to.to_string())])),
        (None, None) => {}
    }
    if let Some(stand_in) = &held.stand_in_title {
        words.push(filled(lang, "explain.stand_in", &[("person", stand_in.clone())]));
    }
    if !held.has_address {
        words.push(say(lang, "explain.no_address", &[]));
    }
    let words = if words.is_empty() { String::new() } else { format!("  {}", words.join(&say(lang, "explain.comma", &[])).dimmed()) };
    format!("{}{words}", held.title)
}

/// What a condition saw, in one line.
pub fn values_text(seen: &[Seen], lang: Lang) -> String {
    let empty = say(lang, "explain.empty", &[]);
    let words = seen.iter().map(|seen| {
        let value = match seen.value.as_str() {
            "" => empty.clone(),
            "true" => say(lang, "show.yes", &[]),
            "false" => say(lang, "show.no", &[]),
            value => value.to_string(),
        };
        filled(lang, "explain.seen", &[("name", seen.name.clone()), ("title", seen.title.clone()), ("value", value)])
    });
    words.collect::<Vec<_>>().join(&say(lang, "explain.comma", &[]))
}

pub fn filled(lang: Lang, key: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    say(lang, key, &values)
}
