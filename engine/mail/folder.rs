//! A folder of `.eml` files instead of a server: for a demo, and for looking at what would go out.

use super::{Outcome, Parcel, Phase};
use chrono_tz::Tz;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// File names begin with the local time.
    zone: Tz,
}

impl Folder {
    /// Makes the folder when it is missing. What stands in it is nobody else's to read.
    pub fn open(path: &Path, zone: Tz) -> std::io::Result<Folder> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut folder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        // One that exists stays as it is.
        folder.recursive(true).create(path)?;
        Ok(Folder { path: path.to_path_buf(), zone })
    }

    /// Writes the mail under a name that sorts by time. The same mail again replaces its own file.
    pub fn send(&self, parcel: &Parcel) -> Outcome {
        let path = self.path.join(self.file_name(parcel));
        let draft = path.with_extension("part");
        match write(&draft, parcel.bytes).and_then(|()| std::fs::rename(&draft, &path)) {
            Ok(()) => Outcome::Sent { reply: path.display().to_string() },
            Err(error) => {
                // What could not be written whole is of no use; a second error here changes nothing.
                let _ = std::fs::remove_file(&draft);
                Outcome::Deferred { phase: Phase::Body, why: format!("writing `{}`: {error}", path.display()) }
            }
        }
    }

    fn file_name(&self, parcel: &Parcel) -> String {
        let at = parcel.at.with_timezone(&self.zone).format("%Y%m%d-%H%M%S");
        let plain = |text: &str, from: &[char]| -> String {
            let text = text.trim_start_matches('<').split(from).next().unwrap_or_default();
            text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).take(100).collect()
        };
        format!("{at}_{}_{}.eml", plain(parcel.to.user(), &[]), plain(parcel.id, &['@']))
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}
