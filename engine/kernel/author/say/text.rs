//! The document as plain text.

use super::Document;
use crate::kernel::words::{Lang, say};
use std::fmt::Write;

pub fn text(document: &Document, lang: Lang) -> String {
    let mut out = String::new();
    // One rule alone needs no headings.
    let alone = document.sections.iter().map(|section| section.rules.len()).sum::<usize>() == 1;
    if !alone {
        let head = say(lang, "author.say.title", &[("title", &document.title), ("version", &document.version.to_string())]);
        line(&mut out, 0, &head);
    }
    for section in &document.sections {
        if !alone {
            out.push('\n');
            line(&mut out, 0, &section.title);
            out.push('\n');
        }
        for rule in &section.rules {
            if !rule.title.is_empty() {
                let name = if *rule.name == *rule.title { "" } else { &rule.name };
                let key = if name.is_empty() { "author.say.rule" } else { "author.say.rule_named" };
                line(&mut out, 1, &say(lang, key, &[("title", &rule.title), ("name", name)]));
            }
            let sentences = rule.sentences.join(&say(lang, "author.say.space", &[]));
            if !sentences.is_empty() {
                line(&mut out, 3, &sentences);
            }
            rule.steps.iter().for_each(|step| line(&mut out, 3, &format!("· {step}")));
        }
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing into a text cannot fail.
    let _ = writeln!(out, "{}{text}", " ".repeat(depth * 2));
}
