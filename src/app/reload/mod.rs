//! Another configuration for the running process.
//!
//! A thread of its own waits for a signal or for changed files, reads and
//! checks everything, builds a whole generation beside the one that is served
//! from, and only then asks for it to be taken into service. Whatever is wrong
//! on the way leaves things as they are.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::sync::mpsc::UnboundedSender;
use tracing::{error, info, warn};

use super::build::{Prepared, Preparer, Settings};
use super::{Order, StartError, systemd};
use crate::config::{self, Config, Origin, Seen};
use crate::executor::apart;
use crate::proxy::Snapshot;
use crate::telemetry::metric::{self, Counter, Gauge, Registry};
use crate::wall_clock;

mod watch;

use watch::Watch;

/// Silence after which a burst of changes counts as over: an editor, or the
/// swap of a mounted directory, makes several.
const QUIET: Duration = Duration::from_millis(200);
/// Changes that never cease are looked at all the same, after this time.
const LONGEST_BURST: Duration = Duration::from_secs(1);
/// Between two looks whether an old generation is free of requests.
const LOOK_FOR_FREE: Duration = Duration::from_millis(200);
/// Between two looks at the files where the system does not tell of changes.
const LOOK_AT_FILES: Duration = Duration::from_secs(5);
/// A day: nothing is due.
const NOTHING_DUE: Duration = Duration::from_secs(86_400);

/// What the thread that reloads is woken by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knock {
    /// Somebody asks for it.
    Asked,
    /// Something happened to a file, or beside one.
    Files,
}

/// The way to ask for a reload.
#[derive(Debug)]
pub struct Knocker(Sender<Knock>);

/// What the thread that reloads has.
#[derive(Debug)]
pub struct Reloader {
    origin: Origin,
    preparer: Preparer,
    orders: UnboundedSender<Order>,
    knocks: Receiver<Knock>,
    knocker: Sender<Knock>,
    watch: Option<Watch>,
    /// The files of the last attempt, whatever became of it.
    tried: Seen,
    running: Arc<Snapshot>,
    /// Generations that requests may still begin their answers from. The last
    /// reference is this one, so that no worker spends time on clearing up.
    old: Vec<Arc<Snapshot>>,
    started_with: Settings,
    meters: Meters,
}

/// How reloads went.
#[derive(Debug)]
struct Meters {
    applied: Counter,
    rejected: Counter,
    unchanged: Counter,
    number: u64,
    generation: Gauge,
    held: Gauge,
    successful: Gauge,
    at: Gauge,
}

impl Knocker {
    /// Asks for a reload.
    pub fn knock(&self) {
        // It is there as long as the process.
        let _ = self.0.send(Knock::Asked);
    }
}

impl Reloader {
    pub fn new(
        origin: Origin,
        preparer: Preparer,
        orders: UnboundedSender<Order>,
        first: &Prepared,
        registry: &Registry,
    ) -> Self {
        let (knocker, knocks) = channel();
        Self {
            preparer,
            orders,
            watch: None,
            tried: origin.seen.clone(),
            origin,
            running: Arc::clone(&first.snapshot),
            old: Vec::new(),
            started_with: first.settings.clone(),
            meters: Meters::new(registry),
            knocks,
            knocker,
        }
    }

    /// Begins to wait, on a thread of its own that ends with the process.
    pub fn start(self) -> io::Result<Knocker> {
        let knocker = Knocker(self.knocker.clone());
        std::thread::Builder::new()
            .name("reload".to_owned())
            .spawn(move || self.run())?;
        Ok(knocker)
    }

    fn run(mut self) {
        self.watch_files(self.started_with.watch);
        while let Some(knock) = self.next_knock() {
            let asked = self.rest_of_burst(knock);
            if asked || self.have_changed() {
                systemd::reloading();
                self.reload();
                systemd::ready();
            }
            self.follow();
        }
    }

    fn have_changed(&self) -> bool {
        self.tried != self.tried.again()
    }

    /// Watches where the files are now: links may lead elsewhere, and
    /// directories have come or gone.
    fn follow(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        watch.follow(&self.tried);
        // What happened before somebody watched has to be seen as well.
        if self.have_changed() {
            let _ = self.knocker.send(Knock::Files);
        }
    }

    /// Waits for the next reason to look; none when there will be no more.
    fn next_knock(&mut self) -> Option<Knock> {
        loop {
            let blind = self.watch.as_ref().is_some_and(Watch::is_blind);
            let due = match (self.old.is_empty(), blind) {
                (false, _) => LOOK_FOR_FREE,
                (true, true) => LOOK_AT_FILES,
                (true, false) => NOTHING_DUE,
            };
            match self.knocks.recv_timeout(due) {
                Ok(Knock::Files) if self.watch.is_none() => {}
                Ok(knock) => return Some(knock),
                Err(RecvTimeoutError::Timeout) => {
                    self.free_old();
                    if blind {
                        return Some(Knock::Files);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits for silence. True when somebody has asked for a reload.
    fn rest_of_burst(&self, first: Knock) -> bool {
        let end = Instant::now() + LONGEST_BURST;
        let mut asked = first == Knock::Asked;
        while !asked {
            let left = end.saturating_duration_since(Instant::now());
            match self.knocks.recv_timeout(QUIET.min(left)) {
                Ok(knock) => asked = knock == Knock::Asked,
                Err(_) => break,
            }
        }
        asked
    }

    fn reload(&mut self) {
        let sources = &self.origin.sources;
        let (loaded, seen) = apart(|| config::load_seen(sources));
        let changed = seen != self.origin.seen;
        self.tried = seen;
        match loaded {
            Err(faults) => {
                let reasons: Vec<String> = faults.iter().map(ToString::to_string).collect();
                self.reject(&reasons);
            }
            Ok(_) if !changed => {
                self.meters.unchanged.increment(1);
                self.meters.successful.set(1);
                info!("reload: nothing has changed");
            }
            Ok(config) => match self.replace(config) {
                Ok(()) => self.origin.seen = self.tried.clone(),
                Err(reason) => self.reject(&[reason.to_string()]),
            },
        }
    }

    fn reject(&self, reasons: &[String]) {
        for fault in reasons {
            error!(fault, "config");
        }
        let (faults, generation) = (reasons.len(), self.meters.number);
        error!(
            faults,
            generation, "reload rejected; the configuration in force stays"
        );
        // Whoever sees the count finds the reasons in the log.
        self.meters.rejected.increment(1);
        self.meters.successful.set(0);
    }

    /// Takes this configuration into service.
    fn replace(&mut self, config: Config) -> Result<(), StartError> {
        let next = self.preparer.prepare(config, Some(&self.running))?;
        let (snapshot, settings) = (Arc::clone(&next.snapshot), next.settings.clone());
        let (reply, answer) = channel();
        let order = Order::Adopt(Box::new(next), reply);
        // Nobody takes orders any more once the process is on its way out.
        let gone = |()| StartError::ShuttingDown;
        self.orders.send(order).map_err(|_| gone(()))?;
        answer.recv().map_err(|_| gone(()))??;
        self.old
            .push(std::mem::replace(&mut self.running, snapshot));
        self.watch_files(settings.watch);
        self.meters.applied();
        self.meters.hold(self.old.len());
        let generation = self.meters.number;
        info!(generation, "reload applied");
        let keys = self.started_with.bound(&settings);
        if !keys.is_empty() {
            warn!(
                keys = keys.join(","),
                "these keys have changed and wait for a restart"
            );
        }
        Ok(())
    }

    fn watch_files(&mut self, wanted: bool) {
        if !wanted {
            self.watch = None;
        } else if self.watch.is_none() {
            self.watch = Some(Watch::new(self.knocker.clone()));
            self.follow();
        }
    }

    fn free_old(&mut self) {
        self.old.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        self.meters.hold(self.old.len());
    }
}

impl Meters {
    fn new(registry: &Registry) -> Self {
        let result = |result| registry.counter(&metric::RELOADS, &[("result", result)]);
        let gauge = |metric| registry.gauge(metric, &[]);
        let meters = Self {
            applied: result("applied"),
            rejected: result("rejected"),
            unchanged: result("unchanged"),
            number: 1,
            generation: gauge(&metric::GENERATION),
            held: gauge(&metric::GENERATIONS_HELD),
            successful: gauge(&metric::RELOAD_SUCCESSFUL),
            at: gauge(&metric::RELOAD_TIME),
        };
        meters.show();
        meters.hold(0);
        meters
    }

    fn applied(&mut self) {
        self.applied.increment(1);
        self.number += 1;
        self.show();
    }

    fn show(&self) {
        self.generation.set(self.number);
        self.successful.set(1);
        let now = wall_clock::now().duration_since(UNIX_EPOCH);
        self.at.set(now.map_or(0, |since| since.as_secs()));
    }

    fn hold(&self, old: usize) {
        self.held.set(old as u64 + 1);
    }
}
