//! What somebody who looks after accounts wishes, as one value: it is the same done here, or sent to the server that holds the database.

use super::App;
use super::accounts::{By, Invitation, NotInvited, NotSet, Policy};
use super::password::Weak;
use crate::kernel::model::Name;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};

/// Of whom, what, and who wishes it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountWish {
    pub person: Name,
    pub what: Wished,
    pub by: By,
}

/// No `Debug`: a password stands in it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Wished {
    Invite { login: Option<String> },
    Disable,
    Password(String),
    ResetSecondStep,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountEnd {
    Invited(Invitation),
    /// Or had been before, or there is no account.
    Disabled(bool),
    PasswordSet,
    /// Or there was none.
    SecondStepReset(bool),
    No(AccountNo),
}

/// Why nothing was done. The catalogue has its sentence under `account.WHY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountNo {
    pub why: String,
    /// What the sentence speaks of.
    pub values: Vec<(String, String)>,
}

impl App {
    /// Does what is wished. A no is an answer; only the store's faults are errors.
    pub async fn look_after(&self, policy: &Policy, wish: &AccountWish) -> Result<AccountEnd, StoreError> {
        let AccountWish { person, what, by } = wish;
        Ok(match what {
            Wished::Invite { login } => match self.invite_by(by, policy, person, login.as_deref()).await {
                Ok(invitation) => AccountEnd::Invited(invitation),
                Err(NotInvited::Store(error)) => return Err(error),
                Err(NotInvited::UnknownPerson(person)) => no("unknown_person", "person", &person),
                Err(NotInvited::NoLogin(person)) => no("no_login", "person", &person),
                Err(NotInvited::BadLogin(login)) => no("bad_login", "login", &login),
                Err(NotInvited::Taken(login)) => no("taken", "login", &login),
            },
            Wished::Disable => AccountEnd::Disabled(self.disable_account_by(by, person).await?),
            Wished::ResetSecondStep => AccountEnd::SecondStepReset(self.drop_second_step(by, person, None).await?),
            Wished::Password(password) => match self.set_password_by(by, policy, person, password).await {
                Ok(()) => AccountEnd::PasswordSet,
                Err(NotSet::Store(error)) => return Err(error),
                Err(NotSet::NoAccount(person)) => no("no_account", "person", &person),
                Err(NotSet::Weak(weak)) => {
                    let least = if let Weak::Short { least } = weak { least } else { policy.shortest_password };
                    no(&format!("weak.{}", weak.word()), "least", &least.to_string())
                }
            },
        })
    }
}

fn no(why: &str, name: &str, value: &str) -> AccountEnd {
    AccountEnd::No(AccountNo { why: why.to_string(), values: vec![(name.to_string(), value.to_string())] })
}
