//! What happens over one connection.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::SyncCommand;
use super::batch::Batch;
use super::calls::pulse;
use super::health::Health;
use super::run::{Inbox, Started, StoreThread, apply, in_time};
use crate::limits::{LeaseLink, LimitClock};
use crate::store::{StoreConnection, StoreError, StoreFacts, StoreHandle, StoreResponse};
use crate::wall_clock;

/// Between two looks for calls that are due.
const TICK: Duration = Duration::from_millis(250);
/// With the tick, each amount in use is reported once a second, which is what a replica
/// that is killed loses.
const REPORT_AFTER: Duration = Duration::from_millis(750);
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// Calls that are sent at once: the server takes some milliseconds for so many.
const MAX_CALLS: usize = 128;
/// Batches of reports in flight, so that what requests wait for is not behind many.
const MAX_REPORTS: usize = 2;
/// Batches of other calls in flight.
const MAX_BATCHES: usize = 16;

/// Why a session ends.
pub enum SessionEnd {
    Lost(StoreError),
    Finished,
}

/// One connection, and what is in flight over it.
pub struct Session {
    connection: Rc<StoreConnection>,
    health: Rc<Health>,
    batches: JoinSet<Ended>,
    reports: usize,
    others: usize,
    /// Reports are due that were not collected.
    has_more: bool,
    beaten: Instant,
}

/// Its tasks are dropped later.
impl Drop for Session {
    fn drop(&mut self) {
        self.health.end();
    }
}

/// A batch that has ended.
struct Ended {
    kind: Kind,
    result: Result<BatchResult, StoreError>,
}

struct BatchResult {
    calls: usize,
    refused: Vec<StoreError>,
    took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Report,
    Other,
}

// === impl Session ===

impl Session {
    pub fn new(
        connection: Rc<StoreConnection>,
        link: &Arc<LeaseLink>,
        handle: &StoreHandle,
    ) -> Self {
        Self {
            connection,
            health: Rc::new(Health::new(link, handle)),
            batches: JoinSet::new(),
            reports: 0,
            others: 0,
            has_more: false,
            beaten: Instant::now(),
        }
    }

    /// Until the connection is lost, or no longer needed. `started` is dropped once leases
    /// can be had.
    pub async fn serve(
        mut self,
        thread: &mut StoreThread,
        facts: &StoreFacts,
        inbox: &mut Inbox,
        started: &mut Option<Started>,
    ) -> SessionEnd {
        // What earlier processes have used comes first: it is not free.
        if let Err(error) = self.restore_all(thread).await {
            return SessionEnd::Lost(error);
        }
        thread.connected(facts);
        *started = None;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let link = Arc::clone(&self.health.link);
        loop {
            let has_space = self.others < MAX_BATCHES;
            tokio::select! {
                biased;
                command = inbox.commands.recv() => match command {
                    Some(SyncCommand::Configure(config)) => {
                        if !thread.configure(*config)
                            && let Err(error) = self.reconnect(thread).await
                        {
                            return SessionEnd::Lost(error);
                        }
                    }
                    Some(SyncCommand::Finish(done)) => {
                        in_time(self.hand_back(thread)).await;
                        let _ = done.send(());
                        return SessionEnd::Finished;
                    }
                    None => {
                        in_time(self.hand_back(thread)).await;
                        thread.leave();
                        return SessionEnd::Finished;
                    }
                },
                // Before all that may be ready again and again.
                _ = tick.tick() => self.tick(thread),
                Some(ended) = self.batches.join_next() => {
                    let Ok(ended) = ended else {
                        return SessionEnd::Lost(StoreError::unreadable());
                    };
                    if let Err(error) = self.end(thread, ended) {
                        return SessionEnd::Lost(error);
                    }
                }
                () = link.demanded(), if has_space => {
                    let batch = Batch {
                        leases: link.urgent_calls(LimitClock::now(), MAX_CALLS),
                        adjusted: link.adjust_calls(),
                        ..Batch::default()
                    };
                    self.send(thread, Kind::Other, batch);
                }
                jobs = inbox.jobs.next(), if has_space => {
                    self.send(thread, Kind::Other, Batch { jobs, ..Batch::default() });
                }
            }
        }
    }

    /// The next connection begins before the last one ends, so that no request finds none.
    async fn reconnect(&mut self, thread: &mut StoreThread) -> Result<(), StoreError> {
        let health = Rc::clone(&self.health);
        let (connection, facts) = health.watch(thread.open()).await?;
        self.connection = connection;
        thread.connected(&facts);
        Ok(())
    }

    fn tick(&mut self, thread: &mut StoreThread) {
        thread.count_unchecked();
        if self.beaten.elapsed() >= HEARTBEAT_INTERVAL {
            self.beaten = Instant::now();
            self.beat(thread);
        }
        self.report(thread);
    }

    /// Sends what is due.
    fn report(&mut self, thread: &StoreThread) {
        self.has_more = true;
        while self.has_more && self.reports < MAX_REPORTS {
            let now = LimitClock::now();
            let link = &self.health.link;
            let batch = Batch {
                leases: link.due_calls(now, REPORT_AFTER, MAX_CALLS),
                restored: link.restore_calls(now, MAX_CALLS),
                ..Batch::default()
            };
            self.has_more = batch.leases.len().max(batch.restored.len()) >= MAX_CALLS;
            self.send(thread, Kind::Report, batch);
        }
    }

    fn send(&mut self, thread: &StoreThread, kind: Kind, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let calls = batch.calls(&thread.replica());
        let running = self.health.run(&self.connection, calls);
        self.batches.spawn_local(async move {
            let result = running.await.map(|(responses, took)| BatchResult {
                calls: responses.len(),
                refused: batch.finish(responses),
                took,
            });
            Ended { kind, result }
        });
        *self.in_flight(kind) += 1;
    }

    fn beat(&mut self, thread: &StoreThread) {
        let sent = wall_clock::now();
        let call = thread.replica().heartbeat(true);
        let running = self.health.run(&self.connection, vec![call]);
        let link = Arc::clone(&self.health.link);
        self.batches.spawn_local(async move {
            let result = running.await.and_then(|(mut responses, took)| {
                let response = responses
                    .pop()
                    .unwrap_or_else(|| Err(StoreError::unreadable()));
                beaten(&link, sent, response)?;
                Ok(BatchResult {
                    calls: 1,
                    refused: Vec::new(),
                    took,
                })
            });
            Ended {
                kind: Kind::Other,
                result,
            }
        });
        *self.in_flight(Kind::Other) += 1;
    }

    fn end(&mut self, thread: &mut StoreThread, ended: Ended) -> Result<(), StoreError> {
        *self.in_flight(ended.kind) -= 1;
        let result = ended.result?;
        let BatchResult {
            calls,
            refused,
            took,
        } = result;
        thread.status.responded(calls, &refused, took);
        if self.has_more {
            self.report(thread);
        }
        Ok(())
    }

    fn in_flight(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Report => &mut self.reports,
            Kind::Other => &mut self.others,
        }
    }

    async fn restore_all(&self, thread: &mut StoreThread) -> Result<(), StoreError> {
        let link = Arc::clone(&self.health.link);
        link.restore_again();
        loop {
            let batch = Batch {
                restored: link.restore_calls(LimitClock::now(), MAX_CALLS),
                ..Batch::default()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if !self.run(thread, batch).await?.is_empty() {
                // Refused ones are tried again with the reports.
                return Ok(());
            }
        }
    }

    /// Hands back all that is not in use, and leaves.
    async fn hand_back(&mut self, thread: &mut StoreThread) {
        let link = Arc::clone(&self.health.link);
        link.close();
        // An amount has one call in flight at most.
        while self.batches.join_next().await.is_some() {}
        loop {
            let batch = Batch {
                leases: link.due_calls(LimitClock::now(), Duration::ZERO, MAX_CALLS),
                ..Batch::default()
            };
            let is_last = batch.leases.len() < MAX_CALLS;
            if self.run(thread, batch).await.is_err() {
                return;
            }
            if is_last {
                break;
            }
        }
        thread.count_unchecked();
        let call = thread.replica().heartbeat(false);
        // The others count it for some seconds more.
        let _ = self.connection.run(&[call]).await;
    }

    /// Sends a batch and waits for it. Returns what was refused.
    async fn run(
        &self,
        thread: &mut StoreThread,
        batch: Batch,
    ) -> Result<Vec<StoreError>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let start = Instant::now();
        let calls = batch.calls(&thread.replica());
        let responses = self.connection.run(&calls).await?;
        let refused = batch.finish(responses);
        thread
            .status
            .responded(calls.len(), &refused, start.elapsed());
        Ok(refused)
    }
}

fn beaten(link: &LeaseLink, sent: SystemTime, response: StoreResponse) -> Result<(), StoreError> {
    let found = pulse(&response?).ok_or_else(StoreError::unreadable)?;
    apply(link, found, sent);
    Ok(())
}
