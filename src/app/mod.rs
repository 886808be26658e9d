//! Listeners, connections, routes, and the way from start to shutdown.
//!
//! One thread accepts callers and hands each to the worker that has the
//! fewest; it also keeps the admin listener, the demo model and the signals.
//! Every worker is a thread with a runtime of its own, so that nothing on a
//! request's way is shared between cores.

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

use crate::config::{Config, Listen, Origin};
use crate::drain::Phase;
use crate::secret::Secret;
use crate::snapshot;
use crate::telemetry::log::{self, LogWriter};
use crate::telemetry::metric::{self, Registry};

mod build;
mod discovery;
mod health_checks;
mod reload;
mod rlimit;
mod signals;
mod supervisor;
mod systemd;

#[cfg(test)]
pub mod test_support;
#[cfg(test)]
mod tests;

use crate::server::accept::Workers;
use build::{Prepared, Preparer};
use reload::Reloader;
use signals::{Signals, Told};
use supervisor::Front;

/// Between two looks whether log lines were lost.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How long streams that were told to end get to tell their callers.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why the gateway did not start.
#[derive(Debug, Error)]
enum StartError {
    #[error("cannot listen on {0}: {1}. Is it in use? Set server.listen or --listen.")]
    Listen(Listen, io::Error),
    #[error("cannot listen on {0}: {1}. Set admin.listen, or \"off\".")]
    ListenAdmin(Listen, io::Error),
    #[error("cannot start the demo model: {0}")]
    Demo(String),
    #[error("{0}")]
    Build(#[from] snapshot::Error),
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the gateway is shutting down")]
    ShuttingDown,
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// What the thread that accepts is told by the one that reloads.
#[derive(Debug)]
enum Order {
    /// Serve the demo model.
    HostDemo(std::net::TcpListener, Secret),
    /// Take a generation into service, and say whether that went well.
    Adopt(
        Box<Prepared>,
        std::sync::mpsc::Sender<Result<(), StartError>>,
    ),
}

/// Serves until a signal ends it. `origin` is where `config` came from.
#[must_use]
pub fn run(config: Config, origin: Origin) -> ExitCode {
    let log = log::start(&config.log);
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(StartError::from)
        .and_then(|runtime| runtime.block_on(serve(config, origin, &log)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            error!(error = %fault, "did not start");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config, origin: Origin, log: &LogWriter) -> Result<(), StartError> {
    let mut signals = Signals::listen()?;
    let registry = Registry::new();
    count_panics(&registry);
    registry
        .gauge(
            &metric::BUILD_INFO,
            &[("version", env!("CARGO_PKG_VERSION"))],
        )
        .increment(1);
    let (orders, mut received) = unbounded_channel();
    let mut preparer = Preparer::new(registry.clone(), orders.clone());
    let first = preparer.prepare(config, None)?;
    let reloader = Reloader::new(origin, preparer, orders, &first, &registry);
    let mut front = Front::open(first, &registry, log.level())?;
    let knocker = reloader.start()?;
    systemd::ready();
    spawn_local(systemd::feed_watchdog());
    let mut upkeep = pin!(upkeep(&registry, log));
    loop {
        tokio::select! {
            () = front.accept() => {}
            () = &mut upkeep => {}
            Some(order) = received.recv() => front.obey(order),
            told = signals.next() => match told {
                Told::Reload => knocker.knock(),
                Told::End => break,
            },
        }
    }
    tokio::select! {
        () = front.shut(&mut signals) => {}
        () = &mut upkeep => {}
    }
    Ok(())
}

/// Lets requests in flight finish, tells those that take too long to end, and
/// gives up at a second signal.
async fn drain(workers: &Workers, signals: &mut Signals, phase: Phase, limit: Duration) {
    let limit_ms = limit.as_millis();
    info!(limit_ms, connections = workers.load(), "draining");
    workers.ring(phase);
    let mut end = wait_for_workers(workers, signals, limit).await;
    if end == Drained::Late {
        workers.ring(Phase::Expired);
        end = wait_for_workers(workers, signals, LAST_WORDS).await;
    }
    info!(end = end.label(), connections = workers.load(), "stopped");
}

/// How waiting for the workers ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// Nothing was in flight any more.
    Empty,
    /// The time was over.
    Late,
    /// A further signal came.
    Forced,
}

impl Drained {
    fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Late => "late",
            Self::Forced => "forced",
        }
    }
}

async fn wait_for_workers(workers: &Workers, signals: &mut Signals, limit: Duration) -> Drained {
    tokio::select! {
        () = workers.finished() => Drained::Empty,
        () = signals.end() => Drained::Forced,
        () = sleep(limit) => Drained::Late,
    }
}

/// Runs for ever.
async fn upkeep(registry: &Registry, log: &LogWriter) {
    let lost = registry.counter(&metric::LOG_LINES_LOST, &[]);
    let mut round = interval(UPKEEP_EVERY);
    loop {
        round.tick().await;
        log.report_lost(&lost);
    }
}

/// Counts a panic and says where it was, but not what it said: that could be
/// a caller's words.
pub fn count_panics(registry: &Registry) {
    let panics = registry.counter(&metric::PANICS, &[]);
    std::panic::set_hook(Box::new(move |info| {
        panics.increment(1);
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "a task failed; this is a bug");
    }));
}
