//! What one worker serves from, and how it comes by something newer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::proxy::{Snapshot, Worker};
use crate::routes::context::Site;

/// One worker's part of one generation of the configuration. A request keeps
/// the one that was current at its start until its answer begins; what the
/// rest of an answer needs (its connection, its account) it holds by itself.
#[derive(Debug)]
pub struct Generation {
    pub worker: Rc<Worker>,
    pub site: Site,
}

/// The generation that requests of one worker begin with.
#[derive(Debug)]
pub struct Current(RefCell<Rc<Generation>>);

impl Current {
    /// The first generation.
    pub fn new(snapshot: Arc<Snapshot>, site: Site) -> Rc<Self> {
        let worker = Rc::new(Worker::new(snapshot));
        let first = Rc::new(Generation { worker, site });
        Rc::new(Self(RefCell::new(first)))
    }

    /// The generation for a request that begins now.
    pub fn get(&self) -> Rc<Generation> {
        Rc::clone(&self.0.borrow())
    }

    /// Goes over to the next generation.
    pub fn succeed(&self, snapshot: Arc<Snapshot>, site: Site) {
        let before = self.get();
        let worker = Rc::new(before.worker.succeed(snapshot));
        self.0.replace(Rc::new(Generation { worker, site }));
        before.site.watchers.dismiss();
    }
}
