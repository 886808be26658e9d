//! What Trunkline tells about itself: log lines, metrics, traces, request ids.

pub mod log;
pub mod metric;
pub mod request_id;
pub mod trace;
