//! What is declared and never used (W111): usually a name that was changed in one place only; and languages of which nothing is kept (W610).

use super::at::{Checked, words};
use super::fields::{placeholders, rules_of, uses_table};
use super::holders;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use std::collections::HashSet;

pub fn check(at: &Checked) -> Vec<Problem> {
    let workflow = at.workflow;
    let read = Read::of(at);
    let mut problems = Vec::new();
    let mut unused = |path: String, name: &Name| problems.push(at.problem("W111", &format!("{path}@")).with("name", name));
    for name in workflow.roles.keys().filter(|name| !read.roles.contains(&***name)) {
        unused(format!("roles.{name}"), name);
    }
    for level in at.levels() {
        let section = level.map_or("fields".to_string(), |kind| format!("branches.{kind}.fields"));
        for (name, _) in
            workflow.fields_of(level.map(|name| &**name)).into_iter().flatten().filter(|(name, _)| !read.fields.contains(&***name))
        {
            unused(format!("{section}.{name}"), name);
        }
    }
    for name in workflow.params.keys().filter(|name| !read.lengths.contains(&***name) && !read.words.contains(&***name)) {
        unused(format!("params.{name}"), name);
    }
    for name in workflow.tables.keys().filter(|name| !workflow.deadlines.values().any(|deadline| uses_table(deadline, name))) {
        unused(format!("tables.{name}"), name);
    }
    for name in workflow.functions.keys() {
        let inside = at.functions.values().flat_map(|text| words(text)).filter(|word| *word == &**name).count();
        if !read.expressions.contains(&**name) && inside < 2 {
            unused(format!("functions.{name}"), name);
        }
    }
    // Titles stand in the rule files in one language.
    for (index, language) in workflow.languages.iter().enumerate().skip(1) {
        let problem = at.problem("W610", &format!("languages[{index}]")).with("language", language);
        problems.push(problem.with("first", &workflow.languages[0]));
    }
    problems
}

/// Every name that is read somewhere, by what it names. A word in an expression may name anything.
struct Read<'a> {
    expressions: HashSet<&'a str>,
    /// Words of expressions, functions and templates.
    words: HashSet<String>,
    fields: HashSet<String>,
    lengths: HashSet<&'a str>,
    roles: HashSet<&'a str>,
}

impl<'a> Read<'a> {
    fn of(at: &Checked<'a>) -> Read<'a> {
        let workflow = at.workflow;
        let expressions: HashSet<&str> = workflow.expressions.iter().flat_map(|expr| words(&expr.source)).collect();
        let mut all: HashSet<String> = expressions.iter().map(|word| word.to_string()).collect();
        all.extend(at.functions.values().flat_map(|text| words(text)).map(str::to_string));
        let sentences = at.acts().iter().flat_map(|act| act.action.require.iter().map(|require| &require.say));
        let sentences = sentences.chain(workflow.always.iter().map(|require| &require.say));
        let sentences = sentences.chain(workflow.notices.values().map(|notice| &notice.subject)).chain(at.templates.values());
        for text in sentences {
            let names = at.names_read(text);
            all.extend(names.iter().flatten().flat_map(|read| words(&read.name)).map(str::to_string));
        }
        let mut read = Read { expressions, fields: all.clone(), words: all, lengths: HashSet::new(), roles: holders::roles_used(at) };
        read.declarations(at);
        read
    }

    fn declarations(&mut self, at: &Checked<'a>) {
        let workflow = at.workflow;
        let mut field = |name: &Name| self.fields.insert(name.to_string());
        for act in at.acts() {
            act.action.ask.iter().filter(|ask| ask.records.is_some()).for_each(|ask| _ = field(&ask.name));
            for freeze in &act.action.freeze {
                field(&freeze.row.field);
                freeze.set.iter().for_each(|(name, _)| _ = field(name));
            }
            for (effects, _) in act.effects() {
                effects.set.iter().chain(effects.open.iter().flat_map(|open| &open.set)).for_each(|set| _ = field(&set.field));
                for errand in &effects.errands {
                    match &errand.to {
                        ErrandTo::New { link, .. } => link.iter().for_each(|(_, name)| _ = field(name)),
                        ErrandTo::Named(named) => _ = field(&named.field),
                    }
                }
                // a branch opened from records gets its fields from them
                let records =
                    effects.open.iter().filter(|open| open.for_each.is_some()).filter_map(|open| workflow.branches.get(&open.branch));
                records.flat_map(|branch| branch.fields.keys()).for_each(|name| _ = field(name));
            }
            for sequence in &act.action.sequence {
                field(&sequence.field);
                sequence.per.iter().for_each(|name| _ = field(name));
                placeholders(&sequence.format).for_each(|name| _ = field(&name.into()));
            }
        }
        workflow
            .roles
            .values()
            .flat_map(|role| &role.who)
            .filter_map(|case| super::fields::field_of(&case.who))
            .for_each(|of| _ = field(&of.field));
        workflow.tables.values().flat_map(|table| &table.rows).flat_map(|row| &row.cells).for_each(|(of, _)| _ = field(&of.field));
        workflow.deadlines.values().filter_map(|deadline| deadline.anchor.as_ref()).for_each(|anchor| _ = field(&anchor.field));
        for tally in workflow.fields.values().filter_map(|field| field.tally.as_ref()) {
            [&tally.answer, &tally.group].into_iter().for_each(|name| _ = field(name));
            self.lengths.extend(tally.weights.iter().filter_map(|(_, weight)| match weight {
                Weight::Param(name) => Some(&**name),
                Weight::Number(_) => None,
            }));
        }
        workflow.reports.values().flat_map(|report| report.keys()).filter_map(super::reports::bare).for_each(|name| _ = field(name));
        for (name, deadline) in &workflow.deadlines {
            rules_of(name, deadline).into_iter().for_each(|(rule, _)| self.rule(rule));
        }
        workflow.tables.values().flat_map(|table| &table.rows).for_each(|row| self.rule(&row.gives));
    }

    fn rule(&mut self, rule: &'a LengthRule) {
        match rule {
            LengthRule::Param(name) | LengthRule::Table(name) => _ = self.lengths.insert(name),
            LengthRule::Until(field) => _ = self.fields.insert(field.field.to_string()),
            LengthRule::EarliestOf(rules) => rules.iter().for_each(|rule| self.rule(rule)),
            LengthRule::Fixed(_) | LengthRule::OnDay { .. } | LengthRule::Before(..) => {}
        }
    }
}
