//! A sample office through its years: a list is imported, what people did is done at its moments, and the engine runs in between on a
//! clock set by hand. Everything goes through the same app as in a live office.

use crate::app::send::Post;
use crate::app::{ActError, App, Offices, SLOT_LEASE};
use crate::clock::Clock;
use crate::files;
use crate::kernel::calendar::window::start_of_day;
use crate::kernel::model::Name;
use crate::kernel::model::definition::NoticeKind;
use crate::kernel::model::problem::Problem;
use crate::kernel::read::gate;
use crate::kernel::read::steps::{self, TimedStep};
use crate::kernel::report::{Figures, Table, Tally};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::run::moment;
use crate::kernel::time::{Date, Instant};
use crate::sheet::{self, Row, SheetProblem};
use crate::store::StoreError;
use chrono::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What is shown, as `sample/demo.yaml` says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub title: String,
    pub workflow: String,
    pub clock: Span,
    pub import: ImportPlan,
    /// Files of actions.
    pub actions: Vec<String>,
    pub reports: Vec<ReportPlan>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    pub from: Date,
    /// Included.
    pub until: Date,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportPlan {
    pub name: String,
    pub file: String,
    /// The local time at which each step of a row is entered on its day.
    pub at: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportPlan {
    /// The workflow that declares it, where it is another than the demo's own.
    #[serde(default)]
    pub workflow: Option<Name>,
    pub report: Name,
    pub as_of: Date,
    pub title: String,
}

/// What came of it; every figure is computed from the facts and the outbox.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub title: String,
    pub items: usize,
    pub actions: usize,
    /// Actions that were refused: item, action, sentence's values.
    pub refused: Vec<RefusedStep>,
    pub facts: u64,
    pub reports: Vec<ShownReport>,
    /// Mails by kind of notice: kind, notices carried, and those no longer owed.
    pub notices: Vec<NoticesByKind>,
    pub mails: u64,
    /// Escalations by the body that was told.
    pub escalations: Vec<(String, u64)>,
    pub escalations_to_persons: ToPersons,
    pub database: PathBuf,
    pub mail_folder: PathBuf,
}

/// Escalations to people who belong to no body.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ToPersons {
    pub persons: u64,
    pub escalations: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct RefusedStep {
    pub item: Name,
    pub action: Name,
    pub at: String,
    #[serde(skip)]
    pub why: Arc<ActError>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ShownReport {
    pub title: String,
    #[serde(flatten)]
    pub figures: Option<Figures>,
    #[serde(skip)]
    pub table: Table,
}

#[derive(Clone, Debug, Serialize)]
pub struct NoticesByKind {
    pub kind: NoticeKind,
    pub notice: Name,
    pub title: String,
    pub mailed: u64,
    pub cancelled: u64,
    pub waiting: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Files(#[from] files::FilesError),
    #[error("`{0}`")]
    Written(PathBuf, Vec<Problem>),
    #[error("the rule set has no {what} `{name}`")]
    Unknown { what: &'static str, name: String },
    #[error("the workbook cannot be read: {0}")]
    Sheet(#[from] sheet::Error),
    #[error("the workbook has mistakes")]
    Rows(Vec<SheetProblem>),
    #[error("`{0}` is not a moment")]
    Moment(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Eval(#[from] crate::kernel::rules::EvalError),
}

/// One thing that happens.
enum Event<'a> {
    Row { row: &'a Row, step: usize },
    Step(&'a str, &'a TimedStep),
}

/// Everything that was read before anything happens.
pub struct Script {
    pub plan: Plan,
    rules: Arc<Rules>,
    rows: Vec<Row>,
    /// Each with the file it stands in.
    steps: Vec<(String, TimedStep)>,
}

impl Script {
    /// Reads `sample/` of a rule set's folder.
    pub fn read(folder: &Path, rules: &RuleSet) -> Result<Script, DemoError> {
        let sample = folder.join("sample");
        let path = sample.join("demo.yaml");
        let mut problems = Vec::new();
        let plan = gate::shaped(&Arc::from("demo.yaml"), &files::text(&path)?, &mut problems);
        let Some(plan): Option<Plan> = plan else { return Err(DemoError::Written(path, problems)) };
        let unknown = |what, name: &str| DemoError::Unknown { what, name: name.to_string() };
        let set = rules;
        let rules = set.workflows.get(plan.workflow.as_str()).ok_or_else(|| unknown("workflow", &plan.workflow))?.clone();
        let workflow = &rules.setting.workflow;
        let import = workflow.imports.get(plan.import.name.as_str()).ok_or_else(|| unknown("import", &plan.import.name))?;
        for wanted in &plan.reports {
            counted_by(set, &workflow.name, wanted)?;
        }
        let reading = sheet::read_import(&sample.join(&plan.import.file), import, &workflow.fields, &rules.setting.directory)?;
        let rows = reading.rows_or_problems(false).map_err(DemoError::Rows)?;
        let mut done = Vec::new();
        for name in &plan.actions {
            let path = sample.join(name);
            let text = files::text(&path)?;
            let mut problems = Vec::new();
            let Some(file) = steps::read(&Arc::from(name.as_str()), &text, &mut problems) else {
                return Err(DemoError::Written(path, problems));
            };
            done.extend(file.steps.into_iter().map(|step| (name.clone(), step)));
        }
        Ok(Script { plan, rules, rows, steps: done })
    }

    pub fn begins(&self) -> Instant {
        start_of_day(self.plan.clock.from, self.rules.setting.workflow.timezone)
    }

    pub fn zone(&self) -> chrono_tz::Tz {
        self.rules.setting.workflow.timezone
    }

    /// All events by their moment; at one moment rows before steps, each in the order of its file.
    fn timeline(&self) -> Result<BTreeMap<Instant, Vec<Event<'_>>>, DemoError> {
        let zone = self.zone();
        let at = |text: &str| moment(text, zone).ok_or_else(|| DemoError::Moment(text.to_string()));
        let mut timeline: BTreeMap<Instant, Vec<Event>> = BTreeMap::new();
        for row in &self.rows {
            for (index, step) in row.steps.iter().enumerate() {
                let moment = at(&format!("{} {}", step.on, self.plan.import.at))?;
                timeline.entry(moment).or_default().push(Event::Row { row, step: index });
            }
        }
        for (file, step) in &self.steps {
            let moment = zone.from_local_datetime(&step.at).earliest().ok_or_else(|| DemoError::Moment(step.at.to_string()))?;
            timeline.entry(moment.to_utc()).or_default().push(Event::Step(file, step));
        }
        Ok(timeline)
    }
}

/// Runs the script to its end; `progress` is told the day reached.
pub async fn run(app: &Arc<App>, post: &Arc<Post>, script: &Script, progress: impl Fn(Date)) -> Result<Outcome, DemoError> {
    let zone = script.zone();
    let mut outcome = Outcome::default();
    let offices = Arc::new(Offices::with(app.clone()));
    let mut driver = Driver { offices: &offices, post, stop: CancellationToken::new() };
    for (moment, events) in script.timeline()? {
        driver.advance(moment, |now| progress(now.with_timezone(&zone).date_naive())).await?;
        driver.set(moment);
        // Steps of one moment follow each other, and share a commit where nothing depends on the answer.
        let mut acting = Vec::with_capacity(events.len());
        for event in &events {
            let command = match event {
                Event::Row { row, step } => match app.command_of_row(&script.rules, &script.plan.import.name, row, *step, None).await {
                    Ok(command) => command,
                    Err(why) => {
                        outcome.refuse(&row.item.clone().unwrap_or_else(|| "".into()), &row.steps[*step].action, moment, why);
                        continue;
                    }
                },
                Event::Step(file, step) => step.command(format!("{file}:{}", step.line).into()),
            };
            outcome.actions += 1;
            let begun = app.begin_act(&command).await;
            acting.push((command, begun));
        }
        for (command, begun) in acting {
            if let Err(why) = app.done(begun).await {
                outcome.refuse(&command.item, &command.action, moment, why);
            }
        }
    }
    let end = start_of_day(script.plan.clock.until + chrono::Days::new(1), zone);
    driver.advance(end, |now| progress(now.with_timezone(&zone).date_naive())).await?;
    driver.set(end);
    driver.tick().await?;
    Ok(outcome)
}

/// What happened on the way.
#[derive(Default)]
pub struct Outcome {
    pub actions: usize,
    pub refused: Vec<RefusedStep>,
}

impl Outcome {
    fn refuse(&mut self, item: &Name, action: &Name, at: Instant, why: ActError) {
        let at = at.to_rfc3339();
        self.refused.push(RefusedStep { item: item.clone(), action: action.clone(), at, why: Arc::new(why) });
    }
}

/// The scheduler on a clock set by hand.
struct Driver<'a> {
    offices: &'a Arc<Offices>,
    post: &'a Arc<Post>,
    stop: CancellationToken,
}

/// Items worked in one tick.
const BATCH: u32 = 512;

impl Driver<'_> {
    fn set(&mut self, now: Instant) {
        if let Clock::Set(_) = &self.offices.clock {
            self.offices.clock.set(now);
        }
    }

    /// Stops at every moment before `until` at which something is owed.
    async fn advance(&mut self, until: Instant, reached: impl Fn(Instant)) -> Result<(), DemoError> {
        loop {
            let moments = self.offices.next_moments().await?;
            let Some(next) = moments.first(SLOT_LEASE).filter(|next| *next < until) else { return Ok(()) };
            let now = next.max(self.offices.now());
            self.set(now);
            reached(now);
            let has_come = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
            if has_come(moments.wake_up) {
                self.wake().await?;
            }
            if has_come(moments.slot) || moments.open_slot.is_some() {
                self.offices.sweep_due().await?;
            }
            // What is told just now is seen at the next turn, which comes at the same moment.
            if has_come(moments.mail) {
                self.post().await?;
            }
        }
    }

    async fn tick(&mut self) -> Result<(), DemoError> {
        self.wake().await?;
        self.offices.sweep_due().await?;
        self.post().await
    }

    /// Until a batch was not full: what owes something again at this moment is found at the next turn.
    async fn wake(&mut self) -> Result<(), DemoError> {
        while self.offices.wake_due(BATCH).await?.looked_at == BATCH as usize {}
        Ok(())
    }

    async fn post(&mut self) -> Result<(), DemoError> {
        while self.offices.render_due(self.post).await?.more {}
        self.offices.send_due(self.post, &self.stop).await?;
        Ok(())
    }
}

/// The figures at the end.
pub async fn show(app: &App, script: &Script, outcome: Outcome, database: &Path, mail_folder: &Path) -> Result<Shown, DemoError> {
    let (rules, set) = (&script.rules, app.rules());
    let mut tallies = Vec::new();
    for wanted in &script.plan.reports {
        let of = counted_by(&set, &rules.setting.workflow.name, wanted)?;
        let tally = Tally::new(of, &wanted.report, &[wanted.as_of]);
        tallies.push((wanted.title.clone(), of.setting.workflow.name.clone(), tally));
    }
    let (mut items, mut facts) = (0, 0);
    for workflow in set.workflows.keys() {
        let mut after = String::new();
        loop {
            let ids = app.store.ids(Some(workflow), false, &after, BATCH).await?;
            let Some(last) = ids.last() else { break };
            after = last.clone();
            let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
            for (id, recorded) in app.store.items(&asked).await? {
                let recorded = recorded?;
                items += 1;
                facts += recorded.len() as u64;
                for (_, _, tally) in tallies.iter_mut().filter(|(_, of, _)| of == workflow) {
                    tally.count(&id, &recorded, None)?;
                }
            }
        }
    }
    let shown = |(title, _, tally): (String, Name, Tally)| {
        let table = tally.table();
        ShownReport { title, figures: table.figures(0), table }
    };
    let reports = tallies.into_iter().map(shown).collect();
    let mails = app.store.count_mails().await?.into_iter().filter(|(status, _)| status == "sent").map(|(_, count)| count).sum();
    let (escalations, escalations_to_persons) = escalations(app, rules).await?;
    Ok(Shown {
        title: script.plan.title.clone(),
        items,
        actions: outcome.actions,
        refused: outcome.refused,
        facts,
        reports,
        notices: notices_by_kind(app, &set).await?,
        mails,
        escalations,
        escalations_to_persons,
        database: database.to_path_buf(),
        mail_folder: mail_folder.to_path_buf(),
    })
}

/// The rules of the workflow that a report counts.
fn counted_by<'r>(set: &'r RuleSet, own: &Name, wanted: &ReportPlan) -> Result<&'r Arc<Rules>, DemoError> {
    let name = wanted.workflow.as_ref().unwrap_or(own);
    let Some(rules) = set.workflows.get(name) else { return Err(DemoError::Unknown { what: "workflow", name: name.to_string() }) };
    match rules.setting.workflow.reports.contains_key(&wanted.report) {
        true => Ok(rules),
        false => Err(DemoError::Unknown { what: "report", name: wanted.report.to_string() }),
    }
}

async fn notices_by_kind(app: &App, set: &RuleSet) -> Result<Vec<NoticesByKind>, DemoError> {
    let counts = app.store.count_notices().await?;
    let mut out = Vec::new();
    for (name, notice) in set.workflows.values().flat_map(|rules| &rules.setting.workflow.notices) {
        // Counted by name, whichever workflows have it.
        if out.iter().any(|known: &NoticesByKind| known.notice == *name) {
            continue;
        }
        let count = |wanted: &[&str]| {
            let fits = |count: &&crate::store::outbox::NoticeCount| count.notice == **name && wanted.contains(&count.status.as_str());
            counts.iter().filter(fits).map(|count| count.count).sum()
        };
        out.push(NoticesByKind {
            kind: notice.kind,
            notice: name.clone(),
            title: notice.title.clone(),
            mailed: count(&["mailed"]),
            cancelled: count(&["cancelled"]),
            waiting: count(&["ready", "parked"]),
        });
    }
    Ok(out)
}

/// How many escalations reached each unit, worst first: the unit of the person's first duty; and those to people without a duty.
async fn escalations(app: &App, rules: &Rules) -> Result<(Vec<(String, u64)>, ToPersons), DemoError> {
    let directory = &rules.setting.directory;
    let mut out: Vec<(String, u64)> = Vec::new();
    let mut to_persons = ToPersons::default();
    for (person, count) in app.store.count_escalations().await? {
        let duty = directory.persons.get(person.as_str()).and_then(|person| person.duties.first());
        let Some(unit) = duty.and_then(|duty| directory.units.get(&duty.value.unit)) else {
            to_persons.persons += 1;
            to_persons.escalations += count;
            continue;
        };
        match out.iter_mut().find(|(known, _)| *known == unit.title) {
            Some((_, sum)) => *sum += count,
            None => out.push((unit.title.clone(), count)),
        }
    }
    out.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok((out, to_persons))
}
