//! The ledger: what was used, in an SQLite database, and with it the open windows of
//! limits, so that they survive a restart.
//!
//! Workers add to tables in memory; a thread of its own writes these once a second. No
//! failure of the database reaches a request.

mod database;
mod error;
mod file_lock;
mod probe;
mod query;
mod schema;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod usage;
mod watched_limits;
mod window_table;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::LedgerConfig;
use crate::limits::{LimitSet, StoredWindows};
use crate::telemetry::metric::Registry;
use crate::wall_clock;

pub use error::LedgerError;
pub use probe::{LedgerFile, probe};
pub use query::{LedgerReader, UsageColumn, UsageRecord};
pub use table::{UsageTable, UsageTables};
pub use usage::{UsageRow, UsageTotals};

use watched_limits::WatchedLimits;
use writer::{Writer, WriterCommand};

/// A database that takes longer to open never delays the start further.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// The same at the end of the process.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const HOUR: i64 = 3600;

/// The handle of the writer's thread.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    tables: UsageTables,
    stored: Arc<StoredWindows>,
    limits: Arc<WatchedLimits>,
    commands: Sender<WriterCommand>,
}

impl Ledger {
    /// Opens or creates the database, and reads the open windows of limits. Goes on
    /// without it if that fails; the thread tries again.
    ///
    /// `is_shared` if a store counts over all replicas: it is asked to count what earlier
    /// processes have used.
    pub fn start(config: &LedgerConfig, is_shared: bool, registry: &Registry) -> io::Result<Self> {
        let (commands, receiver) = channel();
        let ledger = Self {
            path: config.path.clone(),
            tables: UsageTables::default(),
            stored: Arc::default(),
            limits: Arc::default(),
            commands,
        };
        let mut writer = Writer::new(&ledger, config, is_shared, registry);
        let (opened, is_opened) = channel();
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                writer.open_first();
                // The start may have gone on.
                let _ = opened.send(());
                writer.run(&receiver);
            })?;
        let _ = is_opened.recv_timeout(OPEN_TIMEOUT);
        Ok(ledger)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where workers count.
    #[must_use]
    pub fn tables(&self) -> &UsageTables {
        &self.tables
    }

    /// What was used of windows that are open.
    #[must_use]
    pub fn stored_windows(&self) -> &Arc<StoredWindows> {
        &self.stored
    }

    /// Records the windows of these limits from now on.
    pub fn watch(&self, limits: &Arc<LimitSet>) {
        self.limits.set(limits);
    }

    pub fn set_retention(&self, days: u32) {
        // The thread runs as long as the process.
        let _ = self.commands.send(WriterCommand::SetRetention(days));
    }

    /// Writes what is left and closes the database, within [`CLOSE_TIMEOUT`].
    pub async fn finish(&self) {
        let (done, is_done) = oneshot::channel();
        if self.commands.send(WriterCommand::Finish(done)).is_ok() {
            let _ = timeout(CLOSE_TIMEOUT, is_done).await;
        }
    }
}

/// The hour of now, as in [`UsageRow::hour`].
#[must_use]
pub fn current_hour() -> i64 {
    hour_of(seconds(wall_clock::now()))
}

fn hour_of(seconds: i64) -> i64 {
    seconds - seconds.rem_euclid(HOUR)
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
