//! A bar on a terminal for what takes a while; nothing elsewhere.

use super::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar whose length is set later; hidden where nobody looks at it.
pub fn bar(context: &Context) -> ProgressBar {
    if context.quiet || context.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {percent}%  {eta}") {
        bar.set_style(style.progress_chars("██░"));
    }
    bar
}
