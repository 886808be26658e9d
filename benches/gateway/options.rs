//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Drives Trunkline and other gateways with the same load in turn and prints the
/// cost of each.
#[derive(Debug, Clone, Parser)]
#[command(name = "gateway", bin_name = "cargo bench --bench gateway --")]
pub struct Options {
    /// A short run that checks the responses and asserts no timing
    #[arg(long)]
    pub quick: bool,
    /// Only these scenarios
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO")]
    pub only: Vec<String>,
    /// Only these gateways
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub gateways: Vec<String>,
    /// Rounds of each scenario; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of the measurement window in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Worker threads or processes of each gateway; 0 for one per core
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Also write every figure of every round to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Passed by `cargo bench` to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    pub fn window(&self) -> Duration {
        if self.quick {
            Duration::from_millis(200)
        } else {
            Duration::from_secs_f64(self.seconds)
        }
    }

    pub fn warm_up(&self) -> Duration {
        Duration::from_millis(if self.quick { 20 } else { 300 })
    }

    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    /// Threads of the mock and of the load generator, each: half the cores, so that
    /// the three processes share the machine.
    pub fn helpers() -> usize {
        std::thread::available_parallelism()
            .map_or(1, |cores| usize::from(cores) / 2)
            .max(1)
    }

    /// Whether `name` was selected; `otherwise` without a selection.
    pub fn selects(list: &[String], name: &str, otherwise: bool) -> bool {
        if list.is_empty() {
            otherwise
        } else {
            list.iter().any(|selected| selected == name)
        }
    }
}
