//! How a command reaches the database: to look at it, to write to it, or to write through the server that holds it.

use super::{Context, exit};
use crate::api::client::{Client, ClientError};
use crate::app::{self, ActError, Answer, App, Group, How, Offices, OpenError, RulesError, random_text};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::files;
use crate::kernel::check;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::{Lang, refusal, say};
use crate::serve::{ServeError, check_zone};
use crate::store::{LOCAL, Opening, Place, Store, StoreError, fault_in_words, lock};
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// At most so many offices are named to somebody who meant another one.
const NAMED: u32 = 12;

/// Why a command stops, in a sentence for people, with its exit code.
#[derive(Debug)]
pub struct Stop {
    pub code: i32,
    pub sentence: String,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Stop {}

impl Stop {
    pub fn new(code: i32, lang: Lang, key: &str, values: &[(&str, &str)]) -> Stop {
        Stop { code, sentence: say(lang, key, values) }
    }

    pub fn usage(lang: Lang, key: &str, values: &[(&str, &str)]) -> Stop {
        Stop::new(exit::USAGE, lang, key, values)
    }

    pub fn store(lang: Lang, error: &StoreError) -> Stop {
        Stop { code: exit::ENVIRONMENT, sentence: error.sentence(lang) }
    }

    pub fn rules(lang: Lang, error: &RulesError) -> Stop {
        match error {
            RulesError::Store(error) => Stop::store(lang, error),
            RulesError::None => Stop::usage(lang, "office.no_rules", &[]),
            RulesError::Unusable { hash, problems } => {
                Stop::new(exit::ENVIRONMENT, lang, "office.unusable_rules", &[("hash", &short(hash)), ("problems", &problems.to_string())])
            }
        }
    }

    pub fn open(lang: Lang, error: &OpenError) -> Stop {
        match error {
            OpenError::Store(error) => Stop::store(lang, error),
            OpenError::OtherRules { open, changed } => {
                let (open, changed) = (open.to_string(), changed.join(", "));
                Stop::new(exit::POLICY, lang, "office.other_rules", &[("open", &open), ("changed", &changed)])
            }
            OpenError::Exists(name) => Stop::new(exit::POLICY, lang, "offices.exists", &[("name", name)]),
        }
    }

    pub fn act(lang: Lang, error: &ActError) -> Stop {
        match error {
            ActError::Refused(no) => Stop { code: exit::FINDINGS, sentence: refusal(lang, no) },
            ActError::Store(error) => Stop::store(lang, error),
            ActError::Load(error) => Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]),
        }
    }

    pub fn zone(lang: Lang, settings: &str, workflow: &str, rules: &str) -> Stop {
        Stop::usage(lang, "serve.zone", &[("settings", settings), ("workflow", workflow), ("rules", rules)])
    }

    pub fn client(lang: Lang, error: &ClientError) -> Stop {
        match error {
            ClientError::Refused(no) => Stop { code: exit::FINDINGS, sentence: refusal(lang, no) },
            ClientError::Unreachable { address, what } => {
                let what = fault_in_words(lang, what);
                Stop::new(exit::ENVIRONMENT, lang, "office.server_silent", &[("address", address), ("what", &what)])
            }
            ClientError::Answered { status, what, .. } => {
                Stop::new(exit::ENVIRONMENT, lang, "office.server", &[("status", &status.to_string()), ("what", what)])
            }
        }
    }
}

/// The first characters of a hash, as people quote it.
pub fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

fn held(place: &Place, holder: lock::Holder, lang: Lang) -> Stop {
    Stop::store(lang, &StoreError::Held { path: place.to_string(), holder: Box::new(holder) })
}

/// The server that holds the database, to ask it what concerns all offices; an error when another program holds it.
pub fn server_of_all(context: &Context) -> anyhow::Result<Option<Client>> {
    let place = &context.settings.database;
    match place.file().and_then(lock::holder) {
        Some(lock::Holder { address: Some(address), token: Some(token), .. }) => Ok(Some(Client::new(address, token, LOCAL))),
        Some(holder) => Err(held(place, holder, context.lang).into()),
        None => Ok(None),
    }
}

/// Runs a command's asynchronous part.
pub fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// A database at hand: our own, or a server's that we may look at.
pub struct Office {
    pub app: Arc<App>,
    server: Option<Client>,
    lang: Lang,
    _trial: Option<Trial>,
}

/// A database for a trial, with all that stands beside it.
struct Trial(PathBuf);

impl Drop for Trial {
    fn drop(&mut self) {
        remove_database(&self.0);
    }
}

/// Takes a database of our own away, with all that stands beside it.
pub fn remove_database(file: &Path) {
    for ending in ["", "-wal", "-shm", ".lock"] {
        let mut path = file.as_os_str().to_os_string();
        path.push(ending);
        // What cannot be taken away does no harm.
        let _ = std::fs::remove_file(path);
    }
}

impl Office {
    /// To look only. The rule set is the one that the database carries.
    pub async fn to_read(context: &Context) -> anyhow::Result<Office> {
        let lang = context.lang;
        let store = meant(open_to_look(context).await?, lang).await?;
        let (rules, errors, hash) = app::rules_to_look(&store).await.map_err(|error| Stop::rules(lang, &error))?;
        if errors > 0 && !context.quiet {
            anstream::eprintln!("{}", say(lang, "office.old_rules", &[("hash", &short(&hash)), ("problems", &errors.to_string())]));
        }
        let app = App::open_to_read(store, rules, Clock::Machine).await.map_err(|error| Stop::store(lang, &error))?;
        Ok(Office { app: Arc::new(app), server: None, lang, _trial: None })
    }

    /// To try something where there is no database yet: one is made beside its place, and taken away again.
    pub async fn for_trial(context: &Context) -> anyhow::Result<Office> {
        let beside = context.settings.database.file().unwrap_or(Path::new("duban.db"));
        let mut path = beside.as_os_str().to_os_string();
        path.push(format!(".trial-{}", random_text()));
        let trial = Trial(path.into());
        let mut settings = context.settings.clone();
        settings.database = Place::from(&trial.0);
        let app = open(&settings, context, true).await?;
        Ok(Office { app: Arc::new(app), server: None, lang: context.lang, _trial: Some(trial) })
    }

    /// To write: directly, or through the server that holds the file.
    pub async fn to_write(context: &Context) -> anyhow::Result<Office> {
        let offer = context.settings.rules.is_some() && context.settings.own_rules();
        Office::to_write_under(context, offer).await
    }

    /// The same under the rule set that the database has in use, whatever lies in the folder.
    pub async fn to_write_as_it_is(context: &Context) -> anyhow::Result<Office> {
        Office::to_write_under(context, false).await
    }

    async fn to_write_under(context: &Context, offer: bool) -> anyhow::Result<Office> {
        let lang = context.lang;
        let place = &context.settings.database;
        match place.file().and_then(lock::holder) {
            Some(lock::Holder { address: Some(address), token: Some(token), .. }) => {
                let office = Office::to_read(context).await?;
                let server = Client::new(address, token, office.app.store.jurisdiction());
                Ok(Office { server: Some(server), ..office })
            }
            Some(holder) => Err(held(place, holder, lang).into()),
            None => {
                let app = open(&context.settings, context, offer).await?;
                Ok(Office { app: Arc::new(app), server: None, lang, _trial: None })
            }
        }
    }

    /// Does commands, each for itself, in their order.
    pub async fn act(&self, commands: &[Command]) -> anyhow::Result<Vec<Answer>> {
        match &self.server {
            Some(client) => Ok(client.act(commands).await.map_err(|error| Stop::client(self.lang, &error))?),
            None => Ok(self.app.act_all(commands).await.into_iter().map(Answer::from).collect()),
        }
    }

    /// What commands would come to, one after the other. Nothing is written.
    pub async fn rehearse(&self, commands: &[Command]) -> anyhow::Result<Vec<Answer>> {
        let groups: Vec<Group> = commands.iter().map(|command| vec![command.clone()]).collect();
        let how = How { dry_run: true, ..How::default() };
        let (answers, _) = self.app.together(&groups, how).await.map_err(|error| Stop::act(self.lang, &error))?;
        let answer = |answer: crate::app::GroupAnswer| match answer {
            Ok(mut done) => done.pop().map_or_else(|| Answer::Failed(String::new()), |done| Ok(done).into()),
            Err((_, error)) => Err(error).into(),
        };
        Ok(answers.into_iter().map(answer).collect())
    }

    /// The server that holds the database, if one does.
    pub fn server(&self) -> Option<&Client> {
        self.server.as_ref()
    }

    pub async fn close(self) {
        if let Ok(app) = Arc::try_unwrap(self.app) {
            app.store.close().await;
        }
    }

    /// The workflow of an item.
    pub fn rules_of(&self, workflow: &str) -> anyhow::Result<Arc<Rules>> {
        let rules = self.app.rules();
        let found = rules.workflows.get(workflow).cloned();
        Ok(found.ok_or_else(|| Stop::new(exit::ENVIRONMENT, self.lang, "refusal.unknown_workflow", &[("workflow", workflow)]))?)
    }

    /// A person of the directory, by id or by a name that only one has.
    pub fn person(&self, text: &str) -> anyhow::Result<Name> {
        let unknown = || Stop::new(exit::FINDINGS, self.lang, "refusal.unknown_person", &[("person", text)]);
        Ok(self.app.person(text).ok_or_else(unknown)?)
    }
}

/// The database, to look at whichever offices it has; one that is named has to be there.
pub async fn to_look(context: &Context) -> anyhow::Result<Store> {
    let (lang, store) = (context.lang, open_to_look(context).await?);
    match is_without(&store, lang).await? {
        Some(others) if others.is_empty() => Err(Stop::rules(lang, &RulesError::None).into()),
        Some(others) if store.jurisdiction() != LOCAL => Err(no_such(&store, &others, lang).into()),
        _ => Ok(store),
    }
}

async fn open_to_look(context: &Context) -> anyhow::Result<Store> {
    let (lang, place) = (context.lang, &context.settings.database);
    if place.file().is_some_and(Path::is_dir) {
        return Err(Stop::usage(lang, "office.is_folder", &[("path", &place.to_string())]).into());
    }
    if place.is_missing_file() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "office.no_database", &[("path", &place.to_string())]).into());
    }
    Ok(Store::open_to_read(place).await.map_err(|error| Stop::store(lang, &error))?.of(&context.settings.jurisdiction))
}

/// All offices of a database, to serve them. A folder that is there is offered to the office of the settings, when it is its own; an
/// installation that names neither office nor rules goes on with what is in its database, also when that is other offices.
pub async fn open_all(settings: &Settings, context: &Context) -> anyhow::Result<Offices> {
    let lang = context.lang;
    let offer = settings.own_rules() && settings.rules_folder().is_ok();
    let (store, offered) = store_and_folder(settings, context, offer).await?;
    let nobody_named = settings.rules.is_none() && settings.jurisdiction == LOCAL;
    if nobody_named && is_without(&store, lang).await?.is_some_and(|others| !others.is_empty()) {
        let clock = clock(&store, lang).await?;
        return Ok(Offices::over(store, clock).await.map_err(|error| Stop::store(lang, &error))?);
    }
    Ok(Offices::with(Arc::new(go_on(store, offered, context).await?)))
}

/// Opens an office of a database for writing, or the first one of a database that has none. The folder's rule set is put to work when
/// `offer` says so, and for the first office.
pub async fn open(settings: &Settings, context: &Context, offer: bool) -> anyhow::Result<App> {
    let (store, offered) = store_and_folder(settings, context, offer).await?;
    go_on(store, offered, context).await
}

/// Puts one more office to work under the folder's rule set.
pub async fn add(settings: &Settings, context: &Context) -> anyhow::Result<App> {
    let lang = context.lang;
    let (store, offered) = store_and_folder(settings, context, true).await?;
    let rules = Arc::new(offered.map_or_else(|| from_folder(context), Ok)?);
    let clock = clock(&store, lang).await?;
    Ok(App::add(store, rules, clock).await.map_err(|error| Stop::open(lang, &error))?)
}

/// The machine's clock; beside a server, as the server shows the time, which is the same for all who work there.
async fn clock(store: &Store, lang: Lang) -> anyhow::Result<Clock> {
    let Some(shown) = store.shown_time().await.map_err(|error| Stop::store(lang, &error))? else { return Ok(Clock::Machine) };
    let clock = Clock::agreed();
    clock.agree(shown);
    Ok(clock)
}

/// A rule set with mistakes is told before anything is made.
async fn store_and_folder(settings: &Settings, context: &Context, offer: bool) -> anyhow::Result<(Store, Option<RuleSet>)> {
    let offered = (offer || settings.database.is_missing_file()).then(|| from_folder(context)).transpose()?;
    Ok((open_store(settings, context.lang).await?, offered))
}

async fn go_on(store: Store, offered: Option<RuleSet>, context: &Context) -> anyhow::Result<App> {
    let lang = context.lang;
    let named = store.jurisdiction().to_string();
    let store = meant(store, lang).await?;
    let offered = match named == store.jurisdiction() {
        true => offered,
        // A folder that was named for this command is for the office that is named with it.
        false if context.settings.rules_of.is_none() && offered.is_some() => {
            return Err(no_such(&store.of(&named), &[store.jurisdiction().to_string()], lang).into());
        }
        false => None,
    };
    match is_without(&store, lang).await? {
        None if offered.is_none() => {
            let rules = app::rules_in_use(&store).await.map_err(|error| Stop::rules(lang, &error))?;
            let clock = clock(&store, lang).await?;
            Ok(App::open(store, rules, clock).await.map_err(|error| Stop::open(lang, &error))?)
        }
        _ => put_to_work(store, offered, context).await,
    }
}

async fn put_to_work(store: Store, offered: Option<RuleSet>, context: &Context) -> anyhow::Result<App> {
    let rules = Arc::new(offered.map_or_else(|| from_folder(context), Ok)?);
    let clock = clock(&store, context.lang).await?;
    Ok(App::open(store, rules, clock).await.map_err(|error| Stop::open(context.lang, &error))?)
}

/// The office that is meant: the one that is named, or the only one of the database when none is. A database without any has to be told
/// which it gets.
async fn meant(store: Store, lang: Lang) -> anyhow::Result<Store> {
    match is_without(&store, lang).await?.as_deref() {
        Some([only]) if store.jurisdiction() == LOCAL => Ok(store.of(only)),
        Some(others) if !others.is_empty() => Err(no_such(&store, others, lang).into()),
        _ => Ok(store),
    }
}

/// Nothing, when the database has the office; otherwise the first others that it has.
async fn is_without(store: &Store, lang: Lang) -> anyhow::Result<Option<Vec<String>>> {
    let stop = |error| Stop::store(lang, &error);
    if store.rules_hash().await.map_err(stop)?.is_some() {
        return Ok(None);
    }
    let others = store.everywhere().jurisdictions("", NAMED + 1).await.map_err(stop)?;
    Ok(Some(others.into_iter().map(|office| office.id).collect()))
}

/// A database of other offices: one that is mistyped is not made.
fn no_such(store: &Store, others: &[String], lang: Lang) -> Stop {
    let mut known = others.iter().take(NAMED as usize).map(String::as_str).collect::<Vec<_>>().join(", ");
    if others.len() > NAMED as usize {
        known.push_str(", …");
    }
    Stop::usage(lang, "office.no_such", &[("jurisdiction", store.jurisdiction()), ("known", &known)])
}

async fn open_store(settings: &Settings, lang: Lang) -> anyhow::Result<Store> {
    let opening = Opening { new_instance: random_text(), page_limit: None, throwaway: false };
    let store = Store::open(&settings.database, opening, Clock::Machine.now()).await.map_err(|error| Stop::store(lang, &error))?;
    Ok(store.of(&settings.jurisdiction))
}

/// The rule set of the settings' folder; its mistakes are drawn.
pub fn from_folder(context: &Context) -> anyhow::Result<RuleSet> {
    rules_of(&context.settings.rules_folder()?, context)
}

/// The rule set of a folder; its mistakes are drawn.
pub fn rules_of(folder: &Path, context: &Context) -> anyhow::Result<RuleSet> {
    if !folder.is_dir() {
        let folder = folder.display().to_string();
        return Err(Stop::usage(context.lang, "office.no_folder", &[("folder", &folder)]).into());
    }
    let files = files::rule_set(folder)?;
    let (rules, problems) = check::load(&files);
    if let Some(rules) = rules {
        // Before a database is made.
        if let Err(ServeError::Zone { settings, workflow, rules }) = check_zone(&rules, &context.settings) {
            return Err(Stop::zone(context.lang, &settings, &workflow, &rules).into());
        }
        return Ok(rules);
    }
    let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
    let folder = folder.display().to_string();
    context.draw(&errors, &folder, &files);
    Err(Stop::new(exit::FINDINGS, context.lang, "office.bad_rules", &[("folder", &folder)]).into())
}

/// How somebody on the command line came in.
pub fn via() -> Option<String> {
    Some(format!("cli:{}", config::system_user().unwrap_or_default()))
}

/// A place in a rule set's files, as people find it.
pub fn place(context: &Context, place: &crate::kernel::model::problem::Place) -> String {
    let folder = context.settings.rules_folder().unwrap_or_default();
    let path =
        if folder.as_os_str().is_empty() { place.file.to_string() } else { folder.join(Path::new(&*place.file)).display().to_string() };
    format!("{path}:{}", place.line)
}
