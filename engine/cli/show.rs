//! `duban show ITEM`: all that is known of one item, and what a person may do with it.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::kernel::access::Reader;
use crate::kernel::decide::{self, capture};
use crate::kernel::explain;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Field, Flag, Section};
use crate::kernel::model::fact::{Amended, Cause, Fact};
use crate::kernel::model::item::{Branch, Item};
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, due, refusal, say};
use crate::store::outbox::NoticeStatus;
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban show 2024-087 --as PERSON")]
pub struct ShowArgs {
    pub item: String,
    /// Show what this person may see and do
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
}

/// Name, title, value, and the value as people read it.
type ShownField = (Name, String, Json, String);
/// Branch, action, title, and why not.
type Offered = (Option<String>, Name, String, Option<String>);

/// An item with all that is shown of it.
struct Shown {
    rules: Arc<Rules>,
    item: Arc<Item>,
    facts: Vec<Fact>,
    set_aside: Option<String>,
    notices: Vec<NoticeStatus>,
    person: Option<Name>,
}

pub fn run(args: &ShowArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let shown = find(&office, args, context.lang).await?;
        let text = match context.json {
            true => format!("{}\n", shown.in_json(context.lang)?),
            false => shown.text(context.lang)?,
        };
        anstream::print!("{text}");
        office.close().await;
        Ok(exit::DONE)
    })
}

async fn find(office: &Office, args: &ShowArgs, lang: Lang) -> anyhow::Result<Shown> {
    let store = |error: crate::store::StoreError| Stop::store(lang, &error);
    let unknown = || Stop::new(exit::FINDINGS, lang, "refusal.unknown_item", &[("item", &args.item)]);
    let recorded = office.app.store.item(&args.item).await.map_err(store)?.ok_or_else(unknown)?;
    let item = office.app.item(&args.item).await.map_err(|error| Stop::act(lang, &error.into()))?.ok_or_else(unknown)?;
    let person = args.person.as_ref().map(|person| office.person(person)).transpose()?;
    let notices = office.app.store.notices_of(&args.item).await.map_err(store)?;
    let rules = office.rules_of(&recorded.workflow)?;
    Ok(Shown { rules, item, facts: recorded.facts, set_aside: recorded.quarantine.map(|(reason, _)| reason), notices, person })
}

impl Shown {
    fn reader(&self) -> Reader<'_> {
        Reader { rules: &self.rules, item: &self.item, facts: &self.facts, person: self.person.as_ref(), day: self.item.today }
    }

    /// Everything as templates see it, persons and units by their titles.
    fn values(&self) -> Json {
        capture::base(&self.rules, &self.item, None, None, None, self.item.today, &Default::default())
    }

    /// Title and text of each field that has a value, in the order of the file.
    fn fields(&self, task: Option<u32>, declared: &Section<Field>, values: &Json, lang: Lang) -> anyhow::Result<Vec<ShownField>> {
        let mut out = Vec::new();
        for (name, field) in declared {
            let value = &values[&**name];
            if value.is_null() {
                continue;
            }
            if !self.reader().sees_field(task, name, field)? {
                out.push((name.clone(), field.title.clone(), Json::Null, say(lang, "show.hidden", &[])));
                continue;
            }
            let shown = Some(&values[&format!("{name}_title")]).filter(|title| title.is_string()).unwrap_or(value);
            out.push((name.clone(), field.title.clone(), value.clone(), text_of(shown, lang)));
        }
        Ok(out)
    }

    fn branch_values<'v>(&self, values: &'v Json, branch: &Branch) -> &'v Json {
        let of_kind = values["branches"][&*branch.kind].as_array();
        of_kind.and_then(|list| list.iter().find(|values| values["no"] == json!(branch.no))).unwrap_or(&Json::Null)
    }

    fn text(&self, lang: Lang) -> anyhow::Result<String> {
        let (rules, item) = (&self.rules, &self.item);
        let workflow = &rules.setting.workflow;
        let word = |key: &str| say(lang, &format!("show.{key}"), &[]);
        let values = self.values();
        let title = item.field("title").as_text().map(|title| format!("  {title}")).unwrap_or_default();
        let mut out = format!("{}{title}\n", item.id.bold());
        let state = workflow.states.get(&item.state).map_or_else(|| item.state.to_string(), |state| state.title.clone());
        let values_of_head = [("state", state.as_str()), ("since", &item.since.to_string()), ("rev", &item.rev.to_string())];
        out += &format!("{}{}\n", say(lang, "show.head", &values_of_head), flag(item.flag, lang));
        if let Some(reason) = &self.set_aside {
            out += &format!("{}\n", say(lang, "show.set_aside", &[("why", reason)]).red());
        }

        let fields = self.fields(None, &workflow.fields, &values["item"], lang)?;
        let rows = fields.into_iter().filter(|(name, ..)| &**name != "title").map(|(_, title, _, text)| [title, text]);
        out += &section(&word("fields"), table::columns(rows, 2, &[]));

        let mut branches = String::new();
        for branch in &item.branches {
            let Some(kind) = workflow.branches.get(&branch.kind) else { continue };
            let values = self.branch_values(&values, branch);
            let state = values["state_title"].as_str().unwrap_or(&branch.state);
            let which = ["unit", "person"].iter().find_map(|field| values[*field].as_str()).unwrap_or_default();
            let line = format!("{} {} {which}  {state}", branch.no, kind.title);
            let since = say(lang, "show.since", &[("day", &branch.since.to_string())]);
            branches += &format!("  {}  {}\n", line.trim_end(), since.dimmed());
            if !self.reader().sees_branch(branch)? {
                branches += &format!("      {}\n", word("hidden"));
                continue;
            }
            let fields = self.fields(Some(branch.no), &kind.fields, values, lang)?;
            let fields: Vec<String> =
                fields.into_iter().map(|(_, title, _, text)| say(lang, "show.field", &[("title", &title), ("text", &text)])).collect();
            if !fields.is_empty() {
                branches += &format!("      {}\n", fields.join(&word("comma")).dimmed());
            }
        }
        out += &section(&word("branches"), branches);

        let running = explain::due::explain(rules, item, None).into_iter().filter(|due| due.ended.is_none());
        let rows = running.map(|running| {
            let date = running.date.map(|date| due::day(lang, date)).unwrap_or_else(|| word("no_date"));
            [running.title.clone(), running.branch.clone().unwrap_or_default(), date, super::explain::remaining(&running, lang)]
        });
        out += &section(&word("deadlines"), table::columns(rows, 2, &[]));

        let rows = self.facts.iter().map(|fact| {
            let branch = fact.branch.and_then(|no| item.branch(no)).map(|branch| branch_name(rules, branch)).unwrap_or_default();
            [fact.seq.to_string(), fact.effective_on.to_string(), self.fact_title(fact, lang), branch, self.actor(fact, lang)]
        });
        out += &section(&word("facts"), table::columns(rows, 2, &[0]));

        let rows = self.notices.iter().map(|notice| {
            let title = workflow.notices.get(notice.notice.as_str()).map_or(&notice.notice, |notice| &notice.title);
            let at = table::moment(notice.mail_ended_at.unwrap_or(notice.not_before), workflow.timezone);
            [at, title.clone(), capture::title(rules, &notice.person.as_str().into()), super::outbox::status(notice, lang)]
        });
        out += &section(&word("notices"), table::columns(rows, 2, &[]));

        if let Some(person) = &self.person {
            let mut lines = String::new();
            for (branch, action, title, no) in self.offers(person, lang)? {
                let branch = branch.map(|branch| format!(" {branch}")).unwrap_or_default();
                lines += &match no {
                    None => format!("  {} {title}{branch}  {}\n", "✓".green(), action.dimmed()),
                    Some(no) => format!("  {} {title}{branch}  {}  {no}\n", "✗".red(), action.dimmed()),
                };
            }
            out += &section(&say(lang, "show.actions", &[("person", &capture::title(rules, person))]), lines);
        }
        Ok(out)
    }

    fn in_json(&self, lang: Lang) -> anyhow::Result<Json> {
        let (rules, item) = (&self.rules, &self.item);
        let workflow = &rules.setting.workflow;
        let values = self.values();
        let object = |fields: Vec<ShownField>| -> Json {
            fields.into_iter().map(|(name, _, value, _)| (name.to_string(), value)).collect::<serde_json::Map<_, _>>().into()
        };
        let mut branches = Vec::new();
        for branch in &item.branches {
            let Some(kind) = workflow.branches.get(&branch.kind) else { continue };
            let sees = self.reader().sees_branch(branch)?;
            let fields = if sees {
                object(self.fields(Some(branch.no), &kind.fields, self.branch_values(&values, branch), lang)?)
            } else {
                Json::Null
            };
            branches.push(json!({
                "no": branch.no, "kind": branch.kind, "name": branch_name(rules, branch), "state": branch.state, "since": branch.since,
                "ended": branch.ended, "cancelled": branch.cancelled, "fields": fields,
            }));
        }
        let facts = self.facts.iter().map(|fact| {
            json!({
                "seq": fact.seq, "name": fact.name, "title": self.fact_title(fact, lang), "branch": fact.branch, "on": fact.effective_on,
                "recorded_at": fact.recorded_at, "actor": fact.actor, "rules": fact.rules,
            })
        });
        let actions = match &self.person {
            Some(person) => self.offers(person, lang)?,
            None => Vec::new(),
        };
        let actions = actions.into_iter().map(|(branch, action, title, refused)| {
            json!({ "action": action, "title": title, "branch": branch, "open": refused.is_none(), "refused": refused })
        });
        Ok(json!({
            "id": item.id, "workflow": item.workflow, "rev": item.rev, "state": item.state, "since": item.since, "ended": item.ended,
            "flag": item.flag, "set_aside": self.set_aside,
            "fields": object(self.fields(None, &workflow.fields, &values["item"], lang)?),
            "branches": branches,
            "deadlines": explain::due::explain(rules, item, None).into_iter().filter(|due| due.ended.is_none()).map(|due| json!({
                "deadline": due.deadline, "title": due.title, "branch": due.branch, "date": due.date, "provisional": due.provisional,
                "working_days_left": due.working_days_left, "late": due.late, "paused": due.paused,
            })).collect::<Vec<_>>(),
            "facts": facts.collect::<Vec<_>>(),
            "notices": self.notices,
            "person": self.person,
            "actions": actions.collect::<Vec<_>>(),
        }))
    }

    fn offers(&self, person: &Name, lang: Lang) -> anyhow::Result<Vec<Offered>> {
        let offers = decide::offers(&self.rules, &self.item, person, self.item.today)?;
        let mut out = Vec::new();
        for offer in offers {
            let branch = offer.task.and_then(|no| self.item.branch(no));
            let actions = self.rules.setting.workflow.actions_of(branch.map(|branch| &*branch.kind));
            let Some(action) = actions.and_then(|actions| actions.get(&offer.action)) else { continue };
            // What only the engine does is nobody's to be refused.
            if action.by.iter().all(|by| &*by.role == crate::kernel::derive::roles::SYSTEM) {
                continue;
            }
            let branch = branch.map(|branch| branch_name(&self.rules, branch));
            out.push((branch, offer.action, action.title.clone(), offer.refusal.map(|no| refusal(lang, &no))));
        }
        out.sort_by_key(|(.., refused)| refused.is_some());
        Ok(out)
    }

    fn fact_title(&self, fact: &Fact, lang: Lang) -> String {
        let title = capture::fact_title(&self.rules, &self.item, fact);
        match &fact.cause {
            Cause::Rung { key, skipped: None, .. } => say(lang, "show.rung", &[("deadline", &title), ("rung", &key.rung)]),
            Cause::Rung { key, skipped: Some(why), .. } => {
                say(lang, "show.rung_skipped", &[("deadline", &title), ("rung", &key.rung), ("why", why)])
            }
            Cause::Amend { seq, what, value, .. } => {
                let what = match what {
                    Amended::EffectiveOn => "effective_on",
                    Amended::Input(name) | Amended::Field { field: name, .. } => name,
                };
                let text = |value: Option<Json>| value.map_or_else(String::new, |value| text_of(&value, lang));
                let reason = text(fact.input.get("reason").map(|reason| json!(reason)));
                let (was, right) = match self.sees_amended(fact) {
                    true => (text(fact.input.get("was").map(|was| json!(was))), text(Some(json!(value)))),
                    false => (say(lang, "show.hidden", &[]), say(lang, "show.hidden", &[])),
                };
                let values = [("seq", &*seq.to_string()), ("what", what), ("was", &was), ("value", &right), ("reason", &reason)];
                say(lang, "show.amended", &values)
            }
            _ => title,
        }
    }

    /// Inputs are shown to nobody here, fields to whom they are shown anyway.
    fn sees_amended(&self, fact: &Fact) -> bool {
        match &fact.cause {
            Cause::Amend { what: Amended::EffectiveOn, .. } => true,
            Cause::Amend { what: Amended::Field { branch, field }, .. } => {
                let of = branch.and_then(|no| self.item.branch(no));
                let declared = self.rules.setting.workflow.fields_of(of.map(|branch| &*branch.kind)).and_then(|fields| fields.get(field));
                let sees_branch = of.is_none_or(|branch| self.reader().sees_branch(branch).unwrap_or(false));
                let sees = |declared: &Field| !declared.secret && self.reader().sees_field(*branch, field, declared).unwrap_or(false);
                sees_branch && declared.is_some_and(sees)
            }
            _ => false,
        }
    }

    fn actor(&self, fact: &Fact, lang: Lang) -> String {
        let role = |role: &Option<Name>| {
            let title = role
                .as_ref()
                .map(|role| self.rules.setting.workflow.roles.get(role).map_or_else(|| role.to_string(), |role| role.title.clone()));
            title.unwrap_or_default()
        };
        let Some(person) = &fact.actor.person else { return say(lang, "show.engine", &[]) };
        let who = format!("{} {}", role(&fact.actor.role), capture::title(&self.rules, person));
        match fact.actor.on_behalf_of {
            Some(_) => say(lang, "show.on_behalf", &[("who", &who), ("of", &role(&fact.actor.on_behalf_of))]),
            None => who,
        }
    }
}

fn branch_name(rules: &Rules, branch: &Branch) -> String {
    let kind = rules.setting.workflow.branches.get(&branch.kind).map_or_else(|| branch.kind.to_string(), |kind| kind.title.clone());
    let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field)?.as_text());
    which.map_or_else(|| format!("{kind} {}", branch.no), |id| format!("{kind} {}", capture::title(rules, id)))
}

fn section(title: &str, lines: String) -> String {
    if lines.trim().is_empty() { String::new() } else { format!("\n{}\n{lines}", title.bold()) }
}

fn flag(flag: Option<Flag>, lang: Lang) -> String {
    match flag {
        None => String::new(),
        Some(Flag::Amber) => format!("  {}", say(lang, "show.amber", &[]).yellow()),
        Some(Flag::Red) => format!("  {}", say(lang, "show.red", &[]).red()),
    }
}

/// A value as people read it.
fn text_of(value: &Json, lang: Lang) -> String {
    match value {
        Json::Bool(true) => say(lang, "show.yes", &[]),
        Json::Bool(false) => say(lang, "show.no", &[]),
        Json::String(text) => text.clone(),
        Json::Array(list) => list.iter().map(|value| text_of(value, lang)).collect::<Vec<_>>().join(&say(lang, "show.comma", &[])),
        Json::Object(fields) => {
            fields.values().filter(|value| !value.is_null()).map(|value| text_of(value, lang)).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
