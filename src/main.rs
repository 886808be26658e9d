//! The `trunkline` binary: passes the server to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkline::cli::run(std::env::args_os(), trunkline::app::run)
}
