//! A deadline as people see it: its status in a word, how far it has come, and why it is that day.

use crate::kernel::explain::due::{self, DueExplained};
use crate::kernel::model::item::{ClockEndHow, DueStep};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, due as due_words, say};
use serde_json::{Value as Json, json};

/// How a deadline stands. A late answer stays late for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Running,
    /// A reminder has gone out: that is what the rule set calls near.
    Soon,
    Late,
    Paused,
    Met,
    MetLate,
    /// Its item or branch ended without it.
    Dropped,
}

impl Status {
    fn of(due: &DueExplained) -> Status {
        match due.ended {
            Some((on, ClockEndHow::Done)) if due.date.is_some_and(|date| on > date) && !due.window => Status::MetLate,
            Some((_, ClockEndHow::Done)) => Status::Met,
            Some(_) => Status::Dropped,
            None if due.late => Status::Late,
            None if due.paused => Status::Paused,
            None if due.fired.iter().any(|fired| fired.skipped.is_none()) => Status::Soon,
            None => Status::Running,
        }
    }

    /// The word of the catalogue, and of the style sheet.
    fn word(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Soon => "soon",
            Status::Late => "late",
            Status::Paused => "paused",
            Status::Met => "met",
            Status::MetLate => "met_late",
            Status::Dropped => "dropped",
        }
    }
}

/// The light of a deadline: its status, with the days left or over.
pub fn light(due: &DueExplained, today: Date, lang: Lang) -> Json {
    let status = Status::of(due);
    let word = say(lang, &format!("web.due.{}", status.word()), &[]);
    let days = due.date.map(|date| (date - today).num_days());
    let text = match (status, days) {
        (Status::Late, Some(days)) => counted(lang, "web.due.days_over", -days, &word),
        (Status::Running | Status::Soon, Some(0)) => say(lang, "web.due.today", &[("word", &word)]),
        (Status::Running | Status::Soon, Some(days)) if days > 0 => counted(lang, "web.due.days_left", days, &word),
        _ => word,
    };
    json!({ "status": status.word(), "text": text })
}

fn counted(lang: Lang, key: &str, days: i64, word: &str) -> String {
    let key = if days == 1 { format!("{key}.one") } else { key.to_string() };
    say(lang, &key, &[("word", word), ("days", &days.to_string())])
}

/// A deadline with its bar and every step of why.
pub fn view(rules: &Rules, due: &DueExplained, today: Date, lang: Lang) -> Json {
    let begun = due.steps.iter().find_map(|step| match step {
        DueStep::Anchor { on, .. } => Some(*on),
        _ => None,
    });
    let title = |name: &str| due::name_of(rules, name);
    let steps: Vec<Json> = due
        .steps
        .iter()
        .map(|step| json!({ "day": due_words::gives(step).map(|day| due_words::day(lang, day)), "says": due_words::step(lang, step, title) }))
        .collect();
    let fired = due.fired.iter().filter(|fired| fired.skipped.is_none());
    let coming = due.coming.iter().filter(|coming| !coming.too_late);
    json!({
        "deadline": due.deadline,
        "title": due.title,
        "branch": due.branch,
        "date": due.date.map(|date| date.to_string()),
        "provisional": due.provisional,
        "working_days": due.working_days_left,
        "light": light(due, today, lang),
        "part": due.date.zip(begun).map(|(date, begun)| part(begun, date, today)),
        "running": due.ended.is_none(),
        "steps": steps,
        "told": fired.map(|fired| fired.on.to_string()).collect::<Vec<_>>(),
        "coming": coming.map(|coming| coming.leaves_on.to_string()).collect::<Vec<_>>(),
        "place": due.place.as_ref().map(|place| format!("{}:{}", place.file, place.line)),
        "rules": due.rules.chars().take(12).collect::<String>(),
    })
}

/// How much of the time is over, of a hundred.
fn part(begun: Date, date: Date, today: Date) -> i64 {
    let whole = (date - begun).num_days().max(1);
    ((today - begun).num_days().max(0) * 100 / whole).min(100)
}
