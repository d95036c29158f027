//! One item as somebody may look at it: its fields, parts, timeline and offers, each with what this person may see of it.

use super::{App, LoadError, contained};
use crate::kernel::access::Reader;
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide::{self, capture};
use crate::kernel::derive;
use crate::kernel::derive::roles::SYSTEM;
use crate::kernel::explain::silence::Recorded;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::definition::{Action, Field, Section};
use crate::kernel::model::fact::{Amended, Cause, Fact, Outcome};
use crate::kernel::model::item::{Branch, Item};
use crate::kernel::model::value::Value;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::words::{Lang, say};
use crate::store::outbox::NoticeStatus;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An item with all that belongs to it, as stored; what this person may see of it is decided on the way out.
pub struct Look {
    pub rules: Arc<Rules>,
    pub item: Arc<Item>,
    pub facts: Vec<Fact>,
    /// Why it was set aside.
    pub set_aside: Option<String>,
    pub notices: Vec<NoticeStatus>,
    /// Without one, what not everybody may see stays hidden.
    pub person: Option<Name>,
    values: Json,
}

/// A row of the outbox as the kernel takes it.
pub fn recorded(notice: &NoticeStatus) -> Recorded {
    Recorded {
        key: notice.key.clone(),
        seq: notice.seq,
        notice: notice.notice.as_str().into(),
        person: notice.person.as_str().into(),
        not_before: notice.not_before,
        status: notice.mail_status.as_deref().unwrap_or(&notice.status).into(),
        reason: notice.reason.clone().or_else(|| notice.mail_reply.clone()),
        mail: notice.mail.clone(),
        ended_at: notice.mail_ended_at,
    }
}

/// A field that has a value.
pub struct ShownField {
    pub name: Name,
    pub title: String,
    /// Persons and units by their titles; null while this person may not see it.
    pub value: Json,
    /// Persons and units by their ids.
    pub raw: Json,
    /// As people read it.
    pub text: String,
    pub hidden: bool,
}

/// An action that this person could think of.
pub struct Offered {
    pub action: Name,
    pub title: String,
    pub branch: Option<u32>,
    /// As people call the branch.
    pub branch_name: Option<String>,
    pub refusal: Option<Refusal>,
}

impl App {
    /// An item as it is stored; `None` when there is none.
    pub async fn look(&self, id: &str, person: Option<Name>) -> Result<Option<Look>, LoadError> {
        let Some(recorded) = self.store.item(id).await? else { return Ok(None) };
        let notices = self.store.notices_of(id).await?;
        let rules = self.workflow(&recorded.workflow)?;
        let today = day_of(self.now(), rules.setting.workflow.timezone);
        let Some(item) = contained(|| derive::derive(&rules, id, &recorded.facts, today))?? else { return Ok(None) };
        let values = capture::base(&rules, &item, None, None, None, today, &Default::default());
        let set_aside = recorded.quarantine.map(|(reason, _)| reason);
        Ok(Some(Look { rules, item, facts: recorded.facts, set_aside, notices, person, values }))
    }
}

impl Look {
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { rules: &self.rules, item: &self.item, facts: &self.facts, person: self.person.as_ref(), day: self.item.today }
    }

    pub fn sees_branch(&self, branch: &Branch) -> Result<bool, EvalError> {
        self.reader().sees_branch(branch)
    }

    /// Whether a person finds a branch here at all: they may see it, or do something on it. That it is there, and how it stands, is as hidden
    /// as what stands in it.
    pub fn shows_branch(&self, branch: &Branch) -> Result<bool, EvalError> {
        if self.sees_branch(branch)? {
            return Ok(true);
        }
        let Some(person) = &self.person else { return Ok(false) };
        let actions = self.rules.setting.workflow.branches.get(&branch.kind).map(|kind| &kind.actions);
        let open =
            |(name, action): (&Name, &Action)| decide::refusal_of(&self.rules, &self.item, name, action, Some(branch.no), person).is_none();
        Ok(actions.is_some_and(|actions| actions.iter().any(open)))
    }

    /// The branches that a person does not find here.
    pub fn hidden_branches(&self) -> Result<BTreeSet<u32>, EvalError> {
        let mut out = BTreeSet::new();
        for branch in &self.item.branches {
            if !self.shows_branch(branch)? {
                out.insert(branch.no);
            }
        }
        Ok(out)
    }

    /// The item's fields that have a value, in the order of the file.
    pub fn fields(&self, lang: Lang) -> Result<Vec<ShownField>, EvalError> {
        self.shown(None, &self.rules.setting.workflow.fields, &self.values["item"], lang)
    }

    /// The same of a branch; nothing of one that this person may not see.
    pub fn branch_fields(&self, branch: &Branch, lang: Lang) -> Result<Option<Vec<ShownField>>, EvalError> {
        let Some(kind) = self.rules.setting.workflow.branches.get(&branch.kind) else { return Ok(None) };
        if !self.sees_branch(branch)? {
            return Ok(None);
        }
        self.shown(Some(branch.no), &kind.fields, self.branch_values(branch), lang).map(Some)
    }

    /// A branch's fields as templates see them.
    pub fn branch_values(&self, branch: &Branch) -> &Json {
        let of_kind = self.values["branches"][&*branch.kind].as_array();
        of_kind.and_then(|list| list.iter().find(|values| values["no"] == json!(branch.no))).unwrap_or(&Json::Null)
    }

    fn shown(&self, task: Option<u32>, declared: &Section<Field>, values: &Json, lang: Lang) -> Result<Vec<ShownField>, EvalError> {
        let mut out = Vec::new();
        for (name, field) in declared {
            let value = &values[&**name];
            if value.is_null() {
                continue;
            }
            let title = field.title.clone();
            if !self.reader().sees_field(task, name, field)? {
                let text = say(lang, "show.hidden", &[]);
                out.push(ShownField { name: name.clone(), title, value: Json::Null, raw: Json::Null, text, hidden: true });
                continue;
            }
            let shown = Some(&values[&format!("{name}_title")]).filter(|title| title.is_string()).unwrap_or(value);
            let raw = self.item.fields_of(task).and_then(|fields| fields.get(name)).map_or(Json::Null, capture::plain);
            let text = text_of(shown, lang);
            out.push(ShownField { name: name.clone(), title, value: value.clone(), raw, text, hidden: false });
        }
        Ok(out)
    }

    /// Actions, the open ones first, each of the others with its refusal. Those of the engine alone are left out.
    pub fn offers(&self, person: &Name) -> Result<Vec<Offered>, EvalError> {
        let mut out = Vec::new();
        let hidden = self.hidden_branches()?;
        for offer in decide::offers(&self.rules, &self.item, person, self.item.today)? {
            if offer.task.is_some_and(|no| hidden.contains(&no)) {
                continue;
            }
            let branch = offer.task.and_then(|no| self.item.branch(no));
            let actions = self.rules.setting.workflow.actions_of(branch.map(|branch| &*branch.kind));
            let Some(action) = actions.and_then(|actions| actions.get(&offer.action)) else { continue };
            // What only the engine does is nobody's to be refused.
            if action.by.iter().all(|by| &*by.role == SYSTEM) {
                continue;
            }
            let branch_name = branch.map(|branch| self.branch_name(branch));
            let title = action.title.clone();
            out.push(Offered { action: offer.action, title, branch: offer.task, branch_name, refusal: offer.refusal });
        }
        out.sort_by_key(|offer| offer.refusal.is_some());
        Ok(out)
    }

    /// What happened, as people call it.
    pub fn fact_title(&self, fact: &Fact, lang: Lang) -> String {
        let title = capture::fact_title(&self.rules, &self.item, fact);
        match &fact.cause {
            Cause::Rung { key, skipped: None, .. } => say(lang, "show.rung", &[("deadline", &title), ("rung", &key.rung)]),
            Cause::Rung { key, skipped: Some(why), .. } => {
                say(lang, "show.rung_skipped", &[("deadline", &title), ("rung", &key.rung), ("why", why)])
            }
            Cause::Answer { item, refused: None, .. } => say(lang, "show.errand_done", &[("item", item)]),
            Cause::Answer { item, refused: Some(refusal), .. } => {
                let sentence = crate::kernel::words::refusal(lang, refusal);
                say(lang, "show.errand_refused", &[("item", item), ("sentence", &sentence)])
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
                let sees_branch = of.is_none_or(|branch| self.sees_branch(branch).unwrap_or(false));
                let sees = |declared: &Field| !declared.secret && self.reader().sees_field(*branch, field, declared).unwrap_or(false);
                sees_branch && declared.is_some_and(sees)
            }
            _ => false,
        }
    }

    /// What a fact recorded in fields that this person may see, by their titles.
    pub fn recorded(&self, fact: &Fact, lang: Lang) -> Result<Vec<(String, String)>, EvalError> {
        let mut out = Vec::new();
        for outcome in &fact.outcomes {
            let (task, name, value) = match outcome {
                Outcome::Set { field, value } => (None, field, value),
                Outcome::BranchSet { branch, field, value } => (Some(*branch), field, value),
                _ => continue,
            };
            let branch = task.and_then(|no| self.item.branch(no));
            let declared = self.rules.setting.workflow.fields_of(branch.map(|branch| &*branch.kind)).and_then(|fields| fields.get(name));
            let Some(field) = declared.filter(|field| !field.secret && !value.is_empty()) else { continue };
            let sees_branch = branch.map_or(Ok(true), |branch| self.sees_branch(branch))?;
            if sees_branch && self.reader().sees_field(task, name, field)? {
                let option = value.as_text().and_then(|option| field.option_titles.get(option)).map(|title| json!(title));
                let shown = option.unwrap_or_else(|| capture::typed(&self.rules, &field.kind, value, self.item.today));
                out.push((field.title.clone(), text_of(&shown, lang)));
            }
        }
        Ok(out)
    }

    /// Who did it, with the role in which.
    pub fn actor(&self, fact: &Fact, lang: Lang) -> String {
        let role = |role: &Option<Name>| {
            let title = role
                .as_ref()
                .map(|role| self.rules.setting.workflow.roles.get(role).map_or_else(|| role.to_string(), |role| role.title.clone()));
            title.unwrap_or_default()
        };
        let Some(person) = &fact.actor.person else { return say(lang, "show.engine", &[]) };
        let who = format!("{} {}", role(&fact.actor.role), capture::title(&self.rules, person));
        let who = match fact.actor.on_behalf_of {
            Some(_) => say(lang, "show.on_behalf", &[("who", &who), ("of", &role(&fact.actor.on_behalf_of))]),
            None => who,
        };
        match &fact.actor.stands_in_for {
            Some(absent) => say(lang, "show.stands_in", &[("who", &who), ("of", &capture::title(&self.rules, absent))]),
            None => who,
        }
    }

    /// A branch as people call it: its kind with the unit or person, or its number.
    pub fn branch_name(&self, branch: &Branch) -> String {
        let kind = self.rules.setting.workflow.branches.get(&branch.kind);
        let kind = kind.map_or_else(|| branch.kind.to_string(), |kind| kind.title.clone());
        let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field).and_then(Value::as_text));
        which.map_or_else(|| format!("{kind} {}", branch.no), |id| format!("{kind} {}", capture::title(&self.rules, id)))
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
