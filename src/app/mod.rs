//! The process: startup, control thread, reload, drain, shutdown.
//!
//! The control thread accepts connections and dispatches them to the workers;
//! it also runs the admin listener, the demo model, health checks, discovery
//! and signals. Each worker is a thread with its own runtime, so that serving a
//! request shares no state between cores.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::spawn_local;
use tokio::time::{interval, sleep};
use tracing::{error, info};

use crate::config::{Config, Listen, LoadedFrom};
use crate::drain::Phase;
use crate::secret::Secret;
use crate::server::accept::Workers;
use crate::snapshot;
use crate::telemetry::log::{self, LogWriter};
use crate::telemetry::metric::{self, Registry};

mod build;
mod discovery;
mod health_checks;
mod provider_tasks;
mod reload;
mod rlimit;
mod signals;
mod startup_summary;
mod supervisor;
mod systemd;

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;

use build::{Generation, GenerationBuilder};
use reload::Reloader;
pub use rlimit::forbid_core_dumps;
use signals::{ProcessSignal, Signals};
use supervisor::Supervisor;

const LOG_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Time for streams to send their final error event after the drain timeout.
const TERMINATION_TIMEOUT: Duration = Duration::from_secs(5);
/// The same after a second signal: short, but enough for clients that read, and for a
/// log that does not call a stopped stream cancelled by its client.
const FORCED_TERMINATION_TIMEOUT: Duration = Duration::from_millis(250);

/// Why a generation could not be started.
#[derive(Debug, Error)]
enum StartError {
    #[error("cannot listen on {0}: {1}. {cure} Set server.listen or --listen.", cure = listen_cure(.1))]
    Listen(Listen, io::Error),
    #[error("cannot listen on {0}: {1}. {cure} Set admin.listen, or \"off\".", cure = listen_cure(.1))]
    ListenAdmin(Listen, io::Error),
    #[error("cannot start the demo model: {0}")]
    Demo(String),
    #[error("{0}")]
    Build(#[from] snapshot::SnapshotError),
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot export metrics: {0}")]
    Metrics(io::Error),
    #[error("the gateway is shutting down")]
    ShuttingDown,
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// What to look for when an address cannot be bound.
fn listen_cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "Another process listens there.",
        io::ErrorKind::AddrNotAvailable => "No interface of this machine has this address.",
        io::ErrorKind::NotFound => "The folder of the socket does not exist.",
        io::ErrorKind::PermissionDenied => {
            "This user may not: a port below 1024 needs CAP_NET_BIND_SERVICE, a socket a writable folder."
        }
        _ => "Is it in use?",
    }
}

/// From the reload thread to the control thread.
#[derive(Debug)]
enum ControlCommand {
    ServeDemo(std::net::TcpListener, Secret),
    /// Serve from this generation, and send the result back.
    Apply(
        Box<Generation>,
        std::sync::mpsc::Sender<Result<(), StartError>>,
    ),
}

/// Serves `config` until a signal ends the process.
#[must_use]
pub fn run(config: Config, loaded_from: LoadedFrom) -> ExitCode {
    let log = log::start(&config.log);
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(StartError::from)
        .and_then(|runtime| runtime.block_on(serve(config, loaded_from, &log)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "startup failed");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config, loaded_from: LoadedFrom, log: &LogWriter) -> Result<(), StartError> {
    let mut signals = Signals::listen()?;
    let registry = Registry::new();
    install_panic_hook(&registry);
    registry
        .gauge(
            &metric::BUILD_INFO,
            &[("version", env!("CARGO_PKG_VERSION"))],
        )
        .increment(1);
    let (sender, mut commands) = unbounded_channel();
    let mut builder = GenerationBuilder::new(registry.clone(), sender.clone());
    let first = builder.build(config, None)?;
    let reloader = Reloader::new(loaded_from, builder, sender, &first, &registry);
    let mut supervisor = Supervisor::start(first, &registry, log.level())?;
    let reload = reloader.start()?;
    systemd::ready();
    spawn_local(systemd::feed_watchdog());
    let mut dropped = pin!(report_dropped_log_lines(&registry, log));
    loop {
        tokio::select! {
            () = supervisor.accept() => {}
            () = &mut dropped => {}
            Some(command) = commands.recv() => supervisor.handle(command),
            signal = signals.next() => match signal {
                ProcessSignal::Reload => reload.request(),
                ProcessSignal::Shutdown => break,
            },
        }
    }
    tokio::select! {
        () = supervisor.shutdown(&mut signals) => {}
        () = &mut dropped => {}
    }
    Ok(())
}

/// Waits for requests in flight and terminates those that take longer than `limit`.
/// A second signal terminates them at once.
async fn drain(workers: &Workers, signals: &mut Signals, phase: Phase, limit: Duration) {
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    info!(
        limit_ms,
        connections = workers.load(),
        second_signal = "stops at once",
        "draining"
    );
    workers.advance_drain(phase);
    let mut result = wait_for_workers(workers, signals, limit).await;
    if result == DrainResult::TimedOut {
        workers.advance_drain(Phase::Terminating);
        result = wait_for_workers(workers, signals, TERMINATION_TIMEOUT).await;
    }
    if result == DrainResult::Forced {
        workers.advance_drain(Phase::Terminating);
        wait_for_workers(workers, signals, FORCED_TERMINATION_TIMEOUT).await;
    }
    info!(
        end = result.label(),
        connections = workers.load(),
        "stopped"
    );
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DrainResult {
    /// All requests have ended.
    Empty,
    TimedOut,
    /// By a second signal.
    Forced,
}

impl DrainResult {
    fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TimedOut => "timed_out",
            Self::Forced => "forced",
        }
    }
}

async fn wait_for_workers(
    workers: &Workers,
    signals: &mut Signals,
    limit: Duration,
) -> DrainResult {
    tokio::select! {
        () = workers.finished() => DrainResult::Empty,
        () = signals.shutdown() => DrainResult::Forced,
        () = sleep(limit) => DrainResult::TimedOut,
    }
}

async fn report_dropped_log_lines(registry: &Registry, log: &LogWriter) {
    let dropped = registry.counter(&metric::LOG_LINES_DROPPED, &[]);
    let mut interval = interval(LOG_CHECK_INTERVAL);
    loop {
        interval.tick().await;
        log.report_dropped(&dropped);
    }
}

/// Counts panics and logs their location, but not their message, which may contain
/// request data.
pub fn install_panic_hook(registry: &Registry) {
    let panics = registry.counter(&metric::PANICS, &[]);
    std::panic::set_hook(Box::new(move |info| {
        panics.increment(1);
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        error!(location, "panic");
    }));
}
