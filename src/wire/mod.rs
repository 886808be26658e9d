//! The `OpenAI` protocol as pure data: bytes in, facts and bytes out.
//!
//! Nothing here knows HTTP, sockets or time.

pub mod call;
mod date;
pub mod endpoint;
pub mod error;
pub mod follow;
pub mod media;
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
pub mod splice;
pub mod sse;
mod token;
pub mod usage;
