//! Trunkline's process: wiring only.

use std::process::ExitCode;

use trunkline::cli;
use trunkline::config::Config;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), serve)
}

/// SEAM: the server is not there yet.
fn serve(config: Config) -> ExitCode {
    drop(config);
    ExitCode::FAILURE
}
