//! A worker thread: its runtime, and the client connections dispatched to it.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::Gauge;
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::active_snapshot::ActiveSnapshot;
use super::connection;
use super::connection_table::{ConnectionTable, IdleSince};
use super::socket::DetachedSocket;
use crate::drain::Phase;
use crate::permits::Permit;
use crate::proxy::Snapshot;
use crate::routes::context::HttpContext;

/// Interval of closing idle upstream connections.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The control thread's handle of a worker.
#[derive(Debug)]
pub struct WorkerHandle {
    commands: UnboundedSender<WorkerCommand>,
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

enum WorkerCommand {
    Serve(DetachedSocket, ConnectionGuard),
    Reconfigure(Arc<Snapshot>, Box<HttpContext>),
    AdvanceDrain(Phase),
    /// The first ones in the order of eviction, at most this many.
    ReportIdle(usize, oneshot::Sender<Vec<IdleSince>>),
    /// Evict the connections up to this one, and report their number.
    EvictIdle(IdleSince, oneshot::Sender<usize>),
}

/// Counts a connection in its worker's load and in the gauge until it is dropped.
#[derive(Debug)]
pub struct ConnectionGuard {
    load: Arc<AtomicUsize>,
    open: Gauge,
    /// None for a connection from the backlog of a closed listener.
    _permit: Option<Permit>,
}

// === impl WorkerHandle ===

impl WorkerHandle {
    pub fn start(index: usize, snapshot: Arc<Snapshot>, context: HttpContext) -> io::Result<Self> {
        let (commands, receiver) = unbounded_channel();
        let (startup, started) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                // A `LocalRuntime` cannot leave its thread.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build_local(LocalOptions::default());
                // The receiver exists: `start` waits for this.
                let _ = startup.send(runtime.as_ref().err().map(io::Error::kind));
                if let Ok(runtime) = runtime {
                    runtime.block_on(run(snapshot, context, receiver));
                    // The lookup of a name may block a thread for many seconds.
                    runtime.shutdown_background();
                }
            })?;
        if let Ok(Some(kind)) = started.recv() {
            return Err(kind.into());
        }
        Ok(Self {
            commands,
            load: Arc::default(),
            thread,
        })
    }

    /// Open connections.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub fn serve(&self, socket: DetachedSocket, permit: Option<Permit>, open: Gauge) {
        self.load.fetch_add(1, Ordering::Relaxed);
        open.increment(1);
        let guard = ConnectionGuard {
            load: Arc::clone(&self.load),
            open,
            _permit: permit,
        };
        // A worker that has ended drops the connection.
        let _ = self.commands.send(WorkerCommand::Serve(socket, guard));
    }

    pub fn reconfigure(&self, snapshot: Arc<Snapshot>, context: HttpContext) {
        let _ = self
            .commands
            .send(WorkerCommand::Reconfigure(snapshot, Box::new(context)));
    }

    pub fn advance_drain(&self, phase: Phase) {
        let _ = self.commands.send(WorkerCommand::AdvanceDrain(phase));
    }

    pub fn report_idle(&self, count: usize, report: oneshot::Sender<Vec<IdleSince>>) {
        let _ = self.commands.send(WorkerCommand::ReportIdle(count, report));
    }

    pub fn evict_idle(&self, last: IdleSince, evicted: oneshot::Sender<usize>) {
        let _ = self.commands.send(WorkerCommand::EvictIdle(last, evicted));
    }

    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

// === impl ConnectionGuard ===

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.open.decrement(1);
    }
}

async fn run(
    snapshot: Arc<Snapshot>,
    context: HttpContext,
    mut commands: UnboundedReceiver<WorkerCommand>,
) {
    let active = ActiveSnapshot::new(snapshot, context);
    let drain = Rc::clone(&active.get().worker.drain);
    let table = Rc::new(ConnectionTable::default());
    let mut connections = JoinSet::new();
    let mut sweep = interval(SWEEP_INTERVAL);
    while drain.phase() < Phase::ClosingIdle || !connections.is_empty() {
        tokio::select! {
            command = commands.recv() => match command {
                Some(WorkerCommand::Serve(socket, guard)) => {
                    let active = Rc::clone(&active);
                    // Before the task runs: a search must find every permit's holder.
                    let entry = connection::register(&active, &table);
                    connections.spawn_local(async move {
                        let _guard = guard;
                        if let Ok(socket) = socket.attach() {
                            connection::serve(active, entry, socket).await;
                        }
                    });
                }
                Some(WorkerCommand::Reconfigure(snapshot, context)) => active.reconfigure(snapshot, *context),
                Some(WorkerCommand::AdvanceDrain(phase)) => drain.advance_to(phase),
                // The control thread may have stopped waiting for a result.
                Some(WorkerCommand::ReportIdle(count, report)) => {
                    let _ = report.send(table.longest_idle(count));
                }
                Some(WorkerCommand::EvictIdle(last, evicted)) => {
                    let count = table.evict_idle(last);
                    active.get().context.errors.evicted.increment(count as u64);
                    let _ = evicted.send(count);
                }
                None => break,
            },
            // If the task panicked, the panic hook has logged it.
            Some(_) = connections.join_next() => {}
            _ = sweep.tick() => active.get().worker.client.sweep(),
        }
    }
}
