//! The form of an action, made from what it asks: one control for each kind of value, the names of the directory at hand, and what was
//! typed put back when it could not be taken.

use super::attachments::size_of;
use super::session::Sheet;
use super::todo::action_title;
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::attached::Attached;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, Ask, By, Field, Holder};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, refusal, say};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A choice of no more options than this is shown whole.
const RADIOS: usize = 6;
/// Lines of such a table at most.
const MOST_ROWS: usize = 200;
/// Lines of a table that is filled in by hand, beyond those that are filled already.
const ROWS: usize = 5;

/// An action's form for one item, or for a new one.
pub struct Form<'a> {
    pub rules: &'a Rules,
    /// The item as it is; none for a new one.
    pub item: Option<&'a Item>,
    /// The branch that it is done on, and of which kind that is: of many at once only the kind is known.
    pub task: Option<u32>,
    pub kind: Option<&'a str>,
    pub name: &'a Name,
    pub action: &'a Action,
    /// The way in which this person does it, where they may: it may ask for more.
    pub by: Option<&'a By>,
    pub lang: Lang,
}

impl Form<'_> {
    pub fn title(&self) -> String {
        match self.action.creates {
            true => self.action.title.clone(),
            false => action_title(self.rules, self.kind, self.name, self.lang),
        }
    }

    /// All that is asked of this person.
    fn asks(&self) -> Vec<&Ask> {
        self.action.ask.iter().chain(self.by.iter().flat_map(|by| &by.ask)).collect()
    }

    /// The field in which an answer is recorded.
    fn recorded(&self, ask: &Ask) -> Option<&Field> {
        let workflow = &self.rules.setting.workflow;
        match ask.records.as_ref()? {
            Holder::Task => workflow.fields_of(Some(self.kind?))?.get(&ask.name),
            _ => workflow.fields.get(&ask.name),
        }
    }

    /// Whether this was done here before: then what was written last time is not written again by itself.
    fn is_repeated(&self) -> bool {
        let done = self.item.into_iter().flat_map(|item| item.done.iter());
        done.into_iter().any(|done| done.name == self.action.records_as && done.branch == self.task)
    }

    /// A refusal in the words of the form: what belongs into the control, not what kind of value the rules want.
    pub fn sentence(&self, no: &Refusal) -> String {
        let value = |name: &str| no.values.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
        let asks = self.asks();
        let ask = asks.iter().find(|ask| &*ask.name == value("input")).filter(|_| no.code == RefusalCode::BadInput);
        let kind = ask.and_then(|ask| match inner(&ask.kind) {
            Type::List(kind) => word(inner(kind)),
            kind => word(kind),
        });
        match ask.zip(kind) {
            Some((ask, kind)) => {
                let given = serde_json::from_str::<String>(value("value")).unwrap_or_else(|_| value("value").to_string());
                say(self.lang, &format!("web.wrong.{kind}"), &[("title", &ask.title), ("value", &given)])
            }
            None => refusal(self.lang, no),
        }
    }

    /// What stands in that field now, unless it is not for everybody.
    fn standing(&self, ask: &Ask) -> Option<&Value> {
        let field = self.recorded(ask).filter(|field| !field.secret && field.visible_to.is_empty() && field.sealed_until.is_none())?;
        let item = self.item?;
        if inner(&ask.kind) == &Type::File || (matches!(inner(&ask.kind), Type::Text) && self.is_repeated()) {
            return None;
        }
        let value = match ask.records.as_ref()? {
            Holder::Task => item.branch(self.task?)?.fields.get(&ask.name)?,
            _ => item.field(&ask.name),
        };
        Some(value).filter(|value| !value.is_empty()).or(field.default.as_ref())
    }

    /// The controls. `typed` is what was sent before, `wrong` the sentence beside the control that it is about.
    pub fn controls(&self, typed: Option<&Sheet>, wrong: &BTreeMap<String, String>) -> Vec<Json> {
        self.asks().into_iter().map(|ask| self.control(ask, typed, wrong.get(&*ask.name))).collect()
    }

    fn control(&self, ask: &Ask, typed: Option<&Sheet>, wrong: Option<&String>) -> Json {
        let name = format!("in.{}", ask.name);
        let standing: Vec<String> = match typed {
            Some(sheet) => sheet.all(&name).map(str::to_string).collect(),
            None => self.standing(ask).map(|value| self.texts(&ask.kind, value)).unwrap_or_default(),
        };
        let titles = self.recorded(ask).map(|field| &field.option_titles);
        let option = |value: &str, title: String| json!({ "value": value, "title": title, "on": standing.iter().any(|now| now == value) });
        let options = |options: &[Name]| -> Vec<Json> {
            let title = |name: &Name| titles.and_then(|titles| titles.get(name)).cloned().unwrap_or_else(|| name.to_string());
            options.iter().map(|name| option(name, title(name))).collect()
        };
        let mut control = json!({
            "name": name, "title": ask.title, "required": ask.required, "wrong": wrong,
            "kind": "text", "value": standing.first().cloned().unwrap_or_default(), "options": [], "rows": [], "hint": null, "long": false,
        });
        let mut set = |values: Json| {
            for (name, value) in values.as_object().into_iter().flatten() {
                control[name] = value.clone();
            }
        };
        match inner(&ask.kind) {
            Type::YesNo => {
                let yes_no = [option("true", say(self.lang, "show.yes", &[])), option("false", say(self.lang, "show.no", &[]))];
                set(json!({ "kind": "radio", "options": yes_no }));
            }
            Type::Choice(known) if known.len() <= RADIOS => set(json!({ "kind": "radio", "options": options(known) })),
            Type::Choice(known) => set(json!({ "kind": "select", "options": options(known) })),
            Type::Date => set(json!({ "kind": "date" })),
            Type::Number | Type::Year => set(json!({ "kind": "number" })),
            Type::Duration => set(json!({ "hint": say(self.lang, "web.form.length", &[]) })),
            Type::Person => set(json!({ "kind": "named", "of": "persons" })),
            Type::Unit => set(json!({ "kind": "named", "of": "units" })),
            Type::Branch(kind) => {
                let of_kind =
                    self.item.into_iter().flat_map(|item| &item.branches).filter(|branch| branch.kind == *kind && !branch.cancelled);
                let titled = of_kind.map(|branch| {
                    let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field).and_then(Value::as_text));
                    let title = which.map(|id| capture::title(self.rules, id)).unwrap_or_default();
                    option(&branch.no.to_string(), format!("{} {title}", branch.no))
                });
                set(json!({ "kind": "select", "options": titled.collect::<Vec<_>>() }));
            }
            Type::List(kind) => match inner(kind) {
                Type::Choice(known) => set(json!({ "kind": "boxes", "options": options(known) })),
                Type::File => set(self.files(&standing, true)),
                Type::Record(branch) => {
                    set(json!({ "kind": "table", "columns": self.columns(branch), "rows": self.rows(&name, branch, typed) }))
                }
                kind => {
                    let hint = match kind {
                        Type::Person => "web.form.persons",
                        Type::Unit => "web.form.units",
                        _ => "web.form.lines",
                    };
                    set(json!({ "kind": "lines", "value": standing.join("\n"), "hint": say(self.lang, hint, &[]) }));
                }
            },
            Type::Record(branch) => {
                set(json!({ "kind": "table", "columns": self.columns(branch), "rows": self.rows(&name, branch, typed) }))
            }
            Type::Text => set(json!({ "long": &*ask.name != "title" })),
            Type::File => set(self.files(&standing, false)),
            Type::Item => set(json!({ "hint": say(self.lang, "web.form.item", &[]) })),
            _ => {}
        }
        control
    }

    /// A control for files: those that were handed in already stay chosen.
    fn files(&self, standing: &[String], several: bool) -> Json {
        let kept = standing.iter().filter_map(|text| Some((text, Attached::read(text)?)));
        let kept: Vec<Json> = kept
            .map(|(text, file)| json!({ "value": text, "name": file.name, "size": size_of(file.size) }))
            .take(if several { MOST_ROWS } else { 1 })
            .collect();
        // A paper that was not handed in here, by where it is kept.
        let told = standing.iter().find(|text| Attached::read(text).is_none());
        json!({ "kind": "file", "hint": say(self.lang, "web.form.file", &[]), "several": several, "kept": kept, "value": told.cloned().unwrap_or_default() })
    }

    /// The name and title of what asks for a file by this control.
    pub fn asked_file(&self, control: &str) -> Option<(&str, &str)> {
        let ask = self.asks().into_iter().find(|ask| control.strip_prefix("in.") == Some(&*ask.name)).filter(|ask| is_file(&ask.kind))?;
        Some((&ask.name, &ask.title))
    }

    /// Whether it asks for a file.
    pub fn asks_files(&self) -> bool {
        self.asks().iter().any(|ask| is_file(&ask.kind))
    }

    fn columns(&self, branch: &Name) -> Vec<&str> {
        let declared = self.rules.setting.workflow.fields_of(Some(branch));
        declared
            .into_iter()
            .flat_map(|fields| fields.values())
            .filter(|field| !field.is_derived())
            .map(|field| field.title.as_str())
            .collect()
    }

    /// The lines of a table: what was typed, and some blank ones.
    fn rows(&self, name: &str, branch: &Name, typed: Option<&Sheet>) -> Vec<Json> {
        let fields: Vec<(&Name, &Field)> =
            self.rules.setting.workflow.fields_of(Some(branch)).into_iter().flatten().filter(|(_, field)| !field.is_derived()).collect();
        let prefix = format!("{name}.");
        let typed_in = typed.into_iter().flat_map(Sheet::iter).filter(|(_, value)| !value.trim().is_empty());
        let last = typed_in.filter_map(|(key, _)| key.strip_prefix(&prefix)?.split('.').next()?.parse::<usize>().ok()).max();
        let count = (last.map_or(0, |last| last.saturating_add(1)).saturating_add(ROWS)).min(MOST_ROWS);
        (0..count)
            .map(|no| {
                let cells = fields.iter().map(|(field, declared)| {
                    let name = format!("{name}.{no}.{field}");
                    let value = typed.and_then(|sheet| sheet.text(&name)).unwrap_or_default();
                    let options = match inner(&declared.kind) {
                        Type::Choice(options) => options
                            .iter()
                            .map(|option| json!({ "value": option, "title": declared.option_titles.get(option).cloned().unwrap_or_else(|| option.to_string()), "on": **option == *value }))
                            .collect(),
                        _ => Vec::new(),
                    };
                    let of = match inner(&declared.kind) {
                        Type::Unit => Some("units"),
                        Type::Person => Some("persons"),
                        _ => None,
                    };
                    json!({ "name": name, "value": value, "title": declared.title, "options": options, "of": of, "date": matches!(inner(&declared.kind), Type::Date) })
                });
                json!(cells.collect::<Vec<_>>())
            })
            .collect()
    }

    /// A value as it would be typed.
    fn texts(&self, kind: &Type, value: &Value) -> Vec<String> {
        match (inner(kind), value) {
            (Type::List(kind), Value::List(list)) => list.iter().flat_map(|value| self.texts(kind, value)).collect(),
            (Type::Person | Type::Unit, Value::Text(id)) => vec![capture::title(self.rules, id)],
            (_, Value::Text(text)) => vec![text.to_string()],
            (_, Value::Bool(value)) => vec![value.to_string()],
            (_, Value::Number(value)) => vec![value.to_string()],
            (_, Value::Date(value)) => vec![value.to_string()],
            (_, Value::Length(value)) => vec![value.to_string()],
            _ => Vec::new(),
        }
    }

    /// What was filled in, as the input of a command; what is blank is not given.
    pub fn read(&self, sheet: &Sheet) -> Fields {
        let mut out = Fields::new();
        for ask in self.asks() {
            if let Some(value) = self.given(&format!("in.{}", ask.name), &ask.kind, sheet) {
                out.insert(ask.name.clone(), value);
            }
        }
        out
    }

    fn given(&self, name: &str, kind: &Type, sheet: &Sheet) -> Option<Value> {
        let lines = || sheet.all(name).flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
        let list = match inner(kind) {
            Type::List(kind) => match inner(kind) {
                Type::Record(branch) => self.records(name, branch, sheet),
                // Names stand one a line, or with a mark between them.
                Type::Person | Type::Unit => {
                    lines().flat_map(|line| line.split(is_mark)).map(str::trim).filter(|name| !name.is_empty()).map(Value::text).collect()
                }
                _ => lines().map(Value::text).collect(),
            },
            Type::Record(branch) => return self.records(name, branch, sheet).into_iter().next(),
            _ => return sheet.text(name).map(Value::text),
        };
        (!list.is_empty()).then_some(Value::List(list))
    }

    fn records(&self, name: &str, branch: &Name, sheet: &Sheet) -> Vec<Value> {
        let Some(fields) = self.rules.setting.workflow.fields_of(Some(branch)) else { return Vec::new() };
        let prefix = format!("{name}.");
        let mut rows: BTreeMap<u32, Fields> = BTreeMap::new();
        for (key, value) in sheet.iter().filter(|(_, value)| !value.trim().is_empty()) {
            let Some((no, field)) = key.strip_prefix(&prefix).and_then(|rest| rest.split_once('.')) else { continue };
            let (Ok(no), Some((field, declared))) = (no.parse::<u32>(), fields.get_key_value(field)) else { continue };
            let given = match inner(&declared.kind) {
                Type::List(_) => Value::List(value.lines().map(str::trim).filter(|line| !line.is_empty()).map(Value::text).collect()),
                _ => Value::text(value.trim()),
            };
            rows.entry(no).or_default().insert(field.clone(), given);
        }
        rows.into_values().map(Value::Record).collect()
    }

    /// Whether one of its controls offers the names of persons, or of units.
    pub fn names(&self) -> (bool, bool) {
        let asks = self.asks();
        let wants = |wanted: &Type| {
            asks.iter().any(|ask| {
                let in_record = |branch: &Name| {
                    let fields = self.rules.setting.workflow.fields_of(Some(branch));
                    fields.into_iter().flat_map(|fields| fields.values()).any(|field| inner(&field.kind) == wanted)
                };
                match inner(&ask.kind) {
                    Type::List(kind) => match inner(kind) {
                        Type::Record(branch) => in_record(branch),
                        _ => false,
                    },
                    Type::Record(branch) => in_record(branch),
                    kind => kind == wanted,
                }
            })
        };
        (wants(&Type::Person), wants(&Type::Unit))
    }
}

fn is_file(kind: &Type) -> bool {
    match inner(kind) {
        Type::List(kind) => *inner(kind) == Type::File,
        kind => *kind == Type::File,
    }
}

fn inner(kind: &Type) -> &Type {
    match kind {
        Type::Optional(kind) => inner(kind),
        kind => kind,
    }
}

/// The kinds whose mistakes have a sentence of their own.
fn word(kind: &Type) -> Option<&'static str> {
    Some(match kind {
        Type::Person => "person",
        Type::Unit => "unit",
        Type::Date => "date",
        Type::Number | Type::Year => "number",
        Type::Duration => "length",
        Type::Choice(_) | Type::YesNo => "choice",
        _ => return None,
    })
}

/// What stands between names in a line.
fn is_mark(c: char) -> bool {
    matches!(c, ',' | ';' | '\u{3001}' | '\u{ff0c}' | '\u{ff1b}')
}
