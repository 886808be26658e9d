//! The load generator: connections that send one request after the other, check
//! every response, and count within a window.

use std::cell::RefCell;
use std::io::BufRead;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::LocalSet;
use tokio::time::sleep_until;

use crate::client::{Client, Shared};
use crate::process;
use crate::protocol::{LoadResult, LoadSettings, Percentiles};

/// Upper bound of samples of one figure per thread.
const MAX_SAMPLES: usize = 4 << 20;
/// Calls of each alias before the window opens. What a gateway does at an alias's
/// first call, it does once for each of its workers.
const WARM_UP_CALLS: usize = 4;
/// Interval between two polls of the progress.
const POLL: Duration = Duration::from_millis(2);

// The phases; 0 before the window.
const IN_WINDOW: u8 = 1;
const AFTER_WINDOW: u8 = 2;

/// State shared by all threads.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    /// Connections with a first response, or the first event of one.
    pub ready: AtomicUsize,
    /// Streams between their first event and their end.
    pub open: AtomicUsize,
    /// Responses before and within the window.
    pub responses: AtomicUsize,
    error: Mutex<Option<String>>,
}

/// Counters and samples of one thread.
#[derive(Debug, Default)]
pub struct Tally {
    pub requests: u64,
    pub chunks: u64,
    pub events_total: u64,
    pub reads: u64,
    pub frames: u64,
    pub latency: Vec<u64>,
    pub first: Vec<u64>,
    pub relay: Vec<u64>,
}

impl Progress {
    pub fn in_window(&self) -> bool {
        self.phase.load(Relaxed) == IN_WINDOW
    }

    fn is_over(&self) -> bool {
        self.phase.load(Relaxed) == AFTER_WINDOW
    }

    fn set_error(&self, error: String) {
        self.error.lock().unwrap().get_or_insert(error);
    }

    /// Prints an error and ends the process.
    fn check(&self) {
        if let Some(error) = &*self.error.lock().unwrap() {
            println!("error {error}");
            std::process::exit(1);
        }
    }
}

/// Records a sample unless the buffer is full.
pub fn push_sample(samples: &mut Vec<u64>, sample: u64) {
    if samples.len() < MAX_SAMPLES {
        samples.push(sample);
    }
}

/// Prints `ready` once every connection is active, waits for `go`, prints `stop` at
/// the end of the window and then the results.
pub fn run(settings: &LoadSettings) {
    let mut line = String::new();
    let progress = Arc::new(Progress::default());
    let started = Instant::now();
    let threads: Vec<_> = (0..settings.threads)
        .map(|thread| {
            let (settings, progress) = (settings.clone(), Arc::clone(&progress));
            std::thread::spawn(move || drive(thread, settings, &progress, started))
        })
        .collect();
    while progress.ready.load(Relaxed) < settings.connections {
        std::thread::sleep(POLL);
        progress.check();
    }
    std::thread::sleep(settings.warm_up);
    let warm_up_calls = match settings.alias_count {
        // Streams end, and are counted, after the window.
        1 => 0,
        count => count * WARM_UP_CALLS,
    };
    while progress.responses.load(Relaxed) < warm_up_calls {
        std::thread::sleep(POLL);
        progress.check();
    }
    println!("ready");
    std::io::stdin().lock().read_line(&mut line).unwrap();
    process::exit_with_parent();
    progress.phase.store(IN_WINDOW, Relaxed);
    let since = Instant::now();
    while since.elapsed() < settings.window {
        std::thread::sleep(POLL.min(settings.window.saturating_sub(since.elapsed())));
        progress.check();
    }
    progress.phase.store(AFTER_WINDOW, Relaxed);
    let mut result = LoadResult {
        seconds: since.elapsed().as_secs_f64(),
        open: progress.open.load(Relaxed) as u64,
        ..LoadResult::default()
    };
    println!("stop");
    let mut all = Tally::default();
    for thread in threads {
        all.add(thread.join().unwrap());
    }
    progress.check();
    all.write_to(&mut result);
    println!("{}", serde_json::to_string(&result).unwrap());
    // Stays alive until the harness has read its CPU time and closes the pipe.
    loop {
        std::thread::park();
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.chunks += other.chunks;
        self.events_total += other.events_total;
        self.reads += other.reads;
        self.frames += other.frames;
        self.latency.extend(other.latency);
        self.first.extend(other.first);
        self.relay.extend(other.relay);
    }

    fn write_to(self, result: &mut LoadResult) {
        result.requests = self.requests;
        result.chunks = self.chunks;
        result.events_total = self.events_total;
        result.reads = self.reads;
        result.frames = self.frames;
        result.latency = Percentiles::of(self.latency);
        result.first = Percentiles::of(self.first);
        result.relay = Percentiles::of(self.relay);
    }
}

/// One thread's share of the connections.
fn drive(
    thread: usize,
    settings: LoadSettings,
    progress: &Arc<Progress>,
    started: Instant,
) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let shared = Rc::new(Shared::new(settings, Arc::clone(progress)));
    let tasks = LocalSet::new();
    let tally = Rc::clone(&shared.tally);
    for number in (thread..shared.settings.connections).step_by(shared.settings.threads) {
        let shared = Rc::clone(&shared);
        tasks.spawn_local(async move {
            if let Err(error) = connection(number, &shared, started).await {
                shared.progress.set_error(error);
            }
        });
    }
    runtime.block_on(tasks);
    drop(shared);
    Rc::try_unwrap(tally).map_or_else(|_| Tally::default(), RefCell::into_inner)
}

/// One connection from start to end.
async fn connection(number: usize, shared: &Rc<Shared>, started: Instant) -> Result<(), String> {
    let settings = &shared.settings;
    let share = number as f64 / settings.connections as f64;
    let mut due = started;
    if let Some(spread) = settings.spread {
        due += spread.mul_f64(share);
        sleep_until(due.into()).await;
    }
    let mut client = Client::connect(shared).await?;
    if settings.spread.is_some() {
        return client.call(number, Instant::now()).await;
    }
    let gap = settings
        .rate
        .map(|rate| Duration::from_secs_f64(settings.connections as f64 / rate));
    due += gap.unwrap_or_default().mul_f64(share);
    let mut round = 0;
    while !shared.progress.is_over() {
        let mut since = Instant::now();
        if gap.is_some() && since < due {
            sleep_until(due.into()).await;
            since = Instant::now();
        } else if gap.is_some() {
            // Late because the previous response was late: the wait counts.
            since = due;
        }
        client
            .call(number + round * settings.connections, since)
            .await?;
        if round == 0 {
            shared.progress.ready.fetch_add(1, Relaxed);
        }
        round += 1;
        due += gap.unwrap_or_default();
        // A connection whose responses are always ready must not starve the others.
        tokio::task::yield_now().await;
    }
    Ok(())
}
