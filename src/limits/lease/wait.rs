//! Requests that wait for the store.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, timeout_at};

use super::BucketLease;
use crate::limits::clock::LimitClock;
use crate::limits::subject::Subject;

/// A request that waits for one bucket. On drop it no longer does.
pub(in crate::limits) struct LeaseWait {
    subject: Arc<Subject>,
    index: usize,
    wanted: u64,
    timeout: Duration,
    response: Pin<Box<OwnedNotified>>,
}

impl std::fmt::Debug for LeaseWait {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LeaseWait")
            .field("index", &self.index)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl LeaseWait {
    /// How long the request may wait.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Until there is a response, or it is known that there will be none.
    pub async fn wait(&mut self, deadline: Instant) {
        // The caller looks at the time.
        let _ = timeout_at(deadline, self.response.as_mut()).await;
    }
}

impl Drop for LeaseWait {
    fn drop(&mut self) {
        let mut guard = self.subject.lock_any();
        if let Some(lease) = guard.lease_mut(self.index) {
            lease.wanted.remove(self.wanted);
        }
    }
}

// === impl BucketLease ===

impl BucketLease {
    /// The request waits from now on. The lock of the subject is held.
    pub(super) fn wait(
        &mut self,
        (subject, index): (&Arc<Subject>, usize),
        now: LimitClock,
        wanted: u64,
        timeout: Duration,
    ) -> LeaseWait {
        self.times.used = now.tick;
        self.demand.add(now.tick, wanted);
        self.wanted.add(wanted);
        let notify = self.waiting.get_or_insert_default();
        LeaseWait {
            subject: Arc::clone(subject),
            index,
            wanted,
            timeout,
            response: Box::pin(Arc::clone(notify).notified_owned()),
        }
    }
}
