//! A transport that keeps mails in memory and answers as it was told to: for tests, simulations and stories.

use super::{Outcome, Parcel};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cheap to copy; every copy sees the same mails.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    mails: Vec<KeptMail>,
    answers: VecDeque<Outcome>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMail {
    pub id: String,
    pub to: String,
    pub bytes: Vec<u8>,
}

impl Memory {
    /// The next attempts get these answers, one each; after that all is sent.
    pub fn answer(&self, answers: impl IntoIterator<Item = Outcome>) {
        self.kept().answers.extend(answers);
    }

    /// Mails that were handed over, in order; those whose answer was *unknown* included.
    pub fn mails(&self) -> Vec<KeptMail> {
        self.kept().mails.clone()
    }

    pub fn send(&self, parcel: &Parcel) -> Outcome {
        let mut kept = self.kept();
        let outcome = kept.answers.pop_front().unwrap_or(Outcome::Sent { reply: "250 kept in memory".into() });
        if matches!(outcome, Outcome::Sent { .. } | Outcome::Unknown { .. }) {
            kept.mails.push(KeptMail { id: parcel.id.into(), to: parcel.to.to_string(), bytes: parcel.bytes.to_vec() });
        }
        outcome
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
