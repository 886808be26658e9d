//! Accepts connections and dispatches each to the worker with the fewest.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge};
use tokio::time::sleep;
use tracing::warn;

use super::ServerGeneration;
use super::listener::Listener;
use super::socket::DetachedSocket;
use super::worker::WorkerHandle;
use crate::drain::Phase;
use crate::permits::{Permit, ResizableSemaphore};
use crate::telemetry::metric::label::shed_reason;
use crate::telemetry::metric::{self, Registry};

/// How often [`Workers::finished`] checks the threads.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// All workers, and the limit on their connections.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<WorkerHandle>,
    write_timeout: Cell<Duration>,
    semaphore: Arc<ResizableSemaphore>,
    connections_shed: Counter,
    open_connections: Gauge,
}

impl Workers {
    pub fn start(first: ServerGeneration, registry: &Registry) -> io::Result<Self> {
        let contexts = first.contexts.into_iter().enumerate();
        let handles = contexts.map(|(index, context)| {
            WorkerHandle::start(index, Arc::clone(&first.snapshot), context)
        });
        Ok(Self {
            handles: handles.collect::<io::Result<_>>()?,
            write_timeout: Cell::new(first.write_timeout),
            semaphore: ResizableSemaphore::new(first.max_connections),
            connections_shed: registry
                .counter(&metric::SHED, &[("reason", shed_reason::CONNECTIONS)]),
            open_connections: registry.gauge(&metric::CONNECTIONS, &[]),
        })
    }

    /// New requests are served from `next`; those in flight keep their snapshot.
    pub fn reconfigure(&self, next: ServerGeneration) {
        next.snapshot.apply_limits();
        self.write_timeout.set(next.write_timeout);
        self.semaphore.resize(next.max_connections);
        for (worker, context) in self.handles.iter().zip(next.contexts) {
            worker.reconfigure(Arc::clone(&next.snapshot), context);
        }
    }

    /// Closes a listener and serves the connections in its backlog, which closing
    /// would reset. They are served even without a permit, since no backlog is left
    /// for them to wait in.
    pub fn drain_backlog(&self, listener: Listener) -> io::Result<()> {
        listener.drain_backlog(|socket| self.dispatch(socket, self.semaphore.try_acquire()))
    }

    /// Accepts until it is dropped.
    pub async fn accept(&self, listener: &Listener) {
        loop {
            let permit = self.acquire_permit().await;
            match listener.accept_with_backoff().await.detach() {
                Ok(socket) => self.dispatch(socket, Some(permit)),
                Err(error) => warn!(%error, "cannot accept"),
            }
        }
    }

    /// While there is no permit, clients wait in the listener's backlog.
    async fn acquire_permit(&self) -> Permit {
        if let Some(permit) = self.semaphore.try_acquire() {
            return permit;
        }
        self.connections_shed.increment(1);
        self.semaphore.acquire().await
    }

    fn dispatch(&self, socket: DetachedSocket, permit: Option<Permit>) {
        // Fails if the peer is gone already.
        if let Err(error) = socket.configure(self.write_timeout.get()) {
            warn!(%error, "connection lost");
        } else if let Some(worker) = self.least_loaded() {
            worker.serve(socket, permit, self.open_connections.clone());
        }
    }

    fn least_loaded(&self) -> Option<&WorkerHandle> {
        let alive = self.handles.iter().filter(|worker| !worker.is_finished());
        alive.min_by_key(|worker| worker.load())
    }

    /// Open connections.
    pub fn load(&self) -> usize {
        self.handles.iter().map(WorkerHandle::load).sum()
    }

    pub fn advance_drain(&self, phase: Phase) {
        for worker in &self.handles {
            worker.advance_drain(phase);
        }
    }

    /// Waits until every worker thread has ended.
    pub async fn finished(&self) {
        while !self.handles.iter().all(WorkerHandle::is_finished) {
            sleep(POLL_INTERVAL).await;
        }
    }
}
