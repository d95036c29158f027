//! The invariants that a file of stories may name: what must never happen in any of them.

use super::run::Telling;
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::time::Date;
use crate::kernel::words::{self, Lang};
use std::collections::BTreeMap;

/// The invariants that a file of stories may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {
    MailOnDayOff,
    MoreMailsADay(usize),
    WithoutOwner,
}

impl Never {
    /// Sentences of the catalogue (`never.…`), in either language; `{n}` stands for a number.
    pub fn read(sentence: &str) -> Option<Never> {
        let sentence = sentence.trim();
        for lang in [Lang::Zh, Lang::En] {
            if sentence == words::say(lang, "never.day_off", &[]) {
                return Some(Never::MailOnDayOff);
            }
            if sentence == words::say(lang, "never.owner", &[]) {
                return Some(Never::WithoutOwner);
            }
            let digits: String = sentence.chars().filter(char::is_ascii_digit).collect();
            if !digits.is_empty() && sentence == words::say(lang, "never.per_day", &[("n", &digits)]) {
                return digits.parse().ok().map(Never::MoreMailsADay);
            }
        }
        None
    }
}

impl Telling<'_> {
    /// The invariants of the file, as far as this step can break them.
    pub(super) fn never(&mut self) {
        for sentence in &self.file.never {
            match Never::read(sentence) {
                None => {
                    if self.step == 1 {
                        self.differs("unknown_never", vec![("sentence", sentence.clone())]);
                    }
                }
                Some(never) => {
                    if let Some(what) = self.broken(never) {
                        self.differs("never", vec![("sentence", sentence.clone()), ("what", what)]);
                    }
                }
            }
        }
    }

    fn broken(&self, never: Never) -> Option<String> {
        let setting = &self.world.rules.setting;
        let zone = setting.workflow.timezone;
        match never {
            Never::MailOnDayOff => {
                let sent = self.world.sent.iter().find(|sent| !setting.calendar.is_working_day(day_of(sent.at, zone)))?;
                Some(format!("{} {}", sent.notice.notice, self.local(sent.at)))
            }
            Never::MoreMailsADay(most) => {
                let mut per_day: BTreeMap<(Name, Date), usize> = BTreeMap::new();
                for sent in &self.world.sent {
                    *per_day.entry((sent.notice.person.clone(), day_of(sent.at, zone))).or_default() += 1;
                }
                let ((person, day), count) = per_day.into_iter().find(|(_, count)| *count > most)?;
                Some(format!("{person} {day}: {count}"))
            }
            Never::WithoutOwner => {
                let item = self.world.item(&self.id)?;
                let owner = setting.workflow.states.get(&item.state).and_then(|state| state.owner.as_ref());
                (!item.ended && owner.is_none()).then(|| item.state.to_string())
            }
        }
    }
}
