//! The snapshot that a worker's new requests use, replaced by a reload.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::proxy::{Snapshot, Worker};
use crate::routes::context::HttpContext;

/// One worker's part of one generation of the configuration. A request holds it
/// until its response begins; a response body has its own references to what it
/// still needs (connection, meter).
#[derive(Debug)]
pub struct WorkerSnapshot {
    pub worker: Rc<Worker>,
    pub context: HttpContext,
}

#[derive(Debug)]
pub struct ActiveSnapshot(RefCell<Rc<WorkerSnapshot>>);

impl ActiveSnapshot {
    pub fn new(snapshot: Arc<Snapshot>, context: HttpContext) -> Rc<Self> {
        let worker = Rc::new(Worker::new(snapshot));
        let first = Rc::new(WorkerSnapshot { worker, context });
        Rc::new(Self(RefCell::new(first)))
    }

    /// The snapshot for a request that begins now.
    pub fn get(&self) -> Rc<WorkerSnapshot> {
        Rc::clone(&self.0.borrow())
    }

    pub fn reconfigure(&self, snapshot: Arc<Snapshot>, context: HttpContext) {
        let before = self.get();
        let worker = Rc::new(before.worker.next_generation(snapshot));
        self.0.replace(Rc::new(WorkerSnapshot { worker, context }));
        before.context.subscribers.disconnect_all();
    }
}
