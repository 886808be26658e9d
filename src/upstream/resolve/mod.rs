//! The addresses of an upstream's host name, from the system's resolver.
//!
//! The system's resolver blocks a thread, so each upstream has at most one lookup at a
//! time, whose result all workers share: however many requests wait for a slow name,
//! other upstreams keep their threads.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::{Error, ErrorKind, with_causes};

/// One lookup serves a burst of connections, and a change of address is soon seen.
const CACHE_TTL: Duration = Duration::from_secs(5);
/// How often the name of connections in use is looked up, for connections that lead to an
/// address which the name no longer has.
const WATCH_INTERVAL: Duration = Duration::from_secs(10);
/// How long an address that did not accept a connection is tried after the others.
const AVOID_TIME: Duration = Duration::from_secs(30);
/// An address that returns within this time after it was lost shows that each lookup
/// finds a few of many addresses, all of which are in use, as those of large providers do.
const SAMPLE_TIME: Duration = Duration::from_secs(600);

/// Of one upstream.
#[derive(Debug)]
pub(super) struct Resolver {
    host: String,
    port: u16,
    /// The host, where it is an address.
    literal: Option<IpAddr>,
    known: StdMutex<Known>,
    looking_up: Mutex<()>,
    /// Incremented when the name loses an address for good.
    generation: AtomicU64,
    /// The last lookup failed.
    is_failing: AtomicBool,
    /// Of new connections, over the addresses. Starts anywhere, so that gateways started
    /// together do not all begin with the same address.
    turn: AtomicUsize,
    #[cfg(test)]
    script: StdMutex<Option<tests::Script>>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: Vec<SocketAddr>,
    looked_up_at: Option<Instant>,
    /// The last lookup, successful or not.
    tried_at: Option<Instant>,
    avoided: Vec<(SocketAddr, Instant)>,
    /// With the time of their loss.
    lost: Vec<(SocketAddr, Instant)>,
    /// Until then, a lookup without an address does not mean that it is no longer used.
    is_sampled_until: Option<Instant>,
}

/// At least one address.
#[derive(Debug)]
pub(super) struct AddressList {
    /// In the order in which they should be tried.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) generation: u64,
}

// === impl Resolver ===

impl Resolver {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            literal: host.parse().ok(),
            known: StdMutex::default(),
            looking_up: Mutex::default(),
            generation: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            turn: AtomicUsize::new(fastrand::usize(..)),
            #[cfg(test)]
            script: StdMutex::default(),
        }
    }

    /// The addresses for a new connection.
    pub(super) async fn resolve(&self) -> Result<AddressList, Error> {
        if let Some(address) = self.literal {
            return Ok(AddressList {
                addresses: vec![SocketAddr::new(address, self.port)],
                generation: 0,
            });
        }
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        let _guard = self.looking_up.lock().await;
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        self.record(self.look_up().await)?;
        Ok(self.in_turn(&self.known()))
    }

    /// Whether [`Self::watch`] would look the name up.
    pub(super) fn is_watch_due(&self) -> bool {
        let is_due = |tried_at: Instant| tried_at.elapsed() >= WATCH_INTERVAL;
        self.literal.is_none() && self.known().tried_at.is_none_or(is_due)
    }

    /// Looks the name up if that is due. A failure changes nothing.
    pub(super) async fn watch(&self) {
        let Ok(_guard) = self.looking_up.try_lock() else {
            return;
        };
        if self.is_watch_due() {
            let _ = self.record(self.look_up().await);
        }
    }

    /// Notes which addresses were tried in vain before `connected`. Of another family than
    /// the first, it may only have been faster (RFC 8305).
    pub(super) fn record_connected(&self, tried: &AddressList, connected: SocketAddr) {
        let addresses = &tried.addresses;
        let position = addresses.iter().position(|address| *address == connected);
        let first = addresses.first().map(SocketAddr::is_ipv6);
        if first == Some(connected.is_ipv6()) {
            let until = Instant::now() + AVOID_TIME;
            let failed = addresses.iter().take(position.unwrap_or_default());
            let mut known = self.known();
            known
                .avoided
                .extend(failed.map(|address| (*address, until)));
        }
    }

    /// Whether a new connection would fail, since the name cannot be looked up.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Changes when the name loses an address for good.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the name has this address.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        self.known().addresses.contains(&address)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<AddressList> {
        let mut known = self.known();
        known.avoided.retain(|(_, until)| *until > Instant::now());
        let is_fresh = |looked_up_at: Instant| looked_up_at.elapsed() < CACHE_TTL;
        let is_fresh = known.looked_up_at.is_some_and(is_fresh);
        is_fresh.then(|| self.in_turn(&known))
    }

    /// The system's order decides between the families only (RFC 6724); the addresses of
    /// each take turns.
    fn in_turn(&self, known: &Known) -> AddressList {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let prefers_ipv6 = known.addresses.first().is_some_and(SocketAddr::is_ipv6);
        let (mut preferred, mut others): (Vec<_>, Vec<_>) = known
            .addresses
            .iter()
            .partition(|address| address.is_ipv6() == prefers_ipv6);
        for family in [&mut preferred, &mut others] {
            // The system may rotate them too, which would cancel out.
            family.sort_unstable();
            let offset = turn % family.len().max(1);
            family.rotate_left(offset);
            family.sort_by_key(|address| known.avoided.iter().any(|(it, _)| it == address));
        }
        preferred.append(&mut others);
        AddressList {
            addresses: preferred,
            generation: self.generation(),
        }
    }

    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(scripted) = self.scripted() {
            return scripted;
        }
        let found = lookup_host((self.host.as_str(), self.port)).await?;
        Ok(found.collect())
    }

    fn record(&self, found: io::Result<Vec<SocketAddr>>) -> Result<(), Error> {
        let mut known = self.known();
        known.tried_at = Some(Instant::now());
        let found = match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => Err("host name has no address".to_owned()),
            Err(error) => Err(with_causes(&error)),
        };
        self.is_failing.store(found.is_err(), Ordering::Relaxed);
        let addresses = found.map_err(|detail| Error::new(ErrorKind::Dns, detail))?;
        known.looked_up_at = known.tried_at;
        if known.replace(addresses) {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

// === impl Known ===

impl Known {
    /// Whether the name has lost an address for good.
    fn replace(&mut self, addresses: Vec<SocketAddr>) -> bool {
        let now = Instant::now();
        self.lost
            .retain(|(_, at)| now.duration_since(*at) < SAMPLE_TIME);
        let before = self.lost.len();
        self.lost
            .retain(|(address, _)| !addresses.contains(address));
        if self.lost.len() < before {
            self.is_sampled_until = Some(now + SAMPLE_TIME);
        }
        let lost = self.addresses.iter().filter(|it| !addresses.contains(it));
        let count = self.lost.len();
        self.lost.extend(lost.map(|address| (*address, now)));
        self.addresses = addresses;
        let is_sampled = self.is_sampled_until.is_some_and(|until| now < until);
        self.lost.len() > count && !is_sampled
    }
}

#[cfg(test)]
pub(super) mod tests;
