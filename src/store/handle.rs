//! How other threads use the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::call::{StoreCall, StoreResponse};

/// Jobs that wait for the store's thread. Beyond them, none is accepted.
const MAX_JOBS: usize = 1024;

/// Shared by all threads.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    jobs: Sender<StoreJob>,
    is_up: Arc<AtomicBool>,
    /// Nanoseconds; a reload may change it.
    timeout: Arc<AtomicU64>,
    prefix: Arc<str>,
}

/// Calls that are sent at once.
#[derive(Debug)]
pub struct StoreJob {
    pub calls: Vec<StoreCall>,
    /// For the responses, in the order of the calls. It is dropped if there are none.
    pub done: oneshot::Sender<Vec<StoreResponse>>,
}

/// The end of the store's thread.
#[derive(Debug)]
pub struct StoreJobs {
    jobs: Receiver<StoreJob>,
}

/// The two ends. `prefix` is what the names of all keys begin with.
#[must_use]
pub fn store_handle(prefix: &str, timeout: Duration) -> (StoreHandle, StoreJobs) {
    let (sender, jobs) = channel(MAX_JOBS);
    let handle = StoreHandle {
        jobs: sender,
        is_up: Arc::default(),
        timeout: Arc::default(),
        prefix: prefix.into(),
    };
    handle.set_timeout(timeout);
    (handle, StoreJobs { jobs })
}

// === impl StoreHandle ===

impl StoreHandle {
    /// Sends calls at once and waits for the responses, no longer than `limit`. `None` if
    /// there are none in time, or the store is away.
    pub async fn run(&self, calls: Vec<StoreCall>, limit: Duration) -> Option<Vec<StoreResponse>> {
        if !self.is_up() {
            return None;
        }
        let (done, is_done) = oneshot::channel();
        self.jobs.try_send(StoreJob { calls, done }).ok()?;
        timeout(limit, is_done).await.ok()?.ok()
    }

    /// False while the store is away or slow: then nothing is to wait for it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Relaxed);
    }

    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_nanos(self.timeout.load(Ordering::Relaxed))
    }

    pub fn set_timeout(&self, timeout: Duration) {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.timeout.store(nanos, Ordering::Relaxed);
    }

    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

// === impl StoreJobs ===

impl StoreJobs {
    /// The next job, and those that wait with it. Never empty.
    pub async fn next(&mut self) -> Vec<StoreJob> {
        let mut jobs = Vec::new();
        if self.jobs.recv_many(&mut jobs, MAX_JOBS).await == 0 {
            // No handle is left, so there will be none.
            std::future::pending::<()>().await;
        }
        jobs
    }
}
