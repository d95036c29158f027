//! `duban say`: a rule set in plain sentences, for somebody who signs it and reads no expressions.

use super::diff::rule_set;
use super::office::Stop;
use super::{Context, exit};
use crate::kernel::author::clauses::Kind;
use crate::kernel::author::say::{self as author, Document, What};
use crate::kernel::model::Name;
use crate::kernel::read::reader::nearest;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::say;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

/// Who may do what in which state, instead of the rules one by one.
const MATRIX: &str = "matrix";

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban say deadline reply
         duban say rules/letters matrix
         duban say rules/letters --format html > rules.html")]
pub struct SayArgs {
    /// Folder of the rule set (default: as for every command), then what: a kind of rule, or a kind and a name; `matrix` is who may do what in
    /// which state
    #[arg(num_args = 0..=3, value_name = "FOLDER|KIND|NAME")]
    pub what: Vec<String>,
    /// Only this workflow
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// Text, or a page that prints on A4
    #[arg(long, value_parser = ["text", "html"], default_value = "text")]
    pub format: String,
}

pub fn run(args: &SayArgs, context: &Context) -> anyhow::Result<i32> {
    let (folder, words) = match args.what.split_first() {
        Some((first, rest)) if kind_of(first, context).is_none() && (first.contains('/') || PathBuf::from(first).is_dir()) => {
            (PathBuf::from(first), rest)
        }
        _ => (context.settings.rules_folder()?, args.what.as_slice()),
    };
    let matrix = matches!(words, [word] if word == MATRIX);
    let what = if matrix { What::default() } else { wanted(words, context)? };
    let set = rule_set(&folder, context)?;
    let mut documents: Vec<Document> = Vec::new();
    let mut missing: Option<author::NoSuchRow> = None;
    for (_, rules) in workflows(&set, args.workflow.as_deref(), context)? {
        if matrix {
            documents.push(author::matrix(&set, &rules, context.lang));
            continue;
        }
        match author::document(&set, &rules, &what, context.lang) {
            Ok(document) => documents.push(document),
            Err(none) => missing = Some(none),
        }
    }
    if documents.is_empty() {
        return Err(no_row(missing, context).into());
    }
    if context.json {
        anstream::println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "documents": documents }))?);
        return Ok(exit::DONE);
    }
    for document in &documents {
        match args.format.as_str() {
            "html" => anstream::print!("{}", author::html(document, context.lang)),
            _ => anstream::print!("{}", author::text(document, context.lang)),
        }
    }
    let in_code: usize = documents.iter().map(|document| document.in_code(context.lang)).sum();
    if in_code > 0 && !context.quiet {
        anstream::eprintln!("{}", say(context.lang, "author.say.in_code", &[("count", &in_code.to_string())]));
    }
    Ok(exit::DONE)
}

/// The workflows that are meant: the one that was named, else all.
pub fn workflows(set: &RuleSet, named: Option<&str>, context: &Context) -> anyhow::Result<Vec<(Name, Arc<Rules>)>> {
    let all = set.workflows.iter().map(|(name, rules)| (name.clone(), rules.clone()));
    let Some(named) = named else { return Ok(all.collect()) };
    let found: Vec<_> = all.filter(|(name, rules)| **name == *named || rules.setting.workflow.title == named).collect();
    if found.is_empty() {
        let known: Vec<&str> = set.workflows.keys().map(|name| &**name).collect();
        return Err(Stop::usage(context.lang, "author.no_workflow", &[("name", named), ("known", &known.join(", "))]).into());
    }
    Ok(found)
}

/// A kind by its word, in the singular or plural, or by its title.
fn kind_of(word: &str, context: &Context) -> Option<Kind> {
    let known = |kind: &Kind| {
        let title = |group: &str| say(context.lang, &format!("author.{group}.{}", kind.word()), &[]);
        kind.word() == word || word.strip_suffix('s') == Some(kind.word()) || title("kind") == word || title("kinds") == word
    };
    Kind::ALL.into_iter().find(known)
}

fn wanted(words: &[String], context: &Context) -> anyhow::Result<What> {
    let Some(word) = words.first() else { return Ok(What::default()) };
    match kind_of(word, context) {
        // Rungs are said with their deadline.
        Some(Kind::Ladder) => Ok(What { kind: Some(Kind::Deadline), name: words.get(1).cloned() }),
        Some(kind) => Ok(What { kind: Some(kind), name: words.get(1).cloned() }),
        None if words.len() == 1 => Ok(What { kind: None, name: Some(word.clone()) }),
        None => {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).chain([MATRIX]).collect();
            let mut stop = Stop::usage(context.lang, "author.say.no_kind", &[("kind", word), ("known", &known.join(", "))]);
            // What was meant as a folder comes first, and is none.
            let near = words.iter().find_map(|word| nearest(word, known.iter().copied()));
            if let Some(near) = near {
                stop.sentence += &say(context.lang, "usage.near", &[("near", near)]);
            }
            Err(stop.into())
        }
    }
}

fn no_row(missing: Option<author::NoSuchRow>, context: &Context) -> Stop {
    let mut missing = missing.unwrap_or(author::NoSuchRow { name: String::new(), known: Vec::new() });
    missing.known.push(MATRIX.to_string());
    let known = missing.known.join(", ");
    match nearest(&missing.name, missing.known.iter().map(String::as_str)) {
        Some(near) => Stop::usage(context.lang, "author.say.no_row_near", &[("name", &missing.name), ("near", near)]),
        None => Stop::usage(context.lang, "author.say.no_row", &[("name", &missing.name), ("known", &known)]),
    }
}
