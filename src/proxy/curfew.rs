//! When work must wind down: one worker's bell, heard by everything that runs
//! on it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// How far the shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Requests are taken.
    Serving,
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
    sleepers: RefCell<Slab<Option<Waker>>>,
}

/// One listener's place; it is woken when the phase changes.
#[derive(Debug)]
pub struct Ear {
    curfew: Rc<Curfew>,
    place: usize,
}

impl Curfew {
    /// A bell that has not rung.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(Phase::Serving),
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

    /// Waits until those in flight are to end.
    pub async fn expired(self: &Rc<Self>) {
        let ear = self.listen();
        poll_fn(|context| match ear.poll(context) {
            Phase::Expired => Poll::Ready(()),
            _ => Poll::Pending,
        })
        .await;
    }

    /// A place to listen at.
    #[must_use]
    pub fn listen(self: &Rc<Self>) -> Ear {
        let place = self.sleepers.borrow_mut().insert(None);
        Ear {
            curfew: Rc::clone(self),
            place,
        }
    }
}

impl Ear {
    /// The phase now; the task is woken when it changes.
    pub fn poll(&self, context: &mut Context<'_>) -> Phase {
        if let Some(sleeper) = self.curfew.sleepers.borrow_mut().get_mut(self.place) {
            match sleeper {
                Some(waker) if waker.will_wake(context.waker()) => {}
                _ => *sleeper = Some(context.waker().clone()),
            }
        }
        self.curfew.phase()
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.curfew.phase()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.curfew.sleepers.borrow_mut().try_remove(self.place);
    }
}
