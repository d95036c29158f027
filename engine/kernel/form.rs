//! Forms: papers of a rule set, filled from an item for somebody who looks at it, in the frame of a page that the caller hands in.
//!
//! A mail shows what everybody may read who gets it. A form shows what `access` lets its one reader see, and a dash in place of the rest.

use crate::kernel::access::Reader;
use crate::kernel::decide::{self, capture};
use crate::kernel::model::command::BranchAddress;
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::definition::{Field, Form, Section, Workflow};
use crate::kernel::model::item::{Branch, Item};
use crate::kernel::model::value::Type;
use crate::kernel::render::{self, NOT_SHOWN, RenderError};
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::words::{Lang, say};
use serde_json::{Value as Json, json};

/// Digits of the rule set's hash that stand on a page.
const SHORT_HASH: usize = 12;

/// Why there is no such page.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FormError {
    /// A *no* to whoever asks: the code, under which the catalogue has its sentence as `api.CODE`, and the values of that.
    #[error("{code}")]
    No { code: &'static str, values: Vec<(&'static str, String)> },
    /// The branch that was named is not there, or is several.
    #[error("{:?}", .0.code)]
    Branch(Refusal),
    #[error(transparent)]
    Eval(#[from] EvalError),
    #[error("filling the form: {0}")]
    Wording(RenderError),
    #[error("the frame of the page, {0}")]
    Frame(RenderError),
}

fn no<const N: usize>(code: &'static str, values: [(&'static str, &str); N]) -> FormError {
    FormError::No { code, values: values.map(|(name, value)| (name, value.to_string())).to_vec() }
}

/// A form by its name or title.
pub fn find<'r>(workflow: &'r Workflow, text: &str) -> Result<&'r Form, FormError> {
    let found = workflow.forms.iter().find(|(name, form)| ***name == *text || form.title == text).map(|(_, form)| form);
    found.ok_or_else(|| unknown(workflow, text))
}

pub fn unknown(workflow: &Workflow, text: &str) -> FormError {
    let known: Vec<String> = workflow.forms.iter().map(|(name, form)| format!("{name} {}", form.title)).collect();
    match known.is_empty() {
        true => no("no_forms", [("workflow", &workflow.title)]),
        false => no("unknown_form", [("form", text), ("known", &known.join(", "))]),
    }
}

/// The branch that a form is filled from, when it is one of a branch. `address` says which; where there is only one, nobody has to.
/// What tells it apart is enough: the kind is known.
pub fn task(reader: &Reader, form: &Form, address: Option<&str>) -> Result<Option<u32>, FormError> {
    let (workflow, item) = (&reader.rules.setting.workflow, reader.item);
    let Some(kind) = &form.of else {
        return match address {
            Some(branch) => Err(no("form_of_item", [("form", &form.title), ("branch", branch)])),
            None => Ok(None),
        };
    };
    let title = workflow.branches.get(kind).map_or(&**kind, |declared| &declared.title);
    let branch = match address.map(str::trim) {
        Some(text) => {
            let branch = decide::branch(reader.rules, item, &addressed(workflow, kind, text), &form.title).map_err(FormError::Branch)?;
            if branch.kind != *kind {
                return Err(no("form_of_other", [("form", &form.title), ("kind", title), ("branch", text)]));
            }
            branch
        }
        None => {
            let of_kind: Vec<&Branch> = item.branches.iter().map(|branch| &**branch).filter(|branch| branch.kind == *kind).collect();
            let open: Vec<&Branch> = of_kind.iter().filter(|branch| !branch.ended).copied().collect();
            match (open.as_slice(), of_kind.as_slice()) {
                ([one], _) | ([], [one]) => *one,
                ([], []) => return Err(no("form_without_branch", [("form", &form.title), ("kind", title), ("item", &item.id)])),
                ([], several) | (several, _) => {
                    let known: Vec<String> = several.iter().map(|branch| called(reader.rules, branch)).collect();
                    return Err(no("form_which_branch", [("form", &form.title), ("known", &known.join(", "))]));
                }
            }
        }
    };
    match reader.sees_branch(branch)? {
        true => Ok(Some(branch.no)),
        false => Err(no("form_hidden", [("form", &form.title), ("kind", title)])),
    }
}

fn addressed(workflow: &Workflow, kind: &str, text: &str) -> BranchAddress {
    if let Ok(no) = text.parse() {
        return BranchAddress::No(no);
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    let whole = workflow.branches.contains_key(first);
    BranchAddress::Named(if whole { text.to_string() } else { format!("{kind} {text}") })
}

/// As it is named on a command line.
fn called(rules: &Rules, branch: &Branch) -> String {
    let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field)?.as_text());
    which.map_or_else(|| branch.no.to_string(), |id| capture::title(rules, id))
}

/// The page: `wording` is the template of the form, `frame` that of the page (`templates/form/page.html`).
pub fn page(reader: &Reader, form: &Form, task: Option<u32>, wording: &str, frame: &str) -> Result<String, FormError> {
    let rules = reader.rules;
    let lang = Lang::of(&rules.setting.workflow.languages);
    let body = render::html_in(lang, wording, &values(reader, form, task)?).map_err(FormError::Wording)?;
    let hash: String = rules.hash.chars().take(SHORT_HASH).collect();
    let who = reader.person.map_or_else(|| say(lang, "form.nobody", &[]), |person| capture::title(rules, person));
    let foot = say(lang, "form.foot", &[("item", &reader.item.id), ("day", &reader.day.to_string()), ("who", &who), ("rules", &hash)]);
    let lang = if lang == Lang::En { "en" } else { "zh-CN" };
    let about = json!({ "lang": lang, "title": form.title, "item": reader.item.id, "body": body, "foot": foot });
    render::page(frame, &about).map_err(FormError::Frame)
}

/// What the template may show to this reader.
pub fn values(reader: &Reader, form: &Form, task: Option<u32>) -> Result<Json, EvalError> {
    let Reader { rules, item, day, .. } = *reader;
    let workflow = &rules.setting.workflow;
    let mut out = capture::base(rules, item, task, None, None, day, &form.reads);
    cover(reader, None, &workflow.fields, &mut out["item"])?;
    if let Some((no, fields)) = task.and_then(|no| Some((no, fields_of(workflow, item, no)?))) {
        cover(reader, Some(no), fields, &mut out["task"])?;
    }
    for (kind, declared) in &workflow.branches {
        let Some(list) = out["branches"].get_mut(&**kind).and_then(Json::as_array_mut) else { continue };
        for mut values in std::mem::take(list) {
            let no = values["no"].as_u64().and_then(|no| u32::try_from(no).ok());
            let Some(branch) = no.and_then(|no| item.branch(no)) else { continue };
            if reader.sees_branch(branch)? {
                cover(reader, no, &declared.fields, &mut values)?;
                list.push(values);
            }
        }
    }
    cover_requests(reader, task, &mut out)?;
    Ok(out)
}

fn fields_of<'r>(workflow: &'r Workflow, item: &Item, no: u32) -> Option<&'r Section<Field>> {
    workflow.branches.get(&item.branch(no)?.kind).map(|kind| &kind.fields)
}

/// Puts a dash in place of each field that the reader may not see, whether it has a value or not.
fn cover(reader: &Reader, task: Option<u32>, declared: &Section<Field>, values: &mut Json) -> Result<(), EvalError> {
    for (name, field) in declared.iter().filter(|(_, field)| !field.secret) {
        if reader.sees_field(task, name, field)? {
            cover_entries(&reader.rules.setting.workflow, &field.kind, &mut values[&**name]);
            continue;
        }
        values[&**name] = covered(&field.kind);
        if let Some(title) = values.get_mut(format!("{name}_title")) {
            *title = json!(NOT_SHOWN);
        }
    }
    Ok(())
}

/// What was asked in a request and is recorded in a field is as visible as the field.
fn cover_requests(reader: &Reader, task: Option<u32>, out: &mut Json) -> Result<(), EvalError> {
    let workflow = &reader.rules.setting.workflow;
    for (name, request) in &workflow.requests {
        let Some(values) = out.get_mut("request").and_then(|requests| requests.get_mut(&**name)) else { continue };
        let holder = request.branch.as_ref().and(task);
        for ask in request.ask.iter().filter(|ask| ask.records.is_some()) {
            let fields = workflow.fields_of(request.branch.as_deref()).into_iter().chain(workflow.fields_of(None));
            for field in fields.filter_map(|fields| fields.get(&ask.name)) {
                if field.secret || !reader.sees_field(holder, &ask.name, field)? {
                    values[&*ask.name] = covered(&ask.kind);
                }
            }
        }
    }
    Ok(())
}

/// Entries of a list belong to no branch, so what is not for everybody is for nobody here.
fn cover_entries(workflow: &Workflow, kind: &Type, value: &mut Json) {
    match (kind, value) {
        (Type::List(of), Json::Array(entries)) => entries.iter_mut().for_each(|entry| cover_entries(workflow, of, entry)),
        (Type::Record(kind), value @ Json::Object(_)) => {
            let declared = workflow.fields_of(Some(kind)).into_iter().flatten();
            for (name, field) in declared.filter(|(_, field)| !field.visible_to.is_empty() || field.sealed_until.is_some()) {
                value[&**name] = covered(&field.kind);
            }
        }
        _ => {}
    }
}

/// A list reads as one of its kind, and what is neither yes nor no as nothing.
fn covered(kind: &Type) -> Json {
    match kind {
        Type::YesNo | Type::Record(_) => Json::Null,
        Type::List(of) if matches!(**of, Type::Record(_)) => json!([]),
        Type::List(_) => json!([NOT_SHOWN]),
        _ => json!(NOT_SHOWN),
    }
}
