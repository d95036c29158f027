//! Writing decisions: facts with their chain, caches, notices, the command's answer, counters and unique values, whole or not at all.
//!
//! A group of decisions is checked against the database with one question per table, and written with one statement per table. What was
//! checked holds until the commit: there is one writer, or, where others write as well, the rows of items and counters are locked, and
//! what was not there yet is guarded by its key. A command, a cause and a notice are nearly always new, so they are asked for only when
//! something of the group cannot be written; when one is there after all, its key refuses the group, and the group is taken apart.

use super::dialect::{self, Connection};
use super::model::Process;
use super::pile::{Reader, Texts};
use super::writer::Lane;
use super::{Behind, Store, StoreError, batch, facts, statements};
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Accepted, Number};
use crate::kernel::model::definition::Flag;
use crate::kernel::model::event::Event;
use crate::kernel::time::{Date, Instant};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What lists filter by and show, derived from the item as it is after the decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caches {
    pub state: String,
    pub ended_on: Option<Date>,
    pub flag: Option<Flag>,
    /// The earliest date that is running.
    pub due_on: Option<Date>,
    pub title: String,
    /// All that a search may find.
    pub search: String,
    /// Fields by name, as JSON.
    pub fields: String,
    /// Running deadlines with their dates, as JSON.
    pub dues: String,
    /// The keys of those in whose hands it may be, in their order.
    pub hands: Vec<String>,
}

impl Caches {
    /// All that stands in the rows of its hands, as a text to be compared.
    pub fn hands_text(&self) -> String {
        hands_text(self.hands.iter().map(|key| (key.clone(), self.due_on.map(|day| day.to_string()))))
    }

    /// Those rows, as a batch takes them, without the brackets round all of them.
    pub(super) fn hand_rows(&self, item: &str) -> String {
        let due_on = self.due_on.map(|day| day.to_string());
        let rows = self.hands.iter().map(|key| serde_json::to_string(&(item, key, &due_on)).unwrap_or_default());
        rows.collect::<Vec<_>>().join(",")
    }
}

/// Keys and dates of hands as one text, in their order.
pub(super) fn hands_text(rows: impl Iterator<Item = (String, Option<String>)>) -> String {
    // Texts always have a JSON form.
    serde_json::to_string(&rows.collect::<Vec<_>>()).unwrap_or_default()
}

/// The request behind a decision, for answering its repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub actor: Name,
    pub id: Name,
    pub request_hash: Arc<str>,
    /// JSON
    pub answer: Arc<str>,
}

/// One decision of one item, ready to be written.
#[derive(Clone, Debug)]
pub struct Save {
    /// Whose it is.
    here: Arc<str>,
    pub(super) item: String,
    /// The revision it was decided on.
    rev: u64,
    at: i64,
    fence: Option<u64>,
    rules_rev: u64,
    command: Option<Answered>,
    pub(super) numbers: Vec<Number>,
    facts: Vec<facts::Prepared>,
    /// Their keys.
    notices: Vec<String>,
    pub(super) unique: Vec<UniqueKey>,
    /// Who may have the item in their hands then, to be compared with what is stored.
    hands: String,
    /// The rows as JSON: the item's up to its hash, those of its hands as one text, those of its facts up to their hashes, then those of its
    /// notices and of what other programs are told.
    texts: Texts,
    /// As it was decided; a model keeps that, a database the rows.
    decided: Option<Box<(About, Accepted)>>,
}

/// Decisions that stand or fall together.
pub type Unit = Vec<Save>;

/// What an item is saved with beside the decision itself.
#[derive(Clone, Debug)]
pub struct About {
    pub item: Name,
    pub workflow: Name,
    /// The revision it was decided on; 0 makes the item.
    pub rev: u64,
    pub caches: Caches,
    pub command: Option<Answered>,
    /// Where others may take the item as well: the number under which it was taken. A later number makes this decision a stale one.
    pub fence: Option<u64>,
    /// The revision of the rules under which the wake-up was derived.
    pub rules_rev: u64,
    /// What other programs are told, of those that want it.
    pub events: Vec<Event>,
    pub now: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    pub rev: u64,
}

/// Why a decision was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotSaved {
    /// It was decided on an older state of the item: load and decide again.
    #[error("the item stands at revision {rev}")]
    Moved { rev: u64 },
    #[error("the counter `{counter}` stands at {value}")]
    CounterMoved { counter: String, value: i64 },
    #[error("`{value}` is already the {field} of `{item}`")]
    Taken { field: String, value: String, item: String },
    #[error("`{0}` is recorded already")]
    CauseRecorded(String),
    #[error("the notice `{0}` is recorded already")]
    NoticeRecorded(String),
    /// The command was done before.
    #[error("the command was answered before")]
    Answered { request_hash: String, answer: String },
    /// Another decision of the same unit was not written.
    #[error("it stands or falls with another")]
    Together,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which decision of a unit failed, and why.
#[derive(Clone, Debug)]
pub struct Failed {
    pub place: usize,
    pub why: NotSaved,
}

impl Failed {
    pub(super) fn all(error: StoreError) -> Failed {
        Failed { place: 0, why: NotSaved::Store(error) }
    }
}

/// A decision on its way to the disk.
#[derive(Debug)]
pub struct Saving {
    answer: oneshot::Receiver<Result<Vec<Saved>, Failed>>,
    /// A model writes when somebody asks; a database has a task that does.
    model: Option<Process>,
}

impl Saving {
    /// The answer after the commit; it is given once.
    pub async fn done(&mut self) -> Result<Vec<Saved>, Failed> {
        if let Some(process) = &self.model {
            process.settle().await;
        }
        (&mut self.answer).await.unwrap_or(Err(Failed::all(StoreError::Closed)))
    }
}

impl Store {
    /// Writes one decision.
    pub async fn save(&self, lane: Lane, save: Save) -> Result<Saved, NotSaved> {
        let mut saved = self.begin_save(lane, vec![save])?.done().await.map_err(|failed| failed.why)?;
        saved.pop().ok_or(NotSaved::Store(StoreError::Closed))
    }

    /// Queues decisions that stand or fall together. What is queued first is checked first, so a caller that hands out numbers may do so
    /// before the commit.
    pub fn begin_save(&self, lane: Lane, mut unit: Unit) -> Result<Saving, NotSaved> {
        unit.iter_mut().for_each(|save| save.here = self.jurisdiction.clone());
        if let Behind::Model(process) = &self.behind {
            return Ok(Saving { answer: process.queue(unit)?, model: Some(process.clone()) });
        }
        let writer = self.writer.as_ref().ok_or(StoreError::Closed)?;
        Ok(Saving { answer: writer.save(lane, unit)?, model: None })
    }
}

type UniqueKey = (String, String, String);

impl Save {
    /// Turns a decision into rows: all that can be done outside the writer is done here.
    pub fn new(about: About, accepted: Accepted) -> Result<Save, StoreError> {
        let item = about.item.to_string();
        let json = |error: serde_json::Error| StoreError::NotDone(format!("the decision has no JSON form: {error}"));
        let mut facts = Vec::with_capacity(accepted.facts.len());
        let mut texts = vec![String::new(), about.caches.hand_rows(&item)];
        for fact in &accepted.facts {
            let (fact, row) = facts::prepare(&item, fact).map_err(json)?;
            facts.push(fact);
            texts.push(row);
        }
        let at = about.now.timestamp_millis();
        let mut notices = Vec::with_capacity(accepted.notices.len());
        for notice in &accepted.notices {
            let row = (
                &notice.key,
                &notice.item,
                notice.seq,
                &notice.workflow,
                &notice.notice,
                kind(notice.kind),
                &notice.person,
                notice.not_before.timestamp_millis(),
                &notice.bundle,
                if notice.parked.is_some() { "parked" } else { "ready" },
                &notice.parked,
                serde_json::to_string(notice).map_err(json)?,
                at,
            );
            notices.push(notice.key.clone());
            texts.push(serde_json::to_string(&row).map_err(json)?);
        }
        for event in &about.events {
            let [broad, narrow] = event.called();
            let told = serde_json::to_string(event).map_err(json)?;
            texts.push(serde_json::to_string(&(&event.item, event.fact, event.kind.word(), told, at, broad, narrow)).map_err(json)?);
        }
        let mut unique = Vec::with_capacity(accepted.unique.len());
        for (field, value) in &accepted.unique {
            unique.push((about.workflow.to_string(), field.to_string(), serde_json::to_string(value).map_err(json)?));
        }
        let caches = &about.caches;
        let rev = about.rev + facts.len() as u64;
        let hands = caches.hands_text();
        let row = (
            &item,
            &about.workflow,
            rev,
            &caches.state,
            caches.ended_on.map(|day| day.to_string()),
            caches.flag.map(flag),
            caches.due_on.map(|day| day.to_string()),
            &caches.title,
            &caches.search,
            &caches.fields,
            &caches.dues,
            accepted.wake_up.map(|wake_up| wake_up.timestamp_millis()),
            about.rules_rev,
            at,
            &hands,
        );
        let mut row = serde_json::to_string(&row).map_err(json)?;
        row.pop();
        texts[0] = row;
        Ok(Save {
            here: Arc::default(),
            item,
            rev: about.rev,
            at,
            fence: about.fence,
            rules_rev: about.rules_rev,
            command: about.command.clone(),
            numbers: accepted.numbers.clone(),
            facts,
            notices,
            unique,
            hands,
            texts: Texts::Plain(texts),
            decided: Some(Box::new((about, accepted))),
        })
    }

    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// What it writes stands in a pack.
    pub(super) fn packed(&mut self, texts: Texts) {
        (self.texts, self.decided) = (texts, None);
    }

    /// As it was decided.
    pub(super) fn decided(&self) -> (&About, &Accepted) {
        let (about, accepted) = self.decided.as_deref().expect("nothing is packed for a model");
        (about, accepted)
    }

    pub(super) fn rev_after(&self) -> u64 {
        self.rev + self.facts.len() as u64
    }

    pub(super) fn here(&self) -> &Arc<str> {
        &self.here
    }

    pub(super) fn at(&self) -> i64 {
        self.at
    }
}

pub(super) fn kind(kind: crate::kernel::model::definition::NoticeKind) -> &'static str {
    use crate::kernel::model::definition::NoticeKind;
    match kind {
        NoticeKind::Message => "message",
        NoticeKind::Reminder => "reminder",
        NoticeKind::Escalation => "escalation",
    }
}

pub(super) fn flag(flag: Flag) -> &'static str {
    match flag {
        Flag::Amber => "amber",
        Flag::Red => "red",
    }
}

/// Where an item stands in the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    rev: u64,
    /// Of its last fact.
    hash: String,
    /// Who may have it in their hands.
    hands: String,
}

/// Where items stand, by item.
pub(super) type Heads = HashMap<String, Head>;

/// What the database holds of all that a group touches, and what the group adds to it.
#[derive(Default)]
struct Known {
    items: Heads,
    /// The numbers under which items were taken last.
    fences: HashMap<String, u64>,
    commands: HashMap<(Name, Name), (Arc<str>, Arc<str>)>,
    causes: HashSet<(String, String)>,
    notices: HashSet<String>,
    counters: HashMap<String, i64>,
    /// Which item holds a value; nothing for one that was given up.
    unique: HashMap<UniqueKey, Option<String>>,
}

/// Rows to be written.
#[derive(Default)]
struct Rows<'a> {
    saves: Vec<Chained<'a>>,
    /// Items that pass into other hands, each with the place of the last decision that does it.
    hands: HashMap<&'a str, usize>,
    counters: BTreeMap<String, i64>,
    /// By item and field: what it holds from then on.
    unique: BTreeMap<(String, String), Vec<UniqueKey>>,
    /// Items that were there before, with the fields whose values they give up: a new item has none to look for.
    given_up: BTreeSet<(String, String)>,
    /// The earliest revision of the rules under which something of it was decided: it may be noted already that all was derived later.
    derived: Option<u64>,
}

/// A decision in its place behind what its item holds.
struct Chained<'a> {
    save: &'a Save,
    /// Of its facts, in their order.
    hashes: Vec<String>,
    /// The hash of the item's last fact.
    head: String,
}

/// What a group came to.
pub(super) struct Written {
    pub answers: Vec<Result<Vec<Saved>, Failed>>,
    /// Where the items stand that were written.
    pub heads: Heads,
}

/// What is asked before units are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// What may well have changed; the rest is left to its keys.
    WhatMoves,
    /// Also whether commands, causes and notices are there already.
    Everything,
}

/// Writes units of one jurisdiction inside the transaction at hand. What cannot be written is answered and leaves nothing behind; an
/// error means that the transaction has to be rolled back. `heads` says of items that were written before where they stand.
pub(super) async fn write(
    connection: &mut Connection,
    here: &str,
    units: &[&Unit],
    heads: &Heads,
    asks: Asks,
    count: &mut u64,
) -> Result<Written, sqlx::Error> {
    let mut known = read(connection, here, units, heads, asks, count).await?;
    let (mut written, mut rows) = check_all(units, &mut known);
    if asks == Asks::WhatMoves && written.answers.iter().any(Result::is_err) {
        // Why it cannot be written is to be told: another reason may go before.
        known = read(connection, here, units, heads, Asks::Everything, count).await?;
        (written, rows) = check_all(units, &mut known);
    }
    if !connection.is_shared() {
        // Where nobody else writes, nobody else changes the rules.
        rows.derived = None;
    }
    put(connection, here, rows, count).await?;
    Ok(written)
}

/// What becomes of each unit, each behind those before it, and the rows of those that can be written.
fn check_all<'a>(units: &[&'a Unit], known: &mut Known) -> (Written, Rows<'a>) {
    let mut rows = Rows::default();
    let mut written = Written { answers: Vec::with_capacity(units.len()), heads: Heads::new() };
    for (place, unit) in units.iter().enumerate() {
        let mut added = (Known::default(), Rows::default());
        let answer = check_unit(unit, known, &mut added);
        if answer.is_ok() {
            written.heads.extend(added.0.items.iter().map(|(item, head)| (item.clone(), head.clone())));
            // Behind the last one nobody asks, and it may be a long list.
            if place + 1 < units.len() {
                known.extend(added.0);
            }
            rows.extend(added.1);
            rows.derived = unit.iter().map(|save| save.rules_rev).chain(rows.derived).min();
        }
        written.answers.push(answer);
    }
    (written, rows)
}

fn check_unit<'a>(unit: &'a Unit, known: &Known, (now, rows): &mut (Known, Rows<'a>)) -> Result<Vec<Saved>, Failed> {
    let mut saved = Vec::with_capacity(unit.len());
    for (place, save) in unit.iter().enumerate() {
        check(save, known, now, rows).map_err(|why| Failed { place, why })?;
        saved.push(Saved { rev: save.rev_after() });
    }
    Ok(saved)
}

/// Whether one decision still holds; then its rows are added.
fn check<'a>(save: &'a Save, known: &Known, now: &mut Known, rows: &mut Rows<'a>) -> Result<(), NotSaved> {
    if let Some(command) = &save.command {
        let key = (command.actor.clone(), command.id.clone());
        if let Some((request_hash, answer)) = now.commands.get(&key).or_else(|| known.commands.get(&key)) {
            return Err(NotSaved::Answered { request_hash: request_hash.to_string(), answer: answer.to_string() });
        }
        now.commands.insert(key, (command.request_hash.clone(), command.answer.clone()));
    }
    let Head { rev, hash: mut head, hands } =
        now.items.get(&save.item).or_else(|| known.items.get(&save.item)).cloned().unwrap_or_default();
    let overtaken = save.fence.is_some_and(|fence| known.fences.get(&save.item).is_some_and(|now| *now != fence));
    if rev != save.rev || overtaken {
        return Err(NotSaved::Moved { rev });
    }
    for Number { counter, from, to } in &save.numbers {
        let value = now.counters.get(counter).or_else(|| known.counters.get(counter)).copied().unwrap_or(0);
        if value != *from {
            return Err(NotSaved::CounterMoved { counter: counter.clone(), value });
        }
        now.counters.insert(counter.clone(), *to);
        rows.counters.insert(counter.clone(), *to);
    }
    for key in &save.unique {
        let holder = now.unique.get(key).or_else(|| known.unique.get(key));
        if let Some(Some(item)) = holder.filter(|holder| holder.as_ref() != Some(&save.item)) {
            return Err(NotSaved::Taken { field: key.1.clone(), value: key.2.clone(), item: item.clone() });
        }
    }
    let fields: BTreeSet<&String> = save.unique.iter().map(|key| &key.1).collect();
    if save.rev > 0 && !fields.is_empty() {
        // What its fields held before is free, for others of the same group too.
        let before = known.unique.iter().filter(|(key, _)| !now.unique.contains_key(key));
        let held = before.chain(&now.unique).filter(|(_, holder)| holder.as_ref() == Some(&save.item));
        let given_up: Vec<UniqueKey> = held.filter(|(key, _)| fields.contains(&key.1)).map(|(key, _)| key.clone()).collect();
        now.unique.extend(given_up.into_iter().map(|key| (key, None)));
    }
    for field in fields {
        let keys: Vec<UniqueKey> = save.unique.iter().filter(|key| key.1 == *field).cloned().collect();
        now.unique.extend(keys.iter().map(|key| (key.clone(), Some(save.item.clone()))));
        if save.rev > 0 {
            rows.given_up.insert((save.item.clone(), field.clone()));
        }
        rows.unique.insert((save.item.clone(), field.clone()), keys);
    }
    let mut hashes = Vec::with_capacity(save.facts.len());
    for fact in &save.facts {
        if let Some(cause) = &fact.cause {
            let key = (save.item.clone(), cause.clone());
            if known.causes.contains(&key) || !now.causes.insert(key) {
                return Err(NotSaved::CauseRecorded(cause.clone()));
            }
        }
        head = fact.chained(&head);
        hashes.push(head.clone());
    }
    for key in &save.notices {
        if known.notices.contains(key) || !now.notices.insert(key.clone()) {
            return Err(NotSaved::NoticeRecorded(key.clone()));
        }
    }
    if hands != save.hands {
        rows.hands.insert(&save.item, rows.saves.len());
    }
    rows.saves.push(Chained { save, hashes, head: head.clone() });
    now.items.insert(save.item.clone(), Head { rev: save.rev_after(), hash: head, hands: save.hands.clone() });
    Ok(())
}

impl Known {
    fn extend(&mut self, more: Known) {
        self.items.extend(more.items);
        self.commands.extend(more.commands);
        self.causes.extend(more.causes);
        self.notices.extend(more.notices);
        self.counters.extend(more.counters);
        self.unique.extend(more.unique);
    }
}

impl<'a> Rows<'a> {
    fn extend(&mut self, more: Rows<'a>) {
        let before = self.saves.len();
        self.hands.extend(more.hands.into_iter().map(|(item, place)| (item, before + place)));
        self.saves.extend(more.saves);
        self.counters.extend(more.counters);
        self.unique.extend(more.unique);
        self.given_up.extend(more.given_up);
    }
}

/// Asks the database once for each kind of thing that the group touches.
async fn read(
    connection: &mut Connection,
    here: &str,
    units: &[&Unit],
    heads: &Heads,
    asks: Asks,
    count: &mut u64,
) -> Result<Known, sqlx::Error> {
    let saves = || units.iter().flat_map(|unit| unit.iter());
    let mut known = Known::default();
    let mut items = BTreeSet::new();
    for save in saves() {
        match heads.get(&save.item) {
            Some(head) => drop(known.items.insert(save.item.clone(), head.clone())),
            None => drop(items.insert((&save.item,))),
        }
    }
    let new = || saves().filter(|_| asks == Asks::Everything);
    let commands = new().filter_map(|save| save.command.as_ref()).map(|command| (&command.actor, &command.id));
    let causes = new().flat_map(|save| save.facts.iter().filter_map(|fact| Some((&save.item, fact.cause.as_ref()?))));
    let notices = new().flat_map(|save| &save.notices).map(|key| (key,));
    let counters = saves().flat_map(|save| &save.numbers).map(|number| (&number.counter,));
    let unique = saves().flat_map(|save| &save.unique);
    let questions = [
        (statements::SAVE_ITEMS, keys(items)),
        (statements::SAVE_COMMANDS, keys(commands)),
        (statements::SAVE_CAUSES, keys(causes)),
        (statements::SAVE_NOTICES, keys(notices)),
        (statements::SAVE_COUNTERS, keys(counters)),
        (statements::SAVE_UNIQUE, keys(unique)),
    ];
    let questions: Vec<_> = questions.into_iter().filter_map(|(question, keys)| Some((question, keys?))).collect();
    if questions.is_empty() {
        return Ok(known);
    }
    *count += questions.len() as u64;
    if connection.is_shared() {
        let counters: Vec<_> = questions.iter().filter(|(question, _)| *question == statements::SAVE_COUNTERS).collect();
        for (_, keys) in counters {
            dialect::run_batches(connection, here, vec![(statements::COUNTER_BEGIN, keys.clone())]).await?;
        }
    }
    for (question, one, two, three, four, five) in dialect::ask_batches(connection, here, questions).await? {
        match question.as_str() {
            "item" => {
                known.fences.insert(one.clone(), number(&four));
                known.items.insert(one, Head { rev: number(&two), hash: three, hands: five });
            }
            "command" => drop(known.commands.insert((one.into(), two.into()), (three.into(), four.into()))),
            "cause" => drop(known.causes.insert((one, two))),
            "notice" => drop(known.notices.insert(one)),
            "counter" => drop(known.counters.insert(one, number(&two))),
            _ => drop(known.unique.insert((one, two, three), Some(four))),
        }
    }
    Ok(known)
}

/// Each key once, as rows of a batch; nothing without keys.
fn keys<T: Ord + serde::Serialize>(keys: impl IntoIterator<Item = T>) -> Option<String> {
    let keys: BTreeSet<T> = keys.into_iter().collect();
    (!keys.is_empty()).then(|| batch(&keys.into_iter().collect::<Vec<_>>()))
}

/// A number that the database wrote as text.
fn number<N: std::str::FromStr + Default>(text: &str) -> N {
    text.parse().unwrap_or_default()
}

/// Writes all rows, one statement for each table; those of a long list slice by slice, all its items first: a server finds the item of a
/// fact by whichever index it takes for the best when it is asked for the first time.
async fn put(connection: &mut Connection, here: &str, rows: Rows<'_>, count: &mut u64) -> Result<(), sqlx::Error> {
    let (mut slice, mut reader) = (Slice::default(), Reader::default());
    let is_long = rows.saves.iter().any(|chained| chained.save.texts.is_packed());
    // When an item is saved twice, its last row counts.
    let last: HashMap<&str, usize> = rows.saves.iter().zip(0..).map(|(chained, place)| (chained.save.item.as_str(), place)).collect();
    for (chained, _) in rows.saves.iter().zip(0..).filter(|(chained, place)| last.get(chained.save.item.as_str()) == Some(place)) {
        slice.add_item(chained, &reader.read(&chained.save.texts));
        if is_long && slice.size >= SLICE {
            run(connection, here, std::mem::take(&mut slice).batches(), count).await?;
        }
    }
    for (chained, place) in rows.saves.iter().zip(0..) {
        slice.add_rest(chained, &reader.read(&chained.save.texts), rows.hands.get(chained.save.item.as_str()) == Some(&place));
        if is_long && slice.size >= SLICE {
            run(connection, here, std::mem::take(&mut slice).batches(), count).await?;
        }
    }
    let held = rows.unique.into_iter().flat_map(|((item, _), keys)| keys.into_iter().map(move |key| (key, item.clone())));
    let unique: Vec<_> = held.map(|((workflow, field, value), item)| (workflow, field, value, item)).collect();
    let mut batches = slice.batches();
    batches.extend([
        (statements::COUNTER_PUT, rows.counters.len(), batch(&rows.counters.into_iter().collect::<Vec<_>>())),
        (statements::UNIQUE_DROP, rows.given_up.len(), batch(&rows.given_up.into_iter().collect::<Vec<_>>())),
        (statements::UNIQUE_PUT, unique.len(), batch(&unique)),
        (statements::JURISDICTION_BEHIND, usize::from(rows.derived.is_some()), batch(&[[rows.derived]])),
    ]);
    run(connection, here, batches, count).await
}

/// Statements, each with how many rows it has and these.
type Batches = Vec<(&'static str, usize, String)>;

async fn run(connection: &mut Connection, here: &str, batches: Batches, count: &mut u64) -> Result<(), sqlx::Error> {
    let batches: Vec<_> = batches.into_iter().filter(|(_, rows, _)| *rows > 0).map(|(statement, _, rows)| (statement, rows)).collect();
    if batches.is_empty() {
        return Ok(());
    }
    *count += batches.len() as u64;
    dialect::run_batches(connection, here, batches).await
}

/// So many bytes of a long list are handed to the database at once. It reads and holds all of them before it writes the first.
const SLICE: usize = 1 << 20;

/// Rows of some decisions.
#[derive(Default)]
struct Slice<'a> {
    /// By id, the order in which everybody takes them.
    items: BTreeMap<&'a str, String>,
    facts: Vec<String>,
    notices: Vec<String>,
    /// Items that pass into other hands, and the rows of these.
    passed: Vec<(&'a str,)>,
    hands: Vec<String>,
    events: Vec<String>,
    commands: Vec<(&'a Answered, &'a str, i64)>,
    /// Bytes of all of them.
    size: usize,
}

impl<'a> Slice<'a> {
    fn add_item(&mut self, chained: &Chained<'a>, texts: &[&str]) {
        let row = ending(texts.first().unwrap_or(&"["), &chained.head);
        self.size += row.len();
        self.items.insert(&chained.save.item, row);
    }

    /// Its facts, notices, events and command, and its hands when they are others than before.
    fn add_rest(&mut self, Chained { save, hashes, .. }: &Chained<'a>, texts: &[&str], has_passed: bool) {
        if has_passed {
            self.passed.extend((save.rev > 0).then_some((save.item.as_str(),)));
            let hands = texts.get(1).filter(|hands| !hands.is_empty());
            self.hands.extend(hands.map(|hands| hands.to_string()));
            self.size += hands.map_or(0, |hands| hands.len());
        }
        let (facts, told) = texts.get(2..).unwrap_or_default().split_at(hashes.len());
        let (notices, events) = told.split_at(save.notices.len());
        self.facts.extend(facts.iter().zip(hashes).map(|(row, hash)| ending(row, hash)));
        self.notices.extend(notices.iter().map(|row| row.to_string()));
        self.events.extend(events.iter().map(|row| row.to_string()));
        self.commands.extend(save.command.as_ref().map(|command| (command, save.item.as_str(), save.at)));
        self.size += facts.iter().chain(told).map(|text| text.len()).sum::<usize>();
    }

    fn batches(self) -> Batches {
        let joined = |rows: Vec<String>| format!("[{}]", rows.join(","));
        let row = |(command, item, at): &(&'a Answered, &'a str, i64)| {
            (&*command.actor, &*command.id, &*command.request_hash, &*command.answer, *item, *at)
        };
        let commands: Vec<_> = self.commands.iter().map(row).collect();
        vec![
            (statements::ITEM_PUT, self.items.len(), joined(self.items.into_values().collect())),
            (statements::FACT_PUT, self.facts.len(), joined(self.facts)),
            (statements::NOTICE_PUT, self.notices.len(), joined(self.notices)),
            (statements::DELIVERY_PUT, self.events.len(), joined(self.events)),
            (statements::COMMAND_PUT, commands.len(), batch(&commands)),
            (statements::HAND_DROP, self.passed.len(), batch(&self.passed)),
            (statements::HAND_PUT, self.hands.len(), joined(self.hands)),
        ]
    }
}

/// A row, with the hash that it ends with.
fn ending(row: &str, hash: &str) -> String {
    format!("{row},\"{hash}\"]")
}
