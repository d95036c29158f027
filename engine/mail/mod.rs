//! Mail: compose one mail, hand it over (SMTP, a folder, memory), tell what became of it.
//!
//! When to send, to whom, and what is recorded of it are left to `app`. Time and randomness come in as arguments.

mod address;
pub mod backoff;
mod compose;
mod folder;
pub mod guard;
pub mod incoming;
mod letter;
mod maildir;
mod memory;
pub mod smtp;

use crate::kernel::time::Instant;

pub use address::{Address, AddressError};
pub use compose::{ComposeError, Composed, Message, Sender, compose, reference};
pub use folder::Folder;
pub use letter::read_back;
pub use maildir::Maildir;
pub use memory::{KeptMail, Memory};
pub use smtp::Smtp;

/// A composed mail on its way to one person. The same parcel is the same bytes, however often it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    /// The Message-ID.
    pub id: &'a str,
    pub from: &'a Address,
    pub to: &'a Address,
    /// When it was composed.
    pub at: Instant,
    pub bytes: &'a [u8],
}

/// How far a mail came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Connect,
    /// The server's greeting and its answer to EHLO, encrypted from the start or not.
    Greeting,
    /// STARTTLS, or encryption from the first byte.
    Tls,
    Auth,
    /// MAIL FROM
    Mail,
    /// RCPT TO
    Recipient,
    /// DATA
    Data,
    /// The message itself is on its way, its final dot is not.
    Body,
    /// The final dot may have been sent: only the server's reply can tell.
    Dot,
}

impl Phase {
    /// The word under which it is recorded; the catalogue says it to people.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Connect => "connect",
            Phase::Greeting => "greeting",
            Phase::Tls => "tls",
            Phase::Auth => "auth",
            Phase::Mail => "mail",
            Phase::Recipient => "recipient",
            Phase::Data => "data",
            Phase::Body => "body",
            Phase::Dot => "dot",
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server's 250 after the final dot, and nothing else.
    Sent { reply: String },
    /// The server will not have this mail (5xx to RCPT, DATA or the final dot).
    Refused { phase: Phase, reply: String },
    /// Certainly not accepted; try again.
    Deferred { phase: Phase, why: String },
    /// The final dot was sent and no valid reply came: it may have been accepted or not.
    Unknown { why: String },
}

impl Outcome {
    /// The fault lies with the server or our settings rather than with this mail: others will fare the same.
    pub fn concerns_all(&self) -> bool {
        matches!(self, Outcome::Deferred { phase, .. } if *phase < Phase::Recipient)
    }
}

/// Where mails are handed over.
#[derive(Debug)]
pub enum Transport {
    Smtp(Box<Smtp>),
    Folder(Folder),
    Memory(Memory),
}

impl Transport {
    pub async fn send(&self, parcel: &Parcel<'_>) -> Outcome {
        match self {
            Transport::Smtp(smtp) => smtp.send(parcel).await,
            Transport::Folder(folder) => folder.send(parcel),
            Transport::Memory(memory) => memory.send(parcel),
        }
    }

    /// Whether real people read what is handed over, so that the guard has a say.
    pub fn reaches_people(&self) -> bool {
        matches!(self, Transport::Smtp(_))
    }

    /// Ends a round: connections that were kept are closed.
    pub async fn rest(&self) {
        if let Transport::Smtp(smtp) = self {
            smtp.close_kept().await;
        }
    }
}
