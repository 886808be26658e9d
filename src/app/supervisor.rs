//! The control thread's state: workers, listeners and background tasks.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;
use tracing::{info, warn};

use super::build::{Generation, ProcessSettings};
use super::discovery::DiscoveryTasks;
use super::health_checks::HealthChecks;
use super::signals::Signals;
use super::startup_summary::StartupSummary;
use super::{ControlCommand, StartError, TERMINATION_TIMEOUT, Workers, drain, rlimit, systemd};
use crate::admin::{self, Admin};
use crate::config::Listen;
use crate::demo;
use crate::drain::Phase;
use crate::ledger::{CLOSE_TIMEOUT, Ledger};
use crate::server::listener::Listener;
use crate::store_sync::{HAND_BACK_TIMEOUT, StoreSync};
use crate::telemetry::FLUSH_TIMEOUT;
use crate::telemetry::log::LogLevelControl;
use crate::telemetry::metric::Registry;
use crate::telemetry::metric_export::MetricExporter;
use crate::telemetry::trace::Tracer;

/// Time for TCP handshakes that have begun, before a shared listener is closed. Less
/// than the second after which rejected clients send their SYN again.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Supervisor {
    workers: Workers,
    listener: Listener,
    admin: Rc<Admin>,
    admin_task: Option<AbortHandle>,
    health_checks: HealthChecks,
    discovery: DiscoveryTasks,
    tracer: Option<Arc<Tracer>>,
    metric_exporter: Option<MetricExporter>,
    ledger: Option<Arc<Ledger>>,
    store: Option<Arc<StoreSync>>,
    settings: ProcessSettings,
}

impl Supervisor {
    /// Binds both listeners and starts the workers.
    pub fn start(
        first: Generation,
        registry: &Registry,
        log: &LogLevelControl,
    ) -> Result<Self, StartError> {
        let settings = first.settings.clone();
        rlimit::raise_descriptor_limit();
        let mut listener = bind(&settings.listen, settings.reuse_port)?;
        let admin = Admin::new(
            registry,
            log,
            &first.snapshot,
            first.config_dump.clone(),
            first.admin_access.clone(),
        );
        let bind_admin = |address| bind_admin(address, settings.reuse_port);
        let mut admin_listener = settings.admin.as_ref().map(bind_admin).transpose()?;
        let addresses = (
            listener.address()?,
            admin_listener.as_ref().map(Listener::address).transpose()?,
        );
        let summary = StartupSummary::from_generation(&first);
        let mut health_checks = HealthChecks::new(registry);
        health_checks.reconcile(&first.snapshot);
        let mut discovery = DiscoveryTasks::new(registry);
        discovery.reconcile(&first.snapshot);
        let tracer = first.snapshot.tracer.clone();
        let metric_exporter = start_export(&settings, registry)?;
        let (ledger, store) = (first.ledger.clone(), first.store.clone());
        if let Some(ledger) = &ledger {
            ledger.watch(&first.snapshot.client_limits);
        }
        let workers = Workers::start(first.into_server(), registry)?;
        publish(Some(&mut listener), admin_listener.as_mut())?;
        summary.log(&addresses.0, addresses.1.as_ref());
        Ok(Self {
            workers,
            listener,
            admin_task: admin_listener.map(|listener| serve_admin(listener, &admin)),
            admin,
            health_checks,
            discovery,
            tracer,
            metric_exporter,
            ledger,
            store,
            settings,
        })
    }

    /// Accepts connections until it is dropped.
    pub async fn accept(&self) {
        self.workers.accept(&self.listener).await;
    }

    pub fn handle(&mut self, command: ControlCommand) {
        match command {
            ControlCommand::ServeDemo(listener, key) => {
                // Fails only outside a runtime.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    spawn_local(demo::serve(listener, key));
                }
            }
            ControlCommand::Apply(next, result) => {
                // The reload thread waits for the result.
                let _ = result.send(self.apply(*next));
            }
        }
    }

    /// Switches to the next generation. Everything that can fail comes first, so that
    /// it is applied completely or not at all.
    fn apply(&mut self, mut next: Generation) -> Result<(), StartError> {
        let reuse_port = self.settings.reuse_port;
        let settings = ProcessSettings {
            reuse_port,
            ..next.settings.clone()
        };
        let listen_changed = settings.listen != self.settings.listen;
        let shared = |address| reuse_port || self.is_own_path(address);
        let listener = listen_changed.then(|| bind(&settings.listen, shared(&settings.listen)));
        let mut listener = listener.transpose()?;
        let admin_changed = settings.admin != self.settings.admin;
        let address = settings.admin.as_ref().filter(|_| admin_changed);
        let admin_listener = address.map(|address| bind_admin(address, shared(address)));
        let mut admin_listener = admin_listener.transpose()?;
        let export_changed = settings.metrics != self.settings.metrics;
        let exporter = export_changed.then(|| start_export(&settings, &self.admin.registry));
        let exporter = exporter.transpose()?;
        publish(listener.as_mut(), admin_listener.as_mut())?;
        let before = self.admin.snapshot();
        let client_limits = Arc::clone(&next.snapshot.client_limits);
        self.admin.show(&next.snapshot);
        self.admin
            .config
            .replace(std::mem::take(&mut next.config_dump));
        self.health_checks.reconcile(&next.snapshot);
        self.discovery.reconcile(&next.snapshot);
        self.admin.access.replace(next.admin_access.clone());
        self.admin.log.configure(settings.log_level);
        self.tracer.clone_from(&next.snapshot.tracer);
        if let Some(exporter) = exporter {
            self.metric_exporter = exporter;
        }
        self.record_usage_of(&next);
        self.share_limits_of(&next);
        self.workers.reconfigure(next.into_server());
        client_limits.wake_waiting(&before.client_limits);
        if let Some(listener) = listener {
            self.replace_listener(listener);
        }
        if admin_changed {
            self.replace_admin(admin_listener);
        }
        self.settings = settings;
        Ok(())
    }

    fn record_usage_of(&self, next: &Generation) {
        let Some(ledger) = &self.ledger else { return };
        ledger.watch(&next.snapshot.client_limits);
        if let Some(config) = &next.settings.ledger {
            ledger.set_retention(config.retention_days);
        }
    }

    /// A store that is no longer used is left once no request goes by it.
    fn share_limits_of(&mut self, next: &Generation) {
        if let (Some(store), Some(config)) = (&next.store, &next.settings.store) {
            store.configure(config);
        }
        self.store.clone_from(&next.store);
    }

    /// True for a Unix-domain socket path that this process already listens on.
    fn is_own_path(&self, address: &Listen) -> bool {
        let ProcessSettings { listen, admin, .. } = &self.settings;
        let addresses = [Some(listen), admin.as_ref()];
        let mut own = addresses.into_iter().flatten().filter_map(Listen::path);
        address
            .path()
            .is_some_and(|path| own.any(|own| own == path))
    }

    fn replace_listener(&mut self, listener: Listener) {
        if let Ok(address) = listener.address() {
            info!(listen = %address, "listening");
        }
        let old = std::mem::replace(&mut self.listener, listener);
        close(&self.workers, old);
    }

    fn replace_admin(&mut self, listener: Option<Listener>) {
        if let Some(old) = self.admin_task.take() {
            old.abort();
        }
        if let Some(Ok(address)) = listener.as_ref().map(Listener::address) {
            info!(admin = %address, "admin listening");
        }
        self.admin_task = listener.map(|listener| serve_admin(listener, &self.admin));
    }

    /// Sets readiness to false, serves on for `drain_delay` so that load balancers
    /// notice, then closes the listener and drains.
    pub async fn shutdown(mut self, signals: &mut Signals) {
        self.admin.ready.set(false);
        if self.settings.reuse_port {
            // Operators must reach the process that takes over.
            self.replace_admin(None);
        }
        let (delay, limit) = (self.settings.drain_delay, self.settings.drain_timeout);
        systemd::stopping(
            delay
                .saturating_add(limit)
                .saturating_add(self.end_timeout()),
        );
        if !delay.is_zero() {
            info!(delay_s = delay.as_secs_f64(), "readiness set to false");
            self.workers.advance_drain(Phase::NotReady);
            tokio::select! {
                () = self.accept() => {}
                () = sleep(delay) => {}
                () = signals.shutdown() => {}
            }
        }
        let phase = if self.settings.reuse_port {
            self.hand_over(signals).await;
            Phase::ClosingIdle
        } else {
            Phase::Draining
        };
        close(&self.workers, self.listener);
        drain(&self.workers, signals, phase, limit).await;
        close_stores(self.store.as_deref(), self.ledger.as_deref()).await;
        flush(self.tracer.as_deref(), self.metric_exporter, signals).await;
    }

    /// What may follow the drain.
    fn end_timeout(&self) -> Duration {
        let exports = self.tracer.is_some() || self.metric_exporter.is_some();
        let if_used = |used, timeout| if used { timeout } else { Duration::ZERO };
        TERMINATION_TIMEOUT
            + if_used(exports, FLUSH_TIMEOUT)
            + if_used(self.ledger.is_some(), CLOSE_TIMEOUT)
            + if_used(self.store.is_some(), HAND_BACK_TIMEOUT)
    }

    /// Directs new connections, and the clients of open ones, to the process that
    /// takes over.
    async fn hand_over(&self, signals: &mut Signals) {
        if let Err(error) = self.listener.reject_new() {
            warn!(%error, "may drop new connections");
        }
        self.workers.advance_drain(Phase::HandingOver);
        tokio::select! {
            () = self.accept() => {}
            () = sleep(HANDSHAKE_TIMEOUT) => {}
            () = signals.shutdown() => {}
        }
    }
}

/// Writes what the last requests used, and hands back what is leased. No signal cuts it
/// short.
async fn close_stores(store: Option<&StoreSync>, ledger: Option<&Ledger>) {
    let store = async {
        if let Some(store) = store {
            store.finish().await;
        }
    };
    let ledger = async {
        if let Some(ledger) = ledger {
            ledger.finish().await;
        }
    };
    tokio::join!(store, ledger);
}

/// Exports the last spans and metrics, up to [`FLUSH_TIMEOUT`].
async fn flush(
    tracer: Option<&Tracer>,
    metric_exporter: Option<MetricExporter>,
    signals: &mut Signals,
) {
    let spans = async {
        if let Some(tracer) = tracer {
            tracer.flush().await;
        }
    };
    let metrics = async {
        if let Some(exporter) = metric_exporter {
            exporter.finish().await;
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(spans, metrics) } => {}
        () = signals.shutdown() => {}
    }
}

fn start_export(
    settings: &ProcessSettings,
    registry: &Registry,
) -> Result<Option<MetricExporter>, StartError> {
    let exporter = settings.metrics.as_ref();
    let exporter = exporter.map(|config| MetricExporter::start(config, registry));
    exporter.transpose().map_err(StartError::Metrics)
}

fn serve_admin(listener: Listener, admin: &Rc<Admin>) -> AbortHandle {
    spawn_local(admin::serve(listener, Rc::clone(admin))).abort_handle()
}

/// Closes a listener and serves the connections in its backlog.
fn close(workers: &Workers, listener: Listener) {
    if let Err(error) = workers.drain_backlog(listener) {
        warn!(%error, "cannot accept");
    }
}

fn bind(address: &Listen, shared: bool) -> Result<Listener, StartError> {
    Listener::bind(address, shared).map_err(|error| StartError::Listen(address.clone(), error))
}

fn bind_admin(address: &Listen, shared: bool) -> Result<Listener, StartError> {
    Listener::bind(address, shared).map_err(|error| StartError::ListenAdmin(address.clone(), error))
}

/// Moves Unix-domain sockets to their paths. The last step that can fail: from then
/// on, clients no longer reach the processes that listened there.
fn publish(listener: Option<&mut Listener>, admin: Option<&mut Listener>) -> io::Result<()> {
    let mut both = listener.into_iter().chain(admin);
    both.try_for_each(Listener::publish)
}
