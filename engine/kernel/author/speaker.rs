//! What is called how: the titles and small phrases from which every sentence about a rule set is put together, in one language.
//!
//! Expressions have a file of their own, and so have the rows of each section.

use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::directory::Directory;
use crate::kernel::model::value::{Type, Value};
use crate::kernel::rules::terms::Terms;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::{self, Lang, due};
use std::collections::HashMap;
use std::sync::Arc;

/// Speaks about one workflow.
pub struct Speaker<'r> {
    pub lang: Lang,
    pub workflow: &'r Workflow,
    pub directory: &'r Directory,
    pub terms: Terms,
    /// The titles of the workflows of the rule set and of their actions.
    others: HashMap<Name, (String, HashMap<Name, String>)>,
    /// The titles of the reports, and of their columns.
    reports: HashMap<(Name, Name), (String, HashMap<Name, String>)>,
}

impl<'r> Speaker<'r> {
    pub fn new(set: &RuleSet, rules: &'r Rules, lang: Lang) -> Speaker<'r> {
        let workflow = &rules.setting.workflow;
        let titled = |(name, rules): (&Name, &Arc<Rules>)| {
            let workflow = &rules.setting.workflow;
            let actions = workflow.actions.iter().map(|(name, action)| (name.clone(), action.title.clone())).collect();
            (name.clone(), (workflow.title.clone(), actions))
        };
        let others = set.workflows.iter().map(titled).collect();
        let of = |(name, rules): (&Name, &Arc<Rules>)| {
            let counted = |(report, declared): (&Name, &Report)| {
                let columns = match &declared.shape {
                    Shape::Figures { columns, .. } => columns.iter().map(|(name, column)| (name.clone(), column.title.clone())).collect(),
                    _ => HashMap::new(),
                };
                ((name.clone(), report.clone()), (declared.title.clone(), columns))
            };
            rules.setting.workflow.reports.iter().map(counted).collect::<Vec<_>>()
        };
        let reports = set.workflows.iter().flat_map(of).collect();
        Speaker { lang, workflow, directory: &rules.setting.directory, terms: Terms::read(workflow, &set.files), others, reports }
    }

    /// The title of a workflow, and of one of its actions.
    pub fn other<'s>(&'s self, workflow: &'s str, action: &'s str) -> (&'s str, &'s str) {
        match self.others.get(workflow) {
            Some((title, actions)) => (title, actions.get(action).map_or(action, String::as_str)),
            None => (workflow, action),
        }
    }

    /// The title of a report, and of one of its columns.
    pub fn report<'s>(&'s self, workflow: &Name, report: &'s Name, column: &'s str) -> (&'s str, &'s str) {
        match self.reports.get(&(workflow.clone(), report.clone())) {
            Some((title, columns)) => (title, columns.get(column).map_or(column, String::as_str)),
            None => (report, column),
        }
    }

    /// A sentence of the catalogue under `author.`.
    pub fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        words::say(self.lang, &format!("author.{key}"), values)
    }

    /// `甲、乙和丙`: entries as a list is read.
    pub fn list<S: AsRef<str>>(&self, entries: impl IntoIterator<Item = S>) -> String {
        let entries: Vec<S> = entries.into_iter().collect();
        let texts: Vec<&str> = entries.iter().map(AsRef::as_ref).collect();
        texts.join(&self.say("comma", &[]))
    }

    /// One of several: `甲、乙或者丙`.
    pub fn any_of<S: AsRef<str>>(&self, entries: impl IntoIterator<Item = S>) -> String {
        let entries: Vec<S> = entries.into_iter().collect();
        match entries.split_last() {
            Some((last, before)) if !before.is_empty() => {
                self.say("or_last", &[("before", &self.list(before.iter().map(AsRef::as_ref))), ("last", last.as_ref())])
            }
            Some((only, _)) => only.as_ref().to_string(),
            None => String::new(),
        }
    }

    /// Code that has no sentence, marked as such.
    pub fn code(&self, source: &str) -> String {
        self.say("code", &[("code", &source.split_whitespace().collect::<Vec<_>>().join(" "))])
    }

    pub fn role(&self, name: &str) -> String {
        match self.workflow.roles.get(name) {
            Some(role) => role.title.clone(),
            None if name == "system" => self.say("system", &[]),
            None => name.to_string(),
        }
    }

    pub fn roles<'n>(&self, names: impl IntoIterator<Item = &'n Name>) -> String {
        self.list(names.into_iter().map(|name| self.role(name)))
    }

    pub fn state(&self, branch: Option<&str>, name: &str) -> String {
        let of = self.workflow.states_of(branch).and_then(|states| states.get(name));
        of.or_else(|| self.workflow.states.get(name)).map_or_else(|| name.to_string(), |state| state.title.clone())
    }

    pub fn states<'n>(&self, branch: Option<&str>, names: impl IntoIterator<Item = &'n Name>) -> String {
        self.list(names.into_iter().map(|name| self.state(branch, name)))
    }

    pub fn branch(&self, kind: &str) -> String {
        self.workflow.branches.get(kind).map_or_else(|| kind.to_string(), |branch| branch.title.clone())
    }

    pub fn deadline(&self, name: &str) -> String {
        self.workflow.deadlines.get(name).map_or_else(|| name.to_string(), |deadline| self.deadline_title(deadline))
    }

    /// That of a request is the time for deciding it.
    pub fn deadline_title(&self, deadline: &Deadline) -> String {
        match deadline.of_request {
            true => self.say("request.deadline", &[("title", &deadline.title)]),
            false => deadline.title.clone(),
        }
    }

    pub fn notice(&self, name: &str) -> String {
        self.workflow.notices.get(name).map_or_else(|| name.to_string(), |notice| notice.title.clone())
    }

    /// An action as people know it; the steps of a request by what they do to it.
    pub fn action_title(&self, action: &Action) -> String {
        let Some((request, step)) = &action.request else { return action.title.clone() };
        let asked = self.workflow.requests.get(request).map_or_else(|| action.title.clone(), |request| request.title.clone());
        let key = match step {
            RequestStep::Ask => "request.ask",
            RequestStep::Approve => "request.approve",
            RequestStep::Refuse => "request.refuse",
        };
        if action.title == asked { self.say(key, &[("title", &asked)]) } else { action.title.clone() }
    }

    /// The action or fact that is meant from inside a branch, or from the item: `sign_in`, `commitment.verify`, `extension.approved`, `opened`.
    pub fn fact(&self, branch: Option<&str>, name: &str) -> String {
        if name == "opened" {
            return match branch {
                Some(branch) => self.say("opened", &[("branch", &self.branch(branch))]),
                None => self.say("opened_item", &[]),
            };
        }
        let found = |branch: Option<&str>, name: &str| {
            let actions = self.workflow.actions_of(branch)?;
            let action = actions.get(name).or_else(|| actions.values().find(|action| &*action.records_as == name))?;
            Some(self.action_title(action))
        };
        let outside = || name.split_once('.').and_then(|(kind, rest)| found(Some(kind), rest));
        let of_request = || self.workflow.branches.keys().find_map(|kind| found(Some(kind), name));
        found(branch, name).or_else(|| found(None, name)).or_else(outside).or_else(of_request).unwrap_or_else(|| name.to_string())
    }

    pub fn facts<'n>(&self, branch: Option<&str>, names: impl IntoIterator<Item = &'n Name>) -> String {
        let title = |name: &Name| match self.fact(branch, name) {
            opened if &**name == "opened" => opened,
            title => self.say("action_quoted", &[("title", &title)]),
        };
        self.any_of(names.into_iter().map(title))
    }

    /// The title of a field, with those that the engine gives.
    pub fn field(&self, branch: Option<&str>, name: &str) -> String {
        if let Some(field) = self.workflow.fields_of(branch).and_then(|fields| fields.get(name)) {
            return field.title.clone();
        }
        match name {
            "state" | "unit" | "person" | "id" | "flag" => self.say(&format!("field.{name}"), &[]),
            other => other.to_string(),
        }
    }

    /// A field named by `item.`, `task.` or `input.`; what is asked goes by its own title.
    pub fn reference(&self, branch: Option<&str>, of: &FieldRef) -> String {
        match of.of {
            Holder::Item => self.field(None, &of.field),
            Holder::Task => match branch {
                Some(_) => self.field(branch, &of.field),
                None => {
                    self.workflow.branches.keys().find_map(|kind| self.declared(kind, &of.field)).unwrap_or_else(|| of.field.to_string())
                }
            },
            Holder::Input => of.field.to_string(),
        }
    }

    fn declared(&self, kind: &str, field: &str) -> Option<String> {
        self.workflow.branches.get(kind)?.fields.get(field).map(|field| field.title.clone())
    }

    /// The type behind such a name.
    pub fn kind_of(&self, branch: Option<&str>, of: &FieldRef) -> Option<&'r Field> {
        match of.of {
            Holder::Item => self.workflow.fields.get(&of.field),
            Holder::Task => match branch {
                Some(kind) => self.workflow.branches.get(kind)?.fields.get(&of.field),
                None => self.workflow.branches.values().find_map(|branch| branch.fields.get(&of.field)),
            },
            Holder::Input => None,
        }
    }

    pub fn yes_no(&self, yes: bool) -> String {
        self.say(if yes { "yes" } else { "no" }, &[])
    }

    pub fn unit(&self, id: &str) -> String {
        self.directory.units.get(id).map_or_else(|| id.to_string(), |unit| unit.title.clone())
    }

    /// A written value, an option of `field` by its title.
    pub fn value(&self, value: &Value, field: Option<&Field>) -> String {
        match value {
            Value::Empty => self.say("empty", &[]),
            Value::Bool(yes) => self.yes_no(*yes),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => field.and_then(|field| field.option_titles.get(text)).cloned().unwrap_or_else(|| text.to_string()),
            Value::Date(day) => day.to_string(),
            Value::Length(length) => due::length(self.lang, *length),
            Value::List(entries) => self.list(entries.iter().map(|entry| self.value(entry, field))),
            Value::Record(fields) => self.list(fields.iter().map(|(name, value)| format!("{name} {}", self.value(value, None)))),
        }
    }

    pub fn kind(&self, kind: &Type) -> String {
        let word = |key: &str| words::say(self.lang, &format!("type.{key}"), &[]);
        match kind {
            Type::YesNo => word("yes_no"),
            Type::Number => word("number"),
            Type::Text => word("text"),
            Type::Choice(_) => word("choice"),
            Type::Date => word("date"),
            Type::Year => self.say("type.year", &[]),
            Type::Duration => word("duration"),
            Type::Person => word("person"),
            Type::Unit => word("unit"),
            Type::File => word("file"),
            Type::Item => word("item"),
            Type::ItemView => self.say("item", &[]),
            Type::List(entry) => self.say("type.several", &[("kind", &self.kind(entry))]),
            Type::Optional(kind) => self.kind(kind),
            Type::Record(kind) | Type::Branch(kind) | Type::TaskView(kind) => self.branch(kind),
            Type::InputView(action) => self.say("type.input", &[("action", &self.fact(None, action))]),
            Type::DueView => word("deadlines"),
            Type::BranchesView => self.say("branches", &[]),
            Type::ActorView => self.say("actor", &[]),
            Type::ParamView => self.say("params", &[]),
        }
    }

    pub fn unit_path(&self, branch: Option<&str>, path: &UnitPath) -> String {
        match path {
            UnitPath::Field(of) if of.of == Holder::Task && &*of.field == "unit" => self.say("unit_of_branch", &[]),
            UnitPath::Field(of) => self.reference(branch, of),
            UnitPath::Named(id) => self.unit(id),
            UnitPath::CommitteeOf(path) => self.say("committee_of", &[("unit", &self.unit_path(branch, path))]),
            UnitPath::ParentOf(path) => self.say("parent_of", &[("unit", &self.unit_path(branch, path))]),
        }
    }

    /// Who holds a role. Groups and duties are words of the directory and have no titles.
    pub fn who(&self, branch: Option<&str>, who: &Who) -> String {
        match who {
            Who::Group(group) => self.say("who.group", &[("group", group)]),
            Who::Duty(duty, unit) => self.say("who.duty", &[("duty", duty), ("unit", &self.unit_path(branch, unit))]),
            Who::Person(of) => self.say("who.person", &[("field", &self.reference(branch, of))]),
            Who::System => self.say("system", &[]),
        }
    }

    /// What a length is, with the params behind it.
    pub fn length(&self, branch: Option<&str>, rule: &LengthRule) -> String {
        match rule {
            LengthRule::Fixed(length) => due::length(self.lang, *length),
            LengthRule::Param(name) => self.param(name),
            LengthRule::Table(name) => self.table(name),
            LengthRule::Until(of) => self.say("length.until", &[("field", &self.reference(branch, of))]),
            LengthRule::OnDay { month, day, at_least } => {
                let day = self.day_of_year(*month, *day);
                match at_least {
                    Some(length) => self.say("length.on_if", &[("day", &day), ("length", &due::length(self.lang, *length))]),
                    None => self.say("length.on", &[("day", &day)]),
                }
            }
            LengthRule::Before(length, deadline) => {
                let (length, deadline) = (due::length(self.lang, *length), self.deadline(deadline));
                self.say("length.before", &[("length", &length), ("deadline", &deadline)])
            }
            LengthRule::EarliestOf(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.length(branch, part)).collect();
                self.say("length.earliest", &[("parts", &self.list(parts))])
            }
        }
    }

    pub fn day_of_year(&self, month: u32, day: u32) -> String {
        self.say("day_of_year", &[("month", &words::say(self.lang, &format!("render.month.{month}"), &[])), ("day", &day.to_string())])
    }

    /// The value of a param; each from its day on, where the law has changed it.
    pub fn param(&self, name: &str) -> String {
        let Some(param) = self.workflow.params.get(name) else { return name.to_string() };
        let mut changes: Vec<&ParamValue> = Vec::new();
        for row in &param.values {
            if changes.last().is_none_or(|last| last.value != row.value) {
                changes.push(row);
            }
        }
        let Some((first, later)) = changes.split_first() else { return name.to_string() };
        let mut text = self.value(&first.value, None);
        for row in later {
            text = self.say("param.then", &[("before", &text), ("from", &row.from.to_string()), ("value", &self.value(&row.value, None))]);
        }
        text
    }

    fn table(&self, name: &str) -> String {
        let Some(table) = self.workflow.tables.get(name) else { return name.to_string() };
        let rows: Vec<String> = table.rows.iter().map(|row| self.table_row(row)).collect();
        self.say("table.in_place", &[("title", &table.title), ("rows", &rows.join(&self.say("semicolon", &[])))])
    }

    pub fn table_row(&self, row: &TableRow) -> String {
        let told = row.cells.iter().filter(|(_, cell)| *cell != Cell::Any);
        let cells: Vec<String> = told.map(|(of, cell)| self.cell(of, cell)).collect();
        let gives = self.length(None, &row.gives);
        match cells.is_empty() {
            true => self.say("table.otherwise", &[("gives", &gives)]),
            false => self.say("table.row", &[("cells", &self.list(cells)), ("gives", &gives)]),
        }
    }

    fn cell(&self, of: &FieldRef, cell: &Cell) -> String {
        let field = self.kind_of(None, of);
        let name = self.reference(None, of);
        match cell {
            Cell::Any => name,
            Cell::OneOf(values) => {
                let values = self.any_of(values.iter().map(|value| self.value(value, field)));
                self.say("term.is", &[("a", &name), ("b", &values)])
            }
            Cell::AtLeast(least) => self.say("term.at_least", &[("a", &name), ("b", &least.to_string())]),
            Cell::Range(from, to) => self.say("term.between", &[("a", &name), ("from", &from.to_string()), ("to", &to.to_string())]),
        }
    }

    /// When a rung stands.
    pub fn rung_at(&self, at: &RungAt) -> String {
        let length = |length: &crate::kernel::time::Length| due::length(self.lang, *length);
        match at {
            RungAt::Before(ahead) => self.say("rung.before", &[("length", &length(ahead))]),
            RungAt::OnTheDay => self.say("rung.on_the_day", &[]),
            RungAt::After(later) => self.say("rung.after", &[("length", &length(later))]),
            RungAt::EveryAfter(every) => self.say("rung.every_after", &[("length", &length(every))]),
            RungAt::YearlyUntilDue { month, day } => self.say("rung.yearly", &[("day", &self.day_of_year(*month, *day))]),
            RungAt::EveryUntilDue(every) => self.say("rung.every_until", &[("length", &length(every))]),
        }
    }

    /// Those told by a notice, as `甲（抄送乙）`.
    pub fn told(&self, notice: &str) -> String {
        let Some(declared) = self.workflow.notices.get(notice) else { return notice.to_string() };
        let to = self.recipients(&declared.to);
        match declared.cc.is_empty() {
            true => self.say("told", &[("notice", &declared.title), ("to", &to)]),
            false => self.say("told_cc", &[("notice", &declared.title), ("to", &to), ("cc", &self.recipients(&declared.cc))]),
        }
    }

    pub fn recipients(&self, recipients: &[Recipient]) -> String {
        self.list(recipients.iter().map(|recipient| match &recipient.or {
            Some(or) => self.say("or_role", &[("role", &self.role(&recipient.role)), ("or", &self.role(or))]),
            None => self.role(&recipient.role),
        }))
    }

    pub fn clock(minutes: u16) -> String {
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Speaker<'_> {
    /// A schedule in words, for the forms that people write; others are shown as they are.
    pub fn cron(&self, cron: &str) -> String {
        self.cron_said(cron).unwrap_or_else(|| self.code(cron))
    }

    fn cron_said(&self, cron: &str) -> Option<String> {
        let fields: Vec<&str> = cron.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        let number = |text: &str, most: u16| text.parse::<u16>().ok().filter(|number| *number <= most);
        let time = Self::clock(number(hour, 23)? * 60 + number(minute, 59)?);
        let said = |key: &str, on: &str| Some(self.say(key, &[("on", on), ("time", &time)]));
        match (*day, *month, *weekday) {
            ("*", "*", "*") => said("cron.daily", ""),
            ("*", "*", days) => {
                let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
                let index = |name: &str| names.iter().position(|other| other.eq_ignore_ascii_case(name)).or(name.parse::<usize>().ok());
                let title = |name: &str| {
                    let day = match index(name).filter(|day| *day <= 7)? {
                        0 => 7,
                        day => day,
                    };
                    Some(words::say(self.lang, &format!("render.weekday.{day}"), &[]))
                };
                let days: Option<Vec<String>> = days.split(',').map(title).collect();
                said("cron.weekly", &self.list(days?))
            }
            (day, "*", "*") => said("cron.monthly", &number(day, 31)?.to_string()),
            (day, months, "*") => {
                let day = number(day, 31)?;
                let days: Option<Vec<String>> =
                    months.split(',').map(|month| Some(self.day_of_year(number(month, 12)?.into(), day.into()))).collect();
                said("cron.yearly", &self.list(days?))
            }
            _ => None,
        }
    }
}
