//! Counting, item by item: each is derived once a day, and all columns are asked of what was derived.

use super::{Cell, Column, ColumnKind, Key, KeyColumn, Kind, Of, Row, Table, hundredths_of_percent, of};
use crate::kernel::decide::capture;
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::attached::{Attached, PREFIX};
use crate::kernel::model::definition::{Field, FieldRef, Figure, Holder, Measure, Report, RowKey, Shape, Shown};
use crate::kernel::model::fact::Fact;
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Type, Value};
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::{Date, Instant};
use indexmap::IndexMap;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// A report being made, for callers that read items in portions. Portions may be counted beside each other, and put together.
#[derive(Clone)]
pub struct Tally {
    rules: Arc<Rules>,
    name: Name,
    days: Vec<Date>,
    /// Only what is theirs counts.
    of: Option<Of>,
    columns: Vec<Column>,
    rows: Vec<Gathered>,
    /// The row of a combination of keys.
    places: HashMap<Vec<String>, usize>,
    all: Gathered,
    /// Of a list: what it is ordered by, and what it shows.
    lines: Vec<(Vec<Value>, Vec<Cell>)>,
}

/// One item or branch is being looked at.
struct Looking<'r> {
    rules: &'r Rules,
    report: &'r Report,
    of: Option<&'r Of>,
    /// Of each column; none of a share, which is made of others at the end.
    measures: Vec<Option<&'r Measure>>,
}

/// What was found for one row, by day.
#[derive(Clone)]
struct Gathered {
    keys: Vec<Value>,
    counted: Vec<u64>,
    /// By day and column.
    found: Vec<Vec<Found>>,
}

#[derive(Clone, Copy)]
enum Found {
    Number(i64),
    Day(Option<Date>),
}

/// The only measure of a report that counts by a field.
static ALL: Measure = Measure::Count(None);

/// Where a value comes from, which says how it is called and in which order it stands.
#[derive(Clone, Copy)]
pub(super) enum Source<'r> {
    Field(&'r Field),
    State(Option<&'r Name>),
    /// A unit or a person that the engine gives to a branch.
    Given,
    Other,
}

impl Tally {
    /// `days` stand in order. A report that the rules do not have says nothing.
    pub fn new(rules: &Arc<Rules>, name: &Name, days: &[Date]) -> Tally {
        let (columns, rows) = begun(rules, name, days.len());
        let places = rows.iter().enumerate().map(|(place, row)| (row.keys.iter().map(plain).collect(), place)).collect();
        let all = Gathered::new(Vec::new(), &columns, days.len());
        Tally { rules: rules.clone(), name: name.clone(), days: days.to_vec(), of: None, columns, rows, places, all, lines: Vec::new() }
    }

    /// Counts only what is theirs.
    pub fn of(self, of: Option<Of>) -> Tally {
        Tally { of, ..self }
    }

    /// Looks at one item, on every day on which it was there.
    pub fn count(&mut self, id: &str, facts: &[Fact], known_by: Option<Instant>) -> Result<(), EvalError> {
        Tally::count_all(std::slice::from_mut(self), id, facts, known_by)
    }

    /// Looks at one item for several reports of the same workflow and days, which derives it once for all of them.
    pub fn count_all(tallies: &mut [Tally], id: &str, facts: &[Fact], known_by: Option<Instant>) -> Result<(), EvalError> {
        let Some(first) = tallies.first() else { return Ok(()) };
        let (rules, days) = (first.rules.clone(), first.days.clone());
        let of: Vec<Option<Of>> = tallies.iter().map(|tally| tally.of.clone()).collect();
        let looking: Vec<Option<Looking>> = tallies
            .iter()
            .zip(&of)
            .map(|(tally, of)| {
                let report = rules.setting.workflow.reports.get(&tally.name)?;
                Some(Looking { rules: &rules, report, of: of.as_ref(), measures: measures(report) })
            })
            .collect();
        derive::days::on_days(&rules, id, facts, &days, known_by, |day, item| {
            let each = tallies.iter_mut().zip(&looking);
            each.filter_map(|(tally, looking)| Some((tally, looking.as_ref()?)))
                .try_for_each(|(tally, looking)| tally.on_day(looking, day, &item))
        })
    }

    fn on_day(&mut self, looking: &Looking, day: usize, item: &Arc<Item>) -> Result<(), EvalError> {
        let Some(kind) = &looking.report.over else { return self.one(looking, day, derive::view(looking.rules, item, None)) };
        let counted = item.branches.iter().filter(|branch| branch.kind == *kind && !branch.cancelled);
        counted.map(|branch| branch.no).try_for_each(|no| self.one(looking, day, derive::view(looking.rules, item, Some(no))))
    }

    /// One item, or one branch of it, on one day.
    fn one(&mut self, looking: &Looking, day: usize, view: View) -> Result<(), EvalError> {
        if !looking.is_meant(&view)? {
            return Ok(());
        }
        if let Shape::List { columns, order } = &looking.report.shape {
            self.all.counted[day] += 1;
            let line = looking.line(columns, order, &view)?;
            self.lines.push(line);
            return Ok(());
        }
        let values = looking.values(&view)?;
        self.all.add(day, &looking.measures, &values)?;
        for keys in looking.keys(&view)? {
            let row = self.row(keys);
            self.rows[row].add(day, &looking.measures, &values)?;
        }
        Ok(())
    }

    fn row(&mut self, keys: Vec<Value>) -> usize {
        let names: Vec<String> = keys.iter().map(plain).collect();
        if let Some(place) = self.places.get(&names) {
            return *place;
        }
        self.places.insert(names, self.rows.len());
        self.rows.push(Gathered::new(keys, &self.columns, self.days.len()));
        self.rows.len() - 1
    }

    /// Adds what was found in later items.
    pub fn merge(&mut self, later: Tally) -> Result<(), EvalError> {
        let rules = self.rules.clone();
        let Some(report) = rules.setting.workflow.reports.get(&self.name) else { return Ok(()) };
        let measures = measures(report);
        self.all.merge(&later.all, &measures)?;
        for row in later.rows {
            let place = self.row(row.keys.clone());
            self.rows[place].merge(&row, &measures)?;
        }
        self.lines.extend(later.lines);
        Ok(())
    }

    pub fn table(self) -> Table {
        let Tally { rules, name, days, of, columns, rows, all, lines, .. } = self;
        laid_out(&rules, Counted { name, days, of, columns, rows, all, lines })
    }
}

/// What was counted, in any order.
struct Counted {
    name: Name,
    days: Vec<Date>,
    of: Option<Of>,
    columns: Vec<Column>,
    rows: Vec<Gathered>,
    all: Gathered,
    lines: Vec<(Vec<Value>, Vec<Cell>)>,
}

/// A report as it is when nothing has happened yet.
pub(super) fn blank(rules: &Rules, name: &Name, days: &[Date]) -> Table {
    let (columns, rows) = begun(rules, name, days.len());
    let all = Gathered::new(Vec::new(), &columns, days.len());
    laid_out(rules, Counted { name: name.clone(), days: days.to_vec(), of: None, columns, rows, all, lines: Vec::new() })
}

fn laid_out(rules: &Rules, counted: Counted) -> Table {
    let Counted { name, days, of, columns, mut rows, all, mut lines } = counted;
    let mut table = Table {
        of,
        title: String::new(),
        kind: Kind::Figures,
        keys: Vec::new(),
        rows: Vec::new(),
        totals: all.cells(&columns, &all),
        counted: all.counted.clone(),
        shows_total: false,
        share_of: None,
        report: name.clone(),
        columns,
        days,
    };
    let Some(report) = rules.setting.workflow.reports.get(&name) else { return table };
    table.title.clone_from(&report.title);
    let keys: Vec<Source> = report.keys().iter().map(|key| Source::of(rules, report, key.field.as_ref())).collect();
    match &report.shape {
        // What counts by one field keeps the order in which values came up.
        Shape::Counts { share, .. } => {
            table.kind = Kind::Counts;
            table.shows_total = true;
            table.share_of.clone_from(share);
        }
        Shape::Figures { total, .. } => {
            table.shows_total = *total;
            rows.sort_by(|one, other| in_order(rules, &keys, &one.keys, &other.keys));
        }
        Shape::List { order, .. } => {
            table.kind = Kind::List;
            let sources: Vec<Source> = order.iter().map(|shown| Source::of(rules, report, shown.field.as_ref())).collect();
            lines.sort_by(|(one, _), (other, _)| in_order(rules, &sources, one, other));
        }
    }
    let last = table.days.last().copied().unwrap_or_default();
    table.keys = report.keys().iter().zip(&keys).map(|(key, source)| source.heading(key)).collect();
    for row in &rows {
        let key = |(source, value): (&Source, &Value)| Key { value: plain(value), shown: source.cell(rules, value, last) };
        let keys = keys.iter().zip(&row.keys).map(key).collect();
        table.rows.push(Row { keys, counted: row.counted.clone(), cells: row.cells(&table.columns, &all) });
    }
    table.rows.extend(lines.into_iter().map(|(_, cells)| Row { keys: Vec::new(), counted: vec![1], cells: vec![cells] }));
    table
}

impl Looking<'_> {
    fn is_meant(&self, view: &View) -> Result<bool, EvalError> {
        let theirs = self.of.map_or(Ok(true), |of| of::counts(self.rules, self.report, of, view))?;
        Ok(theirs && self.report.when.as_ref().map_or(Ok(true), |condition| self.rules.scripts.holds(condition, view))?)
    }

    /// What each column counts, adds up or looks for.
    fn values(&self, view: &View) -> Result<Vec<Value>, EvalError> {
        let scripts = &self.rules.scripts;
        let value = |measure: &Option<&Measure>| match measure {
            Some(Measure::Count(None)) => Ok(Value::Number(1)),
            Some(Measure::Count(Some(condition))) => Ok(Value::Number(i64::from(scripts.holds(condition, view)?))),
            Some(Measure::Sum(expr) | Measure::Earliest(expr) | Measure::Latest(expr)) => scripts.eval(expr, view),
            Some(Measure::Share { .. }) | None => Ok(Value::Empty),
        };
        self.measures.iter().map(value).collect()
    }

    /// The rows in which it counts: each entry of a list in a row of its own.
    fn keys(&self, view: &View) -> Result<Vec<Vec<Value>>, EvalError> {
        let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
        for key in self.report.keys() {
            let entries = self.entries(key, view)?;
            if let [only] = &entries[..] {
                combinations.iter_mut().for_each(|keys| keys.push(only.clone()));
                continue;
            }
            let with = |before: &Vec<Value>| entries.iter().map(|entry| [before, std::slice::from_ref(entry)].concat()).collect::<Vec<_>>();
            combinations = combinations.iter().flat_map(with).collect();
        }
        Ok(combinations)
    }

    /// The values of a key: those of a list one by one, each once.
    fn entries(&self, key: &RowKey, view: &View) -> Result<Vec<Value>, EvalError> {
        let value = match (&key.expr, &key.field) {
            (Some(expr), _) => self.rules.scripts.eval(expr, view)?,
            (None, Some(field)) => view.item.field(&field.field).clone(),
            (None, None) => Value::Empty,
        };
        let Value::List(entries) = value else { return Ok(vec![value]) };
        let mut each: Vec<Value> = Vec::with_capacity(entries.len());
        for entry in entries {
            if !each.contains(&entry) {
                each.push(entry);
            }
        }
        Ok(if each.is_empty() { vec![Value::Empty] } else { each })
    }

    fn line(&self, columns: &IndexMap<Name, Shown>, order: &[Shown], view: &View) -> Result<(Vec<Value>, Vec<Cell>), EvalError> {
        let scripts = &self.rules.scripts;
        let order = order.iter().map(|shown| scripts.eval(&shown.expr, view)).collect::<Result<_, _>>()?;
        let cell = |shown: &Shown| {
            let value = scripts.eval(&shown.expr, view)?;
            Ok(Source::of(self.rules, self.report, shown.field.as_ref()).cell(self.rules, &value, view.today))
        };
        Ok((order, columns.values().map(cell).collect::<Result<_, _>>()?))
    }
}

fn measures(report: &Report) -> Vec<Option<&Measure>> {
    match &report.shape {
        Shape::Counts { .. } => vec![Some(&ALL), None],
        Shape::Figures { columns, .. } => {
            columns.values().map(|figure| Some(&figure.measure).filter(|measure| !measure.is_share())).collect()
        }
        Shape::List { .. } => Vec::new(),
    }
}

/// The columns of a report, and the rows that it has before anything is counted.
fn begun(rules: &Rules, name: &Name, days: usize) -> (Vec<Column>, Vec<Gathered>) {
    let Some(report) = rules.setting.workflow.reports.get(name) else { return (Vec::new(), Vec::new()) };
    let columns = columns(report);
    let row = |option: Name| Gathered::new(vec![Value::Text(option)], &columns, days);
    let rows = options(rules, report).into_iter().map(row).collect();
    (columns, rows)
}

/// Every option of a single key has its row, also when nothing stands under it.
fn options(rules: &Rules, report: &Report) -> Vec<Name> {
    match report.keys() {
        [only] => Source::of(rules, report, only.field.as_ref()).options(rules).into_iter().cloned().collect(),
        _ => Vec::new(),
    }
}

fn columns(report: &Report) -> Vec<Column> {
    match &report.shape {
        Shape::Counts { .. } => {
            let column = |name: &str, kind| Column { name: name.into(), title: String::new(), kind };
            vec![column("count", ColumnKind::Count), column("percent", ColumnKind::Share { part: 0, whole: None })]
        }
        Shape::Figures { columns, .. } => {
            // A name that is not there has been told by the checks.
            let place = |name: &Name| columns.get_index_of(name).unwrap_or_default();
            let kind = |measure: &Measure| match measure {
                Measure::Count(_) => ColumnKind::Count,
                Measure::Sum(_) => ColumnKind::Sum,
                Measure::Earliest(_) | Measure::Latest(_) => ColumnKind::Day,
                Measure::Share { part, whole } => ColumnKind::Share { part: place(part), whole: Some(place(whole)) },
            };
            let column =
                |(name, figure): (&Name, &Figure)| Column { name: name.clone(), title: figure.title.clone(), kind: kind(&figure.measure) };
            columns.iter().map(column).collect()
        }
        Shape::List { columns, .. } => {
            columns.keys().map(|heading| Column { name: heading.clone(), title: heading.to_string(), kind: ColumnKind::Shown }).collect()
        }
    }
}

impl Gathered {
    fn new(keys: Vec<Value>, columns: &[Column], days: usize) -> Gathered {
        let nothing = |column: &Column| if column.kind == ColumnKind::Day { Found::Day(None) } else { Found::Number(0) };
        let found: Vec<Found> = columns.iter().map(nothing).collect();
        Gathered { keys, counted: vec![0; days], found: vec![found; days] }
    }

    fn add(&mut self, day: usize, measures: &[Option<&Measure>], values: &[Value]) -> Result<(), EvalError> {
        self.counted[day] += 1;
        for ((measure, value), found) in measures.iter().zip(values).zip(&mut self.found[day]) {
            let more = match value {
                Value::Number(more) => Found::Number(*more),
                Value::Date(date) => Found::Day(Some(*date)),
                _ => continue,
            };
            found.add(more, *measure)?;
        }
        Ok(())
    }

    fn merge(&mut self, later: &Gathered, measures: &[Option<&Measure>]) -> Result<(), EvalError> {
        for (count, more) in self.counted.iter_mut().zip(&later.counted) {
            *count += more;
        }
        for (found, more) in self.found.iter_mut().zip(&later.found) {
            for ((found, more), measure) in found.iter_mut().zip(more).zip(measures) {
                found.add(*more, *measure)?;
            }
        }
        Ok(())
    }

    /// A count or a sum, where it is one that can have a share.
    fn amount(&self, day: usize, place: usize) -> Option<u64> {
        match self.found.get(day)?.get(place)? {
            Found::Number(sum) => u64::try_from(*sum).ok(),
            Found::Day(_) => None,
        }
    }

    /// By day and column. A share without a whole of its own is of everything.
    fn cells(&self, columns: &[Column], all: &Gathered) -> Vec<Vec<Cell>> {
        let cell = |day: usize, place: usize, column: &Column| match (&column.kind, self.found[day][place]) {
            (ColumnKind::Share { part, whole: Some(whole) }, _) => match (self.amount(day, *part), self.amount(day, *whole)) {
                (Some(part), Some(whole)) if whole > 0 => Cell::Share(hundredths_of_percent(part, whole)),
                _ => Cell::Empty,
            },
            (ColumnKind::Share { part, whole: None }, _) => match (self.amount(day, *part), all.amount(day, *part)) {
                (Some(part), Some(whole)) if whole > 0 => Cell::Share(hundredths_of_percent(part, whole)),
                _ => Cell::Empty,
            },
            (_, Found::Day(date)) => date.map_or(Cell::Empty, Cell::Day),
            (_, Found::Number(sum)) => Cell::Number(sum),
        };
        let on = |day: usize| columns.iter().enumerate().map(|(place, column)| cell(day, place, column)).collect();
        (0..self.counted.len()).map(on).collect()
    }
}

impl Found {
    fn add(&mut self, more: Found, measure: Option<&Measure>) -> Result<(), EvalError> {
        match (self, more) {
            (Found::Number(sum), Found::Number(more)) => *sum = sum.checked_add(more).ok_or_else(|| too_large(measure))?,
            (Found::Day(known), Found::Day(Some(date))) => {
                let earliest = matches!(measure, Some(Measure::Earliest(_)));
                *known = Some(known.map_or(date, |known| if earliest { known.min(date) } else { known.max(date) }));
            }
            _ => {}
        }
        Ok(())
    }
}

fn too_large(measure: Option<&Measure>) -> EvalError {
    let expr = measure.and_then(Measure::expr);
    let (path, source_text) = expr.map_or_else(|| ("".into(), "".into()), |expr| (expr.path.clone(), expr.source.clone()));
    EvalError { path, source_text, what: "the sum is too large".to_string() }
}

impl<'r> Source<'r> {
    pub(super) fn of(rules: &'r Rules, report: &'r Report, field: Option<&FieldRef>) -> Source<'r> {
        let Some(field) = field else { return Source::Other };
        let kind = report.over.as_ref().filter(|_| field.of == Holder::Task);
        let declared = rules.setting.workflow.fields_of(kind.map(|kind| &**kind)).and_then(|fields| fields.get(&field.field));
        match (declared, &*field.field) {
            (Some(field), _) => Source::Field(field),
            (None, "state") => Source::State(kind),
            (None, "unit" | "person") => Source::Given,
            (None, _) => Source::Other,
        }
    }

    /// The options in their order.
    pub(super) fn options(self, rules: &'r Rules) -> Vec<&'r Name> {
        match self {
            Source::Field(field) => match field.kind.entry() {
                Type::Choice(options) => options.iter().collect(),
                _ => Vec::new(),
            },
            Source::State(kind) => {
                rules.setting.workflow.states_of(kind.map(|kind| &**kind)).into_iter().flat_map(|states| states.keys()).collect()
            }
            Source::Given | Source::Other => Vec::new(),
        }
    }

    /// What the author wrote above it, or the title of the field; what the engine gives has its word in the catalogue.
    fn heading(self, key: &RowKey) -> KeyColumn {
        let own = match self {
            Source::Field(field) => field.title.clone(),
            Source::State(_) | Source::Given | Source::Other => String::new(),
        };
        let given = match self {
            Source::State(_) | Source::Given => key.field.as_ref().map(|field| field.field.clone()),
            Source::Field(_) | Source::Other => None,
        };
        KeyColumn { source: key.source.clone(), title: key.title.as_ref().map_or(own, |title| title.to_string()), given }
    }

    /// As it was called on the day.
    fn cell(self, rules: &Rules, value: &Value, day: Date) -> Cell {
        match value {
            Value::Empty => Cell::Empty,
            Value::Bool(yes) => Cell::YesNo(*yes),
            Value::Number(number) => Cell::Number(*number),
            Value::Date(day) => Cell::Day(*day),
            Value::Length(length) => Cell::Text(length.to_string()),
            Value::List(entries) => Cell::Several(entries.iter().map(|entry| self.cell(rules, entry, day)).collect()),
            Value::Record(_) => Cell::Text(plain(value)),
            Value::Text(text) if text.starts_with(PREFIX) => Cell::Text(Attached::shown(text)),
            Value::Text(text) => Cell::Text(self.title(rules, text, day)),
        }
    }

    pub(super) fn title(self, rules: &Rules, text: &Name, day: Date) -> String {
        let of_directory = || capture::title_on(rules, text, day);
        match self {
            Source::Field(field) => match field.kind.entry() {
                Type::Choice(_) => field.option_titles.get(text).cloned().unwrap_or_else(|| text.to_string()),
                Type::Unit | Type::Person => of_directory(),
                _ => text.to_string(),
            },
            Source::State(kind) => {
                let states = rules.setting.workflow.states_of(kind.map(|kind| &**kind));
                states.and_then(|states| states.get(text)).map_or_else(|| text.to_string(), |state| state.title.clone())
            }
            // What is put together may be a unit or a person.
            Source::Given | Source::Other => of_directory(),
        }
    }

    /// Options as they were declared, units and persons as the directory has them; what is empty comes last.
    fn rank(self, rules: &Rules, value: &Value) -> (u8, i64) {
        let directory = &rules.setting.directory;
        let place = |place: Option<usize>| place.and_then(|place| i64::try_from(place).ok());
        match value {
            Value::Empty => (2, 0),
            Value::Number(number) => (0, *number),
            Value::Bool(yes) => (0, i64::from(!yes)),
            Value::Date(day) => (0, i64::from(chrono::Datelike::num_days_from_ce(day))),
            Value::Text(text) => {
                let option = self.options(rules).iter().position(|option| *option == text);
                let known = place(option.or_else(|| directory.units.get_index_of(text)).or_else(|| directory.persons.get_index_of(text)));
                known.map_or((1, 0), |place| (0, place))
            }
            Value::Length(_) | Value::List(_) | Value::Record(_) => (1, 0),
        }
    }
}

fn in_order(rules: &Rules, sources: &[Source], one: &[Value], other: &[Value]) -> Ordering {
    for (source, (one, other)) in sources.iter().zip(one.iter().zip(other)) {
        let order = source.rank(rules, one).cmp(&source.rank(rules, other)).then_with(|| plain(one).cmp(&plain(other)));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// A value as its row is known by.
fn plain(value: &Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::Text(text) => text.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Date(date) => date.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
