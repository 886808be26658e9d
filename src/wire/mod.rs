//! The `OpenAI` protocol as pure data: bytes in, facts and bytes out.
//!
//! Nothing here knows HTTP, sockets or time.

#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "only tests and fuzzers run it"
)]
pub mod oracle;
pub mod scan;
