//! What the thread that accepts keeps: the workers and the two listeners.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;
use tracing::{info, warn};

use super::build::{Prepared, Settings};
use super::discovery::Discovery;
use super::health_checks::Checkups;
use super::signals::Signals;
use super::{LAST_WORDS, Order, StartError, Workers, drain, rlimit, systemd};
use crate::admin;
use crate::admin::Admin;
use crate::config::Listen;
use crate::demo;
use crate::drain::Phase;
use crate::server::listener::Listener;
use crate::telemetry::log::Level;
use crate::telemetry::metric::Registry;
use crate::telemetry::trace::{LAST_EXPORT, Tracer};

/// How long callers get to finish the handshakes that they have begun at a
/// listener that is to be closed. Less than the second after which those that
/// are turned away try again.
const HANDSHAKES: Duration = Duration::from_millis(500);

/// The side of the gateway that callers and operators meet.
#[derive(Debug)]
pub struct Front {
    workers: Workers,
    listener: Listener,
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
    pub fn open(first: Prepared, registry: &Registry, log: &Level) -> Result<Self, StartError> {
        let settings = first.settings.clone();
        rlimit::raise_limit(settings.max_connections);
        let mut listener = bind(&settings.listen, settings.reuse_port)?;
        let admin = Rc::new(Admin {
            registry: registry.clone(),
            config: RefCell::new(first.shown.clone()),
            log: log.clone(),
            hosts: RefCell::new(first.admin_hosts.clone()),
            ready: Cell::new(true),
        });
        let bind_admin = |place| bind_admin(place, settings.reuse_port);
        let mut admin_listener = settings.admin.as_ref().map(bind_admin).transpose()?;
        let places = (
            listener.place()?,
            admin_listener.as_ref().map(Listener::place).transpose()?,
        );
        let announcement = Announcement::of(&first);
        let mut checkups = Checkups::new(registry);
        checkups.follow(&first.snapshot);
        let mut discovery = Discovery::new(registry);
        discovery.follow(&first.snapshot);
        let tracer = first.snapshot.tracer.clone();
        let workers = Workers::start(first.into_server(), registry)?;
        publish(Some(&mut listener), admin_listener.as_mut())?;
        announcement.make(places);
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
    pub async fn accept(&self) {
        self.workers.accept(&self.listener).await;
    }

    /// Does what the thread that reloads asks for.
    pub fn obey(&mut self, order: Order) {
        match order {
            Order::HostDemo(listener, key) => {
                // It was made for this runtime.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
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
        let shared = |place| reuse_port || self.listens_at(place);
        let listener = moves.then(|| bind(&settings.listen, shared(&settings.listen)));
        let mut listener = listener.transpose()?;
        let moves_admin = settings.admin != self.settings.admin;
        let wanted = settings.admin.as_ref().filter(|_| moves_admin);
        let admin_listener = wanted.map(|place| bind_admin(place, shared(place)));
        let mut admin_listener = admin_listener.transpose()?;
        publish(listener.as_mut(), admin_listener.as_mut())?;
        self.admin.config.replace(std::mem::take(&mut next.shown));
        self.checkups.follow(&next.snapshot);
        self.discovery.follow(&next.snapshot);
        self.admin.hosts.replace(next.admin_hosts.clone());
        self.admin.log.configure(settings.log_level);
        self.tracer.clone_from(&next.snapshot.tracer);
        self.workers.succeed(next.into_server());
        if let Some(listener) = listener {
            self.replace(listener);
        }
        if moves_admin {
            self.replace_admin(admin_listener);
        }
        self.settings = settings;
        Ok(())
    }

    /// True for a socket's path at which we listen already.
    fn listens_at(&self, place: &Listen) -> bool {
        let Settings { listen, admin, .. } = &self.settings;
        let ours = [Some(listen), admin.as_ref()];
        let mut ours = ours.into_iter().flatten().filter_map(Listen::path);
        place.path().is_some_and(|path| ours.any(|our| our == path))
    }

    fn replace(&mut self, listener: Listener) {
        if let Ok(place) = listener.place() {
            info!(listen = %place, "callers are now awaited here");
        }
        let old = std::mem::replace(&mut self.listener, listener);
        close(&self.workers, old);
    }

    fn replace_admin(&mut self, listener: Option<Listener>) {
        if let Some(old) = self.admin_task.take() {
            old.abort();
        }
        if let Some(Ok(place)) = listener.as_ref().map(Listener::place) {
            info!(admin = %place, "operators are now awaited here");
        }
        self.admin_task = listener.map(|listener| serve_admin(listener, &self.admin));
    }

    /// Says that it is not ready, serves on until that can be known everywhere,
    /// then takes nobody in any more and lets those who are in finish.
    pub async fn shut(mut self, signals: &mut Signals) {
        self.admin.ready.set(false);
        if self.settings.reuse_port {
            // Operators are to meet the process that takes over.
            self.replace_admin(None);
        }
        let (delay, limit) = (self.settings.drain_delay, self.settings.drain_timeout);
        let export = self.tracer.as_ref().map_or(Duration::ZERO, |_| LAST_EXPORT);
        let rest = LAST_WORDS + export;
        systemd::stopping(delay.saturating_add(limit).saturating_add(rest));
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
        if let Err(error) = self.listener.shun() {
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

    fn make(self, (listen, admin): (Listen, Option<Listen>)) {
        info!(
            %listen,
            admin = admin.map_or_else(|| "off".to_owned(), |place| place.to_string()),
            models = self.models,
            open = self.open,
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
    }
}

fn serve_admin(listener: Listener, admin: &Rc<Admin>) -> AbortHandle {
    spawn_local(admin::serve(listener, Rc::clone(admin))).abort_handle()
}

/// Closes a listener without loss of those who wait at it.
fn close(workers: &Workers, listener: Listener) {
    if let Err(error) = workers.empty(listener) {
        warn!(%error, "cannot accept");
    }
}

fn bind(place: &Listen, shared: bool) -> Result<Listener, StartError> {
    Listener::bind(place, shared).map_err(|error| StartError::Listen(place.clone(), error))
}

fn bind_admin(place: &Listen, shared: bool) -> Result<Listener, StartError> {
    Listener::bind(place, shared).map_err(|error| StartError::ListenAdmin(place.clone(), error))
}

/// Lets sockets be found at their paths. The last step, since from here on
/// others who listened there are met no more.
fn publish(listener: Option<&mut Listener>, admin: Option<&mut Listener>) -> io::Result<()> {
    let mut both = listener.into_iter().chain(admin);
    both.try_for_each(Listener::publish)
}
