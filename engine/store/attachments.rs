//! Files that people handed in: their content by its SHA-256, in pieces, and whose they are. What no fact refers to is forgotten.

use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::writer::{Lane, Write};
use super::{Store, StoreError, statements};
use crate::kernel::model::attached::Attached;
use crate::kernel::time::Instant;
use crate::store::facts::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Bytes of a piece: a row that any database takes at once.
const PIECE: usize = 192 << 10;

impl Store {
    /// Keeps a file that this person has handed in. Whatever its name says has been judged before.
    pub async fn keep_upload(&self, file: &Attached, person: &str, content: &[u8], at: Instant) -> Result<(), StoreError> {
        let pieces: Vec<String> = content.chunks(PIECE).map(|piece| STANDARD.encode(piece)).collect();
        if let Some(mut model) = self.model_to_write().await? {
            model.keep_upload(file, person, pieces, at);
            return Ok(());
        }
        self.write(Lane::User, Keep { file: file.clone(), person: person.to_string(), pieces: pieces.into(), at: at.timestamp_millis() })
            .await
    }

    /// Whether this person has handed in exactly this file. If so it stays for some time from now on, also while no fact refers to it.
    pub async fn need_upload(&self, file: &Attached, person: &str, at: Instant) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.need_upload(file, person, at));
        }
        self.write(Lane::User, Need { file: file.clone(), person: person.to_string(), at: at.timestamp_millis() }).await
    }

    /// What lies under a digest, and is what the digest says. Nothing when there is no such content.
    pub async fn content(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut out = Vec::new();
        let mut part = 0_i64;
        while let Some(piece) = self.piece(digest, part).await? {
            let damaged = |error| StoreError::Damaged(format!("piece {part} of the file {digest} cannot be read: {error}"));
            STANDARD.decode_vec(piece, &mut out).map_err(damaged)?;
            part += 1;
        }
        match part {
            0 => Ok(None),
            _ if hex(&Sha256::digest(&out)) == digest => Ok(Some(out)),
            _ => Err(StoreError::Damaged(format!("the content of the file {digest} is not what was handed in"))),
        }
    }

    async fn piece(&self, digest: &str, part: i64) -> Result<Option<String>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.piece(digest, part));
        }
        let row: Option<(String,)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::UPLOAD_PART)).bind(digest).bind(part)
            .bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        Ok(row.map(|row| row.0))
    }
}

impl Everywhere<'_> {
    /// Files that nobody has needed since, and to which no fact refers, are forgotten.
    pub async fn forget_uploads(&self, before: Instant, now: Instant) -> Result<(), StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            model.all_mut().forget_uploads(before);
            return Ok(());
        }
        self.write(Lane::Background, Forget { before: before.timestamp_millis(), now: now.timestamp_millis() }).await
    }
}

struct Keep {
    file: Attached,
    person: String,
    pieces: Arc<[String]>,
    at: i64,
}

impl Write for Keep {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        let Attached { digest, size, media, name } = &self.file;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::UPLOAD_PUT)).bind(digest).bind(&self.person).bind(name)
            .bind(i64::try_from(*size).unwrap_or(i64::MAX)).bind(media).bind(self.at).bind(here).execute(&mut *c).await.map(|_| ()))?;
        for (part, piece) in (0_i64..).zip(&*self.pieces) {
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::UPLOAD_PART_PUT)).bind(digest).bind(part).bind(piece).bind(here)
                .execute(&mut *c).await.map(|_| ()))?;
        }
        Ok(())
    }
}

struct Need {
    file: Attached,
    person: String,
    at: i64,
}

impl Write for Need {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let Attached { digest, size, media, name } = &self.file;
        let row: Option<(String,)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::UPLOAD_NEEDED)).bind(digest).bind(&self.person)
            .bind(name).bind(i64::try_from(*size).unwrap_or(i64::MAX)).bind(media).bind(self.at).bind(here).fetch_optional(&mut *c).await)?;
        Ok(row.is_some())
    }
}

struct Forget {
    before: i64,
    now: i64,
}

impl Write for Forget {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::UPLOADS_KEEP)).bind(self.before).bind(self.now).execute(&mut *c).await.map(|_| ()))?;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::UPLOADS_FORGET)).bind(self.before).execute(&mut *c).await.map(|_| ()))?;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::UPLOAD_PARTS_FORGET)).execute(&mut *c).await.map(|_| ()))
    }
}
