//! The `trunkline` command: wiring only.

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkline::cli::run(std::env::args_os(), trunkline::app::run)
}
