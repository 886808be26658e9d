//! What Trunkline tells about itself: log lines, metrics, request ids.

pub mod log;
pub mod metric;
pub mod request_id;
