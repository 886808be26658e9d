//! One thread with a runtime of its own, its own connections to upstreams, and
//! the callers that were handed to it.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::active_snapshot::Current;
use super::connection;
use super::socket::Detached;
use crate::drain::Phase;
use crate::permits::Place;
use crate::proxy::Snapshot;
use crate::routes::context::Site;
use crate::telemetry::metric::Gauge;

/// Between two looks for connections that have rested too long.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// A worker, seen from the thread that accepts.
#[derive(Debug)]
pub struct Handle {
    orders: UnboundedSender<Order>,
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// What a worker is told.
enum Order {
    Serve(Detached, Ticket),
    Succeed(Arc<Snapshot>, Box<Site>),
    Ring(Phase),
}

/// A caller's place: among all connections, and in its worker's load.
#[derive(Debug)]
pub struct Ticket {
    load: Arc<AtomicUsize>,
    open: Gauge,
    /// None for one that got in when its listener was closed.
    _place: Option<Place>,
}

impl Handle {
    /// Starts worker number `index`.
    pub fn start(index: usize, snapshot: Arc<Snapshot>, site: Site) -> io::Result<Self> {
        let (orders, received) = unbounded_channel();
        let (report, reported) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // It cannot leave the thread it is made on.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(LocalOptions::default());
                // Whoever starts us waits for this, so there is one to tell.
                let _ = report.send(runtime.as_ref().err().map(io::Error::kind));
                if let Ok(runtime) = runtime {
                    runtime.block_on(run(snapshot, site, received));
                }
            })?;
        if let Ok(Some(kind)) = reported.recv() {
            return Err(kind.into());
        }
        Ok(Self {
            orders,
            load: Arc::default(),
            thread,
        })
    }

    /// Connections it has.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Hands it a caller, who counts in `open` until it leaves.
    pub fn serve(&self, caller: Detached, place: Option<Place>, open: Gauge) {
        self.load.fetch_add(1, Ordering::Relaxed);
        open.increment(1);
        let ticket = Ticket {
            load: Arc::clone(&self.load),
            open,
            _place: place,
        };
        // A worker that is gone drops the connection.
        let _ = self.orders.send(Order::Serve(caller, ticket));
    }

    /// Tells it to serve new requests from this generation.
    pub fn succeed(&self, snapshot: Arc<Snapshot>, site: Site) {
        let _ = self.orders.send(Order::Succeed(snapshot, Box::new(site)));
    }

    /// Tells it how far the shutdown has come.
    pub fn ring(&self, phase: Phase) {
        let _ = self.orders.send(Order::Ring(phase));
    }

    /// True when it has nothing left to do.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.open.decrement(1);
    }
}

async fn run(snapshot: Arc<Snapshot>, site: Site, mut orders: UnboundedReceiver<Order>) {
    let current = Current::new(snapshot, site);
    let curfew = Rc::clone(&current.get().worker.curfew);
    let mut connections = JoinSet::new();
    let mut sweep = interval(SWEEP_EVERY);
    while curfew.phase() < Phase::Parting || !connections.is_empty() {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Serve(caller, ticket)) => {
                    let current = Rc::clone(&current);
                    connections.spawn_local(async move {
                        let _ticket = ticket;
                        if let Ok(caller) = caller.attach() {
                            connection::serve(current, caller).await;
                        }
                    });
                }
                Some(Order::Succeed(snapshot, site)) => current.succeed(snapshot, *site),
                Some(Order::Ring(phase)) => curfew.ring(phase),
                None => break,
            },
            // The panic hook has told of a task that failed.
            Some(_) = connections.join_next() => {}
            _ = sweep.tick() => current.get().worker.client.sweep(),
        }
    }
}
