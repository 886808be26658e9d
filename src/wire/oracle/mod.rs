//! Slow and simple reference implementations, for tests and fuzz targets.

mod affinity;
mod json;
mod json_relay;
mod scan;
mod splice;
mod sse_relay;

pub use affinity::check_affinity;
pub use json_relay::check_json_body;
pub use scan::{check_frames, check_scan};
pub use splice::check_splice;
pub use sse_relay::{Inspected, check_inspector, inspect};
