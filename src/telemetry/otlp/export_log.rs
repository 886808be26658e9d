//! The log lines of an exporter.

use tracing::{info, warn};

/// A kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Metrics,
}

/// Logs the first failure, and the first success after one.
#[derive(Debug)]
pub struct ExportLog {
    signal: Signal,
    last_accepted: bool,
}

impl ExportLog {
    #[must_use]
    pub fn new(signal: Signal) -> Self {
        let last_accepted = true;
        Self {
            signal,
            last_accepted,
        }
    }

    pub fn accepted(&mut self) {
        if !std::mem::replace(&mut self.last_accepted, true) {
            match self.signal {
                Signal::Traces => info!("trace export restored"),
                Signal::Metrics => info!("metric export restored"),
            }
        }
    }

    /// `lost` spans or data points were not accepted.
    pub fn failed(&mut self, reason: &str, lost: u64) {
        if std::mem::replace(&mut self.last_accepted, false) {
            match self.signal {
                Signal::Traces => warn!(reason, spans = lost, "trace export failed"),
                Signal::Metrics => warn!(reason, data_points = lost, "metric export failed"),
            }
        }
    }
}
