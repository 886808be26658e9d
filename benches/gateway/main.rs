//! Drives gateways with the same load in turn and prints what each costs.
//! `benches/README.md` says how to run it and what the figures mean.
//!
//! Mock upstream and load generator are this same binary, each in a process
//! of its own, so that nobody's CPU time is counted as a gateway's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a bench is no product code: it prints, and stops at the unexpected"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded in the end, and none is near the limits of its type"
)]

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

mod account;
mod caller;
mod child;
mod events;
mod http1;
mod load;
mod mock;
mod mock_tls;
mod options;
mod protocol;
mod report;
mod run;
mod scenario;
mod table;
mod turn;

/// First argument of a process that is a part of the harness.
const PART: &str = "--part";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [PART, "mock", orders] => mock::run(&serde_json::from_str(orders).unwrap()),
        [PART, "load", orders] => load::run(&serde_json::from_str(orders).unwrap()),
        [PART, "keep", ..] => child::keep(&arguments[2..]),
        _ => return harness(&options::Options::parse()),
    }
    ExitCode::SUCCESS
}

/// Runs it all in a directory that is gone afterwards. The processes go by
/// themselves when this one does, see `child`.
fn harness(options: &options::Options) -> ExitCode {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let directory = Arc::new(Mutex::new(Some(directory)));
    remove_on_signal(Arc::clone(&directory));
    let outcome = run::run(options, &path);
    drop(directory.lock().unwrap().take());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("failed: {fault}");
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
