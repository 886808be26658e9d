//! Metering of requests: times, bytes, tokens, cost and outcome.
//!
//! A [`Meter`] accompanies one request from its head to the last byte of its response
//! and records it on drop, so that every exit is counted, including an abandoned
//! future.

mod access_log;
mod alert_series;
mod attempt;
mod key_metrics;
mod lazy_counters;
mod ledger;
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
mod token_ratio;
mod trace;
mod usage;

pub use attempt::{AttemptResult, HedgeOutcome};
pub use key_metrics::KeyMetrics;
pub use ledger::{Counts, ProviderError, RequestRecord};
pub use limits::{LimitHold, rates};
pub use meter::Meter;
pub use model_metrics::{ModelMetrics, ModelName};
pub use outcome::RequestOutcome;
pub use recorder::{MeteringOptions, SharedMetrics, WorkerMetrics};
pub use summary::{LatencySamples, LedgerSummary, StatsSummary};
pub use tap::Tap;
pub use token_ratio::TokenRatio;
