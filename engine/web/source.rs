//! From where a request comes, and how often somebody there may try to come in: whatever the logins, one address has so many tries that fail.
//!
//! What is remembered is bounded, and each process remembers for itself.

use super::Web;
use super::trouble::Trouble;
use crate::kernel::time::Instant;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::TimeDelta;
use serde_json::json;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// Addresses that are remembered.
const MOST: usize = 10_000;

/// The address from which a request comes, if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub Option<IpAddr>);

impl Source {
    pub fn text(&self) -> Option<String> {
        self.0.map(|address| address.to_string())
    }
}

impl FromRequestParts<Arc<Web>> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Source, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let forwarded: Vec<&str> = forwarded.flat_map(|line| line.split(',')).map(str::trim).collect();
        Ok(Source(peer.map(|peer| web.gate.behind(peer, &forwarded))))
    }
}

/// How often somebody may try, by address.
#[derive(Debug)]
pub struct Gate {
    tries: u32,
    within: TimeDelta,
    trusted: Vec<IpAddr>,
    known: Mutex<HashMap<IpAddr, Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// From this moment on it is as if nobody had ever tried (GCRA's theoretical arrival time).
    free_at: Instant,
    /// It has been said that this address has to wait.
    noted: bool,
}

/// An address has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub until: Instant,
    /// It is the first that hears of it.
    pub first: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Gate::new(100, TimeDelta::minutes(15), Vec::new())
    }
}

impl Gate {
    /// So many tries within a time; `trusted` are the proxies whose word is taken for where a request comes from.
    pub fn new(tries: u32, within: TimeDelta, trusted: Vec<IpAddr>) -> Gate {
        Gate { tries: tries.max(1), within, trusted, known: Mutex::default() }
    }

    /// What a proxy of ours says came to it; what stands before that anybody can have written.
    fn behind(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut address = peer;
        for before in forwarded.iter().rev() {
            if !self.trusted.contains(&address) {
                break;
            }
            let Ok(before) = before.parse::<IpAddr>() else { break };
            address = before.to_canonical();
        }
        address
    }

    fn one(&self) -> TimeDelta {
        self.within / i32::try_from(self.tries).unwrap_or(i32::MAX)
    }

    /// Counts a try.
    pub fn count(&self, source: Source, now: Instant) -> Result<(), Wait> {
        let Some(address) = source.0.map(network) else { return Ok(()) };
        let one = self.one();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&address) {
            known.retain(|_, known| known.free_at > now);
            // Who has tried least is forgotten.
            let least = known.iter().min_by_key(|(_, known)| known.free_at).map(|(address, _)| *address);
            if let Some(least) = least.filter(|_| known.len() >= MOST) {
                known.remove(&least);
            }
        }
        let entry = known.entry(address).or_insert(Known { free_at: now, noted: false });
        let free_at = entry.free_at.max(now) + one;
        if free_at - now > self.within {
            let first = !std::mem::replace(&mut entry.noted, true);
            return Err(Wait { until: free_at - self.within, first });
        }
        *entry = Known { free_at, noted: entry.noted && free_at - now > self.within / 2 };
        Ok(())
    }

    /// A try did not fail: it does not count.
    pub fn forget(&self, source: Source) {
        let Some(address) = source.0.map(network) else { return };
        let one = self.one();
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&address) {
            known.free_at -= one;
        }
    }

    /// How many addresses are remembered.
    pub fn remembered(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Whoever has one address of the newer kind has all of its network.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl Web {
    /// Counts a try from an address; whoever has made too many is told when to come again.
    pub async fn may_try(&self, source: Source) -> Result<(), Trouble> {
        let now = self.offices.now();
        let Err(Wait { until, first }) = self.gate.count(source, now) else { return Ok(()) };
        if first {
            self.offices.audit(&self.jurisdiction, None, "address_waits", json!({}), source.text().as_deref()).await?;
        }
        let minutes = (until - now).num_minutes().max(0) + 1;
        Err(Trouble::of(StatusCode::TOO_MANY_REQUESTS, "too_many_tries").with("minutes", minutes))
    }
}
