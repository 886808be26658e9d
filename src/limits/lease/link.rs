//! What connects the limits of a process to the thread that speaks with the store.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::message::{AdjustCall, LeaseCall, RestoreCall};
use crate::limits::clock::LimitClock;
use crate::limits::rate::Tick;
use crate::limits::stored::StoredWindows;
use crate::limits::subject::Subject;
use crate::limits::subjects::Subjects;

/// Of all links of the process, so that a response is of the call that was made.
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

/// One for a process and a store; the limits of all generations with this store share it.
#[derive(Debug)]
pub struct LeaseLink {
    /// Of this process.
    replica: Box<str>,
    /// How long a request waits for the store, in microseconds.
    timeout: AtomicU64,
    is_up: AtomicBool,
    replicas: AtomicU32,
    /// Requests that passed without a lease.
    unchecked: AtomicU64,
    /// All leases are to be handed back.
    is_closing: AtomicBool,
    demand: Notify,
    state: Mutex<LinkState>,
    stored: Arc<StoredWindows>,
}

#[derive(Debug, Default)]
struct LinkState {
    /// Subjects that requests wait for, or of which too little is left.
    urgent: Vec<Weak<Subject>>,
    /// Subjects that are in use, and those that became so since the last look.
    in_use: Vec<Weak<Subject>>,
    adjusted: Vec<AdjustCall>,
    /// Those of all rules.
    tables: Vec<Weak<Subjects>>,
    fewer: Option<Fewer>,
}

/// The store counts fewer replicas than are assumed.
#[derive(Clone, Copy, Debug)]
struct Fewer {
    since: Tick,
    /// The most since then.
    most: u32,
}

/// As long as the store takes a replica that is silent for alive (`ALIVE` in the scripts).
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

// === impl LeaseLink ===

impl LeaseLink {
    /// `replica` is a name of this process that no other one has. `replicas` are assumed to
    /// be there until their number is known. `stored` is the ledger's, if there is one.
    #[must_use]
    pub fn new(
        replica: &str,
        timeout: Duration,
        replicas: u32,
        stored: Option<&Arc<StoredWindows>>,
    ) -> Arc<Self> {
        let link = Self {
            replica: replica.into(),
            timeout: AtomicU64::new(0),
            is_up: AtomicBool::new(false),
            replicas: AtomicU32::new(replicas.max(1)),
            unchecked: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
            demand: Notify::new(),
            state: Mutex::default(),
            stored: stored.map_or_else(StoredWindows::in_memory, Arc::clone),
        };
        link.set_timeout(timeout);
        link.stored.set_replica(replica);
        Arc::new(link)
    }

    /// The id of this process in the store.
    #[must_use]
    pub fn replica(&self) -> &str {
        &self.replica
    }

    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_micros(self.timeout.load(Ordering::Relaxed))
    }

    /// A reload may change it.
    pub fn set_timeout(&self, timeout: Duration) {
        let timeout = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
        self.timeout.store(timeout, Ordering::Relaxed);
    }

    /// While the store is away, no request waits for it. It is at first.
    pub fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// How many replicas use the store, as was last known; at least 1.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    /// More count at once, fewer only after the store has counted no more for ten seconds: when
    /// a store has lost its data, the first replica to come finds no other one.
    pub fn set_known_replicas(&self, counted: u32, now: LimitClock) {
        let counted = counted.max(1);
        let mut state = self.lock();
        if counted >= self.replicas() {
            state.fewer = None;
            self.replicas.store(counted, Ordering::Relaxed);
            return;
        }
        let fewer = state.fewer.get_or_insert(Fewer {
            since: now.tick,
            most: counted,
        });
        fewer.most = fewer.most.max(counted);
        if now.tick >= fewer.since.after(FORGOTTEN_AFTER) {
            self.replicas.store(fewer.most, Ordering::Relaxed);
            state.fewer = None;
        }
    }

    /// Requests that passed by `without = "open"` alone, since the start.
    #[must_use]
    pub fn unchecked(&self) -> u64 {
        self.unchecked.load(Ordering::Relaxed)
    }

    /// Until there are urgent calls, or an operator's: see [`urgent_calls`](Self::urgent_calls)
    /// and [`adjust_calls`](Self::adjust_calls).
    pub async fn demanded(&self) {
        self.demand.notified().await;
    }

    /// Those that requests wait for, and refills. Marks them as made.
    #[must_use]
    pub fn urgent_calls(&self, now: LimitClock, max: usize) -> Vec<LeaseCall> {
        let subjects = std::mem::take(&mut self.lock().urgent);
        let mut calls = Vec::new();
        let mut subjects = subjects.into_iter();
        for subject in subjects.by_ref() {
            if let Some(subject) = subject.upgrade() {
                subject.urgent_calls(self, now, &mut calls);
            }
            if calls.len() >= max {
                break;
            }
        }
        let rest: Vec<_> = subjects.collect();
        if !rest.is_empty() {
            let mut state = self.lock();
            state.urgent.splice(0..0, rest);
            drop(state);
            self.demand.notify_one();
        }
        calls
    }

    /// Those of amounts that are in use, and are not known to the store as they are for
    /// `interval`; and those that are idle, to be handed back. Marks them as made. If there
    /// are `max`, there are more.
    #[must_use]
    pub fn due_calls(&self, now: LimitClock, interval: Duration, max: usize) -> Vec<LeaseCall> {
        let subjects = std::mem::take(&mut self.lock().in_use);
        let mut calls = Vec::new();
        let mut kept = Vec::with_capacity(subjects.len());
        let mut subjects = subjects.into_iter();
        for weak in subjects.by_ref() {
            if let Some(subject) = weak.upgrade()
                && subject.due_calls(self, now, interval, &mut calls)
            {
                kept.push(weak);
            }
            if calls.len() >= max {
                break;
            }
        }
        // Those that were not looked at are the first ones the next time.
        let mut in_use: Vec<_> = subjects.collect();
        in_use.append(&mut kept);
        let mut state = self.lock();
        in_use.append(&mut state.in_use);
        state.in_use = in_use;
        calls
    }

    /// At the end of the process: from now on, [`due_calls`](Self::due_calls) hands back all
    /// that is not in use.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// What the ledger knows of earlier processes, and the store may not. If there are
    /// `max`, there are more.
    #[must_use]
    pub fn restore_calls(self: &Arc<Self>, now: LimitClock, max: usize) -> Vec<RestoreCall> {
        self.stored.restore_calls(self, now, max)
    }

    /// The store may have lost its data: all that this process and, by the ledger, earlier
    /// ones have used is due again. Call this when another server, or the same one after an
    /// interruption, is connected. A response that says so does it by itself.
    pub fn restore_again(&self) {
        self.stored.restore_all_again();
        let mut tables: Vec<_> = Vec::new();
        self.lock().tables.retain(|weak| {
            tables.extend(weak.upgrade());
            weak.strong_count() > 0
        });
        let now = LimitClock::now();
        for table in tables {
            table.all().for_each(|it| it.forget_known(self, now));
        }
    }

    /// What operators have set.
    #[must_use]
    pub fn adjust_calls(&self) -> Vec<AdjustCall> {
        std::mem::take(&mut self.lock().adjusted)
    }

    pub(in crate::limits) fn adjust(&self, call: AdjustCall) {
        self.lock().adjusted.push(call);
        self.demand.notify_one();
    }

    /// Subjects of a rule that goes by this link.
    pub(in crate::limits) fn add_table(&self, table: &Arc<Subjects>) {
        let mut state = self.lock();
        let is_known = |it: &Weak<Subjects>| std::ptr::eq(it.as_ptr(), Arc::as_ptr(table));
        if !state.tables.iter().any(is_known) {
            state.tables.retain(|it| it.strong_count() > 0);
            state.tables.push(Arc::downgrade(table));
        }
    }

    pub(in crate::limits) fn stored(&self) -> &Arc<StoredWindows> {
        &self.stored
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    pub(super) fn next_sequence() -> u64 {
        SEQUENCE.fetch_add(1, Ordering::Relaxed)
    }

    pub(in crate::limits) fn count_unchecked(&self) {
        self.unchecked.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::limits) fn add_urgent(&self, subject: &Arc<Subject>) {
        self.lock().urgent.push(Arc::downgrade(subject));
        self.demand.notify_one();
    }

    pub(in crate::limits) fn add_in_use(&self, subject: &Arc<Subject>) {
        self.lock().in_use.push(Arc::downgrade(subject));
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
