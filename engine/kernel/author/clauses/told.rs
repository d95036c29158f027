//! The head, functions, notices, sweeps, reports, forms and imports.

use super::time::day_off_key;
use super::{Clauses, Kind, Row, sorted};
use crate::kernel::author::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;

pub fn workflow(speaker: &Speaker) -> Row {
    let workflow = speaker.workflow;
    let mut clauses = Clauses::titled(speaker, &workflow.title);
    clauses.wording("version", "", &workflow.version.to_string());
    clauses.add("calendar", &*workflow.calendar, &*workflow.calendar);
    clauses.add("timezone", workflow.timezone.name(), workflow.timezone.name());
    let overflow = match workflow.month_overflow {
        MonthOverflow::LastDay => "last_day",
        MonthOverflow::FirstOfNext => "first_of_next",
    };
    clauses.add("month_overflow", overflow, speaker.say(&format!("month_overflow.{overflow}"), &[]));
    clauses.add("day_off", format!("{:?}", workflow.day_off), speaker.say(day_off_key(workflow.day_off), &[]));
    let window = &workflow.send_window;
    let days = if window.working_days_only { "window.working_days" } else { "window.every_day" };
    let (opens, closes) = (Speaker::clock(window.opens), Speaker::clock(window.closes));
    clauses.add("send_window", format!("{window:?}"), speaker.say(days, &[("opens", &opens), ("closes", &closes)]));
    clauses.names("amend_by", &workflow.amend_by, |speaker| speaker.roles(&workflow.amend_by));
    clauses.on("second_person", workflow.second_person);
    clauses.wording("languages", "", &workflow.languages.join(" "));
    for (name, text) in &workflow.letter {
        clauses.wording("letter", name, text);
    }
    for change in &workflow.changes {
        let meaning = format!("{:?}", Change { because: String::new(), ..change.clone() });
        clauses.of("change", change.version.to_string(), meaning, change.because.clone());
    }
    clauses.row(Kind::Workflow, None, &workflow.name, &workflow.title)
}

pub fn functions(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, function) in &speaker.workflow.functions {
        let mut clauses = Clauses::titled(speaker, &function.title);
        let takes = function.takes.values().map(|kind| speaker.kind(kind));
        clauses.add("takes", format!("{:?}", function.takes), speaker.list(takes));
        clauses.add("gives", format!("{:?}", function.gives), speaker.kind(&function.gives));
        let meaning = speaker.terms.function(name).map_or_else(|| "code".to_string(), |term| format!("{term:?}"));
        let text = speaker.function_body(name).unwrap_or_else(|| speaker.code(&format!("{}: {name}", function.file)));
        clauses.add("body", meaning, text);
        rows.push(clauses.row(Kind::Function, None, name, &function.title));
    }
}

pub fn notices(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, notice) in &speaker.workflow.notices {
        let mut clauses = Clauses::titled(speaker, &notice.title);
        let kind = match notice.kind {
            NoticeKind::Message => "message",
            NoticeKind::Reminder => "reminder",
            NoticeKind::Escalation => "escalation",
        };
        clauses.add("notice_kind", kind, speaker.say(&format!("notice.{kind}"), &[]));
        for (aspect, recipients) in [("to", &notice.to), ("cc", &notice.cc)] {
            if !recipients.is_empty() {
                let mut meaning: Vec<String> = recipients.iter().map(|to| format!("{} or {:?}", to.role, to.or)).collect();
                meaning.sort();
                clauses.add(if aspect == "to" { "notice_to" } else { "notice_cc" }, meaning.join(", "), speaker.recipients(recipients));
            }
        }
        if let Some(branch) = &notice.one_mail_per {
            clauses.add("one_mail_per", &**branch, speaker.branch(branch));
        }
        clauses.on("bundle", notice.bundle);
        clauses.on("list", notice.list);
        if !notice.links.is_empty() {
            let anywhere = |name: &Name| speaker.workflow.branches.values().find_map(|branch| branch.actions.get(name));
            let of_item = |name: &Name| speaker.workflow.actions.get(name);
            let title = |name: &Name| {
                of_item(name).or_else(|| anywhere(name)).map_or_else(|| name.to_string(), |action| speaker.action_title(action))
            };
            let titles = notice.links.iter().map(title);
            clauses.add("links", notice.links.join(", "), speaker.list(titles));
        }
        clauses.wording("subject", "", &notice.subject);
        clauses.wording("template", "", &notice.template);
        rows.push(clauses.row(Kind::Notice, None, name, &notice.title));
    }
}

pub fn sweeps(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, sweep) in &speaker.workflow.sweeps {
        let of = sweep.over.as_deref();
        let mut clauses = Clauses::titled(speaker, &sweep.title);
        clauses.add("cron", sweep.cron.split_whitespace().collect::<Vec<_>>().join(" "), speaker.cron(&sweep.cron));
        if let Some(branch) = &sweep.over {
            clauses.add("over", &**branch, speaker.branch(branch));
        }
        clauses.condition("sweep_when", &sweep.when);
        if let Some(action) = &sweep.action {
            clauses.add("do", &**action, speaker.fact(of, action));
        }
        if let Some(creates) = &sweep.creates {
            let each = speaker.say(if creates.for_each == ForEach::Units { "each_unit" } else { "each_person" }, &[]);
            let (meaning, with) = super::flow::handed_over(speaker, &creates.with);
            let text =
                speaker.say("made_for_each", &[("each", &each), ("action", &speaker.fact(None, &creates.action)), ("id", &creates.id)]);
            let text = if with.is_empty() { text } else { speaker.say("with", &[("text", &text), ("sets", &with)]) };
            clauses.add("makes", format!("{:?} {} {} with {meaning}", creates.for_each, creates.action, creates.id), text);
        }
        for notice in &sweep.tell {
            clauses.entry("tell", &**notice, speaker.told(notice));
        }
        let missed = match sweep.if_missed {
            IfMissed::RunOnce => "run_once",
            IfMissed::Skip => "skip",
            IfMissed::RunEach => "run_each",
        };
        clauses.add("if_missed", missed, speaker.say(&format!("if_missed.{missed}"), &[]));
        if let Some(limit) = sweep.limit {
            clauses.add("limit", limit.to_string(), limit.to_string());
        }
        rows.push(clauses.row(Kind::Sweep, None, name, &sweep.title));
    }
}

pub fn reports(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, report) in &speaker.workflow.reports {
        let mut clauses = Clauses::titled(speaker, &report.title);
        if let Some(branch) = &report.over {
            clauses.add("report_over", &**branch, speaker.branch(branch));
        }
        clauses.condition("report_when", &report.when);
        if let Some(of) = &report.of {
            clauses.add("report_of", speaker.meaning(&of.expr), speaker.expr(&of.expr));
        }
        let over = report.over.as_deref();
        match &report.shape {
            Shape::Counts { by, share } => {
                let (meaning, text) = speaker.row_key(over, by);
                clauses.add("report_by", meaning, text);
                if let Some(share) = share {
                    let field = speaker.workflow.fields.get(&by.source);
                    let title = field.and_then(|field| field.option_titles.get(share)).map_or(&**share, String::as_str);
                    clauses.add("share", &**share, title);
                }
            }
            Shape::Figures { by, columns, total } => {
                for key in by {
                    let (meaning, text) = speaker.row_key(over, key);
                    clauses.of("report_by", meaning.clone(), meaning, text);
                }
                for (column, figure) in columns {
                    let (meaning, text) = speaker.measure(columns, &figure.measure);
                    let said =
                        if figure.title.is_empty() { text } else { speaker.say("figure", &[("title", &figure.title), ("text", &text)]) };
                    clauses.of("figure", &**column, meaning, said);
                }
                clauses.on("report_total", *total);
            }
            Shape::List { columns, order } => {
                for (heading, shown) in columns {
                    clauses.of(
                        "report_list",
                        &**heading,
                        speaker.meaning(&shown.expr),
                        speaker.say("figure", &[("title", heading), ("text", &speaker.expr(&shown.expr))]),
                    );
                }
                for (index, shown) in order.iter().enumerate() {
                    clauses.of("report_order", (index + 1).to_string(), speaker.meaning(&shown.expr), speaker.expr(&shown.expr));
                }
            }
        }
        rows.push(clauses.row(Kind::Report, None, name, &report.title));
    }
}

impl Speaker<'_> {
    /// What rows are told apart by: its meaning, and how it is read.
    fn row_key(&self, over: Option<&str>, key: &RowKey) -> (String, String) {
        let meaning = match &key.expr {
            Some(expr) => self.meaning(expr),
            None => key.source.to_string(),
        };
        let text = match (&key.title, &key.field, &key.expr) {
            (Some(title), _, _) => title.to_string(),
            (None, Some(field), _) => self.reference(over, field),
            (None, None, Some(expr)) => self.expr(expr),
            (None, None, None) => key.source.to_string(),
        };
        (meaning, text)
    }

    fn measure(&self, columns: &Section<Figure>, measure: &Measure) -> (String, String) {
        let of = |key: &str, expr: &Expr| {
            (format!("{key} {}", self.meaning(expr)), self.say(&format!("measure.{key}"), &[("text", &self.expr(expr))]))
        };
        let title = |name: &Name| columns.get(name).map_or_else(|| name.to_string(), |figure| figure.title.clone());
        match measure {
            Measure::Count(None) => ("count".to_string(), self.say("measure.all", &[])),
            Measure::Count(Some(condition)) => of("count", condition),
            Measure::Sum(expr) => of("sum", expr),
            Measure::Earliest(expr) => of("earliest", expr),
            Measure::Latest(expr) => of("latest", expr),
            Measure::Share { part, whole } => {
                (format!("{part} of {whole}"), self.say("measure.share", &[("part", &title(part)), ("whole", &title(whole))]))
            }
        }
    }
}

pub fn documents(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, document) in &speaker.workflow.documents {
        let mut clauses = Clauses::titled(speaker, &document.title);
        clauses.on("of_one", document.of_one);
        for (place, part) in document.parts.iter().enumerate() {
            let of = |(workflow, report): &(Option<Name>, Name)| {
                let own = speaker.workflow.reports.get(report).filter(|_| workflow.is_none());
                let full = workflow.as_ref().map_or_else(|| report.to_string(), |workflow| format!("{workflow}.{report}"));
                (full.clone(), own.map_or(full, |report| report.title.clone()))
            };
            let (meaning, report) = part.report.as_ref().map(of).unwrap_or_default();
            let said: Vec<&str> = [part.heading.as_deref(), Some(&*report), part.text.as_deref().map(str::trim)]
                .into_iter()
                .flatten()
                .filter(|text| !text.is_empty())
                .collect();
            let meaning = format!("{meaning} {:?} {:?}", part.heading, part.text);
            clauses.of("document_part", (place + 1).to_string(), meaning, said.join(&speaker.say("semicolon", &[])));
        }
        rows.push(clauses.row(Kind::Document, None, name, &document.title));
    }
}

pub fn forms(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, form) in &speaker.workflow.forms {
        let mut clauses = Clauses::titled(speaker, &form.title);
        if let Some(branch) = &form.of {
            clauses.add("form_of", &**branch, speaker.branch(branch));
        }
        clauses.wording("template", "", &form.template);
        rows.push(clauses.row(Kind::Form, None, name, &form.title));
    }
}

pub fn imports(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, import) in &speaker.workflow.imports {
        let mut clauses = Clauses::titled(speaker, &import.title);
        if let Some(sheet) = &import.sheet {
            clauses.add("sheet", sheet, sheet);
        }
        for (column, declared) in &import.columns {
            let words: Vec<String> = declared.values.iter().map(|(word, value)| format!("{word}={value}")).collect();
            let meaning = format!("{:?} {:?} {} {}", declared.headings, declared.kind, declared.required, words.join(","));
            let heading = speaker.any_of(&declared.headings);
            clauses.of(
                "column",
                &**column,
                meaning,
                speaker.say("column", &[("heading", &heading), ("kind", &speaker.kind(&declared.kind))]),
            );
        }
        for (index, step) in import.steps.iter().enumerate() {
            let with: Vec<String> = step.with.iter().map(|(input, column)| format!("{input}={column}")).collect();
            let text = speaker.say("import_step", &[("action", &speaker.fact(None, &step.action)), ("role", &speaker.role(&step.by))]);
            let meaning =
                format!("{} {} {} {}", step.action, step.by, step.on, sorted(&with.iter().map(|w| w.as_str().into()).collect::<Vec<_>>()));
            clauses.of("step", (index + 1).to_string(), meaning, text);
        }
        rows.push(clauses.row(Kind::Import, None, name, &import.title));
    }
}
