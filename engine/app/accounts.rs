//! Accounts: who may sign in, by invitation; and what is asked of passwords and sessions.
//!
//! `sessions` lets people in and out, `links` makes what is good for one thing once, `password` judges and hashes.

use super::links::new_token;
use super::password::{HASHING, Weak, is_good};
use super::{App, Offices};
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::StoreError;
use crate::store::accounts::{Accepting, Account, Begins, Inviting, digest};
use crate::store::audit::Entry;
use crate::store::links::{NewLink, Wanted};
use crate::store::sessions::NewSession;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

pub use super::links::Link;
pub use super::second::{Codes, Half, HalfInside, NotEnrolled, NotPassed, Passed};
pub use super::sessions::{NotChanged, NotSignedIn, Session, SignedIn};
pub use crate::store::accounts::{AccountRow, INVITATION};

/// Of a login, in characters: as long as an address of mail can be.
const LONGEST_LOGIN: usize = 254;

/// Limits of the policy profile, from settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A session in which nothing happens ends after this.
    pub idle: TimeDelta,
    /// Every session ends after this.
    pub longest: TimeDelta,
    /// In characters.
    pub shortest_password: usize,
    /// So many tries that fail one after the other lock a login …
    pub failures: u32,
    /// … for so long; after as long without a try they are forgotten.
    pub locked: TimeDelta,
    /// So long an invitation is good.
    pub invitation: TimeDelta,
    /// Groups of the directory of whom a second step is asked; who has one is always asked for it.
    pub second_step: Vec<Name>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            idle: TimeDelta::minutes(30),
            longest: TimeDelta::hours(8),
            shortest_password: 10,
            failures: 5,
            locked: TimeDelta::minutes(15),
            invitation: TimeDelta::days(7),
            second_step: Vec::new(),
        }
    }
}

/// Who changes somebody's account, for the trail.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct By {
    /// A person of the directory.
    pub person: Option<Name>,
    /// How they came in.
    pub via: Option<String>,
    /// The address from which they came.
    pub source: Option<String>,
}

impl By {
    pub(super) fn entry(&self, at: Instant, about: &str, what: &str, mut more: Value) -> Entry {
        if let Some(more) = more.as_object_mut() {
            let by = [("by", self.person.as_ref().map(ToString::to_string)), ("via", self.via.clone())];
            more.extend(by.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?.into()))));
        }
        Entry::new(at, Some(about), what, more.to_string(), self.source.as_deref())
    }
}

/// An invitation, for whoever brings it to the person.
#[derive(Clone, Serialize, Deserialize)]
pub struct Invitation {
    /// Of the link. It is shown here and kept nowhere.
    pub token: String,
    pub person: Name,
    pub login: String,
    pub until: Instant,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("person", &self.person)
            .field("login", &self.login)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum NotInvited {
    #[error("the directory has no `{0}`")]
    UnknownPerson(Name),
    /// The directory has no address of the person, and no login was named.
    #[error("`{0}` has no mail address to sign in with")]
    NoLogin(Name),
    #[error("`{0}` cannot be a login")]
    BadLogin(String),
    #[error("`{0}` is somebody else's login")]
    Taken(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an invitation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// Nobody knows it, it was used, it is too late, or its person has left.
    #[error("the link is not good any more")]
    Link,
    #[error(transparent)]
    Weak(#[from] Weak),
    /// The password is set, and more is asked of them.
    #[error("the second step is still to come")]
    Second(Half),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum NotSet {
    #[error("`{0}` has no account")]
    NoAccount(Name),
    #[error(transparent)]
    Weak(#[from] Weak),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One thing that happened around accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Of the entry; those before it are asked for with it.
    pub id: String,
    pub at: Instant,
    pub person: Option<Name>,
    pub what: String,
    pub about: Value,
    pub source: Option<String>,
}

/// A login as it is kept and compared.
pub fn login_form(login: &str) -> String {
    login.trim().to_lowercase()
}

fn is_login(login: &str) -> bool {
    !login.is_empty() && login.chars().count() <= LONGEST_LOGIN && !login.chars().any(|c| c.is_whitespace() || c.is_control())
}

impl App {
    /// Makes a person's account, if there is none, and a link by which they choose a password. The login is their mail address if no other
    /// is named. Earlier invitations of the person end; a password that they have is good until they choose another.
    pub async fn invite(&self, policy: &Policy, person: &Name, login: Option<&str>) -> Result<Invitation, NotInvited> {
        self.invite_by(&By::default(), policy, person, login).await
    }

    /// The same, with who did it.
    pub async fn invite_by(&self, by: &By, policy: &Policy, person: &Name, login: Option<&str>) -> Result<Invitation, NotInvited> {
        let rules = self.rules();
        let known = rules.directory.persons.get(person).ok_or_else(|| NotInvited::UnknownPerson(person.clone()))?;
        let account = self.store.account(person).await?;
        let kept = account.filter(|_| login.is_none()).map(|account| account.login);
        let named = kept.or_else(|| login.or(known.mail.as_deref()).map(login_form));
        let name = named.ok_or_else(|| NotInvited::NoLogin(person.clone()))?;
        if !is_login(&name) {
            return Err(NotInvited::BadLogin(name));
        }
        let (token, made_at) = (new_token(), self.now());
        let until = made_at + policy.invitation;
        let link = NewLink {
            id: digest(&token),
            person: person.to_string(),
            purpose: INVITATION.into(),
            about: "{}".into(),
            made_at,
            expires_at: until,
        };
        let entry = by.entry(made_at, person, "invited", json!({ "login": name, "until": until }));
        if !self.store.invite(Inviting { login: name.clone(), replaces: login.is_some(), link, entry }).await? {
            return Err(NotInvited::Taken(name));
        }
        Ok(Invitation { token, person: person.clone(), login: name, until })
    }

    /// Notes that somebody who is signed in wanted what is not theirs.
    pub async fn note_denied(&self, person: &Name, what: &str) -> Result<(), StoreError> {
        let about = json!({ "page": what });
        self.store.audit(vec![Entry::new(self.now(), Some(person), "denied", about.to_string(), None)]).await
    }

    /// The accounts of this office by person.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let now = self.now();
        let open = |until: Option<Instant>| until.filter(|until| *until > now);
        let mut rows = self.store.accounts().await?;
        for row in &mut rows {
            (row.locked_until, row.invited_until) = (open(row.locked_until), open(row.invited_until));
        }
        Ok(rows)
    }

    /// Shuts a person off: sessions and links end at once. False when there is no account, or it was shut off before. An invitation opens it again.
    pub async fn disable_account(&self, person: &Name) -> Result<bool, StoreError> {
        self.disable_account_by(&By::default(), person).await
    }

    /// The same, with who did it.
    pub async fn disable_account_by(&self, by: &By, person: &Name) -> Result<bool, StoreError> {
        self.store.disable_account(person, by.entry(self.now(), person, "disabled", json!({}))).await
    }

    /// Gives an account a password. Whatever was open with the old one ends.
    pub async fn set_password(&self, policy: &Policy, person: &Name, password: &str) -> Result<(), NotSet> {
        self.set_password_by(&By::default(), policy, person, password).await
    }

    /// The same, with who did it.
    pub async fn set_password_by(&self, by: &By, policy: &Policy, person: &Name, password: &str) -> Result<(), NotSet> {
        let no_account = || NotSet::NoAccount(person.clone());
        let account = self.store.account(person).await?.ok_or_else(no_account)?;
        self.suits(policy, &account, password)?;
        let hashed = match HASHING.place() {
            Ok(place) => place.hash(password).await,
            Err(busy) => Err(busy),
        };
        let hashed = hashed.map_err(|_| StoreError::Busy)?;
        let entry = by.entry(self.now(), person, "password_set", json!({}));
        if self.store.set_password(person, hashed, None, entry).await? { Ok(()) } else { Err(no_account()) }
    }

    /// What happened around accounts here, the latest first, a page at a time: before an entry, if one is named.
    pub async fn audit_trail(&self, before: Option<&str>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let row = |Entry { id, at, person, what, about, source }: Entry| {
            let about = serde_json::from_str(&about).unwrap_or_default();
            AuditRow { id, at, person: person.map(|person| person.as_str().into()), what, about, source }
        };
        Ok(self.store.audit_trail(before, limit).await?.into_iter().map(row).collect())
    }

    /// Whether a password is good enough for the person of an account.
    pub(super) fn suits(&self, policy: &Policy, account: &Account, password: &str) -> Result<(), Weak> {
        let rules = self.rules();
        let title = rules.directory.persons.get(account.person.as_str()).map_or("", |person| person.title.as_str());
        is_good(password, policy.shortest_password, &[&account.login, &account.person, title])
    }
}

impl Offices {
    /// A person chooses a password by an invitation, and is inside. A password that is not good enough uses nothing up.
    pub async fn accept_invitation(
        &self,
        policy: &Policy,
        token: &str,
        password: &str,
        source: Option<&str>,
    ) -> Result<SignedIn, NotAccepted> {
        let (id, now) = (digest(token), self.now());
        let wanted = Wanted { id: &id, purpose: INVITATION, now };
        let link = self.store.everywhere().link(wanted).await?.ok_or(NotAccepted::Link)?;
        let here = self.app_of(&link.jurisdiction, &link.person).await?.ok_or(NotAccepted::Link)?;
        let account = here.store.account(&link.person).await?.ok_or(NotAccepted::Link)?;
        here.suits(policy, &account, password)?;
        let hashed = match HASHING.place() {
            Ok(place) => place.hash(password).await,
            Err(busy) => Err(busy),
        };
        let (password, at, token) = (hashed.map_err(|_| StoreError::Busy)?, self.now(), new_token());
        let entry = |what: &str| Entry::new(at, Some(&link.person), what, json!({ "how": INVITATION }).to_string(), source);
        let asked = here.second_step_asked(policy, &link.person).await?;
        let (half, begins, then) = match asked {
            Some(asked) => {
                let (half, halving) = asked.half(&link.person, at);
                (Some(half), Begins::Half(halving), "password_right")
            }
            None => {
                let source = source.map(str::to_string);
                let session = NewSession { id: digest(&token), person: link.person.clone(), at, source };
                (None, Begins::Session(session), "signed_in")
            }
        };
        let entries = vec![entry("password_set"), entry(then)];
        if !self.store.everywhere().accept(Accepting { link: id, password, at, begins, entries }).await? {
            return Err(NotAccepted::Link);
        }
        if let Some(half) = half {
            return Err(NotAccepted::Second(half));
        }
        let session = Session { jurisdiction: link.jurisdiction, person: link.person.as_str().into(), started_at: at, seen_at: at };
        Ok(SignedIn { token, session })
    }

    /// Adds to the trail of an office what happened.
    pub async fn audit(
        &self,
        jurisdiction: &str,
        person: Option<&Name>,
        what: &str,
        about: Value,
        source: Option<&str>,
    ) -> Result<(), StoreError> {
        let entry = Entry::new(self.now(), person.map(|person| &**person), what, about.to_string(), source);
        self.store.of(jurisdiction).audit(vec![entry]).await
    }
}
