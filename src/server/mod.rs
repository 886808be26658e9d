//! Listeners, connections, routes, and the way from start to shutdown.
//!
//! One thread accepts callers and hands each to the worker that has the
//! fewest; it also keeps the admin listener, the demo model and the signals.
//! Every worker is a thread with a runtime of its own, so that nothing on a
//! request's way is shared between cores.

use std::cell::Cell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::task::spawn_local;
use tokio::time::{interval, sleep};
use tracing::{error, info, warn};

use crate::catalog::wants_demo;
use crate::config::Config;
use crate::executor::apart;
use crate::proxy::Snapshot;
use crate::proxy::curfew::Phase;
use crate::secret::Secret;
use crate::telemetry::log::{self, LogWriter};
use crate::telemetry::metric::{self, Registry};
use crate::{gateway, upstream};

mod accept;
mod admin;
mod answer;
mod conn;
mod cors;
mod demo;
mod describe;
mod host;
mod listen;
mod models;
mod notify;
mod pace;
mod page;
mod router;
mod shutdown;
mod site;
mod status;
mod vigil;
mod worker;

use accept::Workers;
use admin::Admin;
use shutdown::Signals;

/// Between two looks whether log lines were lost.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How long streams that were told to end get to tell their callers.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why the gateway did not start.
#[derive(Debug, Error)]
enum StartError {
    #[error("cannot listen on {0}: {1}. Is it in use? Set server.listen or --listen.")]
    Listen(std::net::SocketAddr, io::Error),
    #[error("cannot listen on {0}: {1}. Set admin.listen, or \"off\".")]
    ListenAdmin(std::net::SocketAddr, io::Error),
    #[error("cannot start the demo model: {0}")]
    Demo(String),
    #[error("{0}")]
    Build(#[from] upstream::BuildError),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Serves until a signal ends it.
#[must_use]
pub fn run(config: Config) -> ExitCode {
    let log = log::start(&config.log);
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(StartError::from)
        .and_then(|runtime| runtime.block_on(serve(config, &log)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            error!(%fault, "did not start");
            ExitCode::FAILURE
        }
    }
}

async fn serve(mut config: Config, log: &LogWriter) -> Result<(), StartError> {
    let mut signals = Signals::listen()?;
    let registry = Registry::new();
    count_panics(&registry);
    registry
        .gauge(
            &metric::BUILD_INFO,
            &[("version", env!("CARGO_PKG_VERSION"))],
        )
        .increment(1);
    for warning in &config.warnings {
        warn!(warning = warning.as_str(), "config");
    }
    if wants_demo(&config) {
        start_demo(&mut config).await?;
    }
    let snapshot = gateway::build(&config, &registry)?;
    let listen = config.server.listen;
    let listener = listen::bind(listen).map_err(|error| StartError::Listen(listen, error))?;
    let admin = start_admin(&config, &registry)?;
    let workers = Workers::start(&config, &registry, &snapshot)?;
    announce(&listener, admin.address, &snapshot)?;
    notify::ready();
    spawn_local(notify::feed_watchdog());
    let drain_timeout = config.server.drain_timeout;
    // All of it that is still needed has been copied.
    drop(config);
    tokio::select! {
        () = workers.accept(listener) => {}
        () = upkeep(&registry, log) => {}
        () = signals.next() => {}
    }
    admin.state.ready.set(false);
    notify::stopping(drain_timeout + LAST_WORDS);
    tokio::select! {
        () = drain(&workers, &mut signals, drain_timeout) => {}
        () = upkeep(&registry, log) => {}
    }
    Ok(())
}

async fn start_demo(config: &mut Config) -> Result<(), StartError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| StartError::Demo(error.to_string()))?;
    let key = Secret::new(URL_SAFE_NO_PAD.encode(random));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    gateway::offer_demo(config, listener.local_addr()?, key.clone())
        .map_err(|error| StartError::Demo(error.to_string()))?;
    spawn_local(demo::serve(listener, key));
    Ok(())
}

/// The admin listener, running.
struct RunningAdmin {
    state: Rc<Admin>,
    address: Option<std::net::SocketAddr>,
}

fn start_admin(config: &Config, registry: &Registry) -> Result<RunningAdmin, StartError> {
    let state = Rc::new(Admin {
        registry: registry.clone(),
        config: apart(|| describe::config(config).to_string()).into(),
        ready: Cell::new(true),
    });
    let mut address = None;
    if let Some(listen) = config.admin.listen {
        let listener =
            listen::bind(listen).map_err(|error| StartError::ListenAdmin(listen, error))?;
        address = Some(listener.local_addr()?);
        spawn_local(admin::serve(listener, Rc::clone(&state)));
    }
    Ok(RunningAdmin { state, address })
}

fn announce(
    listener: &TcpListener,
    admin: Option<std::net::SocketAddr>,
    snapshot: &Snapshot,
) -> io::Result<()> {
    let ready = snapshot.catalog.ready();
    let models: Vec<&str> = ready.iter().map(|model| &*model.label).collect();
    info!(
        listen = %listener.local_addr()?,
        admin = admin.map_or_else(|| "off".to_owned(), |address| address.to_string()),
        models = models.join(","),
        open = snapshot.gate.is_open(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    Ok(())
}

/// Lets requests in flight finish, tells those that take too long to end, and
/// gives up at a second signal.
async fn drain(workers: &Workers, signals: &mut Signals, limit: Duration) {
    let limit_s = limit.as_secs();
    info!(limit_s, connections = workers.load(), "draining");
    workers.ring(Phase::Draining);
    let mut end = wait_for_workers(workers, signals, limit).await;
    if end == Drained::Late {
        workers.ring(Phase::Expired);
        end = wait_for_workers(workers, signals, LAST_WORDS).await;
    }
    info!(?end, connections = workers.load(), "stopped");
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

async fn wait_for_workers(workers: &Workers, signals: &mut Signals, limit: Duration) -> Drained {
    tokio::select! {
        () = workers.finished() => Drained::Empty,
        () = signals.next() => Drained::Forced,
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
fn count_panics(registry: &Registry) {
    let panics = registry.counter(&metric::PANICS, &[]);
    std::panic::set_hook(Box::new(move |info| {
        panics.increment(1);
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "a task failed; this is a bug");
    }));
}
