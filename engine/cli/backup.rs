//! `duban backup` and `duban restore`: a verified copy of the database while a server works it, and putting such a copy to work so that
//! it mails nothing again.

use super::office::{self, Stop, wait_for};
use super::{Context, doctor, exit};
use crate::api::client::Client;
use crate::app::{Integrity, random_text};
use crate::clock::Clock;
use crate::kernel::time::Instant;
use crate::kernel::words::say;
use crate::store::backup::{self, LetGo};
use crate::store::facts::hex;
use crate::store::{Opening, Store, StoreError, lock};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban backup /var/backups/duban")]
pub struct BackupArgs {
    /// A file that is not there yet, or a folder, which gets duban-DATE-TIME.db (default: this folder)
    pub to: Option<PathBuf>,
    /// Note a backup that other means have made and somebody has looked through (PostgreSQL: pg_dump), and copy nothing
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub note: Option<String>,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban restore duban-20260623-0912.db --database duban.db")]
#[group(required = true, multiple = false)]
pub struct RestoreArgs {
    /// A file that `duban backup` has written; it becomes the database, which must not be there yet
    pub file: Option<PathBuf>,
    /// The database was brought back by other means (PostgreSQL: pg_restore): hold what it has not sent
    #[arg(long)]
    pub mark: bool,
    /// Let go of what a restored database holds; what comes from now on goes out as usual
    #[arg(long, value_name = "HOW")]
    pub release: Option<Release>,
    /// Only look whether a backup is whole
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Mail it, late as it is
    Send,
    /// Cancel it: the original has sent it, or nobody needs it any more
    Cancel,
}

pub fn backup(args: &BackupArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    if let Some(file) = &args.note {
        return wait_for(async {
            note(file, Clock::Machine.now(), context).await?;
            match context.json {
                true => anstream::println!("{}", json!({ "noted": file })),
                false => anstream::println!("{}", say(lang, "backup.noted", &[("file", file)])),
            }
            Ok(exit::DONE)
        });
    }
    let Some(database) = context.settings.database.file() else {
        return Err(Stop::usage(lang, "backup.server", &[]).into());
    };
    if !database.is_file() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "office.no_database", &[("path", &database.display().to_string())]).into());
    }
    let to = target(args.to.as_deref());
    if to.exists() {
        return Err(Stop::new(exit::POLICY, lang, "backup.exists", &[("path", &to.display().to_string())]).into());
    }
    let folder = folder_of(&to);
    if !folder.is_dir() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "backup.no_folder", &[("folder", &folder.display().to_string())]).into());
    }
    wait_for(async {
        let partial = Partial::beside(&to)?;
        let now = Clock::Machine.now();
        backup::copy(database, &partial.0).await.map_err(|error| Stop::store(lang, &error))?;
        let (found, is_older) = as_restored(&partial, &to, context).await?;
        let sum = partial.become_file(&to)?;
        // An older program has no place for it, and nothing is changed in its database.
        if found.is_whole() && !is_older {
            let file = std::path::absolute(&to).unwrap_or_else(|_| to.clone()).display().to_string();
            if let Err(error) = note(&file, now, context).await {
                anstream::eprintln!("{}", say(lang, "backup.not_noted", &[("what", &format!("{error:#}"))]));
            }
        }
        let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        std::fs::write(beside(&to, ".sha256"), format!("{sum}  {name}\n")).context("writing the checksum")?;
        let bytes = to.metadata().map_or(0, |data| data.len());
        if context.json {
            anstream::println!("{}", json!({ "file": to, "bytes": bytes, "sha256": sum, "found": found }));
        } else {
            let values =
                [("path", to.display().to_string()), ("megabytes", format!("{:.1}", bytes as f64 / f64::from(1 << 20))), ("sum", sum)];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            anstream::println!("{}", say(lang, "backup.done", &values));
            tell(&found, context);
        }
        Ok(if found.is_whole() { exit::DONE } else { exit::FINDINGS })
    })
}

pub fn restore(args: &RestoreArgs, context: &Context) -> anyhow::Result<i32> {
    match (&args.file, &args.check, args.release) {
        (Some(file), _, _) => wait_for(from_file(file, true, context)),
        (_, Some(file), _) => wait_for(from_file(file, false, context)),
        (_, _, Some(how)) => wait_for(release(how, context)),
        (None, None, None) => wait_for(mark(context)),
    }
}

/// Looks through a copy as whoever restores it would find it: one of an older version by way of a second copy, which is brought to this
/// version. Gives also whether it is one.
async fn as_restored(copy: &Partial, to: &Path, context: &Context) -> anyhow::Result<(Integrity, bool)> {
    let lang = context.lang;
    match Store::open_to_read(&copy.0).await {
        Err(StoreError::Older { .. }) => {
            let upgraded = Partial::beside(to)?;
            backup::copy(&copy.0, &upgraded.0).await.map_err(|error| Stop::store(lang, &error))?;
            let store = Store::open(&upgraded.0, Opening::default(), Clock::Machine.now()).await;
            store.map_err(|error| Stop::store(lang, &error))?.close().await;
            Ok((examine(&upgraded, context).await?, true))
        }
        Err(error) => Err(Stop::store(lang, &error).into()),
        Ok(store) => {
            store.close().await;
            Ok((examine(copy, context).await?, false))
        }
    }
}

async fn examine(copy: &Partial, context: &Context) -> anyhow::Result<Integrity> {
    let store = Store::open_to_read(&copy.0).await.map_err(|error| Stop::store(context.lang, &error))?;
    let examined = doctor::examine(&store, None, context).await;
    store.close().await;
    Ok(examined?.integrity)
}

/// Looks whether a backup is whole, and puts a copy of it to work.
async fn from_file(file: &Path, keep: bool, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let shown = file.display().to_string();
    if !file.is_file() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "office.no_database", &[("path", &shown)]).into());
    }
    let Some(database) = context.settings.database.file() else {
        return Err(Stop::usage(lang, "restore.server", &[]).into());
    };
    if keep && (database.exists() || lock::holder(database).is_some()) {
        return Err(Stop::new(exit::POLICY, lang, "restore.exists", &[("path", &database.display().to_string())]).into());
    }
    if let Ok(known) = std::fs::read_to_string(beside(file, ".sha256")) {
        if known.split_whitespace().next() != Some(checksum(file)?.as_str()) {
            return Err(Stop::new(exit::FINDINGS, lang, "restore.other_sum", &[("path", &shown)]).into());
        }
    }
    let partial = Partial::beside(database)?;
    backup::copy(file, &partial.0).await.map_err(|error| Stop::store(lang, &error))?;
    let instance = random_text();
    // An older backup is brought to this version's schema.
    let opening = Opening { new_instance: instance.clone(), ..Opening::default() };
    let now = Clock::Machine.now();
    let store = Store::open(&partial.0, opening, now).await.map_err(|error| Stop::store(lang, &error))?;
    let held = store.mark_restored(&instance, now).await;
    store.close().await;
    let held = held.map_err(|error| Stop::store(lang, &error))?;
    let found = examine(&partial, context).await?;
    if let Some(what) = &found.pages {
        return Err(Stop::new(exit::FINDINGS, lang, "restore.damaged", &[("path", &shown), ("what", what)]).into());
    }
    backup::settle(&partial.0).await.map_err(|error| Stop::store(lang, &error))?;
    if keep {
        partial.become_file(database)?;
    }
    if context.json {
        let held = json!({ "notices": held.notices, "mails": held.mails });
        anstream::println!(
            "{}",
            json!({ "database": keep.then_some(database), "instance": keep.then_some(&instance), "held": held, "found": found })
        );
    } else {
        if keep {
            let values = [("path", database.display().to_string()), ("file", shown)];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            anstream::println!("{}", say(lang, "restore.done", &values));
            tell_held(held, &instance, context);
        }
        tell(&found, context);
    }
    Ok(if found.is_whole() { exit::DONE } else { exit::FINDINGS })
}

/// The database at hand, to write to it whichever offices it has; or the server that holds it.
async fn at_hand(context: &Context) -> anyhow::Result<Result<Store, Client>> {
    let (lang, place) = (context.lang, &context.settings.database);
    if place.is_missing_file() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "office.no_database", &[("path", &place.to_string())]).into());
    }
    let stop = |error| Stop::store(lang, &error);
    if let Some(server) = office::server_of_all(context)? {
        return Ok(Err(server));
    }
    let opening = Opening { new_instance: random_text(), ..Opening::default() };
    Ok(Ok(Store::open(place, opening, Clock::Machine.now()).await.map_err(stop)?))
}

/// The database at hand was brought back by other means.
async fn mark(context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let store = match at_hand(context).await? {
        Ok(store) => store,
        Err(server) => return Err(Stop::new(exit::POLICY, lang, "restore.served", &[("address", server.address())]).into()),
    };
    let instance = random_text();
    let held = store.mark_restored(&instance, Clock::Machine.now()).await;
    store.close().await;
    let held = held.map_err(|error| Stop::store(lang, &error))?;
    if context.json {
        anstream::println!("{}", json!({ "instance": instance, "held": { "notices": held.notices, "mails": held.mails } }));
    } else {
        tell_held(held, &instance, context);
    }
    Ok(exit::DONE)
}

/// Notes in the database that there is a backup of it as it was at a moment.
async fn note(file: &str, at: Instant, context: &Context) -> anyhow::Result<()> {
    let lang = context.lang;
    match at_hand(context).await? {
        Err(server) => server.note_backup(file, at).await.map_err(|error| Stop::client(lang, &error))?,
        Ok(store) => {
            let noted = store.note_backup(file, at).await;
            store.close().await;
            noted.map_err(|error| Stop::store(lang, &error))?;
        }
    }
    Ok(())
}

async fn release(how: Release, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let send = how == Release::Send;
    let (notices, mails) = match at_hand(context).await? {
        Err(server) => {
            let gone = server.let_go_restored(send).await.map_err(|error| Stop::client(lang, &error))?;
            (gone.notices, gone.mails)
        }
        Ok(store) => {
            let how = if send { LetGo::Send } else { LetGo::Cancel };
            let held = store.let_go_restored(how, Clock::Machine.now()).await;
            store.close().await;
            let held = held.map_err(|error| Stop::store(lang, &error))?;
            (held.notices, held.mails)
        }
    };
    if context.json {
        anstream::println!("{}", json!({ "released": if send { "sent" } else { "cancelled" }, "notices": notices, "mails": mails }));
    } else {
        let key = if send { "restore.sent" } else { "restore.cancelled" };
        anstream::println!("{}", say(lang, key, &[("notices", &notices.to_string()), ("mails", &mails.to_string())]));
    }
    Ok(exit::DONE)
}

/// What a look through the copy came to.
fn tell(found: &Integrity, context: &Context) {
    let values = [("items", found.items.to_string()), ("damaged", found.damaged.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    anstream::println!("{}", say(context.lang, if found.is_whole() { "backup.whole" } else { "backup.damaged" }, &values));
}

fn tell_held(held: backup::Held, instance: &str, context: &Context) {
    let values = [("notices", held.notices.to_string()), ("mails", held.mails.to_string()), ("instance", instance.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    anstream::println!("{}", say(context.lang, "restore.held", &values));
}

/// Where a backup goes: the file that was named, or one with the moment in its name.
fn target(to: Option<&Path>) -> PathBuf {
    let named = || format!("duban-{}.db", Clock::Machine.now().format("%Y%m%d-%H%M%S"));
    match to {
        Some(folder) if folder.is_dir() => folder.join(named()),
        Some(file) => file.to_path_buf(),
        None => named().into(),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}

fn checksum(file: &Path) -> anyhow::Result<String> {
    let mut sum = Sha256::new();
    let mut file = File::open(file).with_context(|| format!("reading `{}`", file.display()))?;
    let mut block = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut file, &mut block).context("reading the copy")? {
            0 => return Ok(hex(&sum.finalize())),
            read => sum.update(&block[..read]),
        }
    }
}

/// A copy that is not finished; nobody takes it for one that is, and it goes when it is given up.
struct Partial(PathBuf);

impl Partial {
    /// Readable for nobody else, whoever may read what it is a copy of.
    fn beside(file: &Path) -> anyhow::Result<Partial> {
        let partial = Partial(beside(file, &format!(".partial-{}", random_text())));
        // A fault is told of the file that was asked for.
        lock::private().write(true).create_new(true).open(&partial.0).with_context(|| format!("writing `{}`", file.display()))?;
        Ok(partial)
    }

    /// Its name, once it is on the disk for good; gives its checksum.
    fn become_file(&self, file: &Path) -> anyhow::Result<String> {
        let writing = || format!("writing `{}`", file.display());
        File::open(&self.0).and_then(|copy| copy.sync_all()).with_context(writing)?;
        let sum = checksum(&self.0)?;
        std::fs::rename(&self.0, file).with_context(writing)?;
        File::open(folder_of(file)).and_then(|folder| folder.sync_all()).with_context(writing)?;
        Ok(sum)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        office::remove_database(&self.0);
    }
}
