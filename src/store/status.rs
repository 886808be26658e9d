//! Reports on the store: one log line when it goes, one when it is back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram};
use tracing::{info, warn};

use super::error::StoreError;
use super::facts::StoreFacts;
use crate::telemetry::metric::{self, Registry};

/// Between two lines on calls that are refused.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct StoreStatus {
    server: String,
    up: Gauge,
    round_trips: Histogram,
    calls: Counter,
    errors: Counter,
    is_up: Option<bool>,
    /// Reported once.
    warned: BTreeSet<String>,
    refusal_logged: Option<Instant>,
}

impl StoreStatus {
    /// `server` is what the log calls it.
    #[must_use]
    pub fn new(server: String, registry: &Registry) -> Self {
        let status = Self {
            server,
            up: registry.gauge(&metric::LIMIT_STORE_UP, &[]),
            round_trips: registry.histogram(&metric::LIMIT_BORROW, &[]),
            calls: registry.counter(&metric::LIMIT_STORE_CALLS, &[]),
            errors: registry.counter(&metric::LIMIT_STORE_ERRORS, &[]),
            is_up: None,
            warned: BTreeSet::new(),
            refusal_logged: None,
        };
        status.up.set(0);
        status
    }

    pub fn set_server(&mut self, server: String) {
        self.server = server;
    }

    /// A store that is no longer configured is neither up nor down.
    pub fn left(&self) {
        self.up.set(f64::NAN);
    }

    pub fn connected(&mut self, facts: &StoreFacts, has_ledger: bool) {
        let software = facts.software.as_deref();
        match self.is_up.replace(true) {
            None => info!(store = self.server, software, "store connected"),
            Some(false) => info!(store = self.server, software, "the store is back"),
            Some(true) => {}
        }
        for warning in facts.warnings(has_ledger) {
            if self.warned.insert(warning.clone()) {
                warn!(store = self.server, warning, "the store's settings");
            }
        }
        self.up.set(1);
    }

    pub fn failed(&mut self, error: &StoreError) {
        if self.is_up.replace(false) != Some(false) {
            warn!(
                store = self.server,
                %error,
                cure = error.cure(),
                until_then = "each limit goes by limits.NAME.without",
                "the store is away"
            );
        }
        // After the log line, so that it exists when the metric changes.
        self.errors.increment(1);
        self.up.set(0);
    }

    /// Of calls that were sent at once, `refused` are those that the server refused.
    pub fn responded(&mut self, calls: usize, refused: &[StoreError], took: Duration) {
        if let Some(error) = refused.first() {
            self.refused(error);
        }
        self.calls.increment(calls as u64);
        self.errors.increment(refused.len() as u64);
        self.round_trips.record(took.as_secs_f64());
    }

    /// A line from time to time, since there may be thousands of them.
    fn refused(&mut self, error: &StoreError) {
        let last = self.refusal_logged;
        if last.is_none_or(|last| last.elapsed() >= REFUSAL_INTERVAL) {
            self.refusal_logged = Some(Instant::now());
            warn!(
                store = self.server,
                %error,
                cure = error.cure(),
                "the store refuses calls"
            );
        }
    }
}
