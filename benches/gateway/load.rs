//! The load generator: so many connections, each making one request after the
//! other, every answer checked, what happens within a window counted.

use std::cell::RefCell;
use std::io::BufRead;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::sleep_until;

use crate::caller::{Caller, Kit};
use crate::child;
use crate::protocol::{LoadOrders, Seen, Spread};

/// More samples than this a thread keeps of no figure.
const MOST_SAMPLES: usize = 4 << 20;
/// Calls of each name before the window opens. What a gateway does at an
/// alias's first call, it does once for each of its workers.
const CALLS_BEFORE: usize = 4;
/// Pause between two looks at whether all is ready.
const LOOK: Duration = Duration::from_millis(2);

/// The phases; before the window it is 0.
const WITHIN: u8 = 1;
const AFTER: u8 = 2;

/// What all threads share.
#[derive(Debug, Default)]
pub struct Board {
    phase: AtomicU8,
    /// Connections that have had an answer, or the first event of one.
    pub ready: AtomicUsize,
    /// Streams between their first event and their end.
    pub open: AtomicUsize,
    /// Requests answered, before the window and within it.
    pub answered: AtomicUsize,
    fault: Mutex<Option<String>>,
}

/// What one thread counts.
#[derive(Debug, Default)]
pub struct Tally {
    pub requests: u64,
    pub chunks: u64,
    pub pieces: u64,
    pub reads: u64,
    pub frames: u64,
    pub latency: Vec<u64>,
    pub first: Vec<u64>,
    pub relay: Vec<u64>,
}

impl Board {
    /// True within the window.
    pub fn counts(&self) -> bool {
        self.phase.load(Relaxed) == WITHIN
    }

    fn is_over(&self) -> bool {
        self.phase.load(Relaxed) == AFTER
    }

    fn fail(&self, fault: String) {
        self.fault.lock().unwrap().get_or_insert(fault);
    }

    /// Says what went wrong and ends the process.
    fn check(&self) {
        if let Some(fault) = &*self.fault.lock().unwrap() {
            println!("fault {fault}");
            std::process::exit(1);
        }
    }
}

/// Keeps a sample as long as there is room.
pub fn keep(samples: &mut Vec<u64>, sample: u64) {
    if samples.len() < MOST_SAMPLES {
        samples.push(sample);
    }
}

/// Says `ready` once every connection is at work, waits for `go`, says `stop`
/// at the window's end and then what it saw.
pub fn run(orders: &LoadOrders) {
    let mut order = String::new();
    let board = Arc::new(Board::default());
    let started = Instant::now();
    let threads: Vec<_> = (0..orders.threads)
        .map(|thread| {
            let (orders, board) = (orders.clone(), Arc::clone(&board));
            std::thread::spawn(move || drive(thread, orders, &board, started))
        })
        .collect();
    while board.ready.load(Relaxed) < orders.connections {
        std::thread::sleep(LOOK);
        board.check();
    }
    std::thread::sleep(orders.warm_up);
    let calls_before = match orders.names {
        // Streams are answered when they end, which is behind the window.
        1 => 0,
        names => names * CALLS_BEFORE,
    };
    while board.answered.load(Relaxed) < calls_before {
        std::thread::sleep(LOOK);
        board.check();
    }
    println!("ready");
    std::io::stdin().lock().read_line(&mut order).unwrap();
    child::exit_with_parent();
    board.phase.store(WITHIN, Relaxed);
    let since = Instant::now();
    while since.elapsed() < orders.window {
        std::thread::sleep(LOOK.min(orders.window.saturating_sub(since.elapsed())));
        board.check();
    }
    board.phase.store(AFTER, Relaxed);
    let mut seen = Seen {
        seconds: since.elapsed().as_secs_f64(),
        open: board.open.load(Relaxed) as u64,
        ..Seen::default()
    };
    println!("stop");
    let mut all = Tally::default();
    for thread in threads {
        all.add(thread.join().unwrap());
    }
    board.check();
    all.settle(&mut seen);
    println!("{}", serde_json::to_string(&seen).unwrap());
    // Stays for the harness to read its account; it goes with the harness.
    loop {
        std::thread::park();
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.chunks += other.chunks;
        self.pieces += other.pieces;
        self.reads += other.reads;
        self.frames += other.frames;
        self.latency.extend(other.latency);
        self.first.extend(other.first);
        self.relay.extend(other.relay);
    }

    fn settle(self, seen: &mut Seen) {
        seen.requests = self.requests;
        seen.chunks = self.chunks;
        seen.pieces = self.pieces;
        seen.reads = self.reads;
        seen.frames = self.frames;
        seen.latency = Spread::of(self.latency);
        seen.first = Spread::of(self.first);
        seen.relay = Spread::of(self.relay);
    }
}

/// One thread's share of the connections.
fn drive(thread: usize, orders: LoadOrders, board: &Arc<Board>, started: Instant) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let kit = Rc::new(Kit::new(orders, Arc::clone(board)));
    let tasks = LocalSet::new();
    let tally = Rc::clone(&kit.tally);
    for number in (thread..kit.orders.connections).step_by(kit.orders.threads) {
        let kit = Rc::clone(&kit);
        tasks.spawn_local(async move {
            if let Err(fault) = connection(number, &kit, started).await {
                kit.board.fail(fault);
            }
        });
    }
    runtime.block_on(tasks);
    drop(kit);
    Rc::try_unwrap(tally).map_or_else(|_| Tally::default(), RefCell::into_inner)
}

/// One connection's life.
async fn connection(number: usize, kit: &Rc<Kit>, started: Instant) -> Result<(), String> {
    let orders = &kit.orders;
    let share = number as f64 / orders.connections as f64;
    let mut due = started;
    if let Some(spread) = orders.spread {
        due += spread.mul_f64(share);
        sleep_until(due.into()).await;
    }
    let mut caller = Caller::connect(kit).await?;
    if orders.spread.is_some() {
        return caller.call(number, Instant::now()).await;
    }
    let gap = orders
        .rate
        .map(|rate| Duration::from_secs_f64(orders.connections as f64 / rate));
    due += gap.unwrap_or_default().mul_f64(share);
    let mut round = 0;
    while !kit.board.is_over() {
        let mut since = Instant::now();
        if gap.is_some() && since < due {
            sleep_until(due.into()).await;
            since = Instant::now();
        } else if gap.is_some() {
            // Late because the answer before was: the wait counts.
            since = due;
        }
        caller
            .call(number + round * orders.connections, since)
            .await?;
        if round == 0 {
            kit.board.ready.fetch_add(1, Relaxed);
        }
        round += 1;
        due += gap.unwrap_or_default();
        // A connection whose answers are always there already must not keep
        // the others from theirs.
        tokio::task::yield_now().await;
    }
    Ok(())
}
