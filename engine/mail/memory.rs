//! A transport that keeps mails in memory and answers as it was told to: for tests, simulations and stories.

use super::{Outcome, Parcel};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cheap to copy; every copy sees the same mails.
#[derive(Clone, Default)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    answering: Option<Arc<Answering>>,
}

/// What a mail is answered with.
type Answering = dyn Fn(&Parcel) -> Outcome + Send + Sync;

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.kept.fmt(f)
    }
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
    /// Each mail is answered for itself, in whatever order they come.
    pub fn answering(answer: impl Fn(&Parcel) -> Outcome + Send + Sync + 'static) -> Memory {
        Memory { answering: Some(Arc::new(answer)), ..Memory::default() }
    }

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
        let scripted = || self.answering.as_ref().map(|answer| answer(parcel));
        let outcome = kept.answers.pop_front().or_else(scripted).unwrap_or(Outcome::Sent { reply: "250 kept in memory".into() });
        if matches!(outcome, Outcome::Sent { .. } | Outcome::Unknown { .. }) {
            kept.mails.push(KeptMail { id: parcel.id.into(), to: parcel.to.to_string(), bytes: parcel.bytes.to_vec() });
        }
        outcome
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
