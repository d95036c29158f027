//! Cron with classic five-field semantics, over the `cron` crate.

use crate::kernel::time::Instant;
use chrono_tz::Tz;

/// A schedule that is known to fire.
#[derive(Clone, Debug)]
pub struct Cron {}

/// Why a schedule cannot be read (E513).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronError {
    /// 1-based column in the text, in characters.
    pub column: u32,
    pub what: CronMistake,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CronMistake {
    NotFiveFields(usize),
    BadField(String),
    NeverFires,
}

/// One firing: the local civil minute names it (so that a doubled hour claims one slot), the instant orders it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `2026-12-31T06:00`
    pub name: String,
    pub at: Instant,
}

impl Cron {
    pub fn parse(_text: &str) -> Result<Cron, CronError> {
        todo!()
    }

    /// Slots strictly after `after` up to and including `until`, at most `limit` of them, oldest first.
    pub fn slots(&self, _zone: Tz, _after: Instant, _until: Instant, _limit: usize) -> Vec<Slot> {
        todo!()
    }

    /// The first slot strictly after an instant.
    pub fn next(&self, _zone: Tz, _after: Instant) -> Option<Slot> {
        todo!()
    }
}
