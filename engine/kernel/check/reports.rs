//! Reports and imports: what they count by and what they fill in is there and of a fitting kind (E106, E107, E213, E216, E705 to E709).

use super::at::{Act, Checked};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, report) in &at.workflow.reports {
        counted(at, name, report, &mut problems);
        secret(at, report, &mut problems);
    }
    at.workflow.imports.iter().for_each(|(name, import)| filled(at, name, import, &mut problems));
    problems
}

fn counted(at: &Checked, name: &Name, report: &Report, problems: &mut Vec<Problem>) {
    let path = |rest: &str| format!("reports.{name}.{rest}");
    if let Some((of, field)) = report.of.as_ref().and_then(|of| Some((of, of.field.as_ref()?))) {
        let kind = report.over.as_ref().filter(|_| field.of == Holder::Task);
        let declared = at.workflow.fields_of(kind.map(|kind| &**kind)).and_then(|fields| fields.get(&field.field));
        if declared.is_some_and(|field| !countable(&field.kind)) {
            problems.push(at.problem("E705", &path("of")).variant("of").with("field", &of.expr.source));
        }
    }
    match &report.shape {
        Shape::Counts { by, share } => {
            let Some(field) = bare(by).and_then(|name| at.workflow.fields.get(name)) else { return };
            match (&field.kind, share) {
                (Type::Choice(options), Some(share)) if !options.contains(share) => {
                    problems.push(at.no_option(&path("share"), share, &by.source, options));
                }
                (Type::Choice(_), _) => {}
                (_, Some(_)) => problems.push(at.problem("E705", &path("share")).variant("share").with("field", &by.source)),
                (kind, None) if countable(kind) => {}
                (_, None) => problems.push(at.problem("E705", &path("by")).with("field", &by.source)),
            }
        }
        Shape::Figures { by, columns, .. } => {
            for (key, field) in by.iter().filter_map(|key| Some((key, bare(key)?))) {
                if at.workflow.fields.get(field).is_some_and(|field| !countable(&field.kind)) {
                    problems.push(at.problem("E705", &key.path).with("field", field));
                }
            }
            for (column, figure) in columns {
                let Measure::Share { part, whole } = &figure.measure else { continue };
                for (key, wanted) in [("share", part), ("of", whole)] {
                    let place = path(&format!("columns.{column}.{key}"));
                    match columns.get(wanted) {
                        None => {
                            let known = columns.iter().filter(|(_, figure)| figure.measure.is_amount()).map(|(name, _)| &**name);
                            problems.push(at.unknown("E709", &place, wanted, known));
                        }
                        Some(figure) if !figure.measure.is_amount() => {
                            problems.push(at.problem("E708", &place).variant("no_amount").with("column", wanted));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        Shape::List { .. } => {}
    }
}

/// E405: what a report prints goes as far as a mail.
fn secret(at: &Checked, report: &Report, problems: &mut Vec<Problem>) {
    for (key, field) in report.keys().iter().filter_map(|key| Some((key, bare(key)?))) {
        if at.is_secret(None, field) {
            problems.push(at.problem("E405", &key.path).variant("report").with("name", field));
        }
    }
    let listed = match &report.shape {
        Shape::List { columns, .. } => columns.values().map(|shown| &shown.expr).collect(),
        _ => report.keys().iter().filter_map(|key| key.expr.as_ref()).collect::<Vec<_>>(),
    };
    for expr in listed.into_iter().chain(report.of.as_ref().map(|of| &of.expr)) {
        if let Some((_, field)) = at.reads(expr).fields.iter().find(|(kind, field)| at.is_secret(kind.as_ref(), field)) {
            problems.push(at.problem("E405", &expr.path).variant("report").with("name", field));
        }
    }
}

/// The field of the item that a key names without an expression.
pub fn bare(key: &RowKey) -> Option<&Name> {
    key.field.as_ref().filter(|_| key.expr.is_none()).map(|field| &field.field)
}

fn countable(kind: &Type) -> bool {
    match kind {
        Type::Choice(_) | Type::Unit | Type::Person | Type::Text | Type::Year | Type::Number | Type::YesNo => true,
        Type::List(entry) => !matches!(**entry, Type::List(_)) && countable(entry),
        _ => false,
    }
}

fn filled(at: &Checked, name: &Name, import: &Import, problems: &mut Vec<Problem>) {
    let path = |rest: &str| format!("imports.{name}.{rest}");
    let mut column = |wanted: &Name, path: &str| {
        if !import.columns.contains_key(wanted) {
            problems.push(at.unknown("E706", path, wanted, import.columns.keys().map(|name| &**name)));
        }
    };
    import.item.iter().for_each(|item| column(item, &path("item")));
    for (index, step) in import.steps.iter().enumerate() {
        column(&step.on, &path(&format!("steps[{index}].on")));
        step.with.iter().for_each(|(input, from)| column(from, &path(&format!("steps[{index}].with.{input}"))));
    }
    for name in import.item.iter().filter(|name| import.columns.get(*name).is_some_and(|column| !column.required)) {
        problems.push(at.problem("E706", &path(&format!("columns.{name}@"))).variant("may_be_empty").with("name", name));
    }
    for (index, step) in import.steps.iter().enumerate() {
        let Some(act) = action(at, step) else { continue };
        let here = path(&format!("steps[{index}]"));
        if index == 0 && !act.action.creates {
            problems.push(at.problem("E707", &format!("{here}.do")).with("action", act.name));
        }
        if import.columns.get(&step.on).is_some_and(|column| column.kind != Type::Date) {
            problems.push(at.problem("E706", &format!("{here}.on")).variant("not_a_date").with("name", &step.on));
        }
        let asks: Vec<&Ask> = act.action.ask.iter().chain(act.action.by.iter().flat_map(|by| &by.ask)).collect();
        for input in step.with.keys().filter(|input| !asks.iter().any(|ask| ask.name == **input)) {
            let problem = at.unknown("E706", &format!("{here}.with.{input}@"), input, asks.iter().map(|ask| &*ask.name));
            problems.push(if problem.variant.is_none() { problem.variant("no_input") } else { problem });
        }
        for (input, from) in &step.with {
            let (Some(ask), Some(column)) = (asks.iter().find(|ask| ask.name == *input), import.columns.get(from)) else { continue };
            if !may_fill(&column.kind, &ask.kind) {
                let problem = at.problem("E706", &path(&format!("columns.{from}.type"))).variant("type").with("name", from);
                problems.push(problem.with("action", act.name).with("input", input));
            }
            if index == 0 && ask.required && !column.required {
                problems.push(at.problem("E706", &path(&format!("columns.{from}@"))).variant("may_be_empty").with("name", from));
            }
            let Type::Choice(options) = &ask.kind else { continue };
            for (word, value) in column.values.iter().filter(|(_, value)| !options.contains(*value)) {
                problems.push(at.no_option(&path(&format!("columns.{from}.values.{word}")), value, input, options));
            }
        }
        for ask in act.action.ask.iter().filter(|ask| ask.required && !step.with.contains_key(&ask.name)) {
            problems.push(at.problem("E706", &format!("{here}@")).variant("missing").with("name", &ask.name).with("action", act.name));
        }
    }
}

/// What stands in a column of one type can be what an action asks for: texts are read as whatever is asked.
fn may_fill(column: &Type, asked: &Type) -> bool {
    match (column, asked) {
        (Type::Text | Type::Choice(_), _) | (Type::Number | Type::Year, Type::Number | Type::Year) => true,
        (Type::List(one), Type::List(other)) => one == other,
        (one, Type::Text) => !matches!(one, Type::List(_)),
        (one, Type::List(other)) => one == &**other,
        (one, other) => one == other,
    }
}

fn action<'c, 'a>(at: &'c Checked<'a>, step: &ImportStep) -> Option<&'c Act<'a>> {
    let whole = at.acts().iter().find(|act| *act.name == step.action);
    whole.or_else(|| {
        let (kind, action) = step.action.split_once('.')?;
        at.acts().iter().find(|act| act.branch.is_some_and(|branch| &**branch == kind) && &**act.name == action)
    })
}
