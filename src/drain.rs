//! When work must wind down: one worker's bell, heard by everything that runs
//! on it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use slab::Slab;

/// How far the shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Requests are taken.
    Serving,
    /// Requests are taken, each as the last one on its connection: another
    /// process serves from here on.
    Leaving,
    /// As before, and connections at rest end.
    Parting,
    /// No new requests; those in flight go on.
    Draining,
    /// Those in flight are to end now.
    Expired,
}

/// The bell of one worker. Asking costs no more than reading a cell, so a
/// relay may ask at every piece it passes on.
#[derive(Debug)]
pub struct Curfew {
    phase: Cell<Phase>,
    /// The task that runs now is woken by somebody who listens for all of it.
    heard: Cell<bool>,
    sleepers: RefCell<Slab<Option<Waker>>>,
}

/// One listener; it is woken when the phase changes.
#[derive(Debug)]
pub struct Ear {
    curfew: Rc<Curfew>,
    /// Its place among the sleepers, once it needed one.
    place: Cell<Option<usize>>,
}

/// Ends what [`Ear::hears_for`] began, a panic included.
struct Hearing<'c>(&'c Curfew);

impl Curfew {
    /// A bell that has not rung.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(Phase::Serving),
            heard: Cell::new(false),
            sleepers: RefCell::default(),
        })
    }

    /// How far the shutdown has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Moves on to `phase` and wakes everyone.
    pub fn ring(&self, phase: Phase) {
        self.phase.set(phase.max(self.phase.get()));
        let mut wakers = Vec::new();
        for (_, sleeper) in self.sleepers.borrow_mut().iter_mut() {
            wakers.extend(sleeper.take());
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Someone who listens.
    #[must_use]
    pub fn listen(self: &Rc<Self>) -> Ear {
        Ear {
            curfew: Rc::clone(self),
            place: Cell::new(None),
        }
    }
}

impl Ear {
    /// The phase now; the task is woken when it changes.
    pub fn poll(&self, context: &mut Context<'_>) -> Phase {
        if !self.curfew.heard.get() {
            self.sleep(context.waker());
        }
        self.curfew.phase()
    }

    /// Does `work` for a task that is polled again when this ear is woken, all
    /// that is in it included, so that nobody within needs a place.
    pub fn hears_for<T>(&self, work: impl FnOnce() -> T) -> T {
        self.curfew.heard.set(true);
        let _hearing = Hearing(&self.curfew);
        work()
    }

    fn sleep(&self, waker: &Waker) {
        let mut sleepers = self.curfew.sleepers.borrow_mut();
        match self.place.get().and_then(|place| sleepers.get_mut(place)) {
            Some(Some(known)) if known.will_wake(waker) => {}
            Some(sleeper) => *sleeper = Some(waker.clone()),
            None => self.place.set(Some(sleepers.insert(Some(waker.clone())))),
        }
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.curfew.phase()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(place) = self.place.get() {
            self.curfew.sleepers.borrow_mut().try_remove(place);
        }
    }
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        self.0.heard.set(false);
    }
}
