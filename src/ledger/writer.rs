//! The thread that writes: once a second, one transaction.

use std::collections::HashMap;
use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::database::{Database, OpenWindows, Opened};
use super::error::LedgerError;
use super::query::LedgerReader;
use super::status::Status;
use super::usage::{OwnedUsageRow, UsageTotals};
use super::watched_limits::WatchedLimits;
use super::window_table::{ReplicaWindow, WindowOwner};
use super::{Ledger, UsageTables, hour_of, seconds};
use crate::config::LedgerConfig;
use crate::limits::{LimitClock, StoredWindows, WindowId, WindowRecord};
use crate::telemetry::metric::Registry;
use crate::wall_clock;

/// What a killed process loses at most.
const INTERVAL: Duration = Duration::from_secs(1);
/// Rows that wait while the database cannot be written, some tens of megabytes.
const MAX_PENDING: usize = 100_000;
/// Seconds between the time of a change, as it is noted, and the change.
const CLOCK_MARGIN: u32 = 2;
/// Rows and windows of a usual second.
const KEPT_CAPACITY: usize = 1024;

#[derive(Debug)]
pub enum WriterCommand {
    SetRetention(u32),
    /// Write what is left, close, report, end.
    Finish(oneshot::Sender<()>),
}

#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    retention_days: u32,
    tables: UsageTables,
    limits: Arc<WatchedLimits>,
    stored: Arc<StoredWindows>,
    status: Status,
    /// At the start: a store counts over all replicas.
    is_shared: bool,
    database: Option<Database>,
    /// What other processes have used of each window, as far as it is known here; none
    /// once the database is this process's own.
    others: Option<HashMap<WindowId, u64>>,
    /// Added to the tables, and not written yet.
    pending: IndexMap<Arc<OwnedUsageRow>, UsageTotals, RandomState>,
    /// The windows that have changed since they were written.
    changed: HashMap<WindowId, WindowRecord>,
    /// [`LimitClock::uptime`] when they were collected.
    collected: u32,
    /// The hour up to which old rows are dropped.
    pruned: i64,
    /// The hour up to which ended windows are forgotten.
    forgotten: i64,
}

impl Writer {
    /// `is_shared` if a store counts over all replicas.
    pub fn new(
        ledger: &Ledger,
        config: &LedgerConfig,
        is_shared: bool,
        registry: &Registry,
    ) -> Self {
        Self {
            path: config.path.clone(),
            retention_days: config.retention_days,
            tables: ledger.tables.clone(),
            limits: Arc::clone(&ledger.limits),
            stored: Arc::clone(&ledger.stored),
            status: Status::new(&config.path, registry),
            is_shared,
            database: None,
            others: Some(HashMap::new()),
            pending: IndexMap::default(),
            changed: HashMap::new(),
            collected: 0,
            pruned: i64::MIN,
            forgotten: i64::MIN,
        }
    }

    /// Opens the database before there are requests.
    pub fn open_first(&mut self) {
        match self.open() {
            Ok(()) => self.status.succeeded(),
            Err(error) => self.status.failed(&error),
        }
    }

    pub fn run(mut self, commands: &Receiver<WriterCommand>) {
        let mut next = Instant::now() + INTERVAL;
        loop {
            match commands.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(WriterCommand::SetRetention(days)) => {
                    self.retention_days = days;
                    self.pruned = i64::MIN;
                }
                Ok(WriterCommand::Finish(done)) => {
                    self.tick();
                    // Closing moves the log into the database.
                    self.database = None;
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.tick();
                    // After a slow write, a pause all the same.
                    next = Instant::now() + INTERVAL;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Collects what is new, and writes it.
    pub fn tick(&mut self) {
        self.collect_usage();
        self.collect_windows();
        self.forget_ended();
        match self.write() {
            Ok(()) => self.status.succeeded(),
            Err(error) => {
                self.recover(&error);
                self.status.failed(&error);
            }
        }
    }

    fn collect_usage(&mut self) {
        let hour = hour_of(now());
        let (pending, status) = (&mut self.pending, &self.status);
        self.tables.drain(hour, |row, totals| {
            if let Some(sum) = pending.get_mut(row) {
                sum.add(totals);
            } else if pending.len() < MAX_PENDING {
                pending.insert(Arc::clone(row), *totals);
            } else {
                status.lost(totals.requests);
            }
        });
    }

    fn collect_windows(&mut self) {
        let now = LimitClock::now();
        let since = self.collected.saturating_sub(CLOCK_MARGIN);
        self.collected = now.uptime();
        // A rule that comes back finds its windows here, with a database or without.
        let windows = self.limits.windows(since, now);
        self.stored.update(windows.into_values());
        let changed = self.stored.take_changed().into_iter();
        self.changed.extend(changed.map(|it| (it.id.clone(), it)));
    }

    /// Once an hour, whether or not there is a database.
    fn forget_ended(&mut self) {
        let now = now();
        if self.forgotten != hour_of(now) {
            self.forgotten = hour_of(now);
            self.stored.prune(now);
            self.changed.retain(|_, window| window.end > now);
        }
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        if let Some(database) = self.database.take_if(|it| !it.is_at_its_path()) {
            self.status.vanished();
            database.leave()?;
        }
        if self.database.is_none() {
            self.open()?;
        }
        let Some(database) = &mut self.database else {
            return Ok(());
        };
        if !self.pending.is_empty() || !self.changed.is_empty() {
            let usage = self.pending.iter().map(|(row, totals)| (&**row, totals));
            let replicas = self.stored.replicas();
            let owner = if replicas.is_empty() {
                WindowOwner::Process
            } else {
                WindowOwner::Replica(&replicas)
            };
            database.write(usage, owner, self.changed.values())?;
            self.pending.clear();
            self.pending.shrink_to(KEPT_CAPACITY);
            self.changed.clear();
            self.changed.shrink_to(KEPT_CAPACITY);
        }
        self.prune()
    }

    fn prune(&mut self) -> Result<(), LedgerError> {
        let (now, hour) = (now(), hour_of(now()));
        if let Some(database) = &mut self.database
            && self.pruned < hour
            && !database.prune(now, self.retention_days)?
        {
            self.pruned = hour;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), LedgerError> {
        let opened = Database::open(&self.path, timestamp(), self.is_shared);
        if let Err(LedgerError::InUse) = &opened {
            self.follow();
        }
        let Opened {
            database,
            windows,
            damaged,
        } = opened?;
        if let Some((error, moved_to)) = &damaged {
            self.status.set_aside(error, moved_to);
        }
        let is_first = self.others.is_some();
        self.add_others(windows);
        self.others = None;
        self.collect_windows();
        if !is_first {
            // Another file has none of them.
            let all = self.stored.all().into_iter();
            self.changed.extend(all.map(|it| (it.id.clone(), it)));
        }
        self.status.opened();
        self.database = Some(database);
        Ok(())
    }

    /// While another process has the database, such as one that is about to end, what it
    /// uses counts here too.
    fn follow(&mut self) {
        if self.others.is_some() {
            let reader = LedgerReader::open(&self.path);
            // It is reported that there is no ledger.
            if let Ok(windows) = reader.and_then(|it| it.windows(timestamp())) {
                self.add_others(windows);
            }
        }
    }

    /// Takes over what earlier processes have used, which are all at the start.
    fn add_others(&mut self, windows: OpenWindows) {
        let OpenWindows { own, of_replicas } = windows;
        if self.is_shared {
            let replicas = self.stored.replicas();
            for ReplicaWindow { replica, window } in of_replicas {
                if !replicas.contains(&replica) {
                    self.stored.restore_from(&replica, &window);
                }
            }
            // Those of a process without a store, which has the file, are found when it is
            // this one's.
            return;
        }
        // Without a store, these are left in the file by one with a store that has it.
        let records = own
            .into_iter()
            .chain(of_replicas.into_iter().map(|it| it.window));
        let Some(others) = &mut self.others else {
            return;
        };
        let now = LimitClock::now();
        let limits = self.limits.newest();
        for record in records {
            // What was reserved is used as well, even if its requests never ended: the
            // provider may have billed them.
            let used = record.used.saturating_add(record.reserved);
            let before = others.insert(record.id.clone(), used).unwrap_or_default();
            let change = i64::try_from(i128::from(used) - i128::from(before));
            let change = change.unwrap_or(i64::MAX);
            let limits = limits.as_ref();
            let is_added =
                limits.is_some_and(|it| change == 0 || it.add_used(&record.id, change, now));
            if !is_added {
                // The first request for it finds it here.
                self.stored.restore([record]);
            }
        }
    }

    fn recover(&mut self, error: &LedgerError) {
        if error.is_busy() {
            return;
        }
        let database = self.database.take();
        if let (LedgerError::Damaged(_), Some(database)) = (error, database) {
            match database.set_aside(timestamp()) {
                Ok(moved_to) => self.status.set_aside(error, &moved_to),
                Err(error) => self.status.failed(&error),
            }
        }
    }
}

#[cfg(test)]
impl Writer {
    pub fn add_table(&self) -> Arc<super::UsageTable> {
        self.tables.add_table()
    }

    /// Overwrites the database, of which the connection has nothing in memory afterwards.
    pub fn damage(&self) {
        let connection = self.database.as_ref().unwrap().connection();
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(checkpoint, (), |_| Ok(())).unwrap();
        let length = std::fs::metadata(&self.path).unwrap().len();
        let bytes = vec![0xff; usize::try_from(length).unwrap()];
        std::fs::write(&self.path, bytes).unwrap();
        connection.execute_batch("PRAGMA shrink_memory").unwrap();
    }
}

fn now() -> i64 {
    seconds(wall_clock::now())
}

fn timestamp() -> Timestamp {
    Timestamp::try_from(wall_clock::now()).unwrap_or_default()
}
