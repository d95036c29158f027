//! `duban demo`: a sample office through its years on a clock set by hand, with every figure computed from the facts.

use super::{Context, exit, progress};
use crate::app::send::Post;
use crate::app::{App, Offices};
use crate::clock::Clock;
use crate::config::{MailSettings, Settings};
use crate::demo::{self, DemoError, Script, Shown};
use crate::kernel::check;
use crate::kernel::model::definition::NoticeKind;
use crate::kernel::model::problem::Problem;
use crate::kernel::words::{Lang, say};
use crate::mail::guard::Guard;
use crate::mail::{Address, Folder, Transport};
use crate::store::{Opening, Place, Store};
use crate::{app, files, observe, serve};
use anyhow::Context as _;
use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use owo_colors::OwoColorize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Where the database and the mails of the demo go; what an earlier demo left there is replaced
    #[arg(long, default_value = "demo")]
    pub folder: PathBuf,
    /// Leave the office open in a browser afterwards: its clock stands where the sample's years ended
    #[arg(long)]
    pub serve: bool,
    /// With `--serve`: open what an earlier demo left, instead of playing the years again
    #[arg(long, requires = "serve")]
    pub keep: bool,
    /// With `--serve`: the port on this machine (default: 8080; 0 takes any free one)
    #[arg(long, requires = "serve")]
    pub port: Option<u16>,
}

/// What a rule set holds that can be shown.
const SCRIPT: &str = "sample/demo.yaml";
/// The database of a demo, by which its folder is known.
const DATABASE: &str = "demo.db";
const MAILS: &str = "mails";
/// A copy of its rules, which the workshop of an open demo may edit; a folder beside it holds the shared calendars.
const RULES: &str = "rules";

pub fn run(args: &DemoArgs, context: &Context) -> anyhow::Result<i32> {
    let begun = Instant::now();
    let database = args.folder.join(DATABASE);
    let mails = args.folder.join(MAILS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    if args.keep {
        anyhow::ensure!(database.is_file(), "{}", say(context.lang, "demo.none", &[("folder", &args.folder.display().to_string())]));
        runtime.block_on(open_house(args, &database, mails, context))?;
        return Ok(exit::DONE);
    }
    let rules_folder = context.settings.rules_folder_with(SCRIPT)?;
    let texts = files::rule_set(&rules_folder)?;
    let (rules, problems) = check::load(&texts);
    let Some(rules) = rules else {
        let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
        context.draw(&errors, &rules_folder.display().to_string(), &texts);
        return Ok(exit::FINDINGS);
    };
    let script = match Script::read(&rules_folder, &rules) {
        Ok(script) => script,
        Err(DemoError::Written(path, problems)) => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let texts = indexmap::IndexMap::from([(name, files::text(&path)?)]);
            context.draw(&problems, "", &texts);
            return Ok(exit::FINDINGS);
        }
        Err(DemoError::Rows(problems)) => {
            for problem in &problems {
                anstream::eprintln!("{} {}", problem.place(), problem.sentence(context.lang));
            }
            return Ok(exit::FINDINGS);
        }
        Err(error) => return Err(error.into()),
    };
    clear(&args.folder, context.lang)?;
    if args.serve {
        files::working_copy::lay_out(&copy_of_rules(&args.folder), &texts)?;
    }
    let shown = runtime.block_on(play(&script, rules, &database, &mails, context))?;
    if context.json {
        anstream::println!("{}", serde_json::to_string(&shown)?);
    } else {
        print(&shown, context.lang, begun.elapsed().as_secs_f64());
    }
    if args.serve {
        runtime.block_on(open_house(args, &database, mails, context))?;
    }
    Ok(if shown.refused.is_empty() { exit::DONE } else { exit::FINDINGS })
}

/// Serves the office as the sample's years left it, with a clock that stands until somebody sets it.
async fn open_house(args: &DemoArgs, database: &Path, mails: PathBuf, context: &Context) -> anyhow::Result<()> {
    let listener = serve::listen(&format!("127.0.0.1:{}", args.port.unwrap_or(8080))).await?;
    let settings = Settings {
        database: Place::File(database.to_path_buf()),
        mail: MailSettings { smtp_url: None, folder: Some(mails), ..context.settings.mail.clone() },
        open_house: true,
        ..context.settings.clone()
    };
    let store = Store::open(database, Opening { throwaway: true, ..Opening::default() }, Clock::Machine.now()).await?;
    let rules = copy_of_rules(&args.folder);
    if let Some(stored) = store.rules_in_use().await?.filter(|_| !rules.is_dir()) {
        files::working_copy::lay_out(&rules, &stored.files)?;
    }
    let settings = Settings { rules: Some(rules), rules_of: None, ..settings };
    let ended = store.high_water().await?.unwrap_or_else(|| Clock::Machine.now());
    let offices = Offices::over(store, Clock::set_to(ended)).await?;
    observe::start(settings.log == "json");
    let ready = |ready: &serve::Ready| {
        anstream::println!("{}", words(context.lang, "demo.open", &[("address", ready.address.to_string())]));
    };
    Ok(serve::serve(offices, listener, &settings, CancellationToken::new(), ready).await?)
}

async fn play(
    script: &Script,
    rules: crate::kernel::rules::RuleSet,
    database: &Path,
    mails: &Path,
    context: &Context,
) -> anyhow::Result<Shown> {
    let clock = Clock::set_to(script.begins());
    let opening = Opening { new_instance: "demo".into(), throwaway: true, ..Opening::default() };
    let store = Store::open(database, opening, clock.now()).await?;
    let app = Arc::new(App::open(store, Arc::new(rules), clock).await?);
    let frames = files::mail_frames(context.settings.templates.as_deref())?;
    let transport =
        Transport::Folder(Folder::open(mails, script.zone()).with_context(|| format!("making the folder `{}`", mails.display()))?);
    let from = Address::parse(&context.settings.mail.from)?;
    let post = Arc::new(Post::new(Some(transport), frames, from, Guard::default(), "demo".into()));
    let bar = progress::bar(context, progress::MESSAGE);
    bar.set_length((script.plan.clock.until - script.plan.clock.from).num_days().max(0) as u64);
    bar.set_prefix(say(context.lang, "demo.running", &[]));
    let outcome = demo::run(&app, &post, script, |day| {
        let days = (day - script.plan.clock.from).num_days().max(0) as u64;
        if days > bar.position() {
            bar.set_position(days);
            bar.set_message(day.to_string());
        }
    })
    .await;
    bar.finish_and_clear();
    let shown = demo::show(&app, script, outcome?, database, mails).await?;
    app.store.clone().close().await;
    Ok(shown)
}

fn copy_of_rules(folder: &Path) -> PathBuf {
    folder.join(RULES).join("set")
}

/// Empties the folder of an earlier demo. A folder with anything else in it is left alone.
fn clear(folder: &Path, lang: Lang) -> anyhow::Result<()> {
    if folder.exists() {
        let is_demo = folder.join(DATABASE).is_file();
        let is_empty = std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()).unwrap_or(false);
        anyhow::ensure!(is_demo || is_empty, "{}", say(lang, "demo.not_ours", &[("folder", &folder.display().to_string())]));
        let _lock = is_demo.then(|| crate::store::lock::Lock::take(&folder.join(DATABASE))).transpose()?;
        for name in [DATABASE.to_string(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm")] {
            let path = folder.join(name);
            if path.is_file() {
                std::fs::remove_file(&path).with_context(|| format!("removing `{}`", path.display()))?;
            }
        }
        if folder.join(RULES).is_dir() {
            std::fs::remove_dir_all(folder.join(RULES)).context("removing the rules of the demo before")?;
        }
        if folder.join(MAILS).is_dir() {
            std::fs::remove_dir_all(folder.join(MAILS)).context("removing the mails of the demo before")?;
        }
    }
    std::fs::create_dir_all(folder).with_context(|| format!("making the folder `{}`", folder.display()))
}

fn print(shown: &Shown, lang: Lang, seconds: f64) {
    anstream::println!("{}", shown.title.bold());
    let counted = [("items", shown.items.to_string()), ("actions", shown.actions.to_string()), ("facts", shown.facts.to_string())];
    anstream::println!("{}\n", words(lang, "demo.counted", &counted));
    for report in &shown.reports {
        anstream::println!("{}", super::figures::table(&report.title, &report.table, lang));
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    for kind in [NoticeKind::Message, NoticeKind::Reminder, NoticeKind::Escalation] {
        let of_kind = || shown.notices.iter().filter(|notice| notice.kind == kind);
        let sum: u64 = of_kind().map(|notice| notice.mailed).sum();
        let cancelled: u64 = of_kind().map(|notice| notice.cancelled).sum();
        let key = match kind {
            NoticeKind::Message => "demo.message",
            NoticeKind::Reminder => "demo.reminder",
            NoticeKind::Escalation => "demo.escalation",
        };
        let note = if cancelled > 0 { say(lang, "demo.cancelled", &[("count", &cancelled.to_string())]) } else { String::new() };
        table.add_row([say(lang, key, &[]), sum.to_string(), note]);
    }
    right(&mut table, 1);
    anstream::println!("{}", words(lang, "demo.mails", &[("mails", shown.mails.to_string())]).bold());
    anstream::println!("{table}\n");
    anstream::println!("{}", say(lang, "demo.escalations", &[]).bold());
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (unit, count) in &shown.escalations {
        table.add_row([unit.clone(), count.to_string()]);
    }
    let to_persons = shown.escalations_to_persons;
    if to_persons.persons > 0 {
        let who = say(lang, "demo.to_persons", &[("persons", &to_persons.persons.to_string())]);
        table.add_row([who, to_persons.escalations.to_string()]);
    }
    right(&mut table, 1);
    anstream::println!("{table}\n");
    for refused in shown.refused.iter().take(20) {
        let why = match &*refused.why {
            app::ActError::Refused(refusal) => crate::kernel::words::refusal(lang, refusal),
            error => error.to_string(),
        };
        anstream::println!("{} {} {} {}: {why}", "✗".red(), refused.at, refused.item, refused.action);
    }
    if !shown.refused.is_empty() {
        anstream::println!("{}", words(lang, "demo.refused", &[("count", shown.refused.len().to_string())]));
    }
    let places = [("database", shown.database.display().to_string()), ("mails", shown.mail_folder.display().to_string())];
    anstream::println!("{}", words(lang, "demo.places", &places));
    let first = shown
        .reports
        .first()
        .map(|report| (report.table.report.to_string(), report.table.as_of().map(|day| day.to_string()).unwrap_or_default()))
        .unwrap_or_default();
    let next =
        [("database", shown.database.display().to_string()), ("report", first.0), ("day", first.1), ("seconds", format!("{seconds:.1}"))];
    anstream::println!("{}", words(lang, "demo.next", &next));
}

fn right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn words(lang: Lang, key: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    say(lang, key, &values)
}
