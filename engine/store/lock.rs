//! The lock file beside a SQLite file: one process writes, and the others learn who it is and how to reach it.

use super::{StoreError, file_fault};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Who holds a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub process: u32,
    /// Where its local API listens, once it does.
    #[serde(default)]
    pub address: Option<String>,
    /// What a caller of that API must show.
    #[serde(default)]
    pub token: Option<String>,
}

/// Held until dropped; the operating system lets go of it when the process dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The last holder did not let go of it in good order.
    pub unclean: bool,
}

impl Lock {
    /// Takes the lock of a database, or names who has it.
    pub fn take(database: &Path) -> Result<Lock, StoreError> {
        let path = path_of(database);
        let failed = |error: std::io::Error| StoreError::Lock { path: path.display().to_string(), what: file_fault(&error) };
        let mut file = open(&path).map_err(failed)?;
        if file.try_lock().is_err() {
            let holder = read(&mut file).unwrap_or_default();
            return Err(StoreError::Held { path: database.display().to_string(), holder: Box::new(holder) });
        }
        let unclean = file.metadata().map_err(failed)?.len() > 0;
        let mut lock = Lock { file, unclean };
        lock.write(&Holder { process: std::process::id(), ..Holder::default() }).map_err(failed)?;
        Ok(lock)
    }

    /// Says where the local API of this process listens.
    pub fn announce(&mut self, address: String, token: String) -> std::io::Result<()> {
        self.write(&Holder { process: std::process::id(), address: Some(address), token: Some(token) })
    }

    fn write(&mut self, holder: &Holder) -> std::io::Result<()> {
        let text = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)?;
        self.file.flush()
    }
}

impl Drop for Lock {
    /// An empty lock file tells the next process that the last one ended in good order.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Who holds the database now; `None` when nobody does.
pub fn holder(database: &Path) -> Option<Holder> {
    let mut file = OpenOptions::new().read(true).open(path_of(database)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => None,
        Err(_) => Some(read(&mut file).unwrap_or_default()),
    }
}

/// `duban.db` → `duban.db.lock`
fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_os_string();
    name.push(".lock");
    name.into()
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn open(path: &Path) -> std::io::Result<File> {
    private().read(true).write(true).create(true).truncate(false).open(path)
}

/// Files that are made with these are nobody else's to read.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
