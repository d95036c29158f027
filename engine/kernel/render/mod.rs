//! Templates: strict about missing names, escaped by kind of file, dates and numbers in the reader's language.
//!
//! Wording comes from authors, so it gets a small world: no statement that reaches another template, no repetition of strings, bounded
//! work and bounded output. Nothing here decides who is told what.

mod blocks;
mod filters;
mod letter;
mod pages;
mod reading;
mod scan;

pub use blocks::{Block, Fact, Line, Run, blocks};
pub use filters::NOT_SHOWN;
pub use letter::{FRAMES, FrameError, Frames, Letter, LetterError, Link, Wording};
pub use pages::Pages;
pub use reading::NameRead;
pub use scan::{Printed, printed};

use crate::kernel::words::Lang;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, ErrorKind, Template, UndefinedBehavior, Value, machinery};
use std::io;
use std::sync::LazyLock;

/// A template that cannot be read or filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct RenderError {
    pub line: u32,
    pub what: String,
    /// The name that is missing, when that is what is wrong.
    pub missing: Option<String>,
}

/// What one rendering may put out, in bytes.
pub const MAX_OUTPUT: usize = 1_000_000;

/// Steps of the template machine for one rendering; it bounds time as well as the memory held on the way.
const FUEL: u64 = 200_000;

static CHINESE: LazyLock<Environment<'static>> = LazyLock::new(|| wording_environment("zh-CN"));
static ENGLISH: LazyLock<Environment<'static>> = LazyLock::new(|| wording_environment("en"));

fn wording(lang: Lang) -> &'static Environment<'static> {
    match lang {
        Lang::Zh => &CHINESE,
        Lang::En => &ENGLISH,
    }
}

fn wording_environment(lang: &'static str) -> Environment<'static> {
    let mut environment = strict_environment();
    environment.remove_filter("safe");
    for global in ["debug", "range", "dict"] {
        environment.remove_global(global);
    }
    environment.add_global("lang", lang);
    environment
}

/// Fills a one-line template (`say`, `subject`). Line breaks and other control characters in values become spaces.
pub fn line(template: &str, values: &serde_json::Value) -> Result<String, RenderError> {
    line_in(Lang::Zh, template, values)
}

/// [`line`] with dates in a language of the engine's, where the values do not say otherwise by `lang`.
pub fn line_in(lang: Lang, template: &str, values: &serde_json::Value) -> Result<String, RenderError> {
    let filled = text_in(lang, template, values)?;
    let breaks = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
    Ok(filled.split(breaks).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "))
}

/// Fills a template of many lines (the body of a notice), as plain text.
pub fn text_in(lang: Lang, template: &str, values: &serde_json::Value) -> Result<String, RenderError> {
    scan::scan(template, wording(lang))?;
    render(wording(lang).template_from_named_str("wording.txt", template), Value::from(Serde(values)))
}

/// Fills a template of HTML (a form): what stands in the values is escaped.
pub fn html_in(lang: Lang, template: &str, values: &serde_json::Value) -> Result<String, RenderError> {
    scan::scan(template, wording(lang))?;
    render(wording(lang).template_from_named_str("wording.html", template), Value::from(Serde(values)))
}

/// What a template reads, such as `item.number`, sorted; or why it cannot be read. A misspelt filter or test, and statements that wording
/// may not use, are errors here already.
pub fn names_read(template: &str) -> Result<Vec<NameRead>, RenderError> {
    scan::scan(template, &CHINESE)?;
    let parsed = machinery::parse(template, "wording.txt", Default::default()).map_err(|error| render_error(&error))?;
    let globals: Vec<&str> = CHINESE.globals().map(|(name, _)| name).collect();
    Ok(reading::reads(&parsed, &globals))
}

/// A text inside markup that is put together by hand.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Fills a page of the engine's own, as long as it gets: what stands in it is escaped, and the frame is no author's.
pub fn page(frame: &str, values: &serde_json::Value) -> Result<String, RenderError> {
    let mut environment = strict_environment();
    environment.set_fuel(None);
    let filled = environment.template_from_named_str("page.html", frame).and_then(|page| page.render(Value::from(Serde(values))));
    filled.map_err(|error| render_error(&error))
}

fn strict_environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::None => Ok(()),
        _ => minijinja::escape_formatter(out, state, value),
    });
    filters::add_to(&mut environment);
    environment
}

fn render(template: Result<Template, minijinja::Error>, values: Value) -> Result<String, RenderError> {
    let mut out = Capped(Vec::new());
    template.and_then(|template| template.render_captured_to(values, &mut out).map(|_| ())).map_err(|error| render_error(&error))?;
    String::from_utf8(out.0).map_err(|_| RenderError { line: 1, what: "the output is not UTF-8".into(), missing: None })
}

fn render_error(error: &minijinja::Error) -> RenderError {
    let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
    let missing = (error.kind() == ErrorKind::UndefinedError)
        .then(|| error.template_source().zip(error.range()).and_then(|(source, range)| scan::first_name(source.get(range)?)))
        .flatten();
    let mut what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    if let Some(name) = &missing {
        what = format!("`{name}` has no value here");
    } else if error.kind() == ErrorKind::WriteFailure {
        what = format!("the output is longer than {MAX_OUTPUT} bytes");
    }
    RenderError { line, what, missing }
}

/// A writer that refuses to grow beyond [`MAX_OUTPUT`].
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("output too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
