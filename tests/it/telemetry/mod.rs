//! Metrics, logs, traces and cost.

pub mod cost;
pub mod cost_kinds;
pub mod limit_events;
pub mod limits;
pub mod log_level;
pub mod logs;
pub mod metering;
pub mod metric_export;
pub mod not_configured;
pub mod scrape;
pub mod server_timing;
pub mod sessions;
pub mod standard_output;
pub mod trace_export;
pub mod traces;
