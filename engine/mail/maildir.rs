//! A Maildir that a mail server delivers to: what is new is read, and moved to what was seen once it is kept.
//!
//! A process that dies in between reads a message again; whoever keeps messages keeps each once.

use super::incoming::LARGEST;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Maildir(PathBuf);

impl Maildir {
    /// Opens a folder; `new`, `cur` and `tmp` in it are made if they are not there.
    pub fn open(path: &Path) -> io::Result<Maildir> {
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(path.join(part))?;
        }
        Ok(Maildir(path.to_path_buf()))
    }

    /// What has not been seen, in the order of the names, which begin with the time.
    pub fn waiting(&self, limit: usize) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.0.join("new"))? {
            let entry = entry?;
            // Links lead elsewhere.
            if entry.file_type()?.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
                files.push(entry.path());
            }
        }
        files.sort();
        files.truncate(limit);
        Ok(files)
    }

    /// A message, no more of it than is looked at.
    pub fn read(path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(LARGEST as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// It is kept: it moves to what was seen.
    pub fn seen(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.split(':').next().unwrap_or_default();
        fs::rename(path, self.0.join("cur").join(format!("{name}:2,S")))
    }
}
