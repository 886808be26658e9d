//! Drives gateways with the same load in turn and prints the cost of each; see
//! `benches/README.md`.
//!
//! The mock upstream and the load generator are this same binary in processes of
//! their own, so that their CPU time is not counted as a gateway's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a bench prints, and panics at unexpected values"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded in the end, and far from the limits of their types"
)]

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

mod client;
#[path = "../corpus/mod.rs"]
mod corpus;
mod cpu_time;
mod events;
mod gateways;
mod http1;
mod load;
mod mock;
mod mock_tls;
mod options;
mod process;
mod protocol;
mod report;
mod round;
mod run;
mod scenario;
mod store;

/// First argument of the harness's own subprocesses.
const SUBPROCESS: &str = "--subprocess";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [SUBPROCESS, "mock", settings] => mock::run(&serde_json::from_str(settings).unwrap()),
        [SUBPROCESS, "load", settings] => load::run(&serde_json::from_str(settings).unwrap()),
        [SUBPROCESS, "supervise", ..] => process::supervise(&arguments[2..]),
        _ => return harness(&options::Options::parse()),
    }
    ExitCode::SUCCESS
}

/// Runs everything in a temporary directory. Subprocesses end with this process,
/// see `process`.
fn harness(options: &options::Options) -> ExitCode {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let directory = Arc::new(Mutex::new(Some(directory)));
    remove_on_signal(Arc::clone(&directory));
    let outcome = run::run(options, &path);
    drop(directory.lock().unwrap().take());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn remove_on_signal(directory: Arc<Mutex<Option<TempDir>>>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).unwrap();
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        drop(directory.lock().unwrap().take());
        std::process::exit(130);
    });
}
