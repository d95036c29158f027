//! What a model holds: by jurisdiction, the same nouns that the tables of a database have rows of.

use super::saving::Queued;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Notice;
use crate::kernel::model::event::Event;
use crate::kernel::model::fact::Fact;
use crate::kernel::time::Instant;
use crate::store::Counts;
use crate::store::accounts::Hashed;
use crate::store::audit::Entry;
use crate::store::incoming::Incoming;
use crate::store::publishing::{Proposal, Published};
use crate::store::rulesets::StoredRules;
use crate::store::save::Caches;
use crate::store::second::SecondStep;
use crate::store::sessions::StoredSession;
use crate::store::tokens::TokenRow;
use crate::store::webhooks::{Key, Webhook};
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(in crate::store) struct State {
    /// Several processes may write to it.
    pub by_many: bool,
    pub meta: BTreeMap<String, String>,
    /// Since when it has been a restored copy that holds everything.
    pub restored: Option<Instant>,
    pub offices: BTreeMap<Arc<str>, Office>,
    /// By SHA-256 of their tokens.
    pub sessions: BTreeMap<String, StoredSession>,
    /// From where they came, for those of which it is known.
    pub sources: BTreeMap<String, String>,
    pub links: BTreeMap<String, LinkEntry>,
    /// By SHA-256 of the login that was tried.
    pub attempts: BTreeMap<String, AttemptEntry>,
    /// Who has it open, by number, each with what it has queued.
    pub processes: BTreeMap<u64, Vec<Queued>>,
    /// How often it was opened.
    pub opened: u64,
    /// The last process did not end in good order.
    pub unclean: bool,
    pub counts: Counts,
    /// How often others come in between.
    pub chance: Option<StdRng>,
}

/// Everything of one jurisdiction.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Office {
    pub items: BTreeMap<Name, ItemRow>,
    pub notices: BTreeMap<String, NoticeRow>,
    pub mails: BTreeMap<String, MailRow>,
    /// Actor and command; the hash of its request, and the answer.
    pub commands: BTreeMap<(String, String), (String, String)>,
    pub counters: BTreeMap<String, i64>,
    /// Why its mails are held, and since when.
    pub hold: Option<(String, Instant)>,
    /// Mails by hour.
    pub volume: BTreeMap<i64, VolumeRow>,
    /// The item that holds a value: workflow, field, value as JSON.
    pub unique: BTreeMap<(Name, Name, String), Name>,
    /// By sweep and slot.
    pub slots: BTreeMap<(String, String), SlotRow>,
    /// When a sweep is to be looked at next.
    pub schedule: BTreeMap<String, Instant>,
    /// By hash.
    pub rules: BTreeMap<String, StoredRules>,
    /// What came into use, in order.
    pub published: Vec<Published>,
    /// What waits for a second person, by its plan.
    pub proposals: BTreeMap<String, Proposal>,
    /// By person.
    pub accounts: BTreeMap<String, AccountEntry>,
    /// By SHA-256.
    pub tokens: BTreeMap<String, TokenRow>,
    /// By digest, person and name.
    pub uploads: BTreeMap<(String, String, String), UploadEntry>,
    /// Pieces by digest.
    pub contents: BTreeMap<String, Vec<String>>,
    /// By id.
    pub webhooks: BTreeMap<String, Webhook>,
    pub deliveries: BTreeMap<Key, DeliveryEntry>,
    /// By person.
    pub second: BTreeMap<String, SecondStep>,
    /// By SHA-256: whose, and whether it was used.
    pub codes: BTreeMap<String, (String, bool)>,
    /// By id.
    pub incoming: BTreeMap<String, Incoming>,
    /// By id.
    pub audit: BTreeMap<String, Entry>,
    /// What somebody keeps under a name, by person and name.
    pub filters: BTreeMap<(String, String), String>,
    /// Of the rule set in use; 0 before there is one.
    pub revision: u64,
    /// The revision under which every open item is known to have been derived.
    pub derived: u64,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct AccountEntry {
    pub login: String,
    pub password: Option<Hashed>,
    pub disabled_at: Option<Instant>,
    pub password_at: Option<Instant>,
    pub created_at: Instant,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct UploadEntry {
    pub size: u64,
    pub media: String,
    pub at: Instant,
    pub kept: bool,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct DeliveryEntry {
    pub event: Event,
    pub status: &'static str,
    pub attempts: u32,
    pub next_try: Option<Instant>,
    pub fence: u64,
    pub reply: Option<String>,
    pub created_at: Instant,
    pub ended_at: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct LinkEntry {
    pub jurisdiction: Arc<str>,
    pub person: String,
    pub purpose: String,
    pub about: String,
    pub expires_at: Instant,
    pub used_at: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct AttemptEntry {
    pub failures: u32,
    pub locked_until: Option<Instant>,
    pub last_at: Instant,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct ItemRow {
    pub workflow: Name,
    pub rev: u64,
    pub facts: BTreeMap<u64, Arc<Fact>>,
    /// Keys of what has happened to it.
    pub causes: BTreeSet<String>,
    pub caches: Caches,
    pub wake_at: Option<Instant>,
    pub rules_rev: u64,
    pub changed_at: Instant,
    /// Why it is set aside, and since when.
    pub quarantine: Option<String>,
    pub set_aside_at: Option<Instant>,
    pub retries: u32,
    pub fence: u64,
    pub leased_until: Option<Instant>,
}

impl ItemRow {
    pub fn is_open(&self) -> bool {
        self.caches.ended_on.is_none()
    }

    /// Nobody works it at a moment.
    pub fn is_free(&self, now: Instant) -> bool {
        self.leased_until.is_none_or(|until| until <= now)
    }
}

#[derive(Clone, Debug)]
pub(in crate::store) struct NoticeRow {
    pub notice: Notice,
    pub recorded_at: Instant,
    /// As it stands now; the notice says how it was recorded.
    pub not_before: Instant,
    pub standing: Standing,
    pub reason: Option<String>,
    /// The mail that carries it.
    pub mail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Standing {
    Ready,
    Mailed,
    Cancelled,
    Parked,
}

impl Standing {
    pub fn word(self) -> &'static str {
        match self {
            Standing::Ready => "ready",
            Standing::Mailed => "mailed",
            Standing::Cancelled => "cancelled",
            Standing::Parked => "parked",
        }
    }

    /// It is in no mail, and may come into one.
    pub fn waits(self) -> bool {
        matches!(self, Standing::Ready | Standing::Parked)
    }
}

#[derive(Clone, Debug)]
pub(in crate::store) struct MailRow {
    pub person: String,
    pub address: String,
    pub bytes: String,
    pub status: &'static str,
    pub attempts: u32,
    pub next_try: Instant,
    pub fence: u64,
    pub reply: Option<String>,
    pub created_at: Instant,
    pub first_try: Option<Instant>,
    pub ended_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(in crate::store) struct VolumeRow {
    pub mails: u64,
    pub released: u64,
    pub usual: u64,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct SlotRow {
    pub at: Instant,
    pub claimed_at: Instant,
    pub done_at: Option<Instant>,
}
