//! What came back about mails is kept beside the mail that it names. It changes nothing: no item, no rating, no address; a mail that did not
//! arrive is for the administrators to see to.

use super::{Offices, contained};
use crate::mail::Maildir;
use crate::mail::incoming::{self, Kind};
use crate::store::StoreError;
use crate::store::incoming::Incoming;

/// Messages that are read before it is asked whether to stop.
const BATCH: usize = 100;

/// What became of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenIn {
    pub failed: usize,
    pub delayed: usize,
    pub automatic: usize,
    pub replies: usize,
    /// Kept before.
    pub known: usize,
    /// About no mail of ours, or no message at all: they stay in the mailbox for people to read.
    pub strange: usize,
}

impl TakenIn {
    pub fn messages(&self) -> usize {
        self.failed + self.delayed + self.automatic + self.replies + self.known + self.strange
    }
}

/// Why a mailbox could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    #[error("the mailbox: {0}")]
    Folder(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Offices {
    /// Keeps a message if it is about a mail of ours, whichever office sent it.
    pub async fn take_in(&self, bytes: &[u8], taken: &mut TakenIn) -> Result<(), StoreError> {
        // A message that a library cannot bear costs itself.
        let read = contained(|| incoming::read(bytes)).unwrap_or_else(|error| {
            tracing::error!(%error, "a message could not be read");
            None
        });
        let Some(read) = read else {
            taken.strange += 1;
            return Ok(());
        };
        let Some((here, mail)) = self.store.everywhere().mail_of_any(&read.about).await? else {
            taken.strange += 1;
            return Ok(());
        };
        let kind = read.kind;
        let message = Incoming {
            id: read.id,
            mail,
            kind: kind.word().into(),
            at: self.now(),
            sender: read.sender,
            status: read.status,
            words: read.words,
            settled_at: None,
            settled_by: None,
        };
        let (id, status) = (message.mail.clone(), message.status.clone());
        if !self.store.of(&here).put_incoming(message).await? {
            taken.known += 1;
            return Ok(());
        }
        let counter = match kind {
            Kind::Failed => &mut taken.failed,
            Kind::Delayed => &mut taken.delayed,
            Kind::Automatic => &mut taken.automatic,
            Kind::Reply => &mut taken.replies,
        };
        *counter += 1;
        tracing::info!(jurisdiction = &*here, mail = id, kind = kind.word(), status, "a message came back");
        Ok(())
    }

    /// Reads what is new in a Maildir, a batch of it. A message moves on once it is kept.
    pub async fn read_maildir(&self, folder: &Maildir) -> Result<TakenIn, InboxError> {
        let mut taken = TakenIn::default();
        for path in folder.waiting(BATCH)? {
            let bytes = match Maildir::read(&path) {
                Ok(bytes) => bytes,
                // Another process took it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a message cannot be opened");
                    continue;
                }
            };
            self.take_in(&bytes, &mut taken).await?;
            match folder.seen(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(taken)
    }
}
