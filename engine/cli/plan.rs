//! `duban plan`: what edited rules would do to the open items. It only looks, also while a server works the database, and keeps what it saw
//! in a file, to which `duban publish` is bound.

use super::office::{self, Office, Stop, short, wait_for};
use super::test::stories;
use super::{Context, exit, progress, table};
use crate::app::PlanWishes;
use crate::files;
use crate::kernel::author::diff::{Difference, differences};
use crate::kernel::model::definition::OpenItems;
pub use crate::kernel::plan::told::sentences;
use crate::kernel::plan::told::{because, changes_to_write, headline};
use crate::kernel::plan::{Busiest, Choices, Finding, Group, Mails, Plan, Row, Seen};
use crate::kernel::rules::RuleSet;
use crate::kernel::words::{Lang, say};
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where plans lie when nobody says otherwise.
const FOLDER: &str = ".duban";
/// So many items of a group are shown without `--detail`.
const SHOWN: usize = 5;
/// So many differences of the rules themselves are told without `--detail`.
const CHANGES: usize = 8;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban plan rules/letters")]
pub struct PlanArgs {
    /// Folder of the edited rule set (default: the one of --rules, or the only one under rules/)
    pub folder: Option<PathBuf>,
    #[command(flatten)]
    pub wished: Wished,
    /// Days of mails that are foreseen, from today
    #[arg(long, value_name = "N", default_value_t = 14)]
    pub days: u32,
    /// Exit with 3 when the rules differ from those in use, and with 5 when something stands in the way of publishing them
    #[arg(long)]
    pub exit_code: bool,
}

/// What is wished of any plan, of new rules or of earlier ones.
#[derive(Args, Clone, Debug)]
pub struct Wished {
    /// Where the plan is kept (default: under .duban/)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// So many items may turn overdue at once
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub allow_overdue: u64,
    /// Open items keep their dates of this deadline, whatever changes says; may be given several times
    #[arg(long, value_name = "DEADLINE")]
    pub keep: Vec<String>,
    /// Open items get new dates of this deadline, whatever changes says; may be given several times
    #[arg(long, value_name = "DEADLINE")]
    pub recompute: Vec<String>,
    /// Every difference of the rules, and every item of every effect
    #[arg(long)]
    pub detail: bool,
}

pub fn run(args: &PlanArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let folder = args.folder.clone().map_or_else(|| context.settings.rules_folder(), Ok)?;
    let new = Arc::new(office::rules_of(&folder, context)?);
    wait_for(async {
        let office = Office::to_read(context).await?;
        let choices = choices(&args.wished, &new, lang)?;
        let failing =
            if office.app.rules().hash == new.hash { Vec::new() } else { stories(&new, &files::rule_set(&folder)?, None, lang).failing() };
        let folder = Some(folder.display().to_string());
        let wishes = PlanWishes { allow_overdue: args.wished.allow_overdue, choices, back: false, folder, days: args.days, failing };
        let plan = make(&office, &new, &wishes, context).await;
        let old = office.app.rules();
        office.close().await;
        let plan = plan?;
        let file = match plan.changes_anything() {
            true => Some(keep(&plan, args.wished.out.as_deref(), lang)?),
            false => None,
        };
        show(&plan, &old, &new, file.as_deref(), args.wished.detail, context);
        Ok(match (args.exit_code, plan.is_blocked(), plan.changes_anything()) {
            (true, true, _) => exit::POLICY,
            (true, false, true) => exit::CHANGES,
            _ => exit::DONE,
        })
    })
}

/// What becomes of the dates of open items, as it was chosen on the command line.
pub fn choices(wished: &Wished, new: &RuleSet, lang: Lang) -> anyhow::Result<Choices> {
    let mut choices = Choices::new();
    let keep = wished.keep.iter().map(|text| (text, OpenItems::Keep));
    for (text, choice) in keep.chain(wished.recompute.iter().map(|text| (text, OpenItems::Recompute))) {
        let deadlines = || new.workflows.values().flat_map(|rules| &rules.setting.workflow.deadlines);
        let found = deadlines().find(|(name, deadline)| ***name == **text || deadline.title == *text).map(|(name, _)| name.clone());
        let known = || deadlines().map(|(name, deadline)| format!("{name} {}", deadline.title)).collect::<Vec<_>>().join(", ");
        let name = found.ok_or_else(|| Stop::usage(lang, "plan.no_deadline", &[("deadline", text), ("known", &known())]))?;
        choices.insert(name, choice);
    }
    Ok(choices)
}

/// Compares all open items, with a bar on a terminal.
pub async fn make(office: &Office, new: &Arc<RuleSet>, wishes: &PlanWishes, context: &Context) -> anyhow::Result<Plan> {
    let stop = |error| Stop::store(context.lang, &error);
    let bar = progress::bar(context, progress::COUNT);
    bar.set_length(office.app.store.count_open().await.map_err(stop)?);
    bar.set_prefix(say(context.lang, "plan.looking", &[]));
    let plan = office.app.plan(new, wishes, &|seen| bar.set_position(seen)).await;
    bar.finish_and_clear();
    Ok(plan.map_err(stop)?)
}

/// Writes the plan where it was wished, or under its own name.
pub fn keep(plan: &Plan, out: Option<&Path>, lang: Lang) -> anyhow::Result<PathBuf> {
    let path = match out {
        Some(path) => path.to_path_buf(),
        None => Path::new(FOLDER).join(format!("plan-{}.json", short(&plan.checksum))),
    };
    let write = || {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, serde_json::to_string_pretty(plan)? + "\n")
    };
    write().map_err(|error| {
        let (path, what) = (path.display().to_string(), error.to_string());
        Stop::new(exit::ENVIRONMENT, lang, "plan.cannot_keep", &[("path", &path), ("what", &what)])
    })?;
    Ok(path)
}

/// Prints a plan for people, or as JSON.
pub fn show(plan: &Plan, old: &RuleSet, new: &RuleSet, file: Option<&Path>, detail: bool, context: &Context) {
    let lang = context.lang;
    if context.json {
        let findings: Vec<_> = plan.findings.iter().map(|finding| in_json(finding, lang)).collect();
        let file = file.map(|path| path.display().to_string());
        let told = json!({ "plan": plan, "file": file, "blocked": plan.is_blocked(), "overdue": plan.overdue(), "told": findings });
        anstream::println!("{told}");
        return;
    }
    let zone = old.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let versions = |seen: &Seen| seen.versions.values().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let head = [
        ("was", versions(&plan.old)),
        ("old", short(&plan.old.hash)),
        ("is", versions(&plan.new)),
        ("new", short(&plan.new.hash)),
        ("files", plan.changed.len().to_string()),
        ("items", plan.items.to_string()),
        ("at", table::moment(plan.as_of, zone)),
    ];
    let head: Vec<(&str, &str)> = head.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if !plan.changes_anything() {
        anstream::println!("{}", say(lang, "plan.same", &head));
        return;
    }
    anstream::println!("{}", say(lang, "plan.head", &head).bold());
    anstream::println!("  {}", say(lang, "plan.files", &[("files", &plan.changed.join(" "))]));
    print_changes(&differences(old, new), detail, lang);
    if plan.unread > 0 {
        anstream::println!("  {}", say(lang, "plan.unread", &[("count", &plan.unread.to_string())]));
    }
    if plan.groups.is_empty() {
        anstream::println!("  {}", say(lang, "plan.no_effect", &[]));
    }
    for group in &plan.groups {
        print_group(group, old, new, detail, lang);
    }
    print_mails(&plan.mails, old, new, lang);
    for finding in &plan.findings {
        let (sentence, advice) = sentences(finding, lang);
        let mark = if finding.is_error() { "✗".red().to_string() } else { "!".yellow().to_string() };
        anstream::println!("{mark} {sentence} ({})", finding.code);
        anstream::println!("  → {advice}");
    }
    let blocks = changes_to_write(plan, lang);
    let several = blocks.len() > 1;
    for (workflow, block) in blocks {
        let key = if several { "plan.under_changes_of" } else { "plan.under_changes" };
        anstream::println!("  {}\n{block}", say(lang, key, &[("workflow", &workflow)]));
    }
    if let Some(file) = file {
        let key = if plan.is_blocked() { "plan.kept_blocked" } else { "plan.kept" };
        anstream::println!("{}", say(lang, key, &[("file", &file.display().to_string())]));
    }
}

/// What the new rules say that the old ones did not; all of it is `duban diff`'s.
fn print_changes(found: &[Difference], detail: bool, lang: Lang) {
    let (wording, meant): (Vec<&Difference>, Vec<&Difference>) = found.iter().partition(|difference| difference.wording);
    let shown = if detail { meant.len() } else { CHANGES };
    for difference in meant.iter().take(shown) {
        anstream::println!("    {}", difference.sentence(lang));
    }
    if meant.len() > shown {
        anstream::println!("    {}", say(lang, "plan.other_changes", &[("count", &(meant.len() - shown).to_string())]));
    }
    if !wording.is_empty() {
        anstream::println!("    {}", say(lang, "plan.wording", &[("count", &wording.len().to_string())]));
    }
}

fn print_group(group: &Group, old: &RuleSet, new: &RuleSet, detail: bool, lang: Lang) {
    let (before, after) = (old.workflows.get(&group.workflow), new.workflows.get(&group.workflow));
    let mark = if group.overdue() > 0 { "!".red().to_string() } else { " ".to_string() };
    anstream::println!("{mark} {}", headline(group, before, after, lang));
    anstream::println!("    {}", because(&group.cause, after, lang));
    let shown = if detail { group.rows.len() } else { SHOWN };
    let mut rows: Vec<&Row> = group.rows.iter().collect();
    // Who is overdue is looked for first, and then who moves farthest.
    let days = |row: &Row| row.to.zip(row.from).map_or(0, |(to, from)| (to - from).num_days().abs());
    rows.sort_by_key(|row| (!row.overdue, -days(row)));
    let lines = rows.iter().take(shown).map(|row| {
        let item = row.branch.map_or_else(|| row.item.to_string(), |no| format!("{} #{no}", row.item));
        let day = |day: Option<crate::kernel::time::Date>| day.map_or_else(|| "–".to_string(), |day| day.to_string());
        let dates = if row.from.or(row.to).is_some() { format!("{} → {}", day(row.from), day(row.to)) } else { String::new() };
        let overdue = if row.overdue { say(lang, "plan.overdue", &[]) } else { String::new() };
        [item, dates, overdue]
    });
    anstream::print!("{}", table::columns(lines, 6, &[]));
    if rows.len() > shown {
        anstream::println!("      {}", say(lang, "plan.others", &[("count", &(rows.len() - shown).to_string())]));
    }
}

/// The mails of the next days, before and after.
fn print_mails(mails: &Mails, old: &RuleSet, new: &RuleSet, lang: Lang) {
    let Some(until) = mails.until else { return };
    let person = |busiest: &Option<Busiest>| {
        let told = busiest.as_ref().map(|busiest| {
            let title = old.directory.persons.get(&busiest.person).map_or(&*busiest.person, |person| person.title.as_str());
            let mails = busiest.mails.to_string();
            say(lang, "plan.busiest", &[("person", title), ("day", &busiest.day.to_string()), ("mails", &mails)])
        });
        told.unwrap_or_else(|| say(lang, "plan.nobody", &[]))
    };
    let values = [("until", until.to_string()), ("before", mails.before.to_string()), ("after", mails.after.to_string())];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    anstream::println!("  {}", say(lang, "plan.mails", &values));
    if mails.busiest != mails.busiest_after {
        anstream::println!("    {} → {}", person(&mails.busiest), person(&mails.busiest_after));
    }
    let title = |notice: &str| {
        let mut declared =
            new.workflows.values().chain(old.workflows.values()).filter_map(|rules| rules.setting.workflow.notices.get(notice));
        declared.next().map_or_else(|| notice.to_string(), |notice| notice.title.clone())
    };
    let rows = mails.notices.iter().take(SHOWN).map(|(notice, counts)| [title(notice), format!("{} → {}", counts.before, counts.after)]);
    anstream::print!("{}", table::columns(rows, 4, &[]));
}

fn in_json(finding: &Finding, lang: Lang) -> serde_json::Value {
    let (sentence, todo) = sentences(finding, lang);
    json!({ "code": finding.code, "sentence": sentence, "do": todo })
}
