//! Links that are good for one thing, once, until a moment, for one person. Their tokens are random, and only their digests are kept.

use super::{App, Offices};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::time::Instant;
use crate::store::accounts::digest;
use crate::store::audit::Entry;
use crate::store::facts::hex;
use crate::store::links::{self, NewLink, Wanted};
use crate::store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a link of a mail is for, as links say it.
const FROM_MAIL: &str = "mail";
/// How somebody came in who did something by such a link, as a fact records it.
const VIA: &str = "mail";

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
    take_for(store, token, purpose, now, json!({ "purpose": purpose }), source).await
}

async fn take_for(
    store: &Store,
    token: &str,
    purpose: &str,
    now: Instant,
    about: Value,
    source: Option<&str>,
) -> Result<Option<Link>, StoreError> {
    let entry = Entry::new(now, None, "link_used", about.to_string(), source);
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

/// The one action that a link of a mail is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailLink {
    pub item: Name,
    pub branch: Option<u32>,
    pub action: Name,
    /// Key of the notice in whose mail it stands.
    pub notice: String,
}

impl MailLink {
    /// The link with this token, for the store.
    pub(super) fn link(&self, token: &str, person: &Name, made_at: Instant, expires_at: Instant) -> NewLink {
        let about = json!(self).to_string();
        NewLink { id: digest(token), person: person.to_string(), purpose: FROM_MAIL.into(), about, made_at, expires_at }
    }
}

/// Somebody has come with a link of a mail: in whose name they act, and what they may do.
pub struct Holder {
    pub app: Arc<App>,
    pub person: Name,
    pub wish: MailLink,
    pub until: Instant,
    /// It is used up since.
    pub used_at: Option<Instant>,
    token: String,
}

/// Why a link of a mail opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoLink {
    #[error("the link is unknown")]
    Unknown,
    #[error("the link is too late")]
    Late,
    /// The person has left the directory, their account is shut off, or the office cannot be worked now.
    #[error("the link's person may not act")]
    Shut,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Holder {
    /// The command that this link is good for. It has one id, so that it is done once however often it is sent.
    pub fn command(&self) -> Command {
        Command {
            id: format!("link-{}", digest(&self.token)).into(),
            item: self.wish.item.clone(),
            branch: self.wish.branch.map(BranchAddress::No),
            action: self.wish.action.clone(),
            input: Default::default(),
            by: self.person.clone(),
            via: Some(VIA.into()),
            effective_on: None,
            seen_rev: None,
        }
    }
}

impl Offices {
    /// Who comes with a link of a mail. Looking uses nothing up; one that was used says so for as long as it is known.
    pub async fn mail_link(&self, token: &str) -> Result<Holder, NoLink> {
        let (found, used_at) = self.store.everywhere().link_known(&digest(token), FROM_MAIL).await?.ok_or(NoLink::Unknown)?;
        let wish = serde_json::from_str(&found.about).map_err(|_| NoLink::Unknown)?;
        if used_at.is_none() && found.expires_at <= self.now() {
            return Err(NoLink::Late);
        }
        let app = self.app_of(&found.jurisdiction, &found.person).await?.ok_or(NoLink::Shut)?;
        let person: Name = found.person.as_str().into();
        if app.store.account(&person).await?.is_some_and(|account| account.disabled_at.is_some()) {
            return Err(NoLink::Shut);
        }
        Ok(Holder { app, person, wish, until: found.expires_at, used_at, token: token.to_string() })
    }

    /// What the link was for is recorded, at this revision of its item: it is used up, and told in the trail.
    pub async fn mail_link_used(&self, holder: &Holder, rev: Option<u64>) -> Result<(), StoreError> {
        let MailLink { item, branch, action, .. } = &holder.wish;
        let about = json!({ "purpose": FROM_MAIL, "item": item, "branch": branch, "action": action, "rev": rev });
        take_for(&self.store, &holder.token, FROM_MAIL, self.now(), about, None).await?;
        Ok(())
    }
}
