//! What a command came to, in a form that travels to another process.

use super::{ActError, Done};
use crate::kernel::model::decision::Refusal;
use serde::{Deserialize, Serialize};

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Done {
        #[serde(flatten)]
        done: Done,
        /// It had been done before; this is the first answer.
        repeated: bool,
    },
    Refused(Refusal),
    /// A fault of the world or of this item, told as it was found.
    Failed(String),
}

impl From<Result<Done, ActError>> for Answer {
    fn from(result: Result<Done, ActError>) -> Self {
        match result {
            Ok(done) => Answer::Done { repeated: done.repeated, done },
            Err(ActError::Refused(refusal)) => Answer::Refused(*refusal),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}

impl Answer {
    pub fn is_done(&self) -> bool {
        matches!(self, Answer::Done { .. })
    }
}
