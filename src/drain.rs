//! Drain signal of one worker: its phase, and the wakers of tasks that wait for a
//! change.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use slab::Slab;

/// The phases of a shutdown, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// Requests are served, each as the last one on its HTTP/1 connection: load balancers
    /// are about to notice that the process is not ready.
    NotReady,
    /// Requests are served, each as the last one on its connection: another process
    /// accepts the new connections.
    HandingOver,
    /// As before; idle connections are closed too.
    ClosingIdle,
    /// New requests are rejected; those in flight continue.
    Draining,
    /// Requests in flight are terminated.
    Terminating,
}

/// The phase costs no more than reading a cell, so a relay may check it at every
/// chunk.
#[derive(Debug)]
pub struct DrainSignal {
    phase: Cell<Phase>,
    /// A watch that is polled already wakes the running task.
    woken_by_watch: Cell<bool>,
    waiters: RefCell<Slab<Option<Waker>>>,
}

/// Wakes one task when the phase changes.
#[derive(Debug)]
pub struct DrainWatch {
    signal: Rc<DrainSignal>,
    /// Its index in `waiters`, once it has waited.
    waiter_key: Cell<Option<usize>>,
}

/// Ends [`DrainWatch::with_task_waking`], after a panic too.
struct WakeGuard<'c>(&'c DrainSignal);

impl DrainSignal {
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(Phase::Serving),
            woken_by_watch: Cell::new(false),
            waiters: RefCell::default(),
        })
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Wakes all waiters. A phase never goes back.
    pub fn advance_to(&self, phase: Phase) {
        self.phase.set(phase.max(self.phase.get()));
        let mut wakers = Vec::new();
        for (_, waker) in self.waiters.borrow_mut().iter_mut() {
            wakers.extend(waker.take());
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    #[must_use]
    pub fn watch(self: &Rc<Self>) -> DrainWatch {
        DrainWatch {
            signal: Rc::clone(self),
            waiter_key: Cell::new(None),
        }
    }
}

impl DrainWatch {
    /// Returns the phase, and wakes the task when it changes.
    pub fn poll(&self, context: &mut Context<'_>) -> Phase {
        if !self.signal.woken_by_watch.get() {
            self.register(context.waker());
        }
        self.signal.phase()
    }

    /// Runs `work` in a task that this watch wakes as a whole: watches polled within
    /// register no wakers of their own.
    pub fn with_task_waking<T>(&self, work: impl FnOnce() -> T) -> T {
        self.signal.woken_by_watch.set(true);
        let _guard = WakeGuard(&self.signal);
        work()
    }

    fn register(&self, waker: &Waker) {
        let mut waiters = self.signal.waiters.borrow_mut();
        match self.waiter_key.get().and_then(|key| waiters.get_mut(key)) {
            Some(Some(registered)) if registered.will_wake(waker) => {}
            Some(waiter) => *waiter = Some(waker.clone()),
            None => self
                .waiter_key
                .set(Some(waiters.insert(Some(waker.clone())))),
        }
    }

    /// Wakes the task as a change of the phase would.
    pub fn wake_task(&self) {
        let mut waiters = self.signal.waiters.borrow_mut();
        let waiter = self.waiter_key.get().and_then(|key| waiters.get_mut(key));
        let waker = waiter.and_then(Option::take);
        drop(waiters);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.signal.phase()
    }
}

impl Drop for DrainWatch {
    fn drop(&mut self) {
        if let Some(key) = self.waiter_key.get() {
            self.signal.waiters.borrow_mut().try_remove(key);
        }
    }
}

impl Drop for WakeGuard<'_> {
    fn drop(&mut self) {
        self.0.woken_by_watch.set(false);
    }
}
