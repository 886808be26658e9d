//! Requests that wait for a subject: first come, first served.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;
use tokio::sync::{Notify, Semaphore};

use super::quota::LimitUsage;
use super::subject::Subject;
use super::terms::Terms;

/// The queues of one rule; most of the time there is none. Shared by its generations.
#[derive(Debug, Default)]
pub(super) struct WaitQueues {
    /// How many there are, so that no request takes the lock for nothing.
    count: AtomicUsize,
    /// By the address of the subject, which waiting requests keep.
    queues: Mutex<HashMap<usize, QueueEntry>>,
}

#[derive(Debug, Default)]
struct QueueEntry {
    queue: Arc<WaitQueue>,
    waiting: usize,
    /// What those that wait are to get, by quota.
    ahead: Amounts,
}

pub(super) type Amounts = SmallVec<[u64; 4]>;

#[derive(Debug)]
struct WaitQueue {
    /// Its one permit makes a request the first one; tokio's semaphore is fair.
    turn: Semaphore,
    /// Something was given back.
    changed: Notify,
}

/// A request in a queue; it leaves on drop.
#[derive(Debug)]
pub(super) struct Waiting {
    terms: Arc<Terms>,
    subject: Arc<Subject>,
    queue: Arc<WaitQueue>,
    wanted: Amounts,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            changed: Notify::new(),
        }
    }
}

// === impl WaitQueues ===

impl WaitQueues {
    /// Call this when something was given back to the subject.
    pub fn wake(&self, subject: &Arc<Subject>) {
        if !self.are_empty()
            && let Some(entry) = self.lock().get(&address(subject))
        {
            // Kept for one that is about to wait.
            entry.queue.changed.notify_one();
        }
    }

    pub fn are_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Requests that wait for any subject.
    pub fn waiting(&self) -> usize {
        if self.are_empty() {
            return 0;
        }
        self.lock().values().map(|entry| entry.waiting).sum()
    }

    /// What those that wait for the subject are to get first, by quota. `None` if there
    /// are none.
    pub fn ahead(&self, subject: &Arc<Subject>) -> Option<Amounts> {
        if self.are_empty() {
            return None;
        }
        Some(self.lock().get(&address(subject))?.ahead.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, QueueEntry>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(subject: &Arc<Subject>) -> usize {
    Arc::as_ptr(subject).addr()
}

// === impl Waiting ===

impl Waiting {
    /// Joins the queue of a subject. `None` if it is full.
    pub fn join(terms: &Arc<Terms>, subject: &Arc<Subject>, expected: &LimitUsage) -> Option<Self> {
        let wanted = terms.quotas.iter().map(|it| it.quota.wanted(expected));
        let wanted: Amounts = wanted.collect();
        let mut queues = terms.queues.lock();
        let entry = queues.entry(address(subject)).or_default();
        if entry.waiting >= terms.max_waiting {
            if entry.waiting == 0 {
                queues.remove(&address(subject));
            }
            return None;
        }
        entry.waiting += 1;
        entry.ahead.resize(entry.ahead.len().max(wanted.len()), 0);
        for (ahead, wanted) in entry.ahead.iter_mut().zip(&wanted) {
            *ahead = ahead.saturating_add(*wanted);
        }
        let queue = Arc::clone(&entry.queue);
        terms.queues.count.store(queues.len(), Ordering::Release);
        drop(queues);
        Some(Self {
            terms: Arc::clone(terms),
            subject: Arc::clone(subject),
            queue,
            wanted,
        })
    }

    /// Until the request is the first one, as long as the guard lives.
    pub async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // It is never closed.
        self.queue.turn.acquire().await.ok()
    }

    /// Until something was given back since the last call.
    pub async fn changed(&self) {
        self.queue.changed.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let queues = &self.terms.queues;
        let mut entries = queues.lock();
        let Some(entry) = entries.get_mut(&address(&self.subject)) else {
            return;
        };
        entry.waiting -= 1;
        for (ahead, wanted) in entry.ahead.iter_mut().zip(&self.wanted) {
            *ahead = ahead.saturating_sub(*wanted);
        }
        if entry.waiting == 0 {
            entries.remove(&address(&self.subject));
            queues.count.store(entries.len(), Ordering::Release);
        }
    }
}
