//! Metering of requests: times, bytes, tokens, cost and outcome.
//!
//! A [`Meter`] accompanies one request from its head to the last byte of its response
//! and records it on drop, so that every exit is counted, including an abandoned
//! future.

mod access_log;
mod alert_series;
mod attempt;
mod history;
mod key_metrics;
mod lazy_counters;
mod ledger;
mod limit_charge;
mod limit_metrics;
mod limits;
mod meter;
mod model_metrics;
mod outcome;
mod overhead;
mod recorder;
mod summary;
mod tap;
#[cfg(test)]
mod tests;
mod trace;
mod usage;

pub use attempt::{AttemptResult, HedgeOutcome};
pub use history::{Counts, ProviderError, RequestRecord};
pub use key_metrics::KeyMetrics;
pub use limits::{ChargedBy, LimitHold};
pub use meter::Meter;
pub use model_metrics::{ModelMetrics, ModelName};
pub use outcome::RequestOutcome;
pub use recorder::{MeteringOptions, SharedMetrics, WorkerMetrics};
pub use summary::{HistorySummary, LatencySamples, StatsSummary};
pub use tap::Tap;
