//! End-to-end tests of the real binary over real sockets.
//!
//! Every test starts its own gateway, on ports picked by the system, in its own
//! directory and with an empty environment. Upstreams are raw TCP servers that
//! can misbehave. Tests never sleep: they wait for a cause (a channel, a read) or
//! poll an observable until [`support::wait::DEADLINE`]. docs/faults.md and
//! docs/promises.md list what they hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails at the first unexpected value"
)]
#![allow(
    clippy::format_collect,
    clippy::large_stack_arrays,
    reason = "tests favour readability over speed"
)]

mod support;

mod api;
mod downstream;
mod ledger;
mod limits;
mod page;
mod process;
mod routing;
mod source;
mod store;
mod telemetry;
mod upstream;
