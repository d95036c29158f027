//! Notices on their way to the post: is each still owed, and which go into one mail.

use crate::kernel::model::decision::Notice;
use crate::kernel::model::item::{ClockEndHow, Item};
use crate::kernel::time::Date;

/// Several notices to one person, or one, as a single mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The same for the same notices, unique for others: the mail's Message-ID is made from it.
    pub key: String,
    /// Places in the list that was given, in its order.
    pub notices: Vec<usize>,
}

/// Why a notice that waits is not mailed after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOwed {
    /// A reminder that did not leave before its due day, or whose deadline has a new date.
    Superseded,
    /// What it asks for was done meanwhile.
    Done,
    /// Its item or branch ended or was cancelled meanwhile.
    Dropped,
    /// Its deadline stands still.
    Paused,
}

impl NotOwed {
    /// The word under which it is recorded.
    pub fn word(self) -> &'static str {
        match self {
            NotOwed::Superseded => "superseded",
            NotOwed::Done => "done",
            NotOwed::Dropped => "dropped",
            NotOwed::Paused => "paused",
        }
    }
}

/// Whether a notice that waits still says what is so. What the engine's own action ended (a rung that tells and acts) is still told.
pub fn owed(notice: &Notice, item: &Item, today: Date) -> Result<(), NotOwed> {
    let before_due = notice.before_day.is_some();
    if notice.before_day.is_some_and(|day| today >= day) {
        return Err(NotOwed::Superseded);
    }
    let Some(owed_by) = &notice.owed_by else { return Ok(()) };
    let mut clocks = item.clocks.iter();
    let same = clocks.find(|clock| clock.deadline == owed_by.deadline && clock.branch == owed_by.branch && clock.cycle == owed_by.cycle);
    let Some(clock) = same else { return if before_due { Err(NotOwed::Superseded) } else { Ok(()) } };
    let Some(end) = &clock.end else { return if clock.paused { Err(NotOwed::Paused) } else { Ok(()) } };
    let by_engine = item.done.iter().any(|done| done.seq == end.seq && done.person.is_none());
    if !before_due && by_engine {
        return Ok(());
    }
    Err(match end.how {
        ClockEndHow::Done => NotOwed::Done,
        ClockEndHow::Replaced => NotOwed::Superseded,
        ClockEndHow::Dropped => NotOwed::Dropped,
    })
}

/// Same person and same bundle is one mail; a notice without a bundle is a mail of its own.
pub fn envelopes(notices: &[Notice]) -> Vec<Envelope> {
    let mut envelopes: Vec<Envelope> = Vec::new();
    let mut by_bundle = std::collections::HashMap::new();
    for (place, notice) in notices.iter().enumerate() {
        if notice.bundle.is_empty() {
            envelopes.push(Envelope { key: notice.key.clone(), notices: vec![place] });
            continue;
        }
        let envelope = *by_bundle.entry((&notice.person, &notice.bundle)).or_insert_with(|| {
            envelopes.push(Envelope { key: String::new(), notices: Vec::new() });
            envelopes.len() - 1
        });
        envelopes[envelope].notices.push(place);
    }
    for envelope in envelopes.iter_mut().filter(|envelope| envelope.key.is_empty()) {
        envelope.key = key(envelope.notices.iter().map(|place| &notices[*place]));
    }
    envelopes
}

/// The key of a mail that carries these notices. A notice goes into one mail only, so its smallest key tells the mail from every other.
pub fn key<'a>(notices: impl IntoIterator<Item = &'a Notice>) -> String {
    let first = notices.into_iter().min_by(|a, b| a.key.cmp(&b.key));
    first.map_or_else(String::new, |notice| match &*notice.bundle {
        "" => notice.key.clone(),
        bundle => format!("{bundle}/{}/{}", notice.person, notice.key),
    })
}
