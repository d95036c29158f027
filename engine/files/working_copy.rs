//! The folder of a rule set as people edit it: a file looked at, and a file replaced, whole or not at all, by somebody who knew what it held.
//!
//! Others may edit the folder at the same time with tools of their own. Nothing here follows a link or leaves the folder.

use super::{FilesError, LARGEST_RULE_FILE, text};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a rule set's files end with.
pub(super) const ENDINGS: [&str; 4] = [".yaml", ".rhai", ".txt", ".html"];
/// The folder of a sample, which is no part of the rules.
pub(super) const SAMPLE: &str = "sample";
/// Of a whole path, in bytes, and of each of its names: what every file system takes, with room for a name beside it.
const LONGEST_PATH: usize = 500;
const LONGEST_NAME: usize = 200;

/// Why a file is not looked at or not replaced.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Outside of the folder, hidden, or of another kind than a rule set has.
    #[error("`{0}` is no name of a rule file")]
    Name(String),
    /// Itself or a folder above it.
    #[error("`{0}` is a link, or no plain file")]
    Link(String),
    #[error("`{0}` is not UTF-8 text")]
    NotText(String),
    #[error("`{path}` would have {bytes} bytes")]
    Large { path: String, bytes: usize },
    #[error("`{path}` cannot be written")]
    ReadOnly { path: String, source: io::Error },
    #[error("`{path}`")]
    Io { path: String, source: io::Error },
}

/// A file as it stands on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub text: String,
    /// Of its bytes.
    pub digest: String,
}

/// What came of replacing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It holds the new text now, under this digest.
    Done(String),
    /// It holds something else than was known, or is gone or came meanwhile; nothing was written.
    Other(Option<Standing>),
}

/// The digest of a text's bytes, by which a file is known.
pub fn digest(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a file of this path, with `/` between its names, may stand in a rule set's folder.
pub fn is_rule_file(path: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')');
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= LONGEST_NAME
            && !name.starts_with(['.', ' '])
            && !name.ends_with(['.', ' '])
            && name.chars().all(is_plain)
    };
    path.len() <= LONGEST_PATH
        && path.split('/').all(is_name)
        && path.split('/').next() != Some(SAMPLE)
        && ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Whether this process may write into a folder.
pub fn is_writable(folder: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
    #[cfg(not(unix))]
    fs::metadata(folder).is_ok_and(|found| !found.permissions().readonly())
}

/// A file of the folder; nothing where there is none.
pub fn standing(folder: &Path, path: &str) -> Result<Option<Standing>, EditError> {
    read(&place(folder, path)?, path)
}

fn read(place: &Path, path: &str) -> Result<Option<Standing>, EditError> {
    let failed = |source| EditError::Io { path: path.to_string(), source };
    match fs::symlink_metadata(place) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.is_file() => return Err(EditError::Link(path.to_string())),
        Ok(found) if found.len() > LARGEST_RULE_FILE => {
            return Err(EditError::Large { path: path.to_string(), bytes: usize::try_from(found.len()).unwrap_or(usize::MAX) });
        }
        Ok(_) => {}
    }
    let bytes = match fs::read(place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let digest = digest(&bytes);
    let text = String::from_utf8(bytes).map_err(|_| EditError::NotText(path.to_string()))?;
    Ok(Some(Standing { text, digest }))
}

/// Puts a text in the place of the file that had this digest, or of none. A file whose lines ended as on Windows keeps that.
pub fn replace(folder: &Path, path: &str, known: Option<&str>, text: &str) -> Result<Replaced, EditError> {
    let place = place(folder, path)?;
    let before = read(&place, path)?;
    if before.as_ref().map(|before| before.digest.as_str()) != known {
        return Ok(Replaced::Other(before));
    }
    let text = match before.as_ref().is_some_and(|before| before.text.contains("\r\n")) {
        true => text.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => text.replace("\r\n", "\n"),
    };
    if text.len() as u64 > LARGEST_RULE_FILE {
        return Err(EditError::Large { path: path.to_string(), bytes: text.len() });
    }
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => EditError::ReadOnly { path: path.to_string(), source },
        _ => EditError::Io { path: path.to_string(), source },
    };
    let within = place.parent().unwrap_or(folder);
    fs::create_dir_all(within).map_err(failed)?;
    let beside = beside(&place);
    let written = write_beside(&beside, before.is_some().then_some(&*place), text.as_bytes()).map_err(failed).and_then(|()| {
        // Once more, now that only the name is left to be changed.
        let now = read(&place, path)?;
        if now.as_ref().map(|now| now.digest.as_str()) != known {
            return Ok(Some(now));
        }
        if known.is_some() {
            fs::rename(&beside, &place).map_err(failed)?;
            return Ok(None);
        }
        // A name that is given to a file takes it from nobody.
        match fs::hard_link(&beside, &place) {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Some(read(&place, path)?)),
            Err(error) => Err(failed(error)),
        }
    });
    // It is there no more where it took the other's name.
    let _ = fs::remove_file(&beside);
    if let Some(other) = written? {
        return Ok(Replaced::Other(other));
    }
    // The name is on the disk as well as what it stands for.
    File::open(within).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(Replaced::Done(digest(text.as_bytes())))
}

/// Writes a folder of rules as a copy of its own; what is there stays.
pub fn lay_out(folder: &Path, files: &IndexMap<String, String>) -> Result<(), FilesError> {
    for (path, content) in files {
        let place = folder.join(path);
        let failed = |source| FilesError::Read { path: place.clone(), source };
        if let Some(within) = place.parent() {
            fs::create_dir_all(within).map_err(failed)?;
        }
        if !place.is_file() {
            fs::write(&place, content).map_err(failed)?;
        }
    }
    // A folder that cannot be read again is told of at once.
    files.keys().next().map_or(Ok(()), |first| text(&folder.join(first)).map(drop))
}

/// Where a file of the folder is; nothing on the way there is a link.
fn place(folder: &Path, path: &str) -> Result<PathBuf, EditError> {
    if !is_rule_file(path) {
        return Err(EditError::Name(path.to_string()));
    }
    let mut place = folder.to_path_buf();
    for name in path.split('/') {
        place.push(name);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => return Err(EditError::Link(path.to_string())),
            Ok(_) => {}
            // What is not there leads nowhere; a plain file that should be a folder is found when it is used.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(source) => return Err(EditError::Io { path: path.to_string(), source }),
        }
    }
    Ok(place)
}

/// A hidden name beside a file, which no check of rules looks at.
fn beside(place: &Path) -> PathBuf {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    place.with_file_name(format!(".{name}.{}-{}.new", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed)))
}

fn write_beside(beside: &Path, as_open_as: Option<&Path>, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
    if let Some(place) = as_open_as {
        file.set_permissions(fs::metadata(place)?.permissions())?;
    }
    file.write_all(text)?;
    file.sync_all()
}
