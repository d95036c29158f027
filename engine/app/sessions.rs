//! Who is inside: signing in with a password, sessions by the token of a cookie, and signing out.
//!
//! Nobody learns from an answer, or from how long it takes, whether a login exists: a try is counted, a password is checked and a failure
//! is recorded alike for every login.

use super::accounts::{Policy, login_form};
use super::links::new_token;
use super::password::{Busy, HASHING, Place, Weak};
use super::second::Half;
use super::{App, OfficeError, Offices};
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::StoreError;
use crate::store::accounts::{Account, Tries, Try, digest};
use crate::store::audit::Entry;
use crate::store::sessions::{Entering, NewSession};
use chrono::TimeDelta;
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// When somebody was last seen is written no more often than this.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Somebody who has just come in.
#[derive(Clone)]
pub struct SignedIn {
    /// For the cookie. It is shown here and kept nowhere.
    pub token: String,
    pub session: Session,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Somebody inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub jurisdiction: Arc<str>,
    pub person: Name,
    pub started_at: Instant,
    /// To the minute.
    pub seen_at: Instant,
}

/// Why somebody stays outside.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// The login, the password, or an account that cannot be used: nobody is told which.
    #[error("login or password is wrong")]
    Wrong,
    /// Too many tries with this login have failed, whether or not there is such a login.
    #[error("too many tries have failed; locked until {until}")]
    Locked { until: Instant },
    #[error("too many are signing in")]
    Busy,
    /// The password is right, and more is asked of them.
    #[error("the second step is still to come")]
    Second(Half),
    #[error(transparent)]
    Store(StoreError),
}

/// Why somebody's own password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// The one that they have now is another, or they have none.
    #[error("the password is wrong")]
    Wrong,
    #[error("too many tries have failed; locked until {until}")]
    Locked { until: Instant },
    #[error(transparent)]
    Weak(#[from] Weak),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StoreError> for NotSignedIn {
    fn from(error: StoreError) -> NotSignedIn {
        match error {
            StoreError::Busy => NotSignedIn::Busy,
            error => NotSignedIn::Store(error),
        }
    }
}

/// Whether somebody has business in an office.
enum Belongs {
    Yes(Arc<App>),
    /// Not in the directory any more, or there is no such office.
    No,
    /// The office cannot be worked at present.
    NotNow,
}

impl Offices {
    /// Lets a person in who knows the password.
    pub async fn sign_in(&self, policy: &Policy, login: &str, password: &str, source: Option<&str>) -> Result<SignedIn, NotSignedIn> {
        let place = HASHING.place().map_err(|_| NotSignedIn::Busy)?;
        let (account, locked) = match self.try_with(policy, &login_form(login)).await? {
            (Try::Locked { until }, _) => return Err(NotSignedIn::Locked { until }),
            (Try::Counted { account, last }, until) => (account, last.then_some(until)),
        };
        let kept = account.as_ref().and_then(|account| account.password.as_ref());
        let is_right = place.is(password, kept).await.map_err(|_| NotSignedIn::Busy)?;
        if let Some(account) = account.as_ref().filter(|account| is_right && account.disabled_at.is_none()) {
            match self.enter(policy, account, ShownFirst::Password, source).await? {
                Entered::Inside(signed_in) => return Ok(signed_in),
                Entered::Half(half) => return Err(NotSignedIn::Second(half)),
                Entered::No => {}
            }
        }
        self.keep_out(account.as_ref(), locked, source).await?;
        Err(NotSignedIn::Wrong)
    }

    /// Lets a person in whom an identity provider names: by the login of an account, or by the name of a person of this office with one.
    /// Where the two are not the same it is nobody.
    pub async fn sign_in_named(
        &self,
        policy: &Policy,
        jurisdiction: &str,
        named: &str,
        had_second_step: bool,
        source: Option<&str>,
    ) -> Result<SignedIn, NotSignedIn> {
        let account = match named.contains('\0') {
            true => None,
            false => {
                let by_login = self.store.everywhere().account_of_login(&login_form(named)).await?;
                let by_person = self.store.of(jurisdiction).account(named).await?;
                let is_one = |(one, other): (&Account, &Account)| (&one.jurisdiction, &one.person) == (&other.jurisdiction, &other.person);
                let clear = by_login.as_ref().zip(by_person.as_ref()).is_none_or(is_one);
                by_login.or(by_person).filter(|_| clear)
            }
        };
        if let Some(account) = account.as_ref().filter(|account| account.disabled_at.is_none()) {
            match self.enter(policy, account, ShownFirst::Provider { had_second_step }, source).await? {
                Entered::Inside(signed_in) => return Ok(signed_in),
                Entered::Half(half) => return Err(NotSignedIn::Second(half)),
                Entered::No => {}
            }
        }
        self.keep_out(account.as_ref(), None, source).await?;
        Err(NotSignedIn::Wrong)
    }

    /// Lets a person in without a password: for the demo. `how` is told in the trail.
    pub async fn begin_session(&self, jurisdiction: &str, person: &Name, how: &str, source: Option<&str>) -> Result<SignedIn, StoreError> {
        let begun = self.begin(jurisdiction, person, Entering::default(), how, source).await?;
        begun.ok_or_else(|| StoreError::NotDone(format!("the account of `{person}` is shut off")))
    }

    /// The session of a cookie's token, unless it has ended or idled for too long, or its person's account was shut off or the person has
    /// left the directory: then it is removed.
    pub async fn session(&self, policy: &Policy, token: &str) -> Result<Option<Session>, StoreError> {
        let (id, now) = (digest(token), self.now());
        let Some(found) = self.store.everywhere().session(&id).await? else { return Ok(None) };
        let over = now - found.started_at >= policy.longest || now - found.seen_at >= policy.idle;
        let belongs = match over || found.disabled {
            true => Belongs::No,
            false => self.belongs(&found.jurisdiction, &found.person).await?,
        };
        match belongs {
            Belongs::No => {
                self.store.everywhere().end_session(&id, None).await?;
                return Ok(None);
            }
            Belongs::NotNow => return Ok(None),
            Belongs::Yes(_) => {}
        }
        if now - found.seen_at >= SEEN_EVERY {
            // Whoever is inside can look around also while nothing can be written.
            if let Err(error) = self.store.everywhere().session_seen(&id, now).await {
                tracing::warn!(%error, "it was not noted that somebody is still here");
            }
        }
        let seen_at = found.seen_at.max(now);
        Ok(Some(Session { jurisdiction: found.jurisdiction, person: found.person.as_str().into(), started_at: found.started_at, seen_at }))
    }

    /// Whether somebody inside knows their password. Tries that fail are counted as those to sign in are.
    pub async fn knows_password(&self, policy: &Policy, session: &Session, password: &str, source: Option<&str>) -> Result<(), NotChanged> {
        let place = HASHING.place().map_err(busy)?;
        let here = self.app_of(&session.jurisdiction, &session.person).await?.ok_or(NotChanged::Wrong)?;
        let account = here.store.account(&session.person).await?.ok_or(NotChanged::Wrong)?;
        self.checked(policy, &account.login, password, place, source).await?;
        Ok(self.store.everywhere().forget_tries(&account.login).await?)
    }

    /// The account of a login, if this is its password. The try stays counted until somebody forgets it.
    async fn checked(
        &self,
        policy: &Policy,
        login: &str,
        password: &str,
        place: Place,
        source: Option<&str>,
    ) -> Result<Option<Account>, NotChanged> {
        let (account, locked) = match self.try_with(policy, login).await? {
            (Try::Locked { until }, _) => return Err(NotChanged::Locked { until }),
            (Try::Counted { account, last }, until) => (account, last.then_some(until)),
        };
        let kept = account.as_ref().and_then(|account| account.password.as_ref());
        if !place.is(password, kept).await.map_err(busy)? {
            self.keep_out(account.as_ref(), locked, source).await?;
            return Err(NotChanged::Wrong);
        }
        Ok(account)
    }

    /// Somebody inside chooses another password, and shows that they know the one that they have. All their sessions end, and a new one begins.
    pub async fn change_password(
        &self,
        policy: &Policy,
        session: &Session,
        old: &str,
        new: &str,
        source: Option<&str>,
    ) -> Result<SignedIn, NotChanged> {
        let Session { jurisdiction, person, .. } = session;
        let (first, second) = (HASHING.place().map_err(busy)?, HASHING.place().map_err(busy)?);
        let here = self.app_of(jurisdiction, person).await?.ok_or(NotChanged::Wrong)?;
        let account = here.store.account(person).await?.ok_or(NotChanged::Wrong)?;
        here.suits(policy, &account, new)?;
        let account = self.checked(policy, &account.login, old, first, source).await?;
        let hashed = second.hash(new).await.map_err(busy)?;
        let entry = Entry::new(self.now(), Some(person), "password_set", json!({ "by": person }).to_string(), source);
        if !here.store.set_password(person, hashed.clone(), account.and_then(|account| account.password), entry).await? {
            return Err(NotChanged::Wrong);
        }
        let entering = Entering { password: Some(hashed), ended: None };
        self.begin(jurisdiction, person, entering, "password", source).await?.ok_or(NotChanged::Wrong)
    }

    /// Ends the other sessions of somebody inside.
    pub async fn end_others(&self, session: &Session, token: &str, source: Option<&str>) -> Result<(), StoreError> {
        let entry = Entry::new(self.now(), Some(&session.person), "others_signed_out", "{}".into(), source);
        self.store.of(&session.jurisdiction).end_other_sessions(&session.person, &digest(token), entry).await
    }

    /// Ends the session of a cookie's token.
    pub async fn sign_out(&self, token: &str) -> Result<(), StoreError> {
        let entry = Entry::new(self.now(), None, "signed_out", "{}".into(), None);
        self.store.everywhere().end_session(&digest(token), Some(entry)).await
    }

    /// The office of somebody who is in its directory, if it can be worked.
    pub(super) async fn app_of(&self, jurisdiction: &str, person: &str) -> Result<Option<Arc<App>>, StoreError> {
        Ok(match self.belongs(jurisdiction, person).await? {
            Belongs::Yes(app) => Some(app),
            Belongs::No | Belongs::NotNow => None,
        })
    }

    async fn belongs(&self, jurisdiction: &str, person: &str) -> Result<Belongs, StoreError> {
        match self.app(jurisdiction).await {
            Ok(app) if app.rules().directory.persons.contains_key(person) => Ok(Belongs::Yes(app)),
            Ok(_) | Err(OfficeError::Unknown(_)) => Ok(Belongs::No),
            Err(OfficeError::Shut(..)) => Ok(Belongs::NotNow),
            Err(OfficeError::Store(error)) => Err(error),
        }
    }

    /// Counts a try, and says until when the login is locked if it was the last one and fails.
    pub(super) async fn try_with(&self, policy: &Policy, login: &str) -> Result<(Try, Instant), StoreError> {
        let now = self.now();
        let tries = Tries { most: policy.failures, locked_until: now + policy.locked, forgotten: now - policy.locked };
        Ok((self.store.everywhere().try_to_sign_in(login, now, tries).await?, tries.locked_until))
    }

    /// A password was right, or a provider named somebody.
    async fn enter(&self, policy: &Policy, account: &Account, shown: ShownFirst, source: Option<&str>) -> Result<Entered, StoreError> {
        let Some(here) = self.app_of(&account.jurisdiction, &account.person).await? else { return Ok(Entered::No) };
        if !matches!(shown, ShownFirst::Provider { had_second_step: true }) {
            if let Some(asked) = here.second_step_asked(policy, &account.person).await? {
                let half = self.halve(&here, account, asked, shown, source).await?;
                return Ok(half.map_or(Entered::No, Entered::Half));
            }
        }
        let now = self.now();
        let (password, how) = match shown {
            ShownFirst::Password => (account.password.clone(), "password"),
            ShownFirst::Provider { .. } => (None, "identity provider"),
        };
        let entering = Entering { password, ended: Some((now - policy.longest, now - policy.idle)) };
        let begun = self.begin(&account.jurisdiction, &account.person.as_str().into(), entering, how, source).await?;
        Ok(begun.map_or(Entered::No, Entered::Inside))
    }

    /// A session has a token of its own, whatever the person had before.
    async fn begin(
        &self,
        jurisdiction: &str,
        person: &Name,
        entering: Entering,
        how: &str,
        source: Option<&str>,
    ) -> Result<Option<SignedIn>, StoreError> {
        let (token, at) = (new_token(), self.now());
        let new = NewSession { id: digest(&token), person: person.to_string(), at, source: source.map(str::to_string) };
        let entry = Entry::new(at, Some(person), "signed_in", json!({ "how": how }).to_string(), source);
        let begun = self.store.of(jurisdiction).begin_session(new, entering, entry).await?;
        let session = Session { jurisdiction: jurisdiction.into(), person: person.clone(), started_at: at, seen_at: at };
        Ok(begun.then_some(SignedIn { token, session }))
    }

    /// Records a try that failed. What was typed as a login is not told: it may be a password.
    async fn keep_out(&self, account: Option<&Account>, locked: Option<Instant>, source: Option<&str>) -> Result<(), StoreError> {
        self.note_failed("sign_in_failed", account, locked, source).await
    }

    pub(super) async fn note_failed(
        &self,
        what: &str,
        account: Option<&Account>,
        locked: Option<Instant>,
        source: Option<&str>,
    ) -> Result<(), StoreError> {
        let (now, person) = (self.now(), account.map(|account| account.person.as_str()));
        let mut entries = vec![Entry::new(now, person, what, "{}".into(), source)];
        entries.extend(locked.map(|until| Entry::new(now, person, "locked", json!({ "until": until }).to_string(), source)));
        // Where nobody knows the login, it is told to the office of this installation.
        let here = account.map_or(self.store.jurisdiction(), |account| &account.jurisdiction);
        self.store.of(here).audit(entries).await
    }
}

/// What somebody has shown who comes in.
#[derive(Clone, Copy, Debug)]
pub(super) enum ShownFirst {
    Password,
    /// An identity provider names them.
    Provider {
        had_second_step: bool,
    },
}

/// What comes of it.
enum Entered {
    Inside(SignedIn),
    Half(Half),
    /// The person has left, or the account is not any more what was checked.
    No,
}

fn busy(_: Busy) -> StoreError {
    StoreError::Busy
}
