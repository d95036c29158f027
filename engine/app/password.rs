//! Passwords: which are good enough, how one is kept, and whether one that was typed is it.
//!
//! Hashing is slow and hungry on purpose (argon2id, 19 MiB and two passes, as OWASP advises), so few are hashed at once and others wait.

use crate::store::accounts::Hashed;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// In bytes. No person types more, and a program could keep us busy.
pub const LONGEST: usize = 1024;

/// How many KiB, passes and lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// So many are hashed at once, and so many more wait for their turn: some seconds.
const AT_ONCE: usize = 2;
const WAITING: usize = 256;

/// What nobody's password is kept as: it is checked where there is none, which takes as long.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3MgcGFzc3dvcmQ$3nQ0Yf0mYp5x8kq0hZk3m1u8rC0vB7yqWJ4dT2sLr9E";

/// What a password is mostly made of that everybody tries first.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssw0rd",
    "pass",
    "qwerty",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsx",
    "qazwsxedc",
    "admin",
    "administrator",
    "root",
    "welcome",
    "letmein",
    "iloveyou",
    "woaini",
    "wodemima",
    "mima",
    "changeme",
    "secret",
    "default",
    "guest",
    "test",
    "user",
    "abc",
    "abcdef",
    "aa",
    "a",
    "duban",
    "dubanduban",
    "monkey",
    "dragon",
    "sunshine",
    "princess",
    "football",
];
/// Typed along a row, or counted up.
const ROWS: &[&str] = &[
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
];
/// A password of fewer different characters is a pattern.
const DIFFERENT: usize = 5;

/// Why a password is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    #[error("the password needs {least} characters")]
    Short { least: usize },
    #[error("the password is longer than {LONGEST} bytes")]
    Long,
    /// It is made of the login, or of the person's own name.
    #[error("the password is made of the name")]
    Name,
    #[error("the password is one of those that are tried first")]
    Common,
}

impl Weak {
    /// A word for programs, and the end of a key of the catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Weak::Short { .. } => "short",
            Weak::Long => "long",
            Weak::Name => "name",
            Weak::Common => "common",
        }
    }
}

/// Whether a password is good enough for somebody who goes by these names.
pub fn is_good(password: &str, shortest: usize, names: &[&str]) -> Result<(), Weak> {
    if password.chars().count() < shortest {
        return Err(Weak::Short { least: shortest });
    }
    if password.len() > LONGEST {
        return Err(Weak::Long);
    }
    let lower = password.to_lowercase();
    // What is left of an address is the name before it.
    let names = names.iter().flat_map(|name| [*name, name.split('@').next().unwrap_or(name)]).map(str::to_lowercase);
    for name in names.filter(|name| name.chars().count() >= 2) {
        if lower == name || (lower.contains(&name) && !lower.replace(&name, "").chars().any(char::is_alphabetic)) {
            return Err(Weak::Name);
        }
    }
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    let stem = lower.trim_matches(|c: char| !c.is_alphabetic());
    if different.len() < DIFFERENT || COMMON.contains(&stem) || COMMON.contains(&&*lower) || ROWS.iter().any(|row| row.contains(&*lower)) {
        return Err(Weak::Common);
    }
    Ok(())
}

/// Too many wait for a password to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Where passwords are hashed: a few at once, some more behind them, and no more than that.
#[derive(Debug)]
pub struct Hashing {
    room: Semaphore,
    turns: Semaphore,
}

/// Of this process.
pub static HASHING: Hashing = Hashing::new(AT_ONCE, WAITING);

/// Somebody who may have a password hashed.
#[derive(Debug)]
pub struct Place {
    hashing: &'static Hashing,
    _room: tokio::sync::SemaphorePermit<'static>,
}

impl Hashing {
    pub const fn new(at_once: usize, waiting: usize) -> Hashing {
        Hashing { room: Semaphore::const_new(at_once + waiting), turns: Semaphore::const_new(at_once) }
    }

    /// A place, before anything is done that would be in vain without one.
    pub fn place(&'static self) -> Result<Place, Busy> {
        Ok(Place { hashing: self, _room: self.room.try_acquire().map_err(|_| Busy)? })
    }
}

impl Place {
    /// How a password is kept.
    pub async fn hash(self, password: &str) -> Result<Hashed, Busy> {
        let password = password.to_string();
        self.work(move || hashed(&password)).await?.ok_or(Busy)
    }

    /// Whether a password is the one that is kept. Where none is kept it is not, after the same work.
    pub async fn is(self, password: &str, kept: Option<&Hashed>) -> Result<bool, Busy> {
        let (password, kept) = (password.to_string(), kept.map(|kept| kept.0.clone()));
        self.work(move || {
            let is = matches(&password, kept.as_deref().unwrap_or(NOBODYS));
            is && kept.is_some()
        })
        .await
    }

    /// The turn is given back when the work is done, also if nobody waits for it any more.
    async fn work<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let turn = self.hashing.turns.acquire().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, self));
            done
        });
        done.await.map_err(|_| Busy)
    }
}

fn argon2() -> Option<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(memory, passes, lanes, None).ok()?))
}

fn hashed(password: &str) -> Option<Hashed> {
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).ok()?;
    Some(Hashed(argon2()?.hash_password(password.as_bytes(), &salt).ok()?.to_string()))
}

/// The hashes are compared in a time that tells nothing of where they differ.
fn matches(password: &str, kept: &str) -> bool {
    let (Some(argon2), Ok(kept)) = (argon2(), PasswordHash::new(kept)) else { return false };
    argon2.verify_password(password.as_bytes(), &kept).is_ok()
}
