//! The connections of the admin listener. A new one always gets room, so that idle ones
//! cannot keep a probe or a scrape out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::warn;

use crate::server::log_limiter::LogLimiter;

/// Concurrent connections: as many as the reserve has descriptors for.
const MAX_CONNECTIONS: usize = 32;

#[derive(Debug, Default)]
pub struct AdminConnections {
    open: RefCell<Vec<(Rc<Activity>, AbortHandle)>>,
    limit_reached: LogLimiter,
}

/// When a connection was last in use: accepted, or given a request.
#[derive(Debug)]
pub struct Activity {
    last: Cell<Instant>,
    has_requested: Cell<bool>,
}

// === impl AdminConnections ===

impl AdminConnections {
    pub fn insert(&self, activity: Rc<Activity>, task: AbortHandle) {
        self.open.borrow_mut().push((activity, task));
    }

    /// Called before a connection is served. Closes the one that was in use longest ago
    /// if there are too many, or too few descriptors.
    pub fn make_room(&self, lacks_descriptors: bool) {
        let mut open = self.open.borrow_mut();
        open.retain(|(_, task)| !task.is_finished());
        if open.len() < MAX_CONNECTIONS && !lacks_descriptors {
            return;
        }
        let connections = open.iter().enumerate();
        let oldest = connections.min_by_key(|(_, (activity, _))| activity.last.get());
        let Some((index, _)) = oldest else {
            return;
        };
        let (_, task) = open.swap_remove(index);
        task.abort();
        if let Some(closed) = self.limit_reached.record() {
            warn!(
                connections = open.len(),
                closed, "admin connection limit reached; idle connections are closed for new ones"
            );
        }
    }
}

// === impl Activity ===

impl Activity {
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            last: Cell::new(Instant::now()),
            has_requested: Cell::new(false),
        })
    }

    pub fn record_request(&self) {
        self.last.set(Instant::now());
        self.has_requested.set(true);
    }

    pub fn has_requested(&self) -> bool {
        self.has_requested.get()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Duration, advance};

    use super::{Activity, AdminConnections, MAX_CONNECTIONS};

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_was_in_use_longest_ago_is_closed() {
        let connections = AdminConnections::default();
        let mut tasks = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            connections.make_room(false);
            let activity = Activity::new();
            let task = tokio::spawn(pending::<()>());
            connections.insert(activity.clone(), task.abort_handle());
            tasks.push((activity, task));
            advance(Duration::from_secs(1)).await;
        }
        tasks[0].0.record_request();
        connections.make_room(false);
        let (_, second) = tasks.remove(1);
        assert!(second.await.unwrap_err().is_cancelled());
        assert!(tasks.iter().all(|(_, task)| !task.is_finished()));
        connections.make_room(false);
        tokio::task::yield_now().await;
        assert!(tasks.iter().all(|(_, task)| !task.is_finished()));
        connections.make_room(true);
        let (_, third) = tasks.remove(1);
        assert!(third.await.unwrap_err().is_cancelled());
    }
}
