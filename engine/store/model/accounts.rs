//! Accounts, sessions, links, and what became of them.

use super::At;
use super::state::{AccountEntry, AttemptEntry, LinkEntry, Office, State};
use crate::kernel::time::Instant;
use crate::store::accounts::{Accepting, Account, AccountRow, Begins, Hashed, INVITATION, Inviting, Tries, Try, digest, second_tries};
use crate::store::audit::Entry;
use crate::store::links::{Link, NewLink, Wanted, forgotten};
use crate::store::second::{Enrolling, HALF, Halving, Passing, SecondStep, Secret, Shown};
use crate::store::sessions::{Entering, NewSession, SessionRow, StoredSession};
use std::sync::Arc;

impl At<'_> {
    pub fn invite(&mut self, inviting: &Inviting) -> bool {
        let Inviting { login, replaces, link, entry } = inviting;
        let here = self.here.clone();
        let holder = self.all().holder_of(login);
        let taken = holder.is_some_and(|(office, person)| (office, person) != (here.clone(), link.person.clone()));
        let known = self.accounts.contains_key(&link.person);
        if taken && (!known || *replaces) {
            return false;
        }
        let created_at = link.made_at;
        let new = AccountEntry { login: login.clone(), password: None, disabled_at: None, password_at: None, created_at };
        let account = self.accounts.entry(link.person.clone()).or_insert(new);
        if *replaces {
            account.login.clone_from(login);
        }
        self.all_mut().drop_links(&here, &link.person, Some(INVITATION));
        self.make_link(link);
        self.audit(std::slice::from_ref(entry));
        true
    }

    pub fn accounts(&self) -> Vec<AccountRow> {
        let row = |(person, account): (&String, &AccountEntry)| {
            let open = |link: &&LinkEntry| link.is_of(self.here, person) && link.purpose == INVITATION && link.used_at.is_none();
            AccountRow {
                person: person.clone(),
                login: account.login.clone(),
                has_password: account.password.is_some(),
                disabled_at: account.disabled_at,
                locked_until: [&account.login, &second_tries(&account.login)]
                    .into_iter()
                    .filter_map(|login| self.all().attempts.get(&digest(login))?.locked_until)
                    .max(),
                password_at: account.password_at,
                created_at: account.created_at,
                second_at: self.second.get(person).filter(|second| second.secret.is_some()).and_then(|second| second.set_at),
                invited_until: self.all().links.values().filter(open).map(|link| link.expires_at).max(),
            }
        };
        self.accounts.iter().map(row).collect()
    }

    pub fn account(&self, person: &str) -> Option<Account> {
        self.accounts.get(person).map(|account| account.shown(self.here, person))
    }

    pub fn disable_account(&mut self, person: &str, entry: &Entry) -> bool {
        let here = self.here.clone();
        let open = self.accounts.get_mut(person).filter(|account| account.disabled_at.is_none());
        let changed = open.map(|account| account.disabled_at = Some(entry.at)).is_some();
        self.all_mut().end_sessions(&here, person, None);
        self.all_mut().drop_links(&here, person, None);
        self.end_tokens(person, entry.at);
        if changed {
            self.audit(std::slice::from_ref(entry));
        }
        changed
    }

    pub fn set_password(&mut self, person: &str, password: &Hashed, checked: Option<&Hashed>, entry: &Entry) -> bool {
        let here = self.here.clone();
        let is_same = |account: &AccountEntry| checked.is_none() || (account.password.as_ref() == checked && account.disabled_at.is_none());
        let set = self.accounts.get(person).is_some_and(is_same) && self.all_mut().put_password(&here, person, password, entry.at);
        if set {
            self.audit(std::slice::from_ref(entry));
        }
        set
    }

    pub fn begin_session(&mut self, session: &NewSession, entering: &Entering, entry: &Entry) -> bool {
        let here = self.here.clone();
        let account = self.account(&session.person);
        let password = account.as_ref().and_then(|account| account.password.as_ref());
        let disabled = account.as_ref().is_some_and(|account| account.disabled_at.is_some());
        if disabled || entering.password.as_ref().is_some_and(|checked| password != Some(checked)) {
            return false;
        }
        if let (Some(account), Some(_)) = (&account, &entering.password) {
            let login = digest(&account.login);
            self.all_mut().attempts.remove(&login);
        }
        if let Some((began, seen)) = entering.ended {
            let ended = |session: &StoredSession| session.jurisdiction == here && (session.started_at <= began || session.seen_at <= seen);
            self.all_mut().sessions.retain(|_, session| !ended(session));
        }
        self.all_mut().put_session(&here, session);
        self.audit(std::slice::from_ref(entry));
        true
    }

    pub fn sessions_of(&self, person: &str) -> Vec<SessionRow> {
        let all = self.all();
        let own = all.sessions.iter().filter(|(_, session)| (&*session.jurisdiction, &*session.person) == (&**self.here, person));
        let row = |(id, session): (&String, &StoredSession)| {
            let source = all.sources.get(id).cloned();
            SessionRow { id: id.clone(), started_at: session.started_at, seen_at: session.seen_at, source }
        };
        let mut rows: Vec<SessionRow> = own.map(row).collect();
        rows.sort_by(|one, other| other.started_at.cmp(&one.started_at).then(one.id.cmp(&other.id)));
        rows.truncate(100);
        rows
    }

    pub fn end_other_sessions(&mut self, person: &str, keep: &str, entry: &Entry) {
        let here = self.here.clone();
        self.all_mut().end_sessions(&here, person, Some(keep));
        self.audit(std::slice::from_ref(entry));
    }

    pub fn second_step(&self, person: &str) -> SecondStep {
        let left = self.codes.values().filter(|(whose, used)| whose == person && !used).count();
        let known = self.second.get(person).cloned();
        known.map(|second| SecondStep { codes_left: left as u32, ..second }).unwrap_or_default()
    }

    pub fn propose_second_step(&mut self, person: &str, pending: &Secret) -> bool {
        let known = self.accounts.contains_key(person);
        if known {
            self.second.entry(person.to_string()).or_default().pending = Some(pending.clone());
        }
        known
    }

    pub fn enrol(&mut self, person: &str, enrolling: &Enrolling, keep: &str, entry: &Entry) -> bool {
        let here = self.here.clone();
        let set = self.set_second_step(person, enrolling, entry.at);
        if set {
            self.all_mut().end_sessions(&here, person, Some(keep));
            self.audit(std::slice::from_ref(entry));
        }
        set
    }

    pub fn drop_second_step(&mut self, person: &str, keep: Option<&str>, entry: &Entry) -> bool {
        let here = self.here.clone();
        self.codes.retain(|_, (whose, _)| whose != person);
        let gone = self.second.remove(person).is_some();
        if gone {
            self.all_mut().end_sessions(&here, person, keep);
            self.all_mut().drop_links(&here, person, Some(HALF));
            self.audit(std::slice::from_ref(entry));
        }
        gone
    }

    pub fn halve(&mut self, halving: &Halving, password: Option<&Hashed>, entry: &Entry) -> bool {
        let here = self.here.clone();
        let Some(account) = self.account(&halving.link.person) else { return false };
        if account.disabled_at.is_some() || password.is_some() && account.password.as_ref() != password {
            return false;
        }
        if password.is_some() {
            self.all_mut().attempts.remove(&digest(&account.login));
        }
        self.all_mut().halve(&here, halving);
        self.audit(std::slice::from_ref(entry));
        true
    }

    pub fn pass(&mut self, passing: &Passing) -> bool {
        let here = self.here.clone();
        let Passing { half, shown, session, tries, entries } = passing;
        let person = &session.person;
        let open = self.account(person).is_some_and(|account| account.disabled_at.is_none());
        if !open || !self.all().links.get(half).is_some_and(|link| link.is_good(HALF, session.at)) {
            return false;
        }
        let holds = match shown {
            Shown::Code { step } => {
                let later = self.second.get_mut(person).filter(|second| second.secret.is_some() && second.last_step < *step);
                later.map(|second| second.last_step = *step).is_some()
            }
            Shown::Recovery { code } => {
                let free = self.codes.get_mut(code).filter(|(whose, used)| whose == person && !used);
                free.map(|(_, used)| *used = true).is_some()
            }
            Shown::Enrolled(enrolling) => self.set_second_step(person, enrolling, session.at),
        };
        if !holds {
            return false;
        }
        if let Some(link) = self.all_mut().links.get_mut(half) {
            link.used_at = Some(session.at);
        }
        for login in tries {
            self.all_mut().attempts.remove(&digest(login));
        }
        self.all_mut().put_session(&here, session);
        self.audit(entries);
        true
    }

    pub fn make_link(&mut self, new: &NewLink) {
        let here = self.here.clone();
        self.all_mut().put_link(&here, new);
    }

    pub fn audit(&mut self, entries: &[Entry]) {
        let office: &mut Office = self;
        office.told(entries);
    }

    pub fn audit_trail(&self, before: Option<&str>, limit: u32) -> Vec<Entry> {
        let entries = self.audit.values().rev().filter(|entry| before.is_none_or(|before| *entry.id < *before));
        entries.take(limit as usize).cloned().collect()
    }
}

impl Office {
    fn set_second_step(&mut self, person: &str, enrolling: &Enrolling, at: Instant) -> bool {
        let Enrolling { pending, step, codes } = enrolling;
        let Some(second) = self.second.get_mut(person).filter(|second| second.pending.as_ref() == Some(pending)) else { return false };
        *second = SecondStep { secret: Some(pending.clone()), pending: None, last_step: *step, set_at: Some(at), codes_left: 0 };
        self.codes.retain(|_, (whose, _)| whose != person);
        self.codes.extend(codes.iter().map(|code| (code.clone(), (person.to_string(), false))));
        true
    }

    pub(super) fn told(&mut self, entries: &[Entry]) {
        self.audit.extend(entries.iter().map(|entry| (entry.id.clone(), entry.clone())));
    }
}

impl AccountEntry {
    fn shown(&self, here: &Arc<str>, person: &str) -> Account {
        let AccountEntry { login, password, disabled_at, .. } = self.clone();
        Account { jurisdiction: here.clone(), person: person.into(), login, password, disabled_at }
    }
}

impl LinkEntry {
    fn is_of(&self, here: &str, person: &str) -> bool {
        (&*self.jurisdiction, self.person.as_str()) == (here, person)
    }

    fn is_good(&self, purpose: &str, now: Instant) -> bool {
        self.purpose == purpose && self.used_at.is_none() && self.expires_at > now
    }

    fn shown(&self) -> Link {
        let LinkEntry { jurisdiction, person, about, expires_at, .. } = self.clone();
        Link { jurisdiction, person, about, expires_at }
    }
}

impl State {
    /// Office and person.
    fn holder_of(&self, login: &str) -> Option<(Arc<str>, String)> {
        self.offices.iter().find_map(|(here, office)| {
            let (person, _) = office.accounts.iter().find(|(_, account)| account.login == login)?;
            Some((here.clone(), person.clone()))
        })
    }

    fn office(&mut self, here: &Arc<str>) -> &mut Office {
        self.offices.entry(here.clone()).or_default()
    }

    pub fn try_to_sign_in(&mut self, login: &str, now: Instant, tries: Tries) -> Try {
        self.attempts.retain(|_, attempt| attempt.last_at > tries.forgotten);
        let attempt = self.attempts.entry(digest(login)).or_insert(AttemptEntry { failures: 0, locked_until: None, last_at: now });
        if let Some(until) = attempt.locked_until.filter(|until| *until > now) {
            return Try::Locked { until };
        }
        attempt.failures = if attempt.locked_until.is_none() { attempt.failures + 1 } else { 1 };
        let last = attempt.failures >= tries.most;
        (attempt.locked_until, attempt.last_at) = (last.then_some(tries.locked_until), now);
        Try::Counted { account: self.account_of_login(login), last }
    }

    pub fn account_of_login(&self, login: &str) -> Option<Account> {
        let (here, person) = self.holder_of(login)?;
        let account = self.offices.get(&here)?.accounts.get(&person)?;
        Some(account.shown(&here, &person))
    }

    pub fn accept(&mut self, accepting: &Accepting) -> bool {
        let Accepting { link, password, at, begins, entries } = accepting;
        let good = self.links.get_mut(link).filter(|link| link.is_good(INVITATION, *at));
        let Some(link) = good else { return false };
        link.used_at = Some(*at);
        let Link { jurisdiction: here, person, .. } = link.shown();
        if !self.put_password(&here, &person, password, *at) {
            return false;
        }
        match begins {
            Begins::Session(session) => self.put_session(&here, session),
            Begins::Half(halving) => self.halve(&here, halving),
        }
        self.office(&here).told(entries);
        true
    }

    fn halve(&mut self, here: &Arc<str>, Halving { link, pending }: &Halving) {
        if let Some(pending) = pending {
            let second = self.office(here).second.entry(link.person.clone()).or_default();
            second.pending.get_or_insert_with(|| pending.clone());
        }
        self.drop_links(here, &link.person, Some(HALF));
        self.put_link(here, link);
    }

    fn put_password(&mut self, here: &Arc<str>, person: &str, password: &Hashed, at: Instant) -> bool {
        let Some(account) = self.office(here).accounts.get_mut(person) else { return false };
        (account.password, account.password_at, account.disabled_at) = (Some(password.clone()), Some(at), None);
        let (login, second) = (digest(&account.login), digest(&second_tries(&account.login)));
        self.end_sessions(here, person, None);
        for purpose in [INVITATION, HALF] {
            self.drop_links(here, person, Some(purpose));
        }
        self.attempts.remove(&login);
        self.attempts.remove(&second);
        true
    }

    fn put_session(&mut self, here: &Arc<str>, new: &NewSession) {
        let NewSession { id, person, at, source } = new.clone();
        self.sources.extend(source.map(|source| (id.clone(), source)));
        let session = StoredSession { jurisdiction: here.clone(), person, started_at: at, seen_at: at, disabled: false };
        self.sessions.insert(id, session);
    }

    pub fn session(&self, id: &str) -> Option<StoredSession> {
        let session = self.sessions.get(id)?;
        let account = self.offices.get(&session.jurisdiction).and_then(|office| office.accounts.get(&session.person));
        Some(StoredSession { disabled: account.is_some_and(|account| account.disabled_at.is_some()), ..session.clone() })
    }

    pub fn session_seen(&mut self, id: &str, at: Instant) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.seen_at = session.seen_at.max(at);
        }
    }

    pub fn end_session(&mut self, id: &str, entry: Option<Entry>) {
        let Some(session) = self.sessions.remove(id) else { return };
        if let Some(entry) = entry {
            self.office(&session.jurisdiction).told(&[Entry { person: Some(session.person), ..entry }]);
        }
    }

    fn end_sessions(&mut self, here: &str, person: &str, keep: Option<&str>) {
        self.sessions.retain(|id, session| {
            (&*session.jurisdiction, session.person.as_str()) != (here, person) || keep.is_some_and(|keep| keep == id)
        });
    }

    fn put_link(&mut self, here: &Arc<str>, new: &NewLink) {
        let NewLink { id, person, purpose, about, made_at, expires_at } = new.clone();
        self.links.retain(|_, link| link.jurisdiction != *here || link.expires_at > forgotten(made_at));
        self.links.insert(id, LinkEntry { jurisdiction: here.clone(), person, purpose, about, expires_at, used_at: None });
    }

    fn drop_links(&mut self, here: &str, person: &str, purpose: Option<&str>) {
        let goes =
            |link: &LinkEntry| link.is_of(here, person) && purpose.is_none_or(|purpose| link.purpose == purpose) && link.used_at.is_none();
        self.links.retain(|_, link| !goes(link));
    }

    pub fn link(&self, wanted: Wanted<'_>) -> Option<Link> {
        self.links.get(wanted.id).filter(|link| link.is_good(wanted.purpose, wanted.now)).map(LinkEntry::shown)
    }

    pub fn link_known(&self, id: &str, purpose: &str) -> Option<(Link, Option<Instant>)> {
        self.links.get(id).filter(|link| link.purpose == purpose).map(|link| (link.shown(), link.used_at))
    }

    pub fn use_link(&mut self, wanted: Wanted<'_>, entry: Entry) -> Option<Link> {
        let link = self.links.get_mut(wanted.id).filter(|link| link.is_good(wanted.purpose, wanted.now))?;
        link.used_at = Some(wanted.now);
        let link = link.shown();
        self.office(&link.jurisdiction).told(&[Entry { person: Some(link.person.clone()), ..entry }]);
        Some(link)
    }
}
