//! When to try again: doubling waits, spread by chance that comes from outside.

use chrono::TimeDelta;

const FIRST: i64 = 60;
const LONGEST: i64 = 4 * 60 * 60;
/// No reply to the final dot: the server may still be at work, so it gets more time before it sees the same mail again.
const AFTER_UNKNOWN: i64 = 15 * 60;

/// How long to wait after the n-th attempt (from 1): 1 minute, doubled up to 4 hours. `chance` (0 to 1) spreads it by 20 % either way.
pub fn wait_after(attempts: u32, chance: f64) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).min(16);
    spread((FIRST << doublings).min(LONGEST), chance)
}

/// How long to wait when the final dot was sent and no reply came: at least 15 minutes.
pub fn wait_after_unknown(attempts: u32, chance: f64) -> TimeDelta {
    wait_after(attempts, chance).max(TimeDelta::seconds(AFTER_UNKNOWN))
}

fn spread(seconds: i64, chance: f64) -> TimeDelta {
    let factor = 0.8 + 0.4 * chance.clamp(0.0, 1.0);
    TimeDelta::milliseconds((seconds as f64 * 1000.0 * factor) as i64)
}
