//! Whether the store responds in time.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::limits::LeaseLink;
use crate::store::{StoreCall, StoreConnection, StoreError, StoreHandle, StoreResponse};

/// A response that takes longer makes the store a slow one, for which nothing waits; unless
/// requests may wait for longer.
const SLOW: Duration = Duration::from_millis(25);

/// Of one session.
pub struct Health {
    pub link: Arc<LeaseLink>,
    handle: StoreHandle,
    slow: Cell<usize>,
    /// The session has ended: what is left of it says nothing of the store any more.
    is_over: Cell<bool>,
}

/// While a response is late.
struct Lateness<'h>(&'h Health);

// === impl Health ===

impl Health {
    pub fn new(link: &Arc<LeaseLink>, handle: &StoreHandle) -> Self {
        Self {
            link: Arc::clone(link),
            handle: handle.clone(),
            slow: Cell::new(0),
            is_over: Cell::new(false),
        }
    }

    pub fn end(&self) {
        self.is_over.set(true);
    }

    /// Sends calls, and watches how long they take.
    pub fn run(
        self: &Rc<Self>,
        connection: &Rc<StoreConnection>,
        calls: Vec<StoreCall>,
    ) -> impl Future<Output = Result<(Vec<StoreResponse>, Duration), StoreError>> + use<> {
        let (health, connection) = (Rc::clone(self), Rc::clone(connection));
        async move {
            let start = Instant::now();
            let responses = health.watch(connection.run(&calls)).await?;
            Ok((responses, start.elapsed()))
        }
    }

    /// While this takes too long, nothing waits for the store.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let in_time = timeout(self.handle.timeout().max(SLOW), &mut work).await;
        if let Ok(done) = in_time {
            return done;
        }
        let _late = Lateness::begin(self);
        work.await
    }

    fn set_up(&self, is_up: bool) {
        self.link.set_up(is_up);
        self.handle.set_up(is_up);
    }
}

// === impl Lateness ===

impl<'h> Lateness<'h> {
    fn begin(health: &'h Health) -> Self {
        health.slow.set(health.slow.get() + 1);
        health.set_up(false);
        Self(health)
    }
}

impl Drop for Lateness<'_> {
    fn drop(&mut self) {
        let others = self.0.slow.get().saturating_sub(1);
        self.0.slow.set(others);
        if others == 0 && !self.0.is_over.get() {
            self.0.set_up(true);
        }
    }
}
