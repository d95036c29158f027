//! The office's own scanner, asked about a file before it is kept.

use super::{Limits, Unfit};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::process::Command;

/// Two that are scanned at once lie under two names.
static TURN: AtomicU64 = AtomicU64::new(0);

/// A file that is gone when nobody looks at it any more.
struct Laid(PathBuf);

impl Drop for Laid {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a scanned file could not be taken away");
        }
    }
}

/// Whatever is not said to be clean is not.
pub async fn scan(limits: &Limits, digest: &str, content: &[u8]) -> Result<(), Unfit> {
    let Some(program) = &limits.scan_command else { return Ok(()) };
    let unscanned = |error: std::io::Error| {
        tracing::error!(%error, program = %program.display(), "a file could not be scanned");
        Unfit::Unscanned
    };
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let path = limits.scan_folder.join(format!("duban-scan-{}-{turn}-{digest}", std::process::id()));
    let laid = lay(&path, content).map_err(unscanned)?;
    let asked =
        Command::new(program).arg(&laid.0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).status();
    match tokio::time::timeout(Duration::from_secs(limits.scan_seconds), asked).await {
        Ok(Ok(status)) if status.code() == Some(0) => Ok(()),
        Ok(Ok(status)) if status.code() == Some(1) => Err(Unfit::Infected),
        Ok(Ok(status)) => {
            tracing::error!(%status, program = %program.display(), "the scanner did not say whether a file is clean");
            Err(Unfit::Unscanned)
        }
        Ok(Err(error)) => Err(unscanned(error)),
        Err(_) => {
            tracing::error!(program = %program.display(), "the scanner took too long");
            Err(Unfit::Unscanned)
        }
    }
}

/// Written anew, readable by nobody else.
fn lay(path: &Path, content: &[u8]) -> std::io::Result<Laid> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let laid = Laid(path.to_path_buf());
    file.write_all(content)?;
    Ok(laid)
}
