//! The `OpenAI` protocol as pure data: bytes in, facts and bytes out.
//!
//! Nothing here knows HTTP, sockets or time.

pub mod api_path;
pub mod endpoint;
pub mod error;
mod json_key;
pub mod media_type;
pub mod model_list;
pub mod multipart;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "only tests and fuzzers run it"
)]
pub mod oracle;
pub mod rate_limit;
pub mod retry_after;
pub mod scan;
mod server_date;
pub mod splice;
pub mod sse;
pub mod sse_relay;
pub mod usage;
