//! Deadlines as entries of a calendar program (RFC 5545): which of an item's a person has, and the text of all of them.
//!
//! Everything comes from facts: an entry keeps its identity as long as its deadline runs, whatever becomes of the date, and a later state of
//! the item has a greater sequence number.

use super::explain::due::title_of_branch;
use super::model::Name;
use super::model::item::{Clock, ClockEndHow, Item};
use super::rules::Rules;
use super::time::{Date, Instant};
use super::words::{Lang, say};

/// One deadline of an item, in the state of its last cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub deadline: Name,
    pub title: String,
    pub branch: Option<u32>,
    /// The branch as people call it.
    pub of: Option<String>,
    /// Cycles made by extensions share it.
    pub run: u32,
    pub day: Date,
    pub provisional: bool,
    /// It does not run any more.
    pub over: bool,
    /// Facts that began it, moved it, or ended it.
    pub facts: Vec<u64>,
}

/// The deadlines of an item and its branches that have a date, each run once. What opens and closes a window is nobody's duty.
pub fn marks(rules: &Rules, item: &Item) -> Vec<Mark> {
    let mut out: Vec<Mark> = Vec::new();
    for clock in item.clocks.iter().rev() {
        let declared = rules.setting.workflow.deadlines.get(&clock.deadline).filter(|declared| declared.closes.is_empty());
        let (Some(declared), Some(due)) = (declared, clock.due.as_deref()) else { continue };
        let is_same = |known: &Mark| known.deadline == clock.deadline && known.branch == clock.branch && known.run == clock.run;
        if out.iter().any(is_same) || clock.end.as_ref().is_some_and(|end| end.how == ClockEndHow::Replaced) {
            continue;
        }
        out.push(Mark {
            deadline: clock.deadline.clone(),
            title: declared.title.clone(),
            branch: clock.branch,
            of: clock.branch.and_then(|no| title_of_branch(rules, item, no)),
            run: clock.run,
            day: due.date,
            provisional: due.provisional,
            over: !clock.is_running(),
            facts: touched(clock),
        });
    }
    out.reverse();
    out
}

fn touched(clock: &Clock) -> Vec<u64> {
    let extended = clock.extensions.iter().map(|extension| extension.seq);
    std::iter::once(clock.started_seq).chain(extended).chain(clock.end.as_ref().map(|end| end.seq)).collect()
}

impl Mark {
    /// The same as long as it is the same run of the same deadline, and no other deadline's.
    pub fn identity(&self, item: &Item) -> String {
        let branch = self.branch.map(|no| format!("#{no}")).unwrap_or_default();
        format!("{}/{}/{}{branch}/{}", item.workflow, item.id, self.deadline, self.run)
    }
}

/// An entry, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uid: String,
    pub sequence: u64,
    pub stamp: Instant,
    pub day: Date,
    pub summary: String,
    pub description: String,
    pub url: Option<String>,
    pub cancelled: bool,
}

impl Entry {
    /// The entry of a deadline, with what everybody who has it may see of its item.
    pub fn of(mark: &Mark, rules: &Rules, item: &Item, title: &str, uid: String, stamp: Instant, lang: Lang) -> Entry {
        let summary = say(lang, "agenda.summary", &[("deadline", &mark.title), ("title", title)]);
        let mut lines = vec![say(lang, "agenda.item", &[("workflow", &rules.setting.workflow.title), ("item", &item.id)])];
        lines.extend(mark.of.clone());
        lines.extend(mark.provisional.then(|| say(lang, "agenda.provisional", &[])));
        Entry { uid, sequence: item.rev, stamp, day: mark.day, summary, description: lines.join("\n"), url: None, cancelled: mark.over }
    }
}

/// Three days and one day before, at nine in the morning of wherever the reader is.
const ALARMS: [&str; 2] = ["-P2DT15H", "-PT15H"];
/// In octets, without the line's end (RFC 5545, 3.1).
const LONGEST_LINE: usize = 75;

/// A calendar of these entries. The same entries are the same bytes.
pub fn write(name: Option<&str>, entries: &[Entry]) -> String {
    let mut out = String::new();
    for (key, value) in
        [("BEGIN", "VCALENDAR"), ("VERSION", "2.0"), ("PRODID", "-//duban//duban//EN"), ("CALSCALE", "GREGORIAN"), ("METHOD", "PUBLISH")]
    {
        line(&mut out, key, value);
    }
    if let Some(name) = name {
        line(&mut out, "X-WR-CALNAME", &escaped(name));
    }
    for entry in entries {
        write_entry(&mut out, entry);
    }
    line(&mut out, "END", "VCALENDAR");
    out
}

fn write_entry(out: &mut String, entry: &Entry) {
    let summary = escaped(&entry.summary);
    line(out, "BEGIN", "VEVENT");
    line(out, "UID", &escaped(&entry.uid));
    line(out, "SEQUENCE", &entry.sequence.to_string());
    line(out, "DTSTAMP", &entry.stamp.format("%Y%m%dT%H%M%SZ").to_string());
    // Without an end it lasts the day (RFC 5545, 3.6.1).
    line(out, "DTSTART;VALUE=DATE", &entry.day.format("%Y%m%d").to_string());
    line(out, "SUMMARY", &summary);
    line(out, "DESCRIPTION", &escaped(&entry.description));
    if let Some(url) = &entry.url {
        line(out, "URL", &url.chars().filter(|c| !c.is_control()).collect::<String>());
    }
    line(out, "CLASS", "PRIVATE");
    line(out, "TRANSP", "TRANSPARENT");
    line(out, "STATUS", if entry.cancelled { "CANCELLED" } else { "CONFIRMED" });
    for alarm in ALARMS.iter().filter(|_| !entry.cancelled) {
        line(out, "BEGIN", "VALARM");
        line(out, "ACTION", "DISPLAY");
        line(out, "TRIGGER", alarm);
        line(out, "DESCRIPTION", &summary);
        line(out, "END", "VALARM");
    }
    line(out, "END", "VEVENT");
}

/// A text as a value (RFC 5545, 3.3.11); what a line cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\u{2028}' | '\u{2029}' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A line, folded between characters.
fn line(out: &mut String, key: &str, value: &str) {
    let mut room = LONGEST_LINE;
    for c in key.chars().chain(std::iter::once(':')).chain(value.chars()) {
        if c.len_utf8() > room {
            out.push_str("\r\n ");
            room = LONGEST_LINE - 1;
        }
        out.push(c);
        room -= c.len_utf8();
    }
    out.push_str("\r\n");
}
