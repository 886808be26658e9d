//! Logs, metrics, traces and request ids.

pub mod log;
pub mod metric;
pub mod request_id;
pub mod trace;
