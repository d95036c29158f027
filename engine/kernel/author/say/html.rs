//! The document as a page that prints on A4, with a place for signatures. It needs nothing beside itself.

use super::Document;
use crate::kernel::render::escaped;
use crate::kernel::words::{Lang, say};
use std::fmt::Write;

const STYLE: &str = include_str!("print.css");

pub fn html(document: &Document, lang: Lang) -> String {
    let word = |key: &str, values: &[(&str, &str)]| escaped(&say(lang, &format!("author.say.{key}"), values));
    let version = document.version.to_string();
    let title = word("title", &[("title", &document.title), ("version", &version)]);
    let language = if lang == Lang::Zh { "zh-CN" } else { "en" };
    let mut out = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    let mut push = |text: String| {
        // Writing into a text cannot fail.
        let _ = writeln!(out, "{text}");
    };
    push(format!("<p class=\"head\">{}</p>", word("head", &[("workflow", &document.workflow), ("hash", &document.hash)])));
    for section in &document.sections {
        push(format!("<section>\n<h2>{}</h2>\n<table>", escaped(&section.title)));
        for rule in &section.rules {
            let name = if *rule.name == *rule.title || rule.title.is_empty() {
                String::new()
            } else {
                format!("<br><code>{}</code>", escaped(&rule.name))
            };
            let sentences = rule.sentences.iter().map(|sentence| format!("<p>{}</p>", escaped(sentence))).collect::<String>();
            let steps = rule.steps.iter().map(|step| format!("<li>{}</li>", escaped(step))).collect::<String>();
            let steps = if steps.is_empty() { String::new() } else { format!("<ol>{steps}</ol>") };
            push(format!("<tr><th scope=\"row\">{}{name}</th><td>{sentences}{steps}</td></tr>", escaped(&rule.title)));
        }
        push("</table>\n</section>".to_string());
    }
    let signed = say(lang, "author.say.signatures", &[]);
    let places = signed.split('|').map(|place| format!("<span>{}</span>", escaped(place))).collect::<String>();
    push(format!("<footer>{places}</footer>\n</body>\n</html>"));
    out
}
