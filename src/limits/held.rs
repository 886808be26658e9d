//! What a request holds, in memory that each worker uses over and over.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use super::clock::LimitClock;
use super::quota::{LimitUsage, Taken};
use super::subject::Subject;

/// Rules of most requests, without an allocation.
pub(super) const INLINE_RULES: usize = 4;
const INLINE_QUOTAS: usize = 8;
/// Kept by a worker.
const MAX_SPARE: usize = 512;

thread_local! {
    #[allow(clippy::vec_box, reason = "the boxes are what is kept")]
    static SPARE: RefCell<Vec<Box<HeldAmounts>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug, Default)]
pub(super) struct HeldAmounts {
    pub subjects: SmallVec<[Arc<Subject>; INLINE_RULES]>,
    /// How many of the amounts taken are of each subject.
    pub counts: SmallVec<[usize; INLINE_RULES]>,
    /// Of all quotas of all subjects, in order.
    pub taken: SmallVec<[Taken; INLINE_QUOTAS]>,
}

/// Given back on drop as if nothing was used, unless it was settled.
#[derive(Debug, Default)]
pub(super) struct Held(Option<Box<HeldAmounts>>);

// === impl Held ===

impl Held {
    pub fn new() -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop());
        Self(Some(spare.ok().flatten().unwrap_or_default()))
    }

    /// Replaces what was reserved by what was used.
    pub fn settle(&mut self, now: LimitClock, used: &LimitUsage) {
        let Some(mut held) = self.0.take() else {
            return;
        };
        held.settle(now, used);
        held.taken.clear();
        held.counts.clear();
        held.subjects.clear();
        // Fails while the thread ends.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MAX_SPARE {
                spare.push(held);
            }
        });
    }

    /// Adds what was used so far, and holds on to what was reserved.
    pub fn charge(&self, now: LimitClock, used: &LimitUsage) {
        if let Some(held) = &self.0 {
            held.charge(now, used);
        }
    }

    /// `None` after it was settled.
    pub fn amounts(&mut self) -> Option<&mut HeldAmounts> {
        self.0.as_deref_mut()
    }

    pub fn subjects(&self) -> &[Arc<Subject>] {
        self.0.as_deref().map_or(&[], |held| &held.subjects)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.settle(LimitClock::now(), &LimitUsage::default());
        }
    }
}

// === impl HeldAmounts ===

impl HeldAmounts {
    fn charge(&self, now: LimitClock, used: &LimitUsage) {
        let mut rest = &*self.taken;
        for (subject, count) in self.subjects.iter().zip(&self.counts) {
            let (taken, others) = rest.split_at_checked(*count).unwrap_or_default();
            rest = others;
            let mut guard = subject.lock_now(now);
            guard.charge(now, taken, used);
            guard.notify_link(subject, now);
        }
    }

    fn settle(&self, now: LimitClock, used: &LimitUsage) {
        let mut rest = &*self.taken;
        for (subject, count) in self.subjects.iter().zip(&self.counts) {
            let (taken, others) = rest.split_at_checked(*count).unwrap_or_default();
            rest = others;
            let mut guard = subject.lock_any();
            guard.settle(now, taken, used);
            guard.notify_link(subject, now);
            let queues = &guard.terms().queues;
            if !queues.are_empty() {
                let queues = Arc::clone(queues);
                drop(guard);
                queues.wake(subject);
            }
        }
    }
}
