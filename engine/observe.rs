//! Logs: one line an event on standard error, as text or JSON, with ids and counts and never a person, an address or a wording.

use tracing_subscriber::EnvFilter;

/// What is told of our own; of libraries only what is wrong.
const WHAT: &str = "warn,duban=info";

/// Begins to log. Once in a process; a second time changes nothing.
pub fn start(json: bool) {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(WHAT)).with_writer(std::io::stderr).with_target(false);
    // It fails only when somebody has begun already.
    let _ = match json {
        true => log.json().flatten_event(true).try_init(),
        false => log.with_ansi(false).try_init(),
    };
}
