//! The wire formats of the OpenAI and Anthropic APIs, as pure functions on bytes.
//!
//! Nothing here depends on HTTP, sockets or time.

pub mod additions;
pub mod api_path;
pub mod content_coding;
pub mod dot_segments;
pub mod endpoint;
pub mod error;
pub mod failure;
pub mod frames;
mod json_key;
pub mod json_relay;
pub mod media_type;
pub mod model_list;
pub mod multipart;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "only tests and fuzz targets run it"
)]
pub mod oracle;
pub mod path_hint;
pub mod query;
pub mod rate_limit;
pub mod retry_after;
pub mod scan;
mod server_date;
pub mod splice;
pub mod sse;
pub mod sse_relay;
pub mod token_list;
pub mod usage;
