//! The rule workshop: the folder of an office's rules edited by administrators, tried out in memory, and put into use through its plan.
//!
//! The files on the disk remain the truth. Every save names what the file held when it was opened, so that an editor, a checkout and this
//! never overwrite each other unseen; a publication is bound to a plan that somebody has looked at. What is heavy waits its turn.

use super::rules::read as read_stored;
use super::{App, Foreseen, NotPublished, PlanWishes, PublishError, Published, Publisher};
use crate::files::working_copy::{self, EditError, Replaced, Standing};
use crate::files::{self, FilesError};
use crate::kernel::author::diff::{Difference, differences};
use crate::kernel::calendar::window::day_of;
use crate::kernel::check;
use crate::kernel::model::Name;
use crate::kernel::model::problem::Problem;
use crate::kernel::plan::{Choices, Plan};
use crate::kernel::read::story;
use crate::kernel::rules::RuleSet;
use crate::kernel::simulate::stories::{Report, stories};
use crate::kernel::time::Date;
use crate::kernel::words::Lang;
use crate::store::StoreError;
use crate::store::audit::Entry;
use indexmap::IndexMap;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many plans stay at hand until they are published.
const PLANS: usize = 16;
/// Whoever waits longer for a turn is told so.
const TURN: Duration = Duration::from_secs(20);
/// What takes longer is for the command line.
const LONGEST: Duration = Duration::from_secs(180);

/// The workshop of one office.
#[derive(Debug)]
pub struct Workshop {
    folder: Option<PathBuf>,
    /// One save at a time: what was read before it is still so when it is written.
    saving: Arc<tokio::sync::Mutex<()>>,
    /// The one made last stands last.
    plans: Mutex<IndexMap<String, Arc<Planned>>>,
    /// Plans, stories and forecasts, which take all processors.
    heavy: Arc<Semaphore>,
    /// Checks of a folder.
    light: Arc<Semaphore>,
}

/// A plan that was made here or proposed somewhere, with both rule sets.
#[derive(Debug)]
pub struct Planned {
    pub plan: Plan,
    pub old: Arc<RuleSet>,
    pub new: Arc<RuleSet>,
    pub differences: Vec<Difference>,
    /// Who wishes it to come true, where two have to agree.
    pub proposed_by: Option<Name>,
}

/// The folder as it stands, with a draft in the place of one of its files.
#[derive(Debug, Default)]
pub struct Checked {
    pub files: IndexMap<String, String>,
    /// Nothing while something is wrong with it.
    pub rules: Option<Arc<RuleSet>>,
    pub problems: Vec<Problem>,
}

impl Checked {
    fn sound(&self) -> Result<Arc<RuleSet>, WorkshopNo> {
        let errors = || self.problems.iter().filter(|problem| problem.is_error()).count();
        self.rules.clone().ok_or_else(|| WorkshopNo::Broken(errors()))
    }
}

/// Where a rule set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    InUse,
    Folder,
    /// One that was in use, by its hash.
    Stored(String),
}

/// What came of a save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// The file holds something else than the person began from; nothing was written.
    Conflict(Option<Standing>),
}

/// Why the workshop does not do it.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopNo {
    #[error("this server has no folder of rules for this office")]
    NoFolder,
    #[error("the rules in the folder have {0} mistakes")]
    Broken(usize),
    #[error("no such rule set was in use here")]
    Unknown,
    #[error("no such plan is at hand")]
    NoPlan,
    #[error("others are at work")]
    Busy,
    #[error("it took too long")]
    Late,
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("not published: {}", .0.why)]
    NotPublished(NotPublished),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Workshop {
    pub fn new(folder: Option<PathBuf>) -> Workshop {
        Workshop {
            folder,
            saving: Arc::default(),
            plans: Mutex::default(),
            heavy: Arc::new(Semaphore::new(1)),
            light: Arc::new(Semaphore::new(2)),
        }
    }

    pub fn folder(&self) -> Result<&Path, WorkshopNo> {
        self.folder.as_deref().filter(|folder| folder.is_dir()).ok_or(WorkshopNo::NoFolder)
    }

    pub fn is_writable(&self) -> bool {
        self.folder().is_ok_and(working_copy::is_writable)
    }

    /// A file of the folder; nothing where there is none.
    pub async fn file(&self, path: &str) -> Result<Option<Standing>, WorkshopNo> {
        let (folder, path) = (self.folder()?.to_path_buf(), path.to_string());
        Ok(aside(turn(&self.light).await?, move || working_copy::standing(&folder, &path)).await??)
    }

    /// Everything that is wrong with the folder, with a draft in the place of a file.
    pub async fn check(&self, today: Date, draft: Option<(&str, &str)>) -> Result<Checked, WorkshopNo> {
        let folder = self.folder()?.to_path_buf();
        let draft = draft.map(|(path, text)| (path.to_string(), text.to_string()));
        aside(turn(&self.light).await?, move || {
            let mut files = files::rule_set(&folder)?;
            let mut problems = Vec::new();
            if let Some((path, text)) = draft {
                if path.ends_with(".test.yaml") {
                    story::read(&path, &text, &mut problems);
                }
                files.insert(path, text);
                // In the order in which the folder gives them.
                files.sort_keys();
            }
            let (rules, found) = check::load_on(&files, Some(today));
            problems.extend(found);
            Ok(Checked { files, rules: rules.map(Arc::new), problems })
        })
        .await?
    }

    /// Saves a file that held `known` when the person opened it, or was not there.
    pub async fn save(&self, app: &App, by: &Name, path: &str, known: Option<&str>, text: &str) -> Result<Saved, WorkshopNo> {
        let folder = self.folder()?.to_path_buf();
        let (turn, alone) = (turn(&self.light).await?, self.saving.clone().lock_owned().await);
        let (store, by, path, before, text) =
            (app.store.clone(), by.clone(), path.to_string(), known.map(str::to_string), text.to_string());
        let now = app.now();
        // Once the file is there the trail says so, whoever still waits for the answer.
        let saving = tokio::spawn(async move {
            let _alone = alone;
            let (name, known) = (path.clone(), before.clone());
            let after = match aside(turn, move || working_copy::replace(&folder, &name, known.as_deref(), &text)).await?? {
                Replaced::Other(standing) => return Ok(Saved::Conflict(standing)),
                Replaced::Done(after) => after,
            };
            let about = json!({ "file": path, "before": before, "after": after });
            store.audit(vec![Entry::new(now, Some(&by), "rules_saved", about.to_string(), None)]).await?;
            Ok(Saved::Done)
        });
        saving.await.map_err(|error| StoreError::NotDone(error.to_string()))?
    }

    /// A rule set that passes the checks.
    pub async fn rules(&self, app: &App, source: &Source) -> Result<Arc<RuleSet>, WorkshopNo> {
        match source {
            Source::InUse => Ok(app.rules()),
            Source::Folder => {
                let today = day_of(app.now(), zone(&app.rules()));
                self.check(today, None).await?.sound()
            }
            Source::Stored(hash) => {
                let stored = app.store.rules(hash).await?.ok_or(WorkshopNo::Unknown)?;
                aside(turn(&self.light).await?, move || read_stored(&stored).map_err(|_| WorkshopNo::Unknown)).await?
            }
        }
    }

    /// What would come of putting a rule set into use now, kept until somebody publishes it; by the sum that names it.
    /// `choices` says what becomes of the dates of open items, beside what the version itself says.
    pub async fn plan(
        &self,
        app: &Arc<App>,
        source: &Source,
        allow_overdue: u64,
        choices: Choices,
        lang: Lang,
    ) -> Result<String, WorkshopNo> {
        let new = self.rules(app, source).await?;
        let old = app.rules();
        let (folder, failing) = match source {
            Source::Folder => (Some(self.folder()?.display().to_string()), self.stories(app, source, None, lang).await?.failing()),
            _ => (None, Vec::new()),
        };
        let wishes = PlanWishes { allow_overdue, choices, back: folder.is_none(), folder, failing, ..PlanWishes::default() };
        let (planner, meant) = (app.clone(), new.clone());
        let plan = in_time(turn(&self.heavy).await?, async move { planner.plan(&meant, &wishes, &|_| {}).await }).await??;
        let (before, after) = (old.clone(), new.clone());
        let differences = self.aside(move || differences(&before, &after)).await?;
        let sum = plan.checksum.clone();
        let mut plans = self.plans();
        plans.insert(sum.clone(), Arc::new(Planned { plan, old, new, differences, proposed_by: None }));
        while plans.len() > PLANS {
            plans.shift_remove_index(0);
        }
        Ok(sum)
    }

    /// A plan by its sum: one that was made here lately, or one that waits for a second person, as the first one saw it.
    pub async fn planned(&self, app: &App, sum: &str) -> Result<Arc<Planned>, WorkshopNo> {
        let proposal = app.proposals().await?.into_iter().find(|(plan, ..)| plan == sum).map(|(.., proposal)| proposal);
        let here = |planned: &Arc<Planned>| planned.plan.jurisdiction == app.store.jurisdiction();
        let kept = self.plans().get(sum).cloned().filter(here);
        let Some(mut proposal) = proposal else { return kept.ok_or(WorkshopNo::NoPlan) };
        let plan = proposal.plan.take().map(|plan| *plan).ok_or(WorkshopNo::NoPlan)?;
        let old = match kept {
            Some(kept) => {
                let Planned { plan, old, new, differences, .. } = &*kept;
                let (plan, old, new, differences) = (plan.clone(), old.clone(), new.clone(), differences.clone());
                return Ok(Arc::new(Planned { plan, old, new, differences, proposed_by: proposal.by }));
            }
            None => self.rules(app, &Source::Stored(plan.old.hash.clone())).await?,
        };
        aside(turn(&self.light).await?, move || {
            let new = check::load(&proposal.files).0.map(Arc::new).ok_or(WorkshopNo::NoPlan)?;
            let differences = differences(&old, &new);
            Ok(Arc::new(Planned { plan, old, new, differences, proposed_by: proposal.by }))
        })
        .await?
    }

    /// Makes a plan come true. What was edited in the folder since it was made is not put into use; what was proposed is approved as it was
    /// proposed.
    pub async fn publish(&self, app: &Arc<App>, sum: &str, by: &Name, approve: bool) -> Result<Published, WorkshopNo> {
        let planned = self.planned(app, sum).await?;
        if let (Some(folder), false) = (&planned.plan.folder, approve) {
            let now = self.rules(app, &Source::Folder).await;
            if !matches!(&now, Ok(now) if now.hash == planned.new.hash) {
                let values = vec![("folder".to_string(), folder.clone())];
                return Err(WorkshopNo::NotPublished(NotPublished { why: "other_files".into(), values }));
            }
        }
        let who = Publisher { by: Some(by.clone()), via: Some("web".into()), approve };
        let _turn = turn(&self.heavy).await?;
        let published = app.publish_to_end(&planned.plan, &planned.new, &who).await.map_err(|error| match error {
            PublishError::No(no) => WorkshopNo::NotPublished(no),
            PublishError::Store(error) => error.into(),
        })?;
        if let Published::InUse(_) = published {
            self.plans().clear();
        }
        Ok(published)
    }

    /// Plays the stories beside a rule set, or those whose name holds a text.
    pub async fn stories(&self, app: &App, source: &Source, only: Option<&str>, lang: Lang) -> Result<Report, WorkshopNo> {
        let (rules, files) = match source {
            Source::Folder => {
                let checked = self.check(day_of(app.now(), zone(&app.rules())), None).await?;
                (checked.sound()?, checked.files)
            }
            _ => {
                let rules = self.rules(app, source).await?;
                let files = rules.files.clone();
                (rules, files)
            }
        };
        let only = only.map(str::to_string);
        let playing = move |turn| aside(turn, move || stories(&rules, &files, only.as_deref(), lang));
        tokio::time::timeout(LONGEST, playing(turn(&self.heavy).await?)).await.map_err(|_| WorkshopNo::Late)?
    }

    /// What leaves until the end of a day if nobody does anything.
    pub async fn foresee(&self, app: &Arc<App>, under: &Arc<RuleSet>, until: Date) -> Result<Foreseen, WorkshopNo> {
        let (app, under) = (app.clone(), under.clone());
        let turn = turn(&self.heavy).await?;
        Ok(in_time(turn, async move { app.foresee(&under, app.now(), until, |_, _| {}).await }).await??)
    }

    /// Draws or compares, aside from the threads that answer.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkshopNo> {
        aside(turn(&self.light).await?, work).await
    }

    fn plans(&self) -> MutexGuard<'_, IndexMap<String, Arc<Planned>>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn zone(rules: &RuleSet) -> chrono_tz::Tz {
    rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone)
}

async fn turn(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, WorkshopNo> {
    match tokio::time::timeout(TURN, of.clone().acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(WorkshopNo::Busy),
    }
}

/// Waits for work for some time. Its turn lasts as long as it does, also when nobody waits any more.
async fn in_time<T: Send + 'static>(turn: OwnedSemaphorePermit, work: impl Future<Output = T> + Send + 'static) -> Result<T, WorkshopNo> {
    let working = tokio::spawn(async move {
        let _turn = turn;
        work.await
    });
    let done = tokio::time::timeout(LONGEST, working).await.map_err(|_| WorkshopNo::Late)?;
    done.map_err(|error| StoreError::NotDone(error.to_string()).into())
}

/// Work aside from the threads that answer. Its turn lasts as long as it does.
async fn aside<T: Send + 'static>(turn: OwnedSemaphorePermit, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkshopNo> {
    let work = move || {
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::NotDone(error.to_string()).into())
}
