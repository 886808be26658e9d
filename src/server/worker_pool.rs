//! The workers, as the control thread sees them: dispatch, and the limit on their
//! connections.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use metrics::Gauge;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use super::ServerGeneration;
use super::connection_table::IdleSince;
use super::socket::DetachedSocket;
use super::worker::WorkerHandle;
use crate::permits::{Permit, ResizableSemaphore};
use crate::telemetry::metric::{self, Registry};

/// Time for a worker to report on its connections. One that takes longer is skipped.
const REPORT_TIMEOUT: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct WorkerPool {
    pub handles: Vec<WorkerHandle>,
    pub semaphore: Arc<ResizableSemaphore>,
    pub max_connections: Cell<usize>,
    /// True while connections wait for room: later ones queue behind them.
    pub is_overflowing: Cell<bool>,
    /// Whether TCP clients must speak TLS.
    pub tls: Cell<bool>,
    write_timeout: Cell<Duration>,
    open_connections: Gauge,
}

impl WorkerPool {
    pub fn start(first: ServerGeneration, registry: &Registry) -> io::Result<Self> {
        let tls = first.requires_tls();
        let contexts = first.contexts.into_iter().enumerate();
        let handles = contexts.map(|(index, context)| {
            WorkerHandle::start(index, Arc::clone(&first.snapshot), context)
        });
        Ok(Self {
            handles: handles.collect::<io::Result<_>>()?,
            semaphore: ResizableSemaphore::new(first.max_connections),
            max_connections: Cell::new(first.max_connections),
            is_overflowing: Cell::new(false),
            tls: Cell::new(tls),
            write_timeout: Cell::new(first.write_timeout),
            open_connections: registry.gauge(&metric::CONNECTIONS, &[]),
        })
    }

    pub fn reconfigure(&self, next: ServerGeneration) {
        next.snapshot.apply_limits();
        self.tls.set(next.requires_tls());
        self.write_timeout.set(next.write_timeout);
        self.max_connections.set(next.max_connections);
        self.semaphore.resize(next.max_connections);
        for (worker, context) in self.handles.iter().zip(next.contexts) {
            worker.reconfigure(Arc::clone(&next.snapshot), context);
        }
    }

    pub fn dispatch(&self, socket: DetachedSocket, permit: Option<Permit>) {
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

    /// Closes the `count` connections of all workers that are idle longest; returns how
    /// many are closed.
    pub async fn evict_longest_idle(&self, count: usize) -> usize {
        let reports = self.ask_workers(|worker, sender| worker.report_idle(count, sender));
        let mut idle: Vec<IdleSince> = reports.await.into_iter().flatten().collect();
        idle.sort_unstable();
        idle.truncate(count);
        let Some(&last) = idle.last() else {
            return 0;
        };
        let evicted = self.ask_workers(|worker, sender| worker.evict_idle(last, sender));
        evicted.await.into_iter().sum()
    }

    /// Sends a command to all workers at once, and collects the results.
    async fn ask_workers<T>(&self, ask: impl Fn(&WorkerHandle, oneshot::Sender<T>)) -> Vec<T> {
        let mut receivers = Vec::with_capacity(self.handles.len());
        for worker in &self.handles {
            let (sender, receiver) = oneshot::channel();
            ask(worker, sender);
            receivers.push(receiver);
        }
        let mut results = Vec::with_capacity(receivers.len());
        for receiver in receivers {
            if let Ok(Ok(result)) = timeout(REPORT_TIMEOUT, receiver).await {
                results.push(result);
            }
        }
        results
    }
}
