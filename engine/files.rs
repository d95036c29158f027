//! Folders of text files read from disk, and the frames that are embedded so that the binary works from any folder.
//!
//! What stands in the files is left to those who read them.

pub mod working_copy;

use crate::kernel::render::{FrameError, Frames, Pages};
use indexmap::IndexMap;
use std::path::{Path, PathBuf};

/// The embedded frames of mails by name.
pub const MAIL_FRAMES: [(&str, &str); 10] = [
    ("notice.txt", include_str!("../templates/mail/notice.txt")),
    ("notice.html", include_str!("../templates/mail/notice.html")),
    ("digest.txt", include_str!("../templates/mail/digest.txt")),
    ("digest.html", include_str!("../templates/mail/digest.html")),
    ("footer.txt", include_str!("../templates/mail/footer.txt")),
    ("footer.html", include_str!("../templates/mail/footer.html")),
    ("head.html", include_str!("../templates/mail/head.html")),
    ("blocks.html", include_str!("../templates/mail/blocks.html")),
    ("links.txt", include_str!("../templates/mail/links.txt")),
    ("links.html", include_str!("../templates/mail/links.html")),
];

/// The embedded frame of a printed report.
pub const REPORT_FRAME: &str = include_str!("../templates/report/page.html");

/// The embedded frame of a printed form.
pub const FORM_FRAME: &str = include_str!("../templates/form/page.html");

/// The embedded calendars by name.
pub const CALENDARS: [(&str, &str); 1] = [("cn", include_str!("../rules/calendars/cn.yaml"))];

/// The small rule sets to begin with, a folder for each language.
static START: include_dir::Dir = include_dir::include_dir!("$CARGO_MANIFEST_DIR/templates/start");

/// The templates of the web application.
static WEB: include_dir::Dir = include_dir::include_dir!("$CARGO_MANIFEST_DIR/templates/web");

/// The rule set to begin with, in a language: path inside its folder → text.
pub fn start(language: &str) -> IndexMap<String, String> {
    fn gather(folder: &include_dir::Dir, root: &Path, out: &mut IndexMap<String, String>) {
        for file in folder.files() {
            let inside = file.path().strip_prefix(root).unwrap_or(file.path()).to_string_lossy().replace('\\', "/");
            out.extend(file.contents_utf8().map(|text| (inside, text.to_string())));
        }
        folder.dirs().for_each(|folder| gather(folder, root, out));
    }
    let mut out = IndexMap::new();
    if let Some(folder) = START.get_dir(language) {
        gather(folder, folder.path(), &mut out);
    }
    out
}

/// A folder of frames that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("reading `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("reading the frames of mails in `{folder}`")]
    Frame { folder: PathBuf, source: FrameError },
    #[error("reading the pages in `{folder}`")]
    Page { folder: PathBuf, source: FrameError },
}

/// The frames of mails: the embedded ones, each replaced by the file of the same name in `folder/mail`, if there is one.
pub fn mail_frames(folder: Option<&Path>) -> Result<Frames, FilesError> {
    let mut sources = Vec::new();
    for (name, embedded) in MAIL_FRAMES {
        let own = folder.map(|folder| folder.join("mail").join(name)).filter(|path| path.is_file());
        let text = match own {
            Some(path) => std::fs::read_to_string(&path).map_err(|source| FilesError::Read { path, source })?,
            None => embedded.to_string(),
        };
        sources.push((name, text));
    }
    Frames::new(sources.iter().map(|(name, text)| (*name, text.as_str())))
        .map_err(|source| FilesError::Frame { folder: folder.unwrap_or(Path::new("")).to_path_buf(), source })
}

/// The pages of the web application: the embedded ones, each replaced by the file of the same name in `folder/web`, if there is one.
pub fn web_pages(folder: Option<&Path>) -> Result<Pages, FilesError> {
    let mut sources = Vec::new();
    for embedded in WEB.files() {
        let name = embedded.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let own = folder.map(|folder| folder.join("web").join(&name)).filter(|path| path.is_file());
        let text = match own {
            Some(path) => std::fs::read_to_string(&path).map_err(|source| FilesError::Read { path, source })?,
            None => embedded.contents_utf8().unwrap_or_default().to_string(),
        };
        sources.push((name, text));
    }
    Pages::new(sources.iter().map(|(name, text)| (name.as_str(), text.as_str())))
        .map_err(|source| FilesError::Page { folder: folder.unwrap_or(Path::new("")).to_path_buf(), source })
}

/// A calendar's file and its text: the file at that path, else `NAME.yaml` in `folder`, else the embedded one.
/// `None` when none of the three is there.
pub fn calendar(name: &str, folder: &Path) -> Result<Option<(PathBuf, String)>, FilesError> {
    let named = folder.join(format!("{name}.yaml"));
    if let Some(path) = [PathBuf::from(name), named.clone()].into_iter().find(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).map_err(|source| FilesError::Read { path: path.clone(), source })?;
        return Ok(Some((path, text)));
    }
    let embedded = CALENDARS.iter().find(|(embedded, _)| *embedded == name);
    Ok(embedded.map(|(_, text)| (named, text.to_string())))
}

/// Larger files are never part of a rule set; reading stops before them.
const LARGEST_RULE_FILE: u64 = 8 << 20;

/// The files of a rule set's folder by path inside it, with the shared calendars (`../calendars/NAME.yaml`) beside it or embedded.
pub fn rule_set(folder: &Path) -> Result<IndexMap<String, String>, FilesError> {
    let mut out = IndexMap::new();
    collect(folder, folder, &mut out)?;
    let shared = folder.join("..").join("calendars");
    for (name, embedded) in CALENDARS {
        out.insert(format!("../calendars/{name}.yaml"), embedded.to_string());
    }
    for path in entries(&shared).unwrap_or_default() {
        if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".yaml")) {
            out.insert(format!("../calendars/{name}"), text(&path)?);
        }
    }
    Ok(out)
}

fn collect(root: &Path, folder: &Path, out: &mut IndexMap<String, String>) -> Result<(), FilesError> {
    for path in entries(folder)? {
        let inside = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || inside == working_copy::SAMPLE {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, out)?;
        } else if working_copy::ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            out.insert(inside, text(&path)?);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let failed = |source| FilesError::Read { path: folder.to_path_buf(), source };
    let mut entries = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    entries.sort();
    Ok(entries)
}

/// The text of a file; bytes that are not UTF-8 are shown as such, for the checks to name.
pub fn text(path: &Path) -> Result<String, FilesError> {
    let failed = |source| FilesError::Read { path: path.to_path_buf(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LARGEST_RULE_FILE {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("{size} bytes are too many for a rule file"))));
    }
    Ok(String::from_utf8_lossy(&std::fs::read(path).map_err(failed)?).into_owned())
}
