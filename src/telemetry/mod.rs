//! Logs, metrics, traces and request ids.

pub mod gen_ai;
pub mod log;
pub mod metric;
pub mod metric_export;
mod otlp;
pub mod request_id;
pub mod trace;

pub use otlp::FLUSH_TIMEOUT;
