//! The clock: the machine's, or one set by hand for tests, the demo and simulations. Nobody else reads the machine's time.

use crate::kernel::time::Instant;
use chrono::{SubsecRound, TimeDelta, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The machine may have slept, and its clock may have been set: look again at least so often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub enum Clock {
    Machine,
    /// The machine's, put right by so many milliseconds: what a database shows that others work as well. Leases mean the same to all of them
    /// then, and so does a day.
    Agreed(Arc<AtomicI64>),
    /// It stands still until it is set.
    Set(Arc<Hand>),
}

/// A clock in somebody's hand.
#[derive(Debug)]
pub struct Hand {
    shows: watch::Sender<Instant>,
    /// How far it was set wrong, in milliseconds.
    astray: AtomicI64,
}

impl Clock {
    /// A clock that shows `now` until it is set again.
    pub fn set_to(now: Instant) -> Clock {
        Clock::Set(Arc::new(Hand { shows: watch::Sender::new(now), astray: AtomicI64::new(0) }))
    }

    /// The machine's clock, which is to agree with others; see [`Clock::agree`].
    pub fn agreed() -> Clock {
        Clock::Agreed(Arc::default())
    }

    /// Puts right a clock that is to agree with others: it shows `shown` now. Gives by how much the machine's is ahead.
    pub fn agree(&self, shown: Instant) -> TimeDelta {
        let ahead = Utc::now() - shown;
        if let Clock::Agreed(by) = self {
            by.store(-ahead.num_milliseconds(), Ordering::SeqCst);
        }
        ahead
    }

    /// Whole milliseconds, as the store keeps them.
    pub fn now(&self) -> Instant {
        match self {
            Clock::Machine => Utc::now().trunc_subsecs(3),
            Clock::Agreed(by) => {
                let by = TimeDelta::milliseconds(by.load(Ordering::SeqCst));
                Utc::now().checked_add_signed(by).unwrap_or_else(Utc::now).trunc_subsecs(3)
            }
            Clock::Set(hand) => *hand.shows.borrow(),
        }
    }

    /// Time since some beginning that nobody can set; it goes on while the machine sleeps. For comparing with what the clock shows.
    pub fn steady(&self) -> Duration {
        match self {
            Clock::Machine | Clock::Agreed(_) => steady(),
            // Set by hand is as meant.
            Clock::Set(hand) => {
                let went_by = hand.shows.borrow().timestamp_millis() - hand.astray.load(Ordering::SeqCst);
                Duration::from_millis(u64::try_from(went_by).unwrap_or(0))
            }
        }
    }

    /// Sets a clock that is set by hand; the machine's stays as it is.
    pub fn set(&self, now: Instant) {
        if let Clock::Set(hand) = self {
            hand.shows.send_replace(now);
        }
    }

    /// Sets a clock that is set by hand to show something else though no time went by, as a clock does that is set wrong, or right again.
    pub fn set_astray(&self, now: Instant) {
        if let Clock::Set(hand) = self {
            let by = now.timestamp_millis() - hand.shows.borrow().timestamp_millis();
            hand.astray.fetch_add(by, Ordering::SeqCst);
            hand.shows.send_replace(now);
        }
    }

    /// Returns once the clock shows `at` or more.
    pub async fn sleep_until(&self, at: Instant) {
        match self {
            Clock::Machine | Clock::Agreed(_) => {
                while let Ok(left) = (at - self.now()).to_std() {
                    if left.is_zero() {
                        return;
                    }
                    tokio::time::sleep(left.min(LOOK_AGAIN)).await;
                }
            }
            Clock::Set(hand) => {
                // It cannot fail: the sender lives as long as this clock.
                let _ = hand.shows.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn steady() -> Duration {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(since_boot.tv_sec.unsigned_abs(), since_boot.tv_nsec.unsigned_abs() as u32)
}

#[cfg(not(target_os = "linux"))]
fn steady() -> Duration {
    static BEGINNING: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGINNING.elapsed()
}
