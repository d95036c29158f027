//! Who may sign in: accounts with the text against which a password is checked, tries that failed, and whoever waits for an invitation.
//!
//! Passwords are hashed and checked by the app. Whatever ends the right to be inside ends the sessions in the same transaction.

use super::audit::{self, Entry};
use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::links::{self, NewLink};
use super::second::{self, HALF, Halving};
use super::sessions::{self, NewSession};
use super::writer::{Lane, Write};
use super::{Store, StoreError, batch, instant, statements, tokens};
use crate::kernel::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The purpose of the link by which a person chooses a password.
pub const INVITATION: &str = "invitation";

/// What a password is checked against. Nothing shows it by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed(pub String);

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An account as whoever looks after accounts sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub person: String,
    pub login: String,
    /// An invitation was accepted, or a password set.
    pub has_password: bool,
    pub disabled_at: Option<Instant>,
    /// Nobody can sign in before, as too many tries had failed.
    pub locked_until: Option<Instant>,
    pub password_at: Option<Instant>,
    pub created_at: Instant,
    /// Since when a second step is asked of them.
    pub second_at: Option<Instant>,
    /// How long an invitation that nobody has used is good.
    pub invited_until: Option<Instant>,
}

impl AccountRow {
    /// How it stands, in a word of the catalogue, and since or until when.
    pub fn standing(&self) -> (&'static str, Option<Instant>) {
        match self {
            AccountRow { disabled_at: Some(at), .. } => ("disabled", Some(*at)),
            AccountRow { locked_until: Some(until), .. } => ("locked", Some(*until)),
            AccountRow { has_password: true, password_at, .. } => ("open", *password_at),
            AccountRow { invited_until: Some(until), .. } => ("invited", Some(*until)),
            _ => ("not_invited", None),
        }
    }
}

/// What signing in is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub jurisdiction: Arc<str>,
    pub person: String,
    pub login: String,
    pub password: Option<Hashed>,
    pub disabled_at: Option<Instant>,
}

/// So many tries in a row, and then none before that moment.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    pub most: u32,
    pub locked_until: Instant,
    /// A try as old as this is forgotten.
    pub forgotten: Instant,
}

/// A try to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Try {
    /// It has been counted as one that fails, until it does not. `last` says whether it was the last one that was free.
    Counted {
        account: Option<Account>,
        last: bool,
    },
    Locked {
        until: Instant,
    },
}

/// An invitation that is to be made, of a person with or without an account.
#[derive(Clone, Debug)]
pub struct Inviting {
    /// The login of an account that is made now.
    pub login: String,
    /// An account that is there gets this login as well.
    pub replaces: bool,
    pub link: NewLink,
    pub entry: Entry,
}

/// How it goes on when a password was chosen.
#[derive(Clone, Debug)]
pub enum Begins {
    Session(NewSession),
    /// More is asked first.
    Half(Halving),
}

/// A password that was chosen with an invitation, and what begins with it.
#[derive(Clone, Debug)]
pub struct Accepting {
    pub link: String,
    pub password: Hashed,
    pub at: Instant,
    pub begins: Begins,
    pub entries: Vec<Entry>,
}

/// Under which name tries of the second step are counted, apart from those with a password: whoever knows the password cannot make them
/// forgotten with it. No login has capitals.
pub fn second_tries(login: &str) -> String {
    format!("SECOND STEP {login}")
}

/// SHA-256 of a text in hexadecimal: as tokens and logins are kept.
pub fn digest(text: &str) -> String {
    use sha2::Digest as _;
    super::facts::hex(&sha2::Sha256::digest(text))
}

impl Store {
    /// Invites a person; earlier invitations end. False when the login belongs to somebody else.
    pub async fn invite(&self, inviting: Inviting) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.invite(&inviting));
        }
        self.write(Lane::User, Invite(inviting)).await
    }

    /// The accounts of this office by person.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.accounts());
        }
        type Row = (String, String, i64, Option<i64>, Option<i64>, i64, Option<i64>, Option<i64>);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ACCOUNTS))
            .bind(INVITATION).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let counted = |login: &str| [digest(login), digest(&second_tries(login))];
        let logins: Vec<[String; 1]> = rows.iter().flat_map(|(_, login, ..)| counted(login)).map(|digest| [digest]).collect();
        let attempts: Vec<(String, Option<i64>)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ATTEMPTS))
            .bind(batch(&logins)).fetch_all(pool).await)?;
        let attempts: BTreeMap<String, Option<i64>> = attempts.into_iter().collect();
        let moment = |at: Option<i64>| at.map(instant).transpose();
        let read = |(person, login, has_password, disabled_at, password_at, created_at, second_at, invited_until): Row| {
            Ok(AccountRow {
                locked_until: moment(counted(&login).iter().filter_map(|login| attempts.get(login).copied().flatten()).max())?,
                person,
                login,
                has_password: has_password != 0,
                disabled_at: moment(disabled_at)?,
                password_at: moment(password_at)?,
                created_at: instant(created_at)?,
                second_at: moment(second_at)?,
                invited_until: moment(invited_until)?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// What signing in as a person is checked against.
    pub async fn account(&self, person: &str) -> Result<Option<Account>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.account(person));
        }
        let row: Option<CheckRow> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ACCOUNT_GET))
            .bind(person).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(|(login, password, disabled_at)| {
            let (password, disabled_at) = (password.map(Hashed), disabled_at.map(instant).transpose()?);
            Ok(Account { jurisdiction: self.jurisdiction.clone(), person: person.into(), login, password, disabled_at })
        })
        .transpose()
    }

    /// Shuts a person off: sessions and links end with the account. False when there is none, or it was shut off before.
    pub async fn disable_account(&self, person: &str, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.disable_account(person, &entry));
        }
        self.write(Lane::User, Disable { person: person.to_string(), entry }).await
    }

    /// Gives an account a password, which opens it again if it was locked or shut off; its sessions and invitations end. Where a password
    /// was checked before, it has to be that of the account still, and the account open. False when there is none such.
    pub async fn set_password(&self, person: &str, password: Hashed, checked: Option<Hashed>, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.set_password(person, &password, checked.as_ref(), &entry));
        }
        self.write(Lane::User, SetPassword { person: person.to_string(), password, checked, entry }).await
    }
}

impl Everywhere<'_> {
    /// Counts a try with a login, whether or not there is such a login.
    pub async fn try_to_sign_in(&self, login: &str, now: Instant, tries: Tries) -> Result<Try, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().try_to_sign_in(login, now, tries));
        }
        match self.write(Lane::User, Count { login: login.to_string(), now: now.timestamp_millis(), tries }).await? {
            Counted::Locked(until) => Ok(Try::Locked { until: instant(until)? }),
            Counted::Free { account, failures } => {
                let account = account.map(|row| of_login(login, row)).transpose()?;
                Ok(Try::Counted { account, last: failures >= i64::from(tries.most) })
            }
        }
    }

    /// The account of a login, in whichever office it is; nothing is counted.
    pub async fn account_of_login(&self, login: &str) -> Result<Option<Account>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().account_of_login(login));
        }
        let row: Option<LoginRow> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::ACCOUNT_OF_LOGIN))
            .bind(login).fetch_optional(pool).await)?;
        row.map(|row| of_login(login, row)).transpose()
    }

    /// Tries with a login are forgotten: whoever it was has shown who they are.
    pub async fn forget_tries(&self, login: &str) -> Result<(), StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            model.all_mut().attempts.remove(&digest(login));
            return Ok(());
        }
        self.write(Lane::User, Forget(login.to_string())).await
    }

    /// A password is chosen: the link is used up, other sessions and invitations of the person end, and one session begins. Nothing when
    /// the link cannot be used.
    pub async fn accept(&self, accepting: Accepting) -> Result<bool, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().accept(&accepting));
        }
        self.write(Lane::User, Accept(accepting)).await
    }
}

/// Login, password, since when it is shut off.
type CheckRow = (String, Option<String>, Option<i64>);
/// Jurisdiction, person, password, since when it is shut off.
type LoginRow = (String, String, Option<String>, Option<i64>);

fn of_login(login: &str, (jurisdiction, person, password, disabled_at): LoginRow) -> Result<Account, StoreError> {
    let (jurisdiction, login) = (jurisdiction.into(), login.to_string());
    let (password, disabled_at) = (password.map(Hashed), disabled_at.map(instant).transpose()?);
    Ok(Account { jurisdiction, person, login, password, disabled_at })
}

/// The account as it stands; nobody changes it before this transaction ends.
pub(super) async fn locked(connection: &mut Connection, here: &str, person: &str) -> Result<Option<CheckRow>, sqlx::Error> {
    on!(connection, c, sql => sqlx::query_as(sql(statements::ACCOUNT_LOCK)).bind(person).bind(here).fetch_optional(&mut *c).await)
}

/// Tries with a login are forgotten.
pub(super) async fn forget_tries(connection: &mut Connection, login: &str) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::ATTEMPT_DROP)).bind(digest(login)).execute(&mut *c).await.map(|_| ()))
}

struct Forget(String);

impl Write for Forget {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        forget_tries(connection, &self.0).await
    }
}

struct Invite(Inviting);

impl Write for Invite {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let Inviting { login, replaces, link, entry } = &self.0;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::ACCOUNT_ADD)).bind(&link.person).bind(login)
            .bind(link.made_at.timestamp_millis()).bind(here).execute(&mut *c).await.map(|_| ()))?;
        let Some((before, ..)) = locked(connection, here, &link.person).await? else { return Ok(false) };
        if before != *login && *replaces {
            let changed = on!(&mut *connection, c, sql => sqlx::query(sql(statements::ACCOUNT_LOGIN)).bind(&link.person).bind(login)
                .bind(here).execute(&mut *c).await?.rows_affected());
            if changed == 0 {
                return Ok(false);
            }
        }
        links::drop_of(connection, here, &link.person, Some(INVITATION)).await?;
        links::put(connection, here, link).await?;
        audit::put(connection, here, std::slice::from_ref(entry)).await?;
        Ok(true)
    }
}

struct Disable {
    person: String,
    entry: Entry,
}

impl Write for Disable {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let changed = on!(&mut *connection, c, sql => sqlx::query(sql(statements::ACCOUNT_DISABLE)).bind(&self.person)
            .bind(self.entry.at.timestamp_millis()).bind(here).execute(&mut *c).await?.rows_affected());
        sessions::end_of(connection, here, &self.person, None).await?;
        links::drop_of(connection, here, &self.person, None).await?;
        tokens::end_of(connection, here, &self.person, self.entry.at.timestamp_millis()).await?;
        if changed > 0 {
            audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        }
        Ok(changed > 0)
    }
}

struct SetPassword {
    person: String,
    password: Hashed,
    checked: Option<Hashed>,
    entry: Entry,
}

impl Write for SetPassword {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        if let Some(checked) = &self.checked {
            let stands = locked(connection, here, &self.person).await?;
            let is_same = |(_, password, disabled_at): &CheckRow| password.as_ref() == Some(&checked.0) && disabled_at.is_none();
            if !stands.as_ref().is_some_and(is_same) {
                return Ok(false);
            }
        }
        let set = put_password(connection, here, &self.person, &self.password, self.entry.at).await?;
        if set {
            audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        }
        Ok(set)
    }
}

/// A new password ends whatever the old one has opened.
async fn put_password(connection: &mut Connection, here: &str, person: &str, password: &Hashed, at: Instant) -> Result<bool, sqlx::Error> {
    let Some((login, ..)) = locked(connection, here, person).await? else { return Ok(false) };
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::ACCOUNT_PASSWORD)).bind(person).bind(&password.0)
        .bind(at.timestamp_millis()).bind(here).execute(&mut *c).await.map(|_| ()))?;
    sessions::end_of(connection, here, person, None).await?;
    for purpose in [INVITATION, HALF] {
        links::drop_of(connection, here, person, Some(purpose)).await?;
    }
    for tries in [&login, &second_tries(&login)] {
        forget_tries(connection, tries).await?;
    }
    Ok(true)
}

struct Accept(Accepting);

impl Write for Accept {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<bool, sqlx::Error> {
        let Accepting { link, password, at, begins, entries } = &self.0;
        let used = links::take(connection, link, INVITATION, at.timestamp_millis()).await?;
        let Some((here, person, ..)) = used else { return Ok(false) };
        // An account is never taken away.
        if !put_password(connection, &here, &person, password, *at).await? {
            return Ok(false);
        }
        match begins {
            Begins::Session(session) => sessions::put(connection, &here, session).await?,
            Begins::Half(halving) => second::halve(connection, &here, halving).await?,
        }
        audit::put(connection, &here, entries).await?;
        Ok(true)
    }
}

struct Count {
    login: String,
    now: i64,
    tries: Tries,
}

enum Counted {
    Free { account: Option<LoginRow>, failures: i64 },
    Locked(i64),
}

impl Write for Count {
    type Answer = Counted;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Counted, sqlx::Error> {
        let (login, now) = (digest(&self.login), self.now);
        let Tries { most, locked_until, forgotten } = self.tries;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::ATTEMPTS_FORGET)).bind(forgotten.timestamp_millis())
            .execute(&mut *c).await.map(|_| ()))?;
        let counted: Option<(i64,)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::ATTEMPT)).bind(&login).bind(now)
            .bind(i64::from(most)).bind(locked_until.timestamp_millis()).fetch_optional(&mut *c).await)?;
        let Some((failures,)) = counted else {
            let rows = batch(&[[&login]]);
            let (_, until): (String, Option<i64>) =
                on!(connection, c, sql => sqlx::query_as(sql(statements::ATTEMPTS)).bind(rows).fetch_one(&mut *c).await)?;
            return Ok(Counted::Locked(until.unwrap_or(now)));
        };
        let account =
            on!(connection, c, sql => sqlx::query_as(sql(statements::ACCOUNT_OF_LOGIN)).bind(&self.login).fetch_optional(&mut *c).await)?;
        Ok(Counted::Free { account, failures })
    }
}
