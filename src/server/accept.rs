//! Takes callers in and hands each to the worker that has the fewest.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::ServerGeneration;
use super::listener::Listener;
use super::socket::{Caller, Detached};
use super::worker::Handle;
use crate::drain::Phase;
use crate::permits::{Place, Places};
use crate::telemetry::metric::{self, Counter, Gauge, Registry};

/// Pause after the system refused to hand out a connection (too many open
/// files, most likely).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Between two looks whether the workers have finished.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All workers.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    write_timeout: Cell<Duration>,
    places: Arc<Places>,
    full: Counter,
    open: Gauge,
}

impl Workers {
    /// Starts them with their first generation.
    pub fn start(first: ServerGeneration, registry: &Registry) -> io::Result<Self> {
        let sites = first.contexts.into_iter().enumerate();
        let handles =
            sites.map(|(index, site)| Handle::start(index, Arc::clone(&first.snapshot), site));
        Ok(Self {
            handles: handles.collect::<io::Result<_>>()?,
            write_timeout: Cell::new(first.write_timeout),
            places: Places::new(first.max_connections),
            full: registry.counter(&metric::SHED, &[("reason", "connections")]),
            open: registry.gauge(&metric::CONNECTIONS, &[]),
        })
    }

    /// Goes over to the next generation, for requests that begin from now on.
    pub fn succeed(&self, next: ServerGeneration) {
        next.snapshot.enact();
        self.write_timeout.set(next.write_timeout);
        self.places.resize(next.max_connections);
        for (worker, site) in self.handles.iter().zip(next.contexts) {
            worker.succeed(Arc::clone(&next.snapshot), site);
        }
    }

    /// Takes in those who wait in the system's queue at a listener that is to
    /// be closed, which would break their connections. They get in even when
    /// there are no places left: there is nowhere else for them to wait.
    pub fn empty(&self, listener: Listener) -> io::Result<()> {
        listener.empty(|caller| self.hand_out(caller, self.places.try_take()))
    }

    /// Accepts until it is dropped.
    pub async fn accept(&self, listener: &Listener) {
        loop {
            let place = self.place().await;
            match listener.accept().await.and_then(Caller::detach) {
                Ok(caller) => self.hand_out(caller, Some(place)),
                Err(error) => {
                    warn!(%error, "cannot accept");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// A place among the connections. While there is none, callers wait in the
    /// system's queue.
    async fn place(&self) -> Place {
        if let Some(place) = self.places.try_take() {
            return place;
        }
        self.full.increment(1);
        self.places.take().await
    }

    fn hand_out(&self, caller: Detached, place: Option<Place>) {
        // A peer that is gone already fails here.
        if let Err(error) = caller.tune(self.write_timeout.get()) {
            warn!(%error, "lost a connection");
        } else if let Some(worker) = self.idlest() {
            worker.serve(caller, place, self.open.clone());
        }
    }

    fn idlest(&self) -> Option<&Handle> {
        let alive = self.handles.iter().filter(|worker| !worker.is_finished());
        alive.min_by_key(|worker| worker.load())
    }

    /// Connections open.
    pub fn load(&self) -> usize {
        self.handles.iter().map(Handle::load).sum()
    }

    /// Tells all how far the shutdown has come.
    pub fn ring(&self, phase: Phase) {
        for worker in &self.handles {
            worker.ring(phase);
        }
    }

    /// Waits until all have finished.
    pub async fn finished(&self) {
        while !self.handles.iter().all(Handle::is_finished) {
            sleep(LOOK_AGAIN).await;
        }
    }
}
