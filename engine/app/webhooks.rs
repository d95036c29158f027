//! Other programs are told of what happens, one call for each thing, until they say that they have it. What is told was written with its
//! fact (see `store/save`).

use super::account_wish::AccountNo;
use super::accounts::By;
use super::{App, Offices};
use crate::hook::{Answer, Caller, Fault, Secret};
use crate::kernel::model::event::{EVERYTHING, EventKind};
use crate::kernel::time::Instant;
use crate::store::accounts::digest;
use crate::store::webhooks::{Claimed, End, Outcome, Webhook};
use crate::store::{Store, StoreError};
use chrono::TimeDelta;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Calls that are under way at a time.
const AT_ONCE: usize = 16;
/// How long a claim holds: longer than the longest call, and what waits before it.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// After a call that failed so often.
const WAITS: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];
/// What has ended is kept for so long.
const KEPT: TimeDelta = TimeDelta::days(30);
/// It means to be called no more.
const GONE: u16 = 410;
const MOST: usize = 50;
const MOST_EVENTS: usize = 50;
/// In characters.
const LONGEST_URL: usize = 2000;

/// What calls are made with, and where our own pages are.
#[derive(Clone, Debug)]
pub struct Line {
    pub caller: Caller,
    pub origin: Option<String>,
    /// A number from 0 to 1 that spreads the waits.
    pub chance: fn() -> f64,
}

/// One that the settings declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub url: String,
    pub events: Vec<String>,
    pub secret: String,
}

/// What became of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub done: usize,
    pub later: usize,
    pub parked: usize,
}

/// Why there is no such webhook. The catalogue has its sentence under `webhook.WHY`.
#[derive(Debug, thiserror::Error)]
pub enum NotDeclared {
    #[error("{}", .0.why)]
    No(AccountNo),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Makes one; its secret is given here, and to nobody later.
    pub async fn make_webhook(&self, by: &By, url: &str, events: &[String]) -> Result<Webhook, NotDeclared> {
        if self.store.webhooks().await?.len() >= MOST {
            return Err(no("too_many", "most", &MOST.to_string()));
        }
        let declared = Declared { url: url.trim().to_string(), events: events.to_vec(), secret: Secret::new(rand::random()).text() };
        let id = crate::app::random_text()[..12].to_string();
        self.put_webhook(by, id, &declared).await
    }

    /// Makes those of the settings, and forgets those that stand there no more. One that a person has stopped stays so.
    pub async fn declare_webhooks(&self, declared: &[Declared]) -> Result<(), NotDeclared> {
        let by = By { person: None, via: Some("settings".into()), source: None };
        let known = self.store.webhooks().await?;
        let id_of = |url: &str| format!("set-{}", &digest(url)[..12]);
        for one in declared {
            let id = id_of(&one.url);
            let mut events = one.events.clone();
            events.sort();
            events.dedup();
            let same = |known: &&Webhook| known.id == id && known.secret == one.secret && known.events == events;
            if !known.iter().any(|known| same(&known)) {
                self.put_webhook(&by, id, one).await?;
            }
        }
        for gone in known.iter().filter(|known| known.made_by.is_none() && !declared.iter().any(|one| id_of(&one.url) == known.id)) {
            self.drop_webhook(&by, &gone.id).await?;
        }
        Ok(())
    }

    async fn put_webhook(&self, by: &By, id: String, declared: &Declared) -> Result<Webhook, NotDeclared> {
        let Declared { url, events, secret } = declared;
        let parsed = url::Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.host().is_some());
        let plain = |url: &url::Url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let is_strange = |c: char| c.is_control() || c.is_whitespace();
        if !parsed.is_some_and(|url| plain(&url)) || url.contains(is_strange) || url.chars().count() > LONGEST_URL {
            return Err(no("bad_url", "url", url));
        }
        if events.is_empty() || events.len() > MOST_EVENTS {
            return Err(no("no_events", "most", &MOST_EVENTS.to_string()));
        }
        if let Some(unknown) = events.iter().find(|event| !self.is_event(event)) {
            return Err(no("unknown_event", "event", unknown));
        }
        if Secret::parse(secret).is_err() {
            return Err(no("bad_secret", "url", url));
        }
        let (made_at, made_by) = (self.now(), by.person.as_ref().map(ToString::to_string));
        let (url, mut events, secret) = (url.clone(), events.clone(), secret.clone());
        events.sort();
        events.dedup();
        let about = json!({ "webhook": id, "url": url, "events": events.join(" ") });
        let entry = by.entry(made_at, "", "webhook_made", about).about_nobody();
        let webhook = Webhook { id, url, secret, events, made_by, made_at, stopped_at: None };
        self.store.put_webhook(webhook.clone(), entry).await?;
        Ok(webhook)
    }

    /// Whether something can be asked for: everything, a workflow, an action of one, deadlines that pass in all or in one.
    fn is_event(&self, event: &str) -> bool {
        let rules = self.rules();
        let passed = EventKind::DeadlinePassed.word();
        match event.split_once('/') {
            None => event == EVERYTHING || event == passed || rules.workflows.contains_key(event),
            Some((workflow, name)) => rules.workflows.get(workflow).is_some_and(|rules| {
                let workflow = &rules.setting.workflow;
                let kinds = std::iter::once(None).chain(workflow.branches.keys().map(|kind| Some(&**kind)));
                let mut actions = kinds.filter_map(|kind| workflow.actions_of(kind)).flat_map(|actions| actions.values());
                name == passed || actions.any(|action| *action.records_as == *name)
            }),
        }
    }

    /// What may be asked for, for who chooses: words, and what they mean as far as the rules call it something.
    pub fn events(&self) -> Vec<(String, Option<String>)> {
        let rules = self.rules();
        let passed = EventKind::DeadlinePassed.word();
        let mut all = vec![(EVERYTHING.to_string(), None), (passed.to_string(), None)];
        for (name, rules) in &rules.workflows {
            let workflow = &rules.setting.workflow;
            all.push((name.to_string(), Some(workflow.title.clone())));
            all.push((format!("{name}/{passed}"), Some(workflow.title.clone())));
            for (kind, branch) in
                std::iter::once((None, None)).chain(workflow.branches.iter().map(|(kind, branch)| (Some(&**kind), Some(branch))))
            {
                // What is not for everybody is told to no program.
                if branch.is_some_and(|branch| !branch.visible_to.is_empty() || branch.sealed_until.is_some()) {
                    continue;
                }
                for action in workflow.actions_of(kind).into_iter().flat_map(|actions| actions.values()) {
                    let event = format!("{name}/{}", action.records_as);
                    if !all.iter().any(|(known, _)| *known == event) {
                        all.push((event, Some(action.title.clone())));
                    }
                }
            }
        }
        all
    }

    /// It is told nothing from now on, or again. False when it stands so already.
    pub async fn stop_webhook(&self, by: &By, id: &str, stop: bool) -> Result<bool, StoreError> {
        let what = if stop { "webhook_stopped" } else { "webhook_started" };
        let entry = by.entry(self.now(), "", what, json!({ "webhook": id })).about_nobody();
        self.store.stop_webhook(id, stop, entry).await
    }

    /// Forgets one, and what it was to be told.
    pub async fn drop_webhook(&self, by: &By, id: &str) -> Result<bool, StoreError> {
        let entry = by.entry(self.now(), "", "webhook_removed", json!({ "webhook": id })).about_nobody();
        self.store.drop_webhook(id, entry).await
    }
}

fn no(why: &str, name: &str, value: &str) -> NotDeclared {
    NotDeclared::No(AccountNo { why: why.to_string(), values: vec![(name.to_string(), value.to_string())] })
}

impl Offices {
    /// Makes the calls that may be made now, some at a time, until none is left or `stop` is given. What is under way is brought to its
    /// record.
    pub async fn tell_due(self: &Arc<Self>, line: &Arc<Line>, stop: &CancellationToken) -> Result<Told, StoreError> {
        let mut told = Told::default();
        let mut webhooks: HashMap<Arc<str>, Vec<Webhook>> = HashMap::new();
        while !stop.is_cancelled() {
            let (now, steady) = (self.now(), self.clock.steady());
            let claimed = self.store.everywhere().claim_deliveries(now, now + LEASE, AT_ONCE as u32).await?;
            if claimed.is_empty() {
                break;
            }
            let trusted_until = steady + LEASE.to_std().unwrap_or_default();
            webhooks.clear();
            let mut under_way = JoinSet::new();
            for one in claimed {
                let here = one.jurisdiction.clone();
                if !webhooks.contains_key(&here) {
                    webhooks.insert(here.clone(), self.store.of(&here).webhooks().await?);
                }
                let webhook = webhooks.get(&here).and_then(|known| known.iter().find(|known| known.id == one.key.webhook)).cloned();
                let (offices, line) = (self.clone(), line.clone());
                under_way.spawn(async move { offices.call(&line, webhook, one, trusted_until).await });
            }
            let mut outcomes = Vec::new();
            while let Some(ended) = under_way.join_next().await {
                match ended {
                    Ok(outcome) => outcomes.extend(outcome),
                    // Its claim runs out, and it is tried again.
                    Err(error) => tracing::error!(%error, "telling another program failed"),
                }
            }
            for outcome in &outcomes {
                let (webhook, fact, reply) = (&outcome.key.webhook, outcome.key.seq, &outcome.reply);
                match outcome.end {
                    End::Done => told.done += 1,
                    End::Later(_) => told.later += 1,
                    End::Parked => told.parked += 1,
                }
                match outcome.end {
                    End::Done => tracing::info!(webhook, item = outcome.key.item, fact, "another program was told"),
                    End::Later(_) | End::Parked => {
                        tracing::warn!(webhook, item = outcome.key.item, fact, reply, "another program was not told")
                    }
                }
            }
            self.store.everywhere().finish_deliveries(outcomes, self.now()).await?;
        }
        Ok(told)
    }

    /// When there may be something to tell.
    pub async fn next_call(&self) -> Result<Option<Instant>, StoreError> {
        self.store.everywhere().next_delivery().await
    }

    /// What ended long ago is forgotten.
    pub async fn forget_calls(&self) -> Result<(), StoreError> {
        self.store.everywhere().forget_deliveries(self.now() - KEPT).await
    }

    /// One call and what came of it; nothing when it was left to others.
    async fn call(&self, line: &Line, webhook: Option<Webhook>, one: Claimed, trusted_until: Duration) -> Option<Outcome> {
        if self.clock.steady() >= trusted_until {
            tracing::warn!(webhook = one.key.webhook, "a claim ran out before the call was made");
            return None;
        }
        let ended = |end: End, reply: String| {
            let (jurisdiction, key, fence) = (one.jurisdiction.clone(), one.key.clone(), one.fence);
            Some(Outcome { jurisdiction, key, fence, end, reply })
        };
        let Some(webhook) = webhook.filter(|webhook| webhook.stopped_at.is_none()) else { return ended(End::Parked, "stopped".into()) };
        let Ok(secret) = Secret::parse(&webhook.secret) else { return ended(End::Parked, "secret".into()) };
        let (id, body) = (message_id(&self.store, &one), body(&one, line.origin.as_deref()));
        let timestamp = self.now().timestamp();
        let signature = secret.sign(&id, timestamp, body.as_bytes());
        let headers = [("webhook-id", id), ("webhook-timestamp", timestamp.to_string()), ("webhook-signature", signature)];
        let answered = line.caller.post(&webhook.url, &headers, &body).await;
        let (reply, hopeless) = match answered {
            Ok(Answer(status @ 200..=299)) => return ended(End::Done, status.to_string()),
            Ok(Answer(status)) => (status.to_string(), status == GONE),
            Err(fault) => (fault.to_string(), matches!(fault, Fault::Address)),
        };
        let wait = WAITS.get(one.attempts.saturating_sub(1) as usize).filter(|_| !hopeless);
        match wait {
            Some(wait) => {
                let spread = wait.num_milliseconds() / 10;
                let more = (spread as f64 * (line.chance)()) as i64;
                ended(End::Later(self.now() + *wait + TimeDelta::milliseconds(more)), reply)
            }
            None => ended(End::Parked, reply),
        }
    }
}

/// The same at every try, so that whoever has it already knows it.
fn message_id(store: &Store, one: &Claimed) -> String {
    let key = &one.key;
    let text = format!("{}\n{}\n{}\n{}\n{}\n{}", store.instance(), one.jurisdiction, key.webhook, key.item, key.seq, key.kind);
    format!("msg_{}", &digest(&text)[..32])
}

/// What is told: ids, what it is called, when, and where the item stands.
fn body(one: &Claimed, origin: Option<&str>) -> String {
    let event = &one.event;
    let item = percent_encoding::utf8_percent_encode(&event.item, percent_encoding::NON_ALPHANUMERIC);
    json!({
        "type": event.kind.word(),
        "timestamp": event.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "data": {
            "jurisdiction": one.jurisdiction,
            "workflow": event.workflow,
            "item": event.item,
            "fact": event.fact,
            "name": event.name,
            "branch": event.branch,
            "on": event.on,
            "state": event.state,
            "link": origin.map(|origin| format!("{origin}/items/{item}")),
        },
    })
    .to_string()
}
