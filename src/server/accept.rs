//! Accepts connections and dispatches each to the worker with the fewest.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::{Sender, channel};
use tokio::task::spawn_local;
use tokio::time::sleep;
use tracing::warn;

use super::ServerGeneration;
use super::listener::Listener;
use super::log_limiter::LogLimiter;
use super::overflow::Overflow;
use super::socket::DetachedSocket;
use super::worker::WorkerHandle;
use super::worker_pool::WorkerPool;
use crate::descriptors;
use crate::drain::Phase;
use crate::permits::Permit;
use crate::telemetry::metric::Registry;

/// How often [`Workers::finished`] checks the threads.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Connections over the limit that wait until there is room for them or they are
/// refused; further ones wait in the backlog. Few: each takes a descriptor of the reserve.
const MAX_WAITING: usize = 4;

/// All workers, and the connections that wait for one to have room.
#[derive(Debug)]
pub struct Workers {
    pool: Rc<WorkerPool>,
    waiting: Sender<DetachedSocket>,
    accept_errors: LogLimiter,
}

impl Workers {
    /// Must be called on the thread that accepts.
    pub fn start(first: ServerGeneration, registry: &Registry) -> io::Result<Self> {
        let pool = Rc::new(WorkerPool::start(first, registry)?);
        let (waiting, sockets) = channel(MAX_WAITING);
        let overflow = Overflow::new(Rc::clone(&pool), registry);
        spawn_local(overflow.run(sockets));
        Ok(Self {
            pool,
            waiting,
            accept_errors: LogLimiter::default(),
        })
    }

    /// New requests are served from `next`; those in flight keep their snapshot.
    pub fn reconfigure(&self, next: ServerGeneration) {
        self.pool.reconfigure(next);
    }

    /// Closes a listener and serves the connections in its backlog, which closing
    /// would reset. They are served even without a permit, since no backlog is left
    /// for them to wait in.
    pub fn drain_backlog(&self, listener: Listener) -> io::Result<()> {
        listener.drain_backlog(|socket| {
            let permit = self.pool.semaphore.try_acquire();
            self.pool.dispatch(socket, permit);
        })
    }

    /// Accepts until it is dropped.
    pub async fn accept(&self, listener: &Listener) {
        // Reserved before a connection is accepted, so that dropping this loses none.
        while let Ok(waiting) = self.waiting.reserve().await {
            let evict_one = || self.evict_one();
            let socket = listener.accept_with_backoff(&self.accept_errors, evict_one);
            match socket.await.detach() {
                Ok(socket) => {
                    if let Some(permit) = self.permit_at_once(&socket) {
                        self.pool.dispatch(socket, Some(permit));
                    } else {
                        self.pool.is_overflowing.set(true);
                        waiting.send(socket);
                    }
                }
                Err(error) => warn!(%error, "cannot accept"),
            }
        }
    }

    fn permit_at_once(&self, socket: &DetachedSocket) -> Option<Permit> {
        let must_wait = self.pool.is_overflowing.get() || descriptors::is_short_for_client(socket);
        if must_wait {
            return None;
        }
        self.pool.semaphore.try_acquire()
    }

    fn evict_one(&self) {
        let pool = Rc::clone(&self.pool);
        spawn_local(async move {
            pool.evict_longest_idle(1).await;
        });
    }

    /// Open connections.
    pub fn load(&self) -> usize {
        self.pool.handles.iter().map(WorkerHandle::load).sum()
    }

    pub fn advance_drain(&self, phase: Phase) {
        for worker in &self.pool.handles {
            worker.advance_drain(phase);
        }
    }

    /// Waits until every worker thread has ended.
    pub async fn finished(&self) {
        while !self.pool.handles.iter().all(WorkerHandle::is_finished) {
            sleep(POLL_INTERVAL).await;
        }
    }
}
