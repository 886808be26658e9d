//! The promises of Trunkline, held against the real binary over real sockets.
//!
//! One binary, one file for each promise or theme. Every test starts a gateway
//! of its own on ports the system picks, in a directory of its own, with an
//! empty environment; the upstreams are raw TCP servers that can misbehave.
//! Nothing sleeps and hopes: a test waits for a cause (a channel, a read) or
//! polls an observable until [`support::wait::DEADLINE`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets the unexpected is to stop there and say so"
)]
#![allow(
    clippy::format_collect,
    clippy::large_stack_arrays,
    reason = "a test is to be read, not to be fast"
)]

mod support;

mod api;
mod downstream;
mod page;
mod process;
mod routing;
mod source;
mod telemetry;
mod upstream;
