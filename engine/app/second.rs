//! The second step: a code of a person's device after the password. Whoever has shown the password alone holds a link that is good for the
//! second step and for nothing else, so there is no session that is half one.

use super::accounts::{By, Policy};
use super::links::new_token;
use super::sessions::{NotChanged, Session, ShownFirst, SignedIn};
use super::totp;
use super::{App, Offices};
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::StoreError;
use crate::store::accounts::{Account, Try, digest, second_tries};
use crate::store::audit::Entry;
use crate::store::links::{NewLink, Wanted};
use crate::store::second::{Enrolling, HALF, Halving, Passing, SecondStep, Secret, Shown};
use crate::store::sessions::NewSession;
use chrono::TimeDelta;
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// So long the second step may take.
const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// Recovery codes that somebody gets, each of so many bytes.
const CODES: usize = 10;
const CODE_BYTES: usize = 10;

/// Somebody whose password was right.
#[derive(Clone)]
pub struct Half {
    /// For a cookie of its own. It is shown here and kept nowhere.
    pub token: String,
}

impl fmt::Debug for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Half")
    }
}

/// What is asked of somebody who is half inside.
#[derive(Clone, Debug)]
pub struct HalfInside {
    pub jurisdiction: Arc<str>,
    pub person: Name,
    /// They have no second step yet, and begin one with this.
    pub begins: Option<Device>,
}

/// What a device is told, once.
#[derive(Clone, Debug)]
pub struct Device {
    pub secret: Secret,
    /// For a picture that the device reads.
    pub address: String,
}

/// Recovery codes. They are shown here and kept nowhere.
#[derive(Clone)]
pub struct Codes(pub Vec<String>);

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Somebody who has come in by both steps; with recovery codes, if they began the second one.
#[derive(Clone, Debug)]
pub struct Passed {
    pub inside: SignedIn,
    pub codes: Option<Codes>,
}

/// Why somebody who is half inside stays there.
#[derive(Debug, thiserror::Error)]
pub enum NotPassed {
    /// It took too long, or has been done: signing in begins anew.
    #[error("the second step is over")]
    Over,
    /// The code is not one of now, or was used.
    #[error("the code is wrong")]
    Wrong,
    #[error("too many tries have failed; locked until {until}")]
    Locked { until: Instant },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a second step does not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// Nothing waits to begin.
    #[error("nothing was shown")]
    Nothing,
    #[error("the code is wrong")]
    Wrong,
    #[error("too many tries have failed; locked until {until}")]
    Locked { until: Instant },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is to be asked after a password: the code of a device that is known, or to begin with one.
pub(super) enum Asked {
    Code,
    Begin,
}

impl Asked {
    /// Somebody half inside, for whom and for the store.
    pub(super) fn half(&self, person: &str, now: Instant) -> (Half, Halving) {
        let token = new_token();
        let link = NewLink {
            id: digest(&token),
            person: person.to_string(),
            purpose: HALF.into(),
            about: "{}".into(),
            made_at: now,
            expires_at: now + LONGEST,
        };
        let pending = matches!(self, Asked::Begin).then(totp::new_secret);
        (Half { token }, Halving { link, pending })
    }
}

impl App {
    /// What is asked of a person after the password; nothing of whom nobody asks anything.
    pub(super) async fn second_step_asked(&self, policy: &Policy, person: &str) -> Result<Option<Asked>, StoreError> {
        let stands = self.store.second_step(person).await?;
        let begins = || self.must_have_second_step(policy, person).then_some(Asked::Begin);
        Ok(stands.secret.map(|_| Asked::Code).or_else(begins))
    }

    /// Whether the policy asks a second step of a person.
    pub fn must_have_second_step(&self, policy: &Policy, person: &str) -> bool {
        let rules = self.rules();
        let today = rules.workflows.values().next().map(|rules| day_of(self.now(), rules.setting.workflow.timezone)).unwrap_or_default();
        let groups = rules.directory.persons.get(person).map_or(&[][..], |person| &person.groups);
        groups.iter().any(|row| row.holds_on(today) && policy.second_step.contains(&row.value))
    }

    /// How a person's second step stands.
    pub async fn second_step(&self, person: &Name) -> Result<SecondStep, StoreError> {
        self.store.second_step(person).await
    }

    /// What a device is told of a secret.
    pub async fn device(&self, person: &str, secret: Secret) -> Result<Device, StoreError> {
        let login = self.store.account(person).await?.map_or_else(|| person.to_string(), |account| account.login);
        let rules = self.rules();
        let office = rules.workflows.values().next().map_or("duban", |rules| rules.setting.workflow.title.as_str());
        Ok(Device { address: totp::address(&secret, office, &login), secret })
    }

    /// Shows somebody inside what a new second step would be made of. One that is in use stays in use until the new one's first code.
    pub async fn propose_second_step(&self, person: &Name) -> Result<bool, StoreError> {
        self.store.propose_second_step(person, totp::new_secret()).await
    }

    /// Takes a person's second step away; their sessions end, but for `keep`. False when there was none.
    pub async fn drop_second_step(&self, by: &By, person: &Name, keep: Option<&str>) -> Result<bool, StoreError> {
        let entry = by.entry(self.now(), person, "second_step_reset", json!({}));
        self.store.drop_second_step(person, keep.map(digest).as_deref(), entry).await
    }
}

impl Offices {
    /// Somebody is half inside; nobody when the account is not any more what was checked.
    pub(super) async fn halve(
        &self,
        here: &App,
        account: &Account,
        asked: Asked,
        shown: ShownFirst,
        source: Option<&str>,
    ) -> Result<Option<Half>, StoreError> {
        let now = self.now();
        let (half, halving) = asked.half(&account.person, now);
        let (password, what) = match shown {
            ShownFirst::Password if account.password.is_none() => return Ok(None),
            ShownFirst::Password => (account.password.clone(), "password_right"),
            ShownFirst::Provider { .. } => (None, "provider_right"),
        };
        let entry = Entry::new(now, Some(&account.person), what, "{}".into(), source);
        Ok(here.store.halve(halving, password, entry).await?.then_some(half))
    }

    /// What is asked of whoever holds a token of one who is half inside; nothing when that is over.
    pub async fn half_inside(&self, token: &str) -> Result<Option<HalfInside>, StoreError> {
        let wanted = Wanted { id: &digest(token), purpose: HALF, now: self.now() };
        let Some(link) = self.store.everywhere().link(wanted).await? else { return Ok(None) };
        let Some(here) = self.app_of(&link.jurisdiction, &link.person).await? else { return Ok(None) };
        let stands = here.store.second_step(&link.person).await?;
        let begins = match (stands.secret, stands.pending) {
            (None, Some(pending)) => Some(here.device(&link.person, pending).await?),
            _ => None,
        };
        Ok(Some(HalfInside { jurisdiction: link.jurisdiction, person: link.person.as_str().into(), begins }))
    }

    /// Takes the second step: with a code of the device, with a recovery code, or with the first code of a device that begins.
    pub async fn pass(&self, policy: &Policy, token: &str, typed: &str, source: Option<&str>) -> Result<Passed, NotPassed> {
        let half = digest(token);
        let wanted = Wanted { id: &half, purpose: HALF, now: self.now() };
        let link = self.store.everywhere().link(wanted).await?.ok_or(NotPassed::Over)?;
        let here = self.app_of(&link.jurisdiction, &link.person).await?.ok_or(NotPassed::Over)?;
        let account = here.store.account(&link.person).await?.ok_or(NotPassed::Over)?;
        let counted = second_tries(&account.login);
        let locked = match self.try_with(policy, &counted).await? {
            (Try::Locked { until }, _) => return Err(NotPassed::Locked { until }),
            (Try::Counted { last, .. }, until) => last.then_some(until),
        };
        let (stands, at) = (here.store.second_step(&link.person).await?, self.now());
        let typed = plain(typed);
        let (mut codes, mut how) = (None, "code");
        let shown = match (&stands.secret, &stands.pending) {
            (Some(_), _) if typed.len() > 6 => {
                how = "recovery code";
                Some(Shown::Recovery { code: recovery_digest(&link.person, &typed) })
            }
            (Some(secret), _) => totp::step_of(secret, &typed, at, stands.last_step).map(|step| Shown::Code { step }),
            (None, Some(pending)) => totp::step_of(pending, &typed, at, 0).map(|step| {
                let (new, digests) = new_codes(&link.person);
                codes = Some(new);
                Shown::Enrolled(Enrolling { pending: pending.clone(), step, codes: digests })
            }),
            (None, None) => return Err(NotPassed::Over),
        };
        if let Some(shown) = shown {
            let token = new_token();
            let entry = |what: &str| Entry::new(at, Some(&link.person), what, json!({ "how": how }).to_string(), source);
            let mut entries: Vec<Entry> = codes.iter().map(|_| entry("second_step_set")).collect();
            entries.push(entry("signed_in"));
            let session = NewSession { id: digest(&token), person: link.person.clone(), at, source: source.map(str::to_string) };
            let tries = vec![account.login.clone(), counted];
            if here.store.pass(Passing { half, shown, session, tries, entries }).await? {
                let session = Session { jurisdiction: link.jurisdiction, person: link.person.as_str().into(), started_at: at, seen_at: at };
                return Ok(Passed { inside: SignedIn { token, session }, codes });
            }
        }
        self.note_failed("second_step_failed", Some(&account), locked, source).await?;
        Err(NotPassed::Wrong)
    }

    /// Somebody inside shows the first code of a device that begins. Their other sessions end.
    pub async fn enrol(
        &self,
        policy: &Policy,
        here: &App,
        session: (&Name, &str),
        typed: &str,
        source: Option<&str>,
    ) -> Result<Codes, NotEnrolled> {
        let (person, token) = session;
        let account = here.store.account(person).await?.ok_or(NotEnrolled::Nothing)?;
        let pending = here.store.second_step(person).await?.pending.ok_or(NotEnrolled::Nothing)?;
        let locked = match self.try_with(policy, &second_tries(&account.login)).await? {
            (Try::Locked { until }, _) => return Err(NotEnrolled::Locked { until }),
            (Try::Counted { last, .. }, until) => last.then_some(until),
        };
        let at = self.now();
        if let Some(step) = totp::step_of(&pending, &plain(typed), at, 0) {
            let (codes, digests) = new_codes(person);
            let entry = Entry::new(at, Some(person), "second_step_set", "{}".into(), source);
            if here.store.enrol(person, Enrolling { pending, step, codes: digests }, &digest(token), entry).await? {
                self.store.everywhere().forget_tries(&second_tries(&account.login)).await?;
                return Ok(codes);
            }
        }
        self.note_failed("second_step_failed", Some(&account), locked, source).await?;
        Err(NotEnrolled::Wrong)
    }

    /// Somebody inside gives their second step up, and shows that they know the password.
    pub async fn give_up_second_step(
        &self,
        policy: &Policy,
        session: (&Session, &str),
        password: &str,
        source: Option<&str>,
    ) -> Result<bool, NotChanged> {
        let (session, token) = session;
        self.knows_password(policy, session, password, source).await?;
        let here = self.app_of(&session.jurisdiction, &session.person).await?.ok_or(NotChanged::Wrong)?;
        let by = By { person: Some(session.person.clone()), via: None, source: source.map(str::to_string) };
        Ok(here.drop_second_step(&by, &session.person, Some(token)).await?)
    }
}

/// What was typed, without what stands in it to be read more easily.
fn plain(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// It is as random as a token, so nothing slower is needed.
fn recovery_digest(person: &str, code: &str) -> String {
    digest(&format!("recovery {person} {code}"))
}

fn new_codes(person: &str) -> (Codes, Vec<String>) {
    let codes: Vec<String> = (0..CODES).map(|_| totp::base32(&rand::random::<[u8; CODE_BYTES]>())).collect();
    let digests = codes.iter().map(|code| recovery_digest(person, code)).collect();
    let parted = |code: &String| code.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("-");
    (Codes(codes.iter().map(parted).collect()), digests)
}
