//! One or several notices become a letter: a subject, a text part, and an HTML part made of the same text inside the frames.
//!
//! To whom it goes, its headers and its bytes are left to `mail`.

use super::blocks::{self, Block};
use super::{RenderError, filters, line_in, render_error, strict_environment, text_in};
use crate::kernel::words::{self, Lang};
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, State};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// The frames that every set of frames has.
pub const FRAMES: [&str; 4] = ["notice.txt", "notice.html", "digest.txt", "digest.html"];

/// How much of a letter its preheader quotes.
const PREHEADER_CHARACTERS: usize = 80;

/// A digest of no more notices than this shows each in full; of more, it is their subjects that people read.
const IN_FULL: usize = 5;

/// The frames of mails, ready to be filled.
#[derive(Clone, Debug)]
pub struct Frames {
    environment: Environment<'static>,
}

/// A notice in the words of its rule set.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    /// Template of one line.
    pub subject: &'a str,
    /// Template of many lines, plain text.
    pub body: &'a str,
    /// What was captured with the notice.
    pub values: &'a Json,
    /// An entry of a list (`list: true`): its body is one entry, and its subject that of the whole mail.
    pub list: bool,
    /// What its reader may do from the mail.
    pub links: &'a [Link],
}

/// A way from a mail to a thing that its reader may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What is done there.
    pub title: String,
    pub url: String,
    /// As people read it: until when it is good.
    pub until: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What is wrong with a frame, and with which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame `{frame}`, {error}")]
pub struct FrameError {
    pub frame: String,
    pub error: RenderError,
}

/// Why a letter could not be written: the wording (its place among those given), or a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    #[error("the subject, {1}")]
    Subject(usize, RenderError),
    #[error("the text, {1}")]
    Body(usize, RenderError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("no notice was given")]
    Nothing,
}

/// A notice with its subject and body filled in.
struct Filled<'a> {
    subject: String,
    body: String,
    values: &'a Json,
    links: &'a [Link],
}

impl Frames {
    /// Reads frames by name (`notice.txt` …). All of [`FRAMES`] have to be there.
    pub fn new<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Frames, FrameError> {
        let mut environment = strict_environment();
        environment.add_function("say", say);
        for (name, source) in sources {
            environment
                .add_template_owned(name.to_string(), source.to_string())
                .map_err(|error| FrameError { frame: name.to_string(), error: render_error(&error) })?;
        }
        for frame in FRAMES {
            environment.get_template(frame).map_err(|error| FrameError { frame: frame.into(), error: render_error(&error) })?;
        }
        Ok(Frames { environment })
    }

    /// Writes the letter for notices that go to one person in one mail: the worst first, in the words of each.
    pub fn letter(&self, lang: Lang, wordings: &[Wording]) -> Result<Letter, LetterError> {
        self.referred(lang, wordings, "")
    }

    /// The same with the reference under which the mail is asked about.
    pub fn referred(&self, lang: Lang, wordings: &[Wording], reference: &str) -> Result<Letter, LetterError> {
        let mut filled = Vec::with_capacity(wordings.len());
        for (index, wording) in wordings.iter().enumerate() {
            filled.push(Filled {
                subject: line_in(lang, wording.subject, wording.values).map_err(|error| LetterError::Subject(index, error))?,
                body: text_in(lang, wording.body, wording.values).map_err(|error| LetterError::Body(index, error))?,
                values: wording.values,
                links: wording.links,
            });
        }
        filled.sort_by_key(|notice| std::cmp::Reverse(urgency(notice.values)));
        let [first, rest @ ..] = &filled[..] else { return Err(LetterError::Nothing) };
        let mut about = about(lang, first.values);
        about.insert("reference".into(), reference.into());
        // They are all good equally long.
        let until = filled.iter().flat_map(|notice| notice.links).map(|link| link.until.as_str()).next();
        about.insert("links_until".into(), json!(until));
        about.insert("links".into(), json!(if rest.is_empty() { first.links } else { &[] }));
        if wordings.iter().all(|wording| wording.list) {
            let body = filled.iter().map(|notice| notice.body.trim_end()).collect::<Vec<_>>().join("\n");
            Ok(self.framed("notice", about, first.subject.clone(), &body)?)
        } else if rest.is_empty() {
            Ok(self.framed("notice", about, first.subject.clone(), &first.body)?)
        } else {
            let subject = digest_subject(lang, &filled);
            let notices: Vec<Json> = filled.iter().enumerate().map(|(index, notice)| entry(lang, index, notice)).collect();
            about.insert("in_full".into(), (notices.len() <= IN_FULL).into());
            about.insert("notices".into(), notices.into());
            Ok(self.framed("digest", about, subject, "")?)
        }
    }

    fn framed(&self, frame: &str, mut about: Map<String, Json>, subject: String, body: &str) -> Result<Letter, FrameError> {
        let body = body.trim_matches('\n').trim_end();
        let blocks = blocks::blocks(body);
        about.insert("preheader".into(), preheader(&blocks).into());
        about.insert("subject".into(), subject.clone().into());
        about.insert("body".into(), body.into());
        about.insert("blocks".into(), json!(blocks));
        let about = Json::Object(about);
        let text = tidy(&self.fill(&format!("{frame}.txt"), &about)?);
        Ok(Letter { subject, text, html: self.fill(&format!("{frame}.html"), &about)? })
    }

    fn fill(&self, frame: &str, about: &Json) -> Result<String, FrameError> {
        let template = self.environment.get_template(frame);
        super::render(template, Value::from(Serde(about))).map_err(|error| FrameError { frame: frame.to_string(), error })
    }
}

/// `say("mail.why", role=…)`: a sentence of the engine's catalogue, in the letter's language.
/// `say("key", name=value)`: a sentence of the catalogue in the language of the rendering.
pub(super) fn say(state: &State, key: String, values: Kwargs) -> Result<String, Error> {
    let mut filled = Vec::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        filled.push((name, value.to_string()));
    }
    let values: Vec<(&str, &str)> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(words::say(filters::lang_of(state), &key, &values))
}

/// What the frames may show beside the wording. Every name is always there; what is not known is empty.
fn about(lang: Lang, values: &Json) -> Map<String, Json> {
    let at = |pointer: &str| values.pointer(pointer).filter(|value| value.as_str() != Some("")).cloned().unwrap_or(Json::Null);
    let mut about = Map::new();
    about.insert("lang".into(), if lang == Lang::En { "en" } else { "zh-CN" }.into());
    about.insert("letter".into(), values.get("letter").cloned().unwrap_or_else(|| json!({})));
    for (name, pointer) in [
        ("sender", "/letter/sender"),
        ("contact", "/letter/contact"),
        ("phone", "/letter/phone"),
        ("basis", "/letter/rules_name"),
        ("late", "/letter/late"),
        ("reply_to", "/letter/reply_to"),
        ("role", if values.get("reader").is_some() { "/reader/role_title" } else { "/to/role_title" }),
        ("copy_of", "/copy_of"),
        ("deadline", "/due/this/title"),
        ("today", "/today"),
    ] {
        about.insert(name.into(), at(pointer));
    }
    if about["copy_of"].as_array().is_some_and(Vec::is_empty) {
        about.insert("copy_of".into(), Json::Null);
    }
    about
}

/// Days late, or minus the days left; what has no deadline comes last.
fn urgency(values: &Json) -> i64 {
    let days = |name: &str| values.pointer(&format!("/due/this/{name}")).and_then(Json::as_i64);
    match (days("days_late").filter(|late| *late > 0), days("days_left")) {
        (Some(late), _) => late,
        (None, Some(left)) => -left.abs(),
        (None, None) => i64::MIN,
    }
}

/// How urgent it is in a word or two; nothing when it has no deadline.
fn status(lang: Lang, values: &Json) -> String {
    match urgency(values) {
        i64::MIN => String::new(),
        0 => words::say(lang, "mail.due_today", &[]),
        late @ 1.. => words::say(lang, "mail.days_late", &[("days", &late.to_string())]),
        left => words::say(lang, "mail.days_left", &[("days", &left.unsigned_abs().to_string())]),
    }
}

fn digest_subject(lang: Lang, filled: &[Filled]) -> String {
    let late = filled.iter().filter(|notice| urgency(notice.values) > 0).count();
    let key = if late > 0 { "mail.digest_subject_late" } else { "mail.digest_subject" };
    words::say(lang, key, &[("count", &filled.len().to_string()), ("late", &late.to_string())])
}

fn entry(lang: Lang, index: usize, notice: &Filled) -> Json {
    let body = notice.body.trim_matches('\n').trim_end();
    json!({
        "no": index + 1,
        "subject": notice.subject,
        "status": status(lang, notice.values),
        "body": body,
        "blocks": blocks::blocks(body),
        "links": notice.links,
    })
}

/// The sentence that mail programs show beside the subject: the first paragraph after the salutation.
fn preheader(blocks: &[Block]) -> String {
    let paragraphs = blocks.iter().filter_map(|block| match block {
        Block::Paragraph { lines, .. } => Some(lines.iter().flatten().map(|run| run.text.as_str()).collect::<String>()),
        _ => None,
    });
    let sentence = paragraphs.into_iter().find(|text| !text.ends_with(['：', ':'])).unwrap_or_default();
    sentence.chars().take(PREHEADER_CHARACTERS).collect()
}

/// At most one blank line in a row, one line break at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = 1;
    for line in text.lines().map(str::trim_end) {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}
