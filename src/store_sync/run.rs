//! The loop of the store's thread.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::Counter;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::calls::{Pulse, StoreReplica, pulse};
use super::session::{Session, SessionEnd};
use super::{HAND_BACK_TIMEOUT, SyncCommand};
use crate::config::StoreConfig;
use crate::limits::{LeaseLink, LimitClock};
use crate::store::{
    Backoff, StoreConnection, StoreError, StoreFacts, StoreHandle, StoreJobs, StoreStatus,
};
use crate::telemetry::metric::{self, Registry};
use crate::wall_clock;

/// Between two looks at what passed meanwhile.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at what is asked of a store that is away.
const REFUSAL_INTERVAL: Duration = Duration::from_millis(50);

/// In this process: of two, one takes over from the other at a reload.
static THREADS: AtomicUsize = AtomicUsize::new(0);

pub struct StoreThread {
    pub(super) config: StoreConfig,
    pub(super) link: Arc<LeaseLink>,
    pub(super) handle: StoreHandle,
    pub(super) status: StoreStatus,
    has_ledger: bool,
    backoff: Backoff,
    unchecked: Counter,
    /// Of [`LeaseLink::unchecked`], what is in the metric.
    counted: u64,
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Dropped once there is a connection, or has been a try: the start waits for that.
pub type Started = std::sync::mpsc::Sender<std::io::Error>;

/// The ends of channels from other threads.
pub struct Inbox {
    pub commands: UnboundedReceiver<SyncCommand>,
    pub jobs: StoreJobs,
}

impl StoreThread {
    pub fn new(
        config: StoreConfig,
        has_ledger: bool,
        link: &Arc<LeaseLink>,
        handle: &StoreHandle,
        registry: &Registry,
    ) -> Self {
        THREADS.fetch_add(1, Ordering::Relaxed);
        Self {
            status: StoreStatus::new(config.server.address.to_string(), registry),
            config,
            link: Arc::clone(link),
            handle: handle.clone(),
            has_ledger,
            backoff: Backoff::new(),
            unchecked: registry.counter(&metric::LIMIT_UNCHECKED, &[]),
            counted: 0,
        }
    }

    /// Until the process ends. `started` is dropped after the first try to connect.
    pub async fn run(mut self, mut inbox: Inbox, started: Started) {
        let mut started = Some(started);
        loop {
            let opened = tokio::select! {
                biased;
                command = inbox.commands.recv() => match self.obey(command) {
                    ControlFlow::Break(()) => return,
                    ControlFlow::Continue(()) => continue,
                },
                opened = self.open() => opened,
            };
            let error = match opened {
                Ok((connection, facts)) => {
                    let (link, handle) = (&self.link, &self.handle);
                    let session = Session::new(connection, link, handle);
                    self.backoff.reset();
                    let end = session
                        .serve(&mut self, &facts, &mut inbox, &mut started)
                        .await;
                    self.set_up(false);
                    match end {
                        SessionEnd::Lost(error) => error,
                        SessionEnd::Finished => return,
                    }
                }
                Err(error) => error,
            };
            self.status.failed(&error);
            started = None;
            if self.wait(&mut inbox).await.is_break() {
                return;
            }
        }
    }

    /// Connects, and shows that the server can be written.
    pub(super) async fn open(&self) -> Result<(Rc<StoreConnection>, StoreFacts), StoreError> {
        let connection = StoreConnection::open(&self.config.server).await?;
        let beaten = self.beat(&connection).await;
        beaten.map_err(StoreError::at_start)?;
        let facts = StoreFacts::of(&connection).await;
        Ok((Rc::new(connection), facts))
    }

    /// Says that this replica is alive, and learns how many are, and what time it is.
    async fn beat(&self, connection: &StoreConnection) -> Result<(), StoreError> {
        let before = wall_clock::now();
        let call = self.replica().heartbeat(true);
        let mut responses = connection.run(&[call]).await?;
        let response = responses
            .pop()
            .unwrap_or_else(|| Err(StoreError::unreadable()))?;
        let found = pulse(&response).ok_or_else(StoreError::unreadable)?;
        apply(&self.link, found, before);
        Ok(())
    }

    pub(super) fn replica(&self) -> StoreReplica<'_> {
        StoreReplica {
            prefix: &self.config.prefix,
            replica: self.link.replica(),
            replicas: self.link.replicas(),
        }
    }

    pub(super) fn connected(&mut self, facts: &StoreFacts) {
        self.status.connected(facts, self.has_ledger);
        self.set_up(true);
    }

    fn set_up(&self, is_up: bool) {
        self.link.set_up(is_up);
        self.handle.set_up(is_up);
    }

    /// Of the last generation that has a store: its time and its state are those of no store.
    pub(super) fn leave(&self) {
        if THREADS.load(Ordering::Relaxed) == 1 {
            LimitClock::set_offset(0);
            self.status.left();
        }
    }

    pub(super) fn count_unchecked(&mut self) {
        let unchecked = self.link.unchecked();
        self.unchecked
            .increment(unchecked.saturating_sub(self.counted));
        self.counted = unchecked;
    }

    /// Whether the connection is good for the new configuration.
    pub(super) fn configure(&mut self, config: StoreConfig) -> bool {
        let is_same = self.config.server.is_same(&config.server);
        self.status.set_server(config.server.address.to_string());
        self.config = config;
        is_same
    }

    /// Without a connection there is nothing to hand back.
    fn obey(&mut self, command: Option<SyncCommand>) -> ControlFlow<()> {
        match command {
            Some(SyncCommand::Configure(config)) => {
                self.configure(*config);
                ControlFlow::Continue(())
            }
            Some(SyncCommand::Finish(done)) => {
                let _ = done.send(());
                ControlFlow::Break(())
            }
            None => {
                self.leave();
                ControlFlow::Break(())
            }
        }
    }

    /// Until the next try.
    async fn wait(&mut self, inbox: &mut Inbox) -> ControlFlow<()> {
        let end = Instant::now() + self.backoff.next_wait();
        loop {
            self.count_unchecked();
            let next = end.min(Instant::now() + COUNT_INTERVAL);
            tokio::select! {
                biased;
                command = inbox.commands.recv() => return self.obey(command),
                () = sleep_until(next) => {
                    if next == end {
                        return ControlFlow::Continue(());
                    }
                }
                jobs = inbox.jobs.next() => drop(jobs),
                () = self.link.demanded() => {
                    self.refuse_calls();
                    sleep(REFUSAL_INTERVAL).await;
                }
            }
        }
    }

    /// No one is to wait for a store that is away.
    fn refuse_calls(&self) {
        drop(self.link.adjust_calls());
        drop(self.link.urgent_calls(LimitClock::now(), usize::MAX));
    }
}

/// Goes by the time of the server, which all replicas have in common. `before` is the time
/// of this process when it was asked.
pub fn apply(link: &LeaseLink, found: Pulse, before: SystemTime) {
    link.set_known_replicas(found.replicas, LimitClock::now());
    let milliseconds = |since: Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (sent, received) = (since_1970(before), since_1970(wall_clock::now()));
    let own = (sent + received) / 2;
    LimitClock::set_offset(milliseconds(found.time) - milliseconds(own));
}

/// Hands back within the time that the end of a process has for it.
pub async fn in_time(handing_back: impl Future<Output = ()>) {
    let _ = timeout(HAND_BACK_TIMEOUT, handing_back).await;
}
