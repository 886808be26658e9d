//! Connections beyond `server.max_connections`: each takes the room of the connection
//! that is idle longest, as in nginx (`ngx_drain_connections`), or is refused.

use std::rc::Rc;
use std::time::Duration;

use metrics::Counter;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::log_limiter::LogLimiter;
use super::refusal::ConnectionRefusals;
use super::socket::DetachedSocket;
use super::worker_pool::WorkerPool;
use crate::descriptors;
use crate::permits::Permit;
use crate::telemetry::metric::label::shed_reason;
use crate::telemetry::metric::{self, Registry};

/// The most connections that are evicted at a time, so that not every new one has all
/// workers search their connections.
const MAX_BATCH: usize = 32;
/// The size of a batch, as a part of `server.max_connections`.
const BATCH_DIVISOR: usize = 512;
/// Time for an evicted connection to end.
const EVICTION_TIMEOUT: Duration = Duration::from_millis(500);
/// Time for a connection to end by itself when none is idle, and then until the next
/// search.
const SEARCH_INTERVAL: Duration = Duration::from_millis(10);
/// Between two looks for the descriptor of an evicted connection.
const RENUMBER_INTERVAL: Duration = Duration::from_millis(1);
/// Looks for it until another connection is evicted.
const RENUMBER_ATTEMPTS: u32 = 20;

#[derive(Debug)]
pub struct Overflow {
    pool: Rc<WorkerPool>,
    refusals: ConnectionRefusals,
    refused: Counter,
    limit_reached: LogLimiter,
    next_search: Option<Instant>,
}

impl Overflow {
    pub fn new(pool: Rc<WorkerPool>, registry: &Registry) -> Self {
        Self {
            pool,
            refusals: ConnectionRefusals::default(),
            refused: registry.counter(&metric::SHED, &[("reason", shed_reason::CONNECTIONS)]),
            limit_reached: LogLimiter::default(),
            next_search: None,
        }
    }

    /// Serves or refuses each connection, until there can be no more.
    pub async fn run(mut self, mut sockets: Receiver<DetachedSocket>) {
        while let Some(socket) = sockets.recv().await {
            let socket = lowest(socket);
            let admitted = if descriptors::is_short_for_client(&socket) {
                self.free_descriptor(socket).await
            } else {
                Ok(socket)
            };
            let permit = match &admitted {
                Ok(_) => self.make_room().await,
                Err(_) => None,
            };
            match (admitted, permit) {
                (Ok(socket), Some(permit)) => self.pool.dispatch(socket, Some(permit)),
                (Ok(socket) | Err(socket), _) => {
                    self.refused.increment(1);
                    self.refusals.refuse(socket, self.pool.tls.get());
                }
            }
            self.pool.is_overflowing.set(!sockets.is_empty());
        }
    }

    /// A permit, for which idle connections may be evicted; none if all are busy.
    async fn make_room(&mut self) -> Option<Permit> {
        if let Some(permit) = self.pool.semaphore.try_acquire() {
            return Some(permit);
        }
        let time = if self.evict(self.batch()).await? == 0 {
            SEARCH_INTERVAL
        } else {
            EVICTION_TIMEOUT
        };
        let permit = timeout(time, self.pool.semaphore.acquire()).await.ok();
        if permit.is_none() {
            self.next_search = Some(Instant::now() + SEARCH_INTERVAL);
        }
        permit
    }

    /// Moves the socket to the descriptor of an evicted connection, so that it leaves
    /// those of the admin listener; returns the socket if there is none.
    async fn free_descriptor(
        &mut self,
        mut socket: DetachedSocket,
    ) -> Result<DetachedSocket, DetachedSocket> {
        let deadline = Instant::now() + EVICTION_TIMEOUT;
        while Instant::now() < deadline && self.evict(1).await.is_some_and(|count| count > 0) {
            // Another may have taken the descriptor: then the next one is evicted.
            for _ in 0..RENUMBER_ATTEMPTS {
                sleep(RENUMBER_INTERVAL).await;
                socket = lowest(socket);
                if !descriptors::is_short_for_client(&socket) {
                    return Ok(socket);
                }
            }
        }
        self.next_search = Some(Instant::now() + SEARCH_INTERVAL);
        Err(socket)
    }

    /// Evicts idle connections; returns how many. None right after a search in vain.
    async fn evict(&mut self, count: usize) -> Option<usize> {
        if self.next_search.is_some_and(|next| Instant::now() < next) {
            self.log(0);
            return None;
        }
        let evicted = self.pool.evict_longest_idle(count).await;
        self.log(evicted);
        Some(evicted)
    }

    /// After a reload that lowered the limit, the connections above it are included.
    fn batch(&self) -> usize {
        let max_connections = self.pool.max_connections.get();
        let batch = (max_connections / BATCH_DIVISOR).clamp(1, MAX_BATCH);
        batch + self.pool.semaphore.debt()
    }

    fn log(&self, evicted: usize) {
        if let Some(connections) = self.limit_reached.record() {
            warn!(
                max_connections = self.pool.max_connections.get(),
                connections,
                idle_closed = evicted,
                "connection limit reached; idle connections are closed for new ones, or these refused"
            );
        }
    }
}

/// The socket, outside the descriptors of the admin listener if one is free there.
fn lowest(socket: DetachedSocket) -> DetachedSocket {
    if descriptors::is_short_for_client(&socket) {
        socket.renumber()
    } else {
        socket
    }
}
