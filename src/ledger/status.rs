//! Reports on the ledger: one log line when it fails, one when it works again.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use metrics::{Counter, Gauge};
use tracing::{info, warn};

use super::error::LedgerError;
use crate::telemetry::metric::{self, Registry};
use crate::wall_clock;

#[derive(Debug)]
pub struct Status {
    path: PathBuf,
    up: Gauge,
    in_use: Gauge,
    set_aside: Gauge,
    errors: Counter,
    lost: Counter,
    is_failing: bool,
}

impl Status {
    pub fn new(path: &Path, registry: &Registry) -> Self {
        Self {
            path: path.to_owned(),
            up: registry.gauge(&metric::LEDGER_UP, &[]),
            in_use: registry.gauge(&metric::LEDGER_IN_USE, &[]),
            set_aside: registry.gauge(&metric::LEDGER_SET_ASIDE_TIME, &[]),
            errors: registry.counter(&metric::LEDGER_ERRORS, &[]),
            lost: registry.counter(&metric::LEDGER_REQUESTS_LOST, &[]),
            is_failing: false,
        }
    }

    pub fn opened(&self) {
        info!(path = %self.path.display(), "ledger opened");
    }

    pub fn failed(&mut self, error: &LedgerError) {
        if !self.is_failing {
            self.is_failing = true;
            warn!(
                path = %self.path.display(),
                %error,
                "the ledger cannot be written; requests go on, and a restart forgets what they use meanwhile"
            );
        }
        // After the log line, so that it exists when the metric changes.
        self.errors.increment(1);
        self.in_use
            .set(f64::from(matches!(error, LedgerError::InUse)));
        self.up.set(0);
    }

    pub fn succeeded(&mut self) {
        if self.is_failing {
            self.is_failing = false;
            info!(path = %self.path.display(), "the ledger is written again");
        }
        self.in_use.set(0);
        self.up.set(1);
    }

    pub fn set_aside(&self, error: &LedgerError, moved_to: &Path) {
        warn!(
            path = %self.path.display(),
            %error,
            moved_to = %moved_to.display(),
            "the ledger was damaged and is set aside; a new one is begun"
        );
        let time = wall_clock::now().duration_since(UNIX_EPOCH);
        self.set_aside
            .set(time.unwrap_or_default().as_secs() as f64);
        self.errors.increment(1);
    }

    pub fn vanished(&self) {
        warn!(
            path = %self.path.display(),
            "the file of the ledger was deleted or replaced; it is opened anew"
        );
        self.errors.increment(1);
    }

    /// Counts requests that are in no total, since too many wait to be written.
    pub fn lost(&self, requests: u64) {
        self.lost.increment(requests);
    }
}
