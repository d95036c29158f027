//! A bar on a terminal for what takes a while; nothing elsewhere.

use super::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// What stands behind the bar: the share that is done, how many of how many, or a text set on the way.
pub const PERCENT: &str = "{percent}%";
pub const COUNT: &str = "{pos}/{len}";
pub const MESSAGE: &str = "{msg}";

/// A bar whose length is set later; hidden where nobody looks at it.
pub fn bar(context: &Context, behind: &str) -> ProgressBar {
    styled(context, &format!("{{prefix}} {{bar:30}} {behind}  {{eta}}"))
}

/// That something is at work, when nobody knows how far it is.
pub fn spinner(context: &Context, template: &str) -> ProgressBar {
    let bar = styled(context, template);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Moves a bar whose length may still grow.
pub fn moves(bar: &ProgressBar) -> impl Fn(u64, u64) {
    |done, all| {
        bar.set_length(all.max(done));
        bar.set_position(done);
    }
}

fn styled(context: &Context, template: &str) -> ProgressBar {
    if context.quiet || context.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("██░"));
    }
    bar
}
