//! What an author declared: one rule set as plain data, read from YAML by `read` and never changed afterwards.
//!
//! Every struct mirrors one kind of row of the rule language; the keys keep their YAML names.

use super::Name;
use super::renames::Renames;
use super::value::{Fields, Type, Value};
use crate::kernel::time::{Date, Length};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use super::desk::{Desk, DeskPart, DeskShow, LedgerView, Published};
pub use super::links::{Creates, Errand, ErrandTo, ForEach, Freeze};
pub use super::report::{Document, Figure, Measure, Part, Report, RowKey, Shape, Shown};

/// The rows of a section in the order of the file.
pub type Section<T> = IndexMap<Name, T>;

/// One workflow of a rule set: the head and all its sections.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub name: Name,
    pub title: String,
    pub version: u32,
    pub languages: Vec<String>,
    pub timezone: chrono_tz::Tz,
    pub calendar: Name,
    pub month_overflow: MonthOverflow,
    pub day_off: DayOff,
    pub send_window: SendWindow,
    /// Words that every mail may use (`letter.sender`, `letter.phone` …), free keys of the head.
    pub letter: IndexMap<String, String>,
    /// Roles that may put a wrong record right; nobody may when there are none.
    pub amend_by: Vec<Name>,
    /// Another version comes into use when a second person has approved it.
    pub second_person: bool,
    pub roles: Section<Role>,
    pub fields: Section<Field>,
    pub states: Section<State>,
    pub actions: Section<Action>,
    pub branches: Section<Branch>,
    /// Deadlines as declared, and those of `requests`, which are called like their request.
    pub deadlines: Section<Deadline>,
    pub requests: Section<Request>,
    pub tables: Section<Table>,
    pub params: Section<Param>,
    pub functions: Section<Function>,
    pub notices: Section<Notice>,
    pub sweeps: Section<Sweep>,
    pub always: Vec<Require>,
    pub reports: Section<Report>,
    pub documents: Section<Document>,
    pub forms: Section<Form>,
    pub imports: Section<Import>,
    pub desks: Section<Desk>,
    pub ledger: LedgerView,
    /// What anybody may read; nothing without it.
    pub published: Option<Published>,
    pub changes: Vec<Change>,
    /// The changes of all versions, put together.
    pub renames: Renames,
    /// Every expression of the workflow; [`Expr::id`] is the index here.
    pub expressions: Vec<Expr>,
}

/// What a month means when the day does not exist (30 November + 3 months).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonthOverflow {
    LastDay,
    FirstOfNext,
}

/// What happens to a due date on a day off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOff {
    NextWorkingDay,
    PreviousWorkingDay,
    Keep,
}

/// When mails may leave: on working days (or every day) from one local time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendWindow {
    pub working_days_only: bool,
    /// Local minutes after midnight.
    pub opens: u16,
    pub closes: u16,
}

/// A one-line Rhai expression, and where it stands. It is compiled once by `rules` under its id.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Index into [`Workflow::expressions`].
    pub id: u32,
    pub source: Name,
    /// Where it stands, such as `actions.reply.require[0].if`.
    pub path: Name,
    pub scope: Scope,
    pub wants: Wants,
}

/// Which views an expression may read beside `item`, `due`, `branches`, `today` and `param`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The branch kind whose fields `task` shows.
    pub branch: Option<Name>,
    /// The action whose input `input` shows, and whose `actor` is known. Branch actions are found under `branch`.
    pub action: Option<Name>,
    /// The request (of the same item or branch) whose `ask` `input` shows.
    pub request: Option<Name>,
    /// Inside `open: … set:` with `for_each`: the entry at hand is read as `each`; this is its type.
    pub each: Option<Type>,
}

/// What an expression has to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    Condition,
    /// Whatever it gives; what it has to fit stands in another workflow, and is looked at when all are read.
    Any,
    /// A value that fits this type.
    Value(Type),
    /// A list to open branches for, or a single unit, person or record.
    ForEach,
    /// What the rows of a report are told apart by: of few values, or a list of such.
    Key,
    /// Whatever can be shown in a table.
    Shown,
}

/// Where a value is read from without an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRef {
    pub of: Holder,
    pub field: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Item,
    Task,
    Input,
}

#[derive(Clone, Debug)]
pub struct Role {
    pub title: String,
    /// The first case whose `when` holds names the holders.
    pub who: Vec<WhoCase>,
}

#[derive(Clone, Debug)]
pub struct WhoCase {
    pub who: Who,
    pub when: Option<Expr>,
}

/// Who holds a role, through the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Group(Name),
    /// `DUTY of UNIT`
    Duty(Name, UnitPath),
    /// `person item.FIELD`, also for a list of persons
    Person(FieldRef),
    /// The engine itself.
    System,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitPath {
    Field(FieldRef),
    /// A unit by its id in the directory: `unit gov_office`
    Named(Name),
    CommitteeOf(Box<UnitPath>),
    ParentOf(Box<UnitPath>),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub title: String,
    pub kind: Type,
    pub required: bool,
    /// What people read instead of an option's name.
    pub option_titles: IndexMap<Name, String>,
    pub default: Option<Value>,
    pub unique: bool,
    /// Kept out of mails.
    pub secret: bool,
    /// A derived field: its value is this expression, always.
    pub is: Option<Expr>,
    /// A derived field of the item: what groups of people said in branches, weighed.
    pub tally: Option<Tally>,
    /// Roles that may see it; empty means everybody who sees the item.
    pub visible_to: Vec<Name>,
    pub sealed_until: Option<Name>,
}

impl Field {
    /// It is never recorded, but follows from what is.
    pub fn is_derived(&self) -> bool {
        self.is.is_some() || self.tally.is_some()
    }

    /// Whoever sees the item sees it.
    pub fn is_open(&self) -> bool {
        !self.secret && self.visible_to.is_empty() && self.sealed_until.is_none()
    }
}

/// The mean points of what each group said, weighed: a number in hundredths of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Branches of this kind, each the vote of one.
    pub of: Name,
    /// The states in which one counts.
    pub counts_in: Vec<Name>,
    /// The choice in which its answer is recorded, and the points of each option.
    pub answer: Name,
    pub points: Vec<(Name, i64)>,
    /// The choice that tells its group, and the weight of each.
    pub group: Name,
    pub weights: Vec<(Name, Weight)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weight {
    Number(u32),
    /// A param, valued on the day.
    Param(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    Start,
    Active,
    Waiting,
    End,
}

#[derive(Clone, Debug)]
pub struct State {
    pub title: String,
    pub kind: StateKind,
    pub owner: Option<Name>,
    pub no_deadline_needed: bool,
}

/// One way of doing an action: a role, perhaps under a condition, perhaps on behalf of another role.
#[derive(Clone, Debug)]
pub struct By {
    /// `system` is built in.
    pub role: Name,
    pub when: Option<Expr>,
    /// `for: ROLE`: done on behalf of whoever holds it, and recorded as such.
    pub on_behalf_of: Option<Name>,
    /// What is asked in addition then.
    pub ask: Vec<Ask>,
}

#[derive(Clone, Debug)]
pub struct Ask {
    pub name: Name,
    pub title: String,
    pub kind: Type,
    pub required: bool,
    /// It is a declared field (of the branch, else of the item) and is recorded there.
    pub records: Option<Holder>,
}

/// A condition with the sentence for the person refused.
#[derive(Clone, Debug)]
pub struct Require {
    pub condition: Expr,
    /// A template over the same views as the condition.
    pub say: String,
    pub path: Name,
}

/// What an action does beside moving: shared by actions, rows of `choose`, and the outcomes of a request.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    pub set: Vec<Set>,
    pub open: Vec<Open>,
    /// Branch kinds whose open branches are cancelled.
    pub cancel: Vec<Name>,
    /// Branch kind → its action, done on every branch where it is allowed.
    pub do_on: Vec<(Name, Name)>,
    /// `do_on` may match nothing.
    pub or_none: bool,
    pub tell: Vec<Name>,
    /// System actions tried afterwards, skipped quietly when refused. Inside a branch, actions of the item.
    pub then_try: Vec<Name>,
    /// `opens` and `sends`: what is asked of items of other workflows.
    pub errands: Vec<Errand>,
}

#[derive(Clone, Debug)]
pub struct Set {
    /// `Holder::Task` when the action belongs to a branch that declares the field, else `Holder::Item`.
    pub of: Holder,
    pub field: Name,
    pub value: SetValue,
    pub when: Option<Expr>,
}

#[derive(Clone, Debug)]
pub enum SetValue {
    /// A bare word that is an option of the choice field, a literal, or `empty`.
    Literal(Value),
    Expr(Expr),
}

/// `open: { BRANCH: [ … ] }`
#[derive(Clone, Debug)]
pub struct Open {
    pub branch: Name,
    /// One branch per unit, person or record; without it exactly one.
    pub for_each: Option<Expr>,
    /// Values of the new branch (`Holder::Task` means the new branch).
    pub set: Vec<Set>,
    pub when: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct Action {
    pub title: String,
    /// The name its fact carries; differs from the action's name only for requests (`extension.ask` → `extension.asked`).
    pub records_as: Name,
    pub by: Vec<By>,
    pub not_by: Option<Name>,
    /// It opens a new item: then `from` is empty and `to` is the start state.
    pub creates: bool,
    pub from: Vec<Name>,
    pub to: Option<Name>,
    pub choose: Vec<Choose>,
    pub ask: Vec<Ask>,
    pub require: Vec<Require>,
    pub effects: Effects,
    /// Figures of reports that are recorded as they are on its day.
    pub freeze: Vec<Freeze>,
    /// Numbers given by this action: field → format and what is counted per.
    pub sequence: Vec<Sequence>,
    /// The request it belongs to, and which step of it.
    pub request: Option<(Name, RequestStep)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestStep {
    Ask,
    Approve,
    Refuse,
}

#[derive(Clone, Debug)]
pub struct Choose {
    pub to: Option<Name>,
    /// `None` is `otherwise`.
    pub when: Option<Expr>,
    pub effects: Effects,
}

/// `sequence: { number: "{year}-{n:03}", per: session }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub field: Name,
    /// `{n}` or `{n:03}` is the number, `{FIELD}` a field of the item, `{year}` the year of the fact.
    pub format: String,
    /// Fields whose values together name the counter.
    pub per: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnePer {
    Unit,
    Person,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenItemEnds {
    Cancel,
    KeepOpen,
}

#[derive(Clone, Debug)]
pub struct Branch {
    pub title: String,
    /// At most one *open* branch of a unit or person; gives the branch the field `unit` or `person`.
    pub one_per: Option<OnePer>,
    pub at_most: Option<u32>,
    pub fields: Section<Field>,
    pub states: Section<State>,
    pub actions: Section<Action>,
    /// Named subsets: branches for which the condition (over `task`) holds.
    pub views: Section<Expr>,
    pub cancelled_state: Option<Name>,
    pub when_item_ends: WhenItemEnds,
    pub visible_to: Vec<Name>,
    pub sealed_until: Option<Name>,
}

#[derive(Clone, Debug)]
pub struct Deadline {
    pub title: String,
    pub branch: Option<Name>,
    /// Names of facts; `opened` is the opening of the branch.
    pub starts_on: Vec<Name>,
    pub ends_on: Vec<Name>,
    /// It runs exactly while the item or branch stands in one of these.
    pub runs_in: Vec<Name>,
    pub anchor: Option<FieldRef>,
    pub length: LengthRule,
    /// Evaluated and recorded when it would start.
    pub when: Option<Expr>,
    pub pauses_in: Vec<Name>,
    pub quiet_in: Vec<Name>,
    pub pauses_move_cap: bool,
    /// Fact → a length added to the date.
    pub extended_by: Vec<(Name, Expr)>,
    /// Fact → a new length from the same anchor.
    pub extended_to: Vec<(Name, LengthRule)>,
    pub no_later_than: Option<LengthRule>,
    pub day_off: Option<DayOff>,
    /// Local minutes after midnight; display only, the date ends at 24:00.
    pub by_hour: Option<u16>,
    pub ladder: Vec<Rung>,
    /// Action → the sentence with which it is refused after the date: this makes the deadline a window.
    pub closes: Vec<(Name, String)>,
    /// A word of the rule set, such as `statutory`.
    pub counts_as: Option<Name>,
    /// It was made of a row of `requests`.
    pub of_request: bool,
}

/// By what rule a date follows from the anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LengthRule {
    Fixed(Length),
    Param(Name),
    Table(Name),
    /// `until task.promised_on`: the recorded date itself; no date while it is empty.
    Until(FieldRef),
    /// `on 06-30`: the first such day after the anchor, and at least `at_least` away; never rolls.
    OnDay {
        month: u32,
        day: u32,
        at_least: Option<Length>,
    },
    /// `20 days before DEADLINE`
    Before(Length, Name),
    EarliestOf(Vec<LengthRule>),
}

#[derive(Clone, Debug)]
pub struct Rung {
    pub rung: Name,
    pub at: RungAt,
    pub tell: Vec<Name>,
    pub flag: Option<Flag>,
    /// A system action of the item or branch.
    pub action: Option<Name>,
    pub at_most: Option<u32>,
    /// Evaluated at the rung's moment.
    pub when: Option<Expr>,
    /// Fires even when its moment had passed before the rung existed.
    pub catch_up: bool,
    pub path: Name,
}

/// When a rung stands, counted from the final date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RungAt {
    Before(Length),
    OnTheDay,
    After(Length),
    /// `every 5 working days after`
    EveryAfter(Length),
    /// `every 30 November until due`
    YearlyUntilDue {
        month: u32,
        day: u32,
    },
    /// `every 3 months until due`, counted from the anchor
    EveryUntilDue(Length),
}

/// How bad it is; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    Amber,
    Red,
}

/// A request that runs while the item goes on. Its actions stand among the actions of the item or branch
/// (`NAME.ask`, `NAME.approve`, `NAME.refuse`), its deadline among the deadlines.
#[derive(Clone, Debug)]
pub struct Request {
    pub title: String,
    pub branch: Option<Name>,
    pub ask: Vec<Ask>,
    /// Sets of consents: one person of each role in a set is needed; more than one entry in a set means several persons.
    pub decide_by: Vec<By>,
    /// `decide_by: [{ all: [...] }]`: every role must consent.
    pub all_must_consent: bool,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub title: String,
    pub rows: Vec<TableRow>,
}

#[derive(Clone, Debug)]
pub struct TableRow {
    pub cells: Vec<(FieldRef, Cell)>,
    /// A param or a phrase.
    pub gives: LengthRule,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Any,
    /// `a or b`, or a single value
    OneOf(Vec<Value>),
    /// `N or more`
    AtLeast(i64),
    /// `N to M`
    Range(i64, i64),
}

/// A number the law sets, valued by date.
#[derive(Clone, Debug)]
pub struct Param {
    pub kind: Type,
    /// Ascending by `from`.
    pub values: Vec<ParamValue>,
}

#[derive(Clone, Debug)]
pub struct ParamValue {
    pub from: Date,
    pub value: Value,
    pub source: Option<String>,
}

impl Param {
    /// The row in force on a day; `None` before the first one.
    pub fn on(&self, day: Date) -> Option<&ParamValue> {
        self.values.iter().rev().find(|row| row.from <= day)
    }
}

#[derive(Clone, Debug)]
pub struct Function {
    pub title: String,
    pub file: String,
    pub takes: Section<Type>,
    pub gives: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Something happened.
    Message,
    /// Something falls due, or is late, told to whoever holds it.
    Reminder,
    /// Told to a body above.
    Escalation,
}

#[derive(Clone, Debug)]
pub struct Notice {
    pub title: String,
    pub kind: NoticeKind,
    pub to: Vec<Recipient>,
    pub cc: Vec<Recipient>,
    pub subject: String,
    /// The template file's stem under `templates/`; the notice's own name unless it says otherwise.
    pub template: Name,
    /// Branch kind: one notice for every open branch of it.
    pub one_mail_per: Option<Name>,
    /// One mail per person and day for all notices with it.
    pub bundle: bool,
    /// One mail per person over all the items that a sweep finds.
    pub list: bool,
    /// Actions that its addressee may do from the mail, without a password: of the branch that it is about, or of the item.
    pub links: Vec<Name>,
    /// The dotted names that its subject and its template read; what nobody reads is not captured. Filled in when the rule set is loaded.
    pub reads: Reads,
}

/// A paper that is filled from an item, to be printed and signed.
#[derive(Clone, Debug)]
pub struct Form {
    pub title: String,
    /// Branch kind: it is filled from one branch of it.
    pub of: Option<Name>,
    /// The template file's stem under `templates/forms/`; the form's own name unless it says otherwise.
    pub template: Name,
    /// The dotted names that its template reads. Filled in when the rule set is loaded.
    pub reads: Reads,
}

impl Form {
    /// What its template is called among the templates of the rule set.
    pub fn file(&self) -> String {
        format!("{FORMS}{}{FORM_ENDING}", self.template)
    }

    /// The name under which `file` is asked for by forms, when it is one of theirs.
    pub fn stem(file: &str) -> Option<&str> {
        file.strip_prefix(FORMS)?.strip_suffix(FORM_ENDING)
    }
}

/// Where the templates of forms stand under `templates/`, and how their names end.
const FORMS: &str = "forms/";
const FORM_ENDING: &str = ".html";

/// Which values a wording reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Empty when it is not known: everything may be read.
    names: Option<Vec<String>>,
}

impl Reads {
    pub fn only(names: Vec<String>) -> Reads {
        Reads { names: Some(names) }
    }

    /// Whether `view`, or something in it, is read.
    pub fn view(&self, view: &str) -> bool {
        self.any(|name| name == view || name.strip_prefix(view).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Whether `view.entry` is read, or the view as a whole.
    pub fn entry(&self, view: &str, entry: &str) -> bool {
        self.any(|name| match name.strip_prefix(view) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('.').is_some_and(|rest| rest.split('.').next() == Some(entry)),
            None => false,
        })
    }

    fn any(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|name| fits(name)))
    }
}

#[derive(Clone, Debug)]
pub struct Recipient {
    pub role: Name,
    /// Told when nobody holds `role`.
    pub or: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissed {
    RunOnce,
    Skip,
    RunEach,
}

#[derive(Clone, Debug)]
pub struct Sweep {
    pub title: String,
    /// Classic five fields.
    pub cron: String,
    /// Over the open branches of this kind instead of items.
    pub over: Option<Name>,
    /// It makes an item for each unit or person of the directory.
    pub creates: Option<Creates>,
    /// Over the item or branch; where it makes items, over the unit or person, which is read as `each`.
    pub when: Option<Expr>,
    pub action: Option<Name>,
    pub tell: Vec<Name>,
    pub if_missed: IfMissed,
    /// At most so many items a run.
    pub limit: Option<u32>,
}

/// How an office's list (a workbook) becomes items.
#[derive(Clone, Debug)]
pub struct Import {
    pub title: String,
    pub sheet: Option<String>,
    /// The column whose text is the item's id; it must not repeat.
    pub item: Option<Name>,
    /// Field or name → the heading of its column.
    pub columns: Section<Column>,
    /// What is done with each row, in order; the first creates the item.
    pub steps: Vec<ImportStep>,
}

impl Import {
    /// Where a list calls columns otherwise: those in `known` may have that heading as well, those in `told` have no other.
    pub fn under_headings(&self, known: &BTreeMap<Name, String>, told: &BTreeMap<Name, String>) -> Import {
        let mut import = self.clone();
        for (name, heading) in known {
            if let Some(column) = import.columns.get_mut(name).filter(|column| !column.headings.contains(heading)) {
                column.headings.push(heading.clone());
            }
        }
        for (name, heading) in told {
            if let Some(column) = import.columns.get_mut(name) {
                column.headings = vec![heading.clone()];
            }
        }
        import
    }
}

#[derive(Clone, Debug)]
pub struct Column {
    /// Headings under which the column is known; the first is the usual one.
    pub headings: Vec<String>,
    pub kind: Type,
    pub required: bool,
    /// The words of the list → our values (`大会` → `in_session`).
    pub values: IndexMap<String, Name>,
}

#[derive(Clone, Debug)]
pub struct ImportStep {
    pub action: Name,
    /// The role of the person who did it: the first holder is recorded, on behalf of the office.
    pub by: Name,
    /// The column with the day on which it was done; a step without a day in its cell is left out, as are all after it.
    pub on: Name,
    /// Input → column.
    pub with: IndexMap<Name, Name>,
}

#[derive(Clone, Debug)]
pub struct Change {
    pub version: u32,
    pub because: String,
    pub renamed_states: IndexMap<Name, Name>,
    pub renamed_fields: IndexMap<Name, Name>,
    pub renamed_actions: IndexMap<Name, Name>,
    pub renamed_branches: IndexMap<Name, Name>,
    pub renamed_deadlines: IndexMap<Name, Name>,
    /// A state that is gone, with the one in which its items stand from now on.
    pub retired_states: IndexMap<Name, Name>,
    /// Gone with what was recorded in them, or ran under them.
    pub retired_fields: Vec<Name>,
    pub retired_branches: Vec<Name>,
    pub retired_deadlines: Vec<Name>,
    pub retired_requests: Vec<Name>,
    /// What becomes of the dates of open items, by deadline.
    pub open_items: Section<OpenItems>,
    /// Params, and `calendar`, that were wrong for days that have passed: what was derived from them becomes different.
    pub corrected: Vec<Name>,
}

/// Whether the dates of open items follow a deadline that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenItems {
    /// They stay as the rules before made them.
    Keep,
    /// They are counted anew.
    Recompute,
}

impl FieldRef {
    /// `item.class`, as the author wrote it.
    pub fn text(&self) -> String {
        let of = match self.of {
            Holder::Item => "item",
            Holder::Task => "task",
            Holder::Input => "input",
        };
        format!("{of}.{}", self.field)
    }
}

impl Workflow {
    /// The fields of the item, or of a branch.
    pub fn fields_of(&self, branch: Option<&str>) -> Option<&Section<Field>> {
        match branch {
            None => Some(&self.fields),
            Some(kind) => self.branches.get(kind).map(|branch| &branch.fields),
        }
    }

    pub fn states_of(&self, branch: Option<&str>) -> Option<&Section<State>> {
        match branch {
            None => Some(&self.states),
            Some(kind) => self.branches.get(kind).map(|branch| &branch.states),
        }
    }

    pub fn actions_of(&self, branch: Option<&str>) -> Option<&Section<Action>> {
        match branch {
            None => Some(&self.actions),
            Some(kind) => self.branches.get(kind).map(|branch| &branch.actions),
        }
    }

    /// The action that a link of a mail means: the branch's own by that name, else the item's. Whether it is done on the branch stands beside it.
    pub fn linked(&self, branch: Option<&str>, name: &str) -> Option<(bool, &Action)> {
        let of = |branch: Option<&str>| self.actions_of(branch).and_then(|actions| actions.get(name));
        let own = branch.and_then(|kind| of(Some(kind)));
        own.map(|action| (true, action)).or_else(|| of(None).map(|action| (false, action)))
    }

    /// The state in which an item begins.
    pub fn start_state(&self) -> Option<&Name> {
        self.states.iter().find(|(_, state)| state.kind == StateKind::Start).map(|(name, _)| name)
    }

    /// Defaults of the item's or a branch's fields.
    pub fn defaults(&self, branch: Option<&str>) -> Fields {
        let fields = self.fields_of(branch).into_iter().flatten();
        fields.filter_map(|(name, field)| Some((name.clone(), field.default.clone()?))).collect()
    }
}
