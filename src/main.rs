//! The `trunkline` binary: passes the server to the command line.

use std::process::ExitCode;

/// The system's allocator keeps what was freed after a burst of connections or bodies.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    trunkline::app::forbid_core_dumps();
    trunkline::cli::run(std::env::args_os(), trunkline::app::run)
}
