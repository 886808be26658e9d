//! What the thread that accepts keeps: the workers and the two listeners.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;
use tracing::{info, warn};

use super::admin::{self, Admin};
use super::checkups::Checkups;
use super::discovery::Discovery;
use super::prepare::{Prepared, Settings};
use super::shutdown::Signals;
use super::{LAST_WORDS, Order, StartError, Workers, demo, descriptors, drain, listen, notify};
use crate::proxy::curfew::Phase;
use crate::telemetry::log::Level;
use crate::telemetry::metric::Registry;
use crate::telemetry::trace::{LAST_EXPORT, Tracer};

/// How long callers get to finish the handshakes that they have begun at a
/// listener that is to be closed. Less than the second after which those that
/// are turned away try again.
const HANDSHAKES: Duration = Duration::from_millis(500);

/// The side of the gateway that callers and operators meet.
#[derive(Debug)]
pub(super) struct Front {
    workers: Workers,
    listener: TcpListener,
    admin: Rc<Admin>,
    /// Ends the admin listener, if there is one.
    admin_task: Option<AbortHandle>,
    checkups: Checkups,
    discovery: Discovery,
    tracer: Option<Arc<Tracer>>,
    settings: Settings,
}

impl Front {
    /// Opens both listeners and starts the workers.
    pub(super) fn open(
        first: Prepared,
        registry: &Registry,
        log: &Level,
    ) -> Result<Self, StartError> {
        let settings = first.settings.clone();
        descriptors::raise_limit(settings.max_connections);
        let listener = bind(settings.listen, settings.reuse_port)?;
        let admin = Rc::new(Admin {
            registry: registry.clone(),
            config: RefCell::new(first.shown.clone()),
            log: log.clone(),
            hosts: RefCell::new(first.admin_hosts.clone()),
            ready: Cell::new(true),
        });
        let bind_admin = |address| bind_admin(address, settings.reuse_port);
        let admin_listener = settings.admin.map(bind_admin).transpose()?;
        let addresses = (
            local(&listener)?,
            admin_listener.as_ref().map(local).transpose()?,
        );
        let announcement = Announcement::of(&first);
        let mut checkups = Checkups::new(registry);
        checkups.follow(&first.snapshot);
        let mut discovery = Discovery::new(registry);
        discovery.follow(&first.snapshot);
        let tracer = first.snapshot.tracer.clone();
        let workers = Workers::start(first, registry)?;
        announcement.make(addresses);
        Ok(Self {
            workers,
            listener,
            admin_task: admin_listener.map(|listener| serve_admin(listener, &admin)),
            admin,
            checkups,
            discovery,
            tracer,
            settings,
        })
    }

    /// Accepts callers until it is dropped.
    pub(super) async fn accept(&self) {
        self.workers.accept(&self.listener).await;
    }

    /// Does what the thread that reloads asks for.
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::HostDemo(listener, key) => {
                // It was made for this runtime.
                if let Ok(listener) = TcpListener::from_std(listener) {
                    spawn_local(demo::serve(listener, key));
                }
            }
            Order::Adopt(next, reply) => {
                // Whoever asked waits for the answer.
                let _ = reply.send(self.adopt(*next));
            }
        }
    }

    /// Takes a generation into service. All that can fail comes first, so that
    /// it is taken whole or not at all.
    fn adopt(&mut self, mut next: Prepared) -> Result<(), StartError> {
        let reuse_port = self.settings.reuse_port;
        let settings = Settings {
            reuse_port,
            ..next.settings.clone()
        };
        let moves = settings.listen != self.settings.listen;
        let listener = moves.then(|| bind(settings.listen, reuse_port));
        let listener = listener.transpose()?;
        let moves_admin = settings.admin != self.settings.admin;
        let wanted = settings.admin.filter(|_| moves_admin);
        let admin_listener = wanted.map(|address| bind_admin(address, reuse_port));
        let admin_listener = admin_listener.transpose()?;
        self.admin.config.replace(std::mem::take(&mut next.shown));
        self.checkups.follow(&next.snapshot);
        self.discovery.follow(&next.snapshot);
        self.admin.hosts.replace(next.admin_hosts.clone());
        self.admin.log.configure(settings.log_level);
        self.tracer.clone_from(&next.snapshot.tracer);
        self.workers.succeed(next);
        if let Some(listener) = listener {
            self.replace(listener);
        }
        if moves_admin {
            self.replace_admin(admin_listener);
        }
        self.settings = settings;
        Ok(())
    }

    fn replace(&mut self, listener: TcpListener) {
        if let Ok(address) = local(&listener) {
            info!(listen = %address, "callers are now awaited here");
        }
        let old = std::mem::replace(&mut self.listener, listener);
        close(&self.workers, old);
    }

    fn replace_admin(&mut self, listener: Option<TcpListener>) {
        if let Some(old) = self.admin_task.take() {
            old.abort();
        }
        if let Some(Ok(address)) = listener.as_ref().map(local) {
            info!(admin = %address, "operators are now awaited here");
        }
        self.admin_task = listener.map(|listener| serve_admin(listener, &self.admin));
    }

    /// Says that it is not ready, serves on until that can be known everywhere,
    /// then takes nobody in any more and lets those who are in finish.
    pub(super) async fn shut(mut self, signals: &mut Signals) {
        self.admin.ready.set(false);
        if self.settings.reuse_port {
            // Operators are to meet the process that takes over.
            self.replace_admin(None);
        }
        let (delay, limit) = (self.settings.drain_delay, self.settings.drain_timeout);
        let export = self.tracer.as_ref().map_or(Duration::ZERO, |_| LAST_EXPORT);
        let rest = LAST_WORDS + export;
        notify::stopping(delay.saturating_add(limit).saturating_add(rest));
        if !delay.is_zero() {
            info!(delay_s = delay.as_secs_f64(), "not ready any more");
            tokio::select! {
                () = self.accept() => {}
                () = sleep(delay) => {}
                () = signals.end() => {}
            }
        }
        let phase = if self.settings.reuse_port {
            self.leave(signals).await;
            Phase::Parting
        } else {
            Phase::Draining
        };
        close(&self.workers, self.listener);
        drain(&self.workers, signals, phase, limit).await;
        export_last(self.tracer.as_deref(), signals).await;
    }

    /// Has new callers go to the process that takes over, and those who are
    /// here make their way to it.
    async fn leave(&self, signals: &mut Signals) {
        if let Err(error) = listen::shun(&self.listener) {
            warn!(%error, "callers who come now may be lost");
        }
        self.workers.ring(Phase::Leaving);
        tokio::select! {
            () = self.accept() => {}
            () = sleep(HANDSHAKES) => {}
            () = signals.end() => {}
        }
    }
}

/// Gives the last spans their time.
async fn export_last(tracer: Option<&Tracer>, signals: &mut Signals) {
    let Some(tracer) = tracer else { return };
    tokio::select! {
        () = tracer.flush() => {}
        () = signals.end() => {}
    }
}

/// What is said of the start.
struct Announcement {
    models: String,
    open: bool,
}

impl Announcement {
    fn of(first: &Prepared) -> Self {
        let ready = first.snapshot.catalog.ready();
        let models: Vec<&str> = ready.iter().map(|model| &*model.label).collect();
        Self {
            models: models.join(","),
            open: first.snapshot.gate.is_open(),
        }
    }

    fn make(self, (listen, admin): (SocketAddr, Option<SocketAddr>)) {
        info!(
            %listen,
            admin = admin.map_or_else(|| "off".to_owned(), |address| address.to_string()),
            models = self.models,
            open = self.open,
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
}

fn serve_admin(listener: TcpListener, admin: &Rc<Admin>) -> AbortHandle {
    spawn_local(admin::serve(listener, Rc::clone(admin))).abort_handle()
}

/// Closes a listener without loss of those who wait at it.
fn close(workers: &Workers, listener: TcpListener) {
    if let Err(error) = workers.empty(listener) {
        warn!(%error, "cannot accept");
    }
}

fn bind(address: SocketAddr, shared: bool) -> Result<TcpListener, StartError> {
    listen::bind(address, shared).map_err(|error| StartError::Listen(address, error))
}

fn bind_admin(address: SocketAddr, shared: bool) -> Result<TcpListener, StartError> {
    listen::bind(address, shared).map_err(|error| StartError::ListenAdmin(address, error))
}

fn local(listener: &TcpListener) -> io::Result<SocketAddr> {
    listener.local_addr()
}
