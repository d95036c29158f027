//! Links that are good for one thing, once, until a moment, for one person. Their tokens are random, and only their digests are kept.

use super::{App, Offices};
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::accounts::digest;
use crate::store::audit::Entry;
use crate::store::facts::hex;
use crate::store::links::{self, NewLink, Wanted};
use crate::store::{Store, StoreError};
use serde_json::{Value, json};
use std::sync::Arc;

/// A link that can be used, or has just been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub jurisdiction: Arc<str>,
    pub person: Name,
    pub about: Value,
    pub until: Instant,
}

/// 256 random bits in hexadecimal.
pub(super) fn new_token() -> String {
    hex(&rand::random::<[u8; 32]>())
}

fn read(link: links::Link) -> Link {
    let about = serde_json::from_str(&link.about).unwrap_or_default();
    Link { jurisdiction: link.jurisdiction, person: link.person.as_str().into(), about, until: link.expires_at }
}

impl App {
    /// Makes a link for one thing and gives its token, which is kept nowhere.
    pub async fn make_link(&self, person: &Name, purpose: &str, about: Value, until: Instant) -> Result<String, StoreError> {
        let token = new_token();
        let (person, purpose, about) = (person.to_string(), purpose.to_string(), about.to_string());
        let link = NewLink { id: digest(&token), person, purpose, about, made_at: self.now(), expires_at: until };
        self.store.make_link(link).await?;
        Ok(token)
    }
}

impl Offices {
    /// What a link would do. Looking at it, as scanners of mail do, uses nothing up.
    pub async fn find_link(&self, token: &str, purpose: &str) -> Result<Option<Link>, StoreError> {
        let found = self.store.everywhere().link(Wanted { id: &digest(token), purpose, now: self.now() }).await?;
        Ok(found.map(read))
    }

    /// Uses a link up; nothing when it is unknown, used, too late or for something else. Of any number who try at once, one gets it.
    pub async fn use_link(&self, token: &str, purpose: &str, source: Option<&str>) -> Result<Option<Link>, StoreError> {
        take(&self.store, token, purpose, self.now(), source).await
    }
}

async fn take(store: &Store, token: &str, purpose: &str, now: Instant, source: Option<&str>) -> Result<Option<Link>, StoreError> {
    let entry = Entry::new(now, None, "link_used", json!({ "purpose": purpose }).to_string(), source);
    let used = store.everywhere().use_link(Wanted { id: &digest(token), purpose, now }, entry).await?;
    Ok(used.map(read))
}

impl App {
    /// The same for a link of this office.
    pub async fn find_link(&self, token: &str, purpose: &str) -> Result<Option<Link>, StoreError> {
        let found = self.store.everywhere().link(Wanted { id: &digest(token), purpose, now: self.now() }).await?;
        Ok(found.map(read).filter(|link| *link.jurisdiction == *self.store.jurisdiction()))
    }

    pub async fn use_link(&self, token: &str, purpose: &str, source: Option<&str>) -> Result<Option<Link>, StoreError> {
        match self.find_link(token, purpose).await? {
            Some(_) => take(&self.store, token, purpose, self.now(), source).await,
            None => Ok(None),
        }
    }
}
