//! Mails on their way: which process may hand over which, and what became of each attempt.
//!
//! A mail is claimed under a growing fencing number until a moment; only the holder of the latest number may record what became of it.

use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::writer::{Lane, Write};
use super::{StoreError, batch, instant, statements};
use crate::kernel::time::Instant;
use std::sync::Arc;

/// A mail that this process may hand over until the claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub jurisdiction: Arc<str>,
    pub id: String,
    pub person: String,
    pub address: String,
    pub bytes: String,
    /// This one included.
    pub attempts: u32,
    pub fence: u64,
    pub created_at: Instant,
    /// When it was claimed for the first time.
    pub first_try: Instant,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub jurisdiction: Arc<str>,
    pub id: String,
    pub fence: u64,
    pub end: MailEnd,
    /// What the server said, or why it was not asked.
    pub reply: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// The server's 250 after the final dot.
    Sent,
    /// A 5xx, or an address to which nothing can be sent.
    Refused,
    /// Tried too long.
    Expired,
    /// Nothing that it carries is owed any more.
    Cancelled,
    /// Not accepted, certainly; try again.
    Deferred { next_try: Instant },
    /// The final dot was sent and no reply came; try again, with the same bytes.
    Unknown { next_try: Instant },
}

impl MailEnd {
    pub(super) fn status(self) -> &'static str {
        match self {
            MailEnd::Sent => "sent",
            MailEnd::Refused => "refused",
            MailEnd::Expired => "expired",
            MailEnd::Cancelled => "cancelled",
            MailEnd::Deferred { .. } => "deferred",
            MailEnd::Unknown { .. } => "unknown",
        }
    }
}

impl Everywhere<'_> {
    /// Claims mails that may be tried now, until `until`. A claim that ran out is claimed again under a higher number.
    pub async fn claim_mails(&self, now: Instant, until: Instant, by: &str, limit: u32) -> Result<Vec<Claimed>, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().claim_mails(now, until, limit));
        }
        let claim = Claim { now: now.timestamp_millis(), until: until.timestamp_millis(), by: by.to_string(), limit };
        let rows = self.write(Lane::Background, claim).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for (jurisdiction, id, person, address, bytes, attempts, fence, created_at, first_try) in rows {
            let (attempts, fence, created_at, first_try) = (attempts as u32, fence as u64, instant(created_at)?, instant(first_try)?);
            let jurisdiction = jurisdiction.into();
            claimed.push(Claimed { jurisdiction, id, person, address, bytes, attempts, fence, created_at, first_try });
        }
        claimed.sort_by(|a, b| (a.created_at, &a.jurisdiction, &a.id).cmp(&(b.created_at, &b.jurisdiction, &b.id)));
        Ok(claimed)
    }

    /// Holds on to claimed mails (jurisdiction, id, fencing number) until a later moment; `false` for one whose claim was lost.
    pub async fn renew_mails(&self, claims: Vec<(Arc<str>, String, u64)>, until: Instant) -> Result<Vec<bool>, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().renew_mails(&claims, until));
        }
        self.write(Lane::User, Renew { claims, until: until.timestamp_millis() }).await
    }

    /// Records what became of claimed mails. `false` for one whose claim was lost: its result does not count.
    pub async fn finish_mails(&self, outcomes: Vec<Outcome>, now: Instant) -> Result<Vec<bool>, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().finish_mails(&outcomes, now));
        }
        self.write(Lane::Background, Finish { outcomes, now: now.timestamp_millis() }).await
    }
}

type ClaimedRow = (String, String, String, String, String, i64, i64, i64, i64);
/// Jurisdiction, id and fencing number of a mail that was ours.
type FinishedRow = (String, String, i64);

fn is_among(done: &[FinishedRow], here: &str, id: &str, fence: u64) -> bool {
    done.iter().any(|(jurisdiction, known, now)| jurisdiction == here && known == id && *now == fence as i64)
}

struct Claim {
    now: i64,
    until: i64,
    by: String,
    limit: u32,
}

impl Write for Claim {
    type Answer = Vec<ClaimedRow>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_CLAIM))
            .bind(self.now).bind(self.until).bind(&self.by).bind(i64::from(self.limit)).fetch_all(&mut *c).await)
    }
}

struct Renew {
    claims: Vec<(Arc<str>, String, u64)>,
    until: i64,
}

impl Write for Renew {
    type Answer = Vec<bool>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Vec<bool>, sqlx::Error> {
        let done: Vec<FinishedRow> = on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_RENEW))
            .bind(batch(&self.claims)).bind(self.until).fetch_all(&mut *c).await)?;
        Ok(self.claims.iter().map(|(here, id, fence)| is_among(&done, here, id, *fence)).collect())
    }
}

struct Finish {
    outcomes: Vec<Outcome>,
    now: i64,
}

impl Write for Finish {
    type Answer = Vec<bool>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Vec<bool>, sqlx::Error> {
        let rows: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| {
                let (next_try, ended_at) = match outcome.end {
                    MailEnd::Deferred { next_try } | MailEnd::Unknown { next_try } => (next_try.timestamp_millis(), None),
                    _ => (self.now, Some(self.now)),
                };
                (&outcome.jurisdiction, &outcome.id, outcome.fence, outcome.end.status(), &outcome.reply, next_try, ended_at)
            })
            .collect();
        let done: Vec<FinishedRow> =
            on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_FINISH)).bind(batch(&rows)).fetch_all(&mut *c).await)?;
        let counted = self.outcomes.iter().map(|Outcome { jurisdiction, id, fence, .. }| is_among(&done, jurisdiction, id, *fence));
        Ok(counted.collect())
    }
}
