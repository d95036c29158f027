//! Files that people hand in, judged before anything of them is kept: the name, the size, whether the content is what the name says, and
//! what the office's own scanner thinks of it.

mod content;
mod scan;

use crate::kernel::model::attached::Attached;
use icu_normalizer::ComposingNormalizer;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Characters of a name at most; bytes are kept below what file systems take.
const LONGEST: usize = 120;
const LONGEST_BYTES: usize = 240;

/// What may be handed in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of one file, in bytes.
    pub largest: usize,
    /// Files of one form at most.
    pub most: usize,
    /// Endings of names, each of a kind whose content we can tell.
    pub kinds: Vec<String>,
    /// A program that is called with the path of a file: it exits with 0 for a clean one and 1 for an infected one.
    pub scan_command: Option<PathBuf>,
    /// It is given up after so long.
    pub scan_seconds: u64,
    /// Where a file lies while it is scanned.
    #[serde(skip)]
    pub scan_folder: PathBuf,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            largest: 20 << 20,
            most: 10,
            kinds: content::USUAL.iter().map(|kind| kind.to_string()).collect(),
            scan_command: None,
            scan_seconds: 60,
            scan_folder: ".".into(),
        }
    }
}

impl Limits {
    /// The largest file in megabytes, as people read it.
    pub fn megabytes(&self) -> String {
        self.largest.div_ceil(1 << 20).to_string()
    }

    /// The endings, as a page shows them and a browser filters by them.
    pub fn endings(&self) -> String {
        self.kinds.iter().map(|kind| format!(".{kind}")).collect::<Vec<_>>().join(", ")
    }

    /// Kinds of the settings whose content nobody here can tell.
    pub fn unknown_kinds(&self) -> Vec<&str> {
        self.kinds.iter().map(String::as_str).filter(|kind| content::kind_of(kind).is_none()).collect()
    }
}

/// Why a file is not taken; the catalogue has a sentence for each under `attach.WORD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("name")]
    Name,
    #[error("kind")]
    Kind,
    #[error("large")]
    Large,
    #[error("empty")]
    Empty,
    #[error("unlike")]
    Unlike,
    #[error("infected")]
    Infected,
    #[error("unscanned")]
    Unscanned,
}

/// A file as it may be kept.
pub async fn judge(limits: &Limits, name: &str, content: &[u8]) -> Result<Attached, Unfit> {
    let name = name_of(name).ok_or(Unfit::Name)?;
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).ok_or(Unfit::Kind)?;
    let kind =
        content::kind_of(&ending).filter(|_| limits.kinds.iter().any(|kind| kind.eq_ignore_ascii_case(&ending))).ok_or(Unfit::Kind)?;
    // What would be run wherever endings that are known stay hidden.
    if name.split('.').rev().skip(1).any(|part| content::RUN.contains(&part.trim().to_lowercase().as_str())) {
        return Err(Unfit::Kind);
    }
    match content.len() {
        0 => return Err(Unfit::Empty),
        size if size > limits.largest => return Err(Unfit::Large),
        _ => {}
    }
    if !content::is_like(kind, content) {
        return Err(Unfit::Unlike);
    }
    let digest = crate::store::facts::hex(&Sha256::digest(content));
    scan::scan(limits, &digest, content).await?;
    Ok(Attached { digest, size: content.len() as u64, media: kind.media.into(), name })
}

/// One segment of a path in one spelling, or nothing.
fn name_of(name: &str) -> Option<String> {
    let name = ComposingNormalizer::new_nfc().normalize(name.trim()).into_owned();
    let fits = name.chars().count() <= LONGEST && name.len() <= LONGEST_BYTES;
    let stem = name.split('.').next().unwrap_or_default().trim().to_ascii_lowercase();
    let numbered = |device: &str| stem.strip_prefix(device).is_some_and(|no| no.chars().count() == 1 && no.chars().all(|c| c.is_numeric()));
    let is_device = ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&stem.as_str()) || numbered("com") || numbered("lpt");
    (fits && !stem.is_empty() && !is_device && !name.ends_with(['.', ' ']) && !name.chars().any(is_strange)).then_some(name)
}

/// Characters that mean something to a system, or that show a name otherwise than it is.
fn is_strange(c: char) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{2215}' | '\u{2044}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}
