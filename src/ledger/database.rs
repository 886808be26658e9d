//! The open database, and what is written to it.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params_from_iter, types::Value};

use super::error::LedgerError;
use super::file_lock::{FileLock, private, resolved, with_suffix};
use super::schema::{self, SUMS};
use super::usage::{OwnedUsageRow, UsageTotals};
use super::window_table::{self, ReplicaWindow, WindowOwner};
use super::{HOUR, hour_of};
use crate::limits::{MAX_STORED, WindowRecord};

/// How long the writer waits for another connection that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// Windows are kept after their end: a clock may be set back.
const WINDOW_GRACE: i64 = 24 * HOUR;
/// Pages that are given back to the file system at a time.
const VACUUM_PAGES: u32 = 1000;
const DAY: i64 = 24 * HOUR;
/// Of the write-ahead log's name.
pub const LOG: &str = "-wal";

#[derive(Debug)]
pub struct Database {
    /// Dropped before the lock is released.
    connection: Connection,
    /// As configured.
    path: PathBuf,
    resolved: PathBuf,
    /// Device and inode at the time of opening.
    file: Option<(u64, u64)>,
    /// Of its write-ahead log.
    log: Option<(u64, u64)>,
    _lock: FileLock,
}

/// A database that has just been opened.
#[derive(Debug)]
pub struct Opened {
    pub database: Database,
    /// Those that had not ended.
    pub windows: OpenWindows,
    /// What was wrong with the one before it, and where that is now.
    pub damaged: Option<(LedgerError, PathBuf)>,
}

/// The windows that have not ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OpenWindows {
    /// Of processes that counted for themselves.
    pub own: Vec<WindowRecord>,
    /// Of those that shared a store.
    pub of_replicas: Vec<ReplicaWindow>,
}

// === impl Database ===

impl Database {
    /// Opens or creates it. A damaged one is set aside first. `is_shared` if a store counts
    /// over all replicas.
    pub fn open(path: &Path, now: Timestamp, is_shared: bool) -> Result<Opened, LedgerError> {
        let lock = FileLock::take(path)?;
        let resolved = resolved(path);
        let connected = connect(&resolved, now, is_shared).map_err(|error| error.of_file(path));
        let (connected, damaged) = match connected {
            Err(error @ LedgerError::Damaged(_)) => {
                let moved_to = set_aside(&resolved, now)?;
                (connect(&resolved, now, is_shared)?, Some((error, moved_to)))
            }
            connected => (connected?, None),
        };
        let (connection, windows) = connected;
        let database = Self {
            connection,
            file: identity(path),
            log: identity(&with_suffix(&resolved, LOG)),
            path: path.to_owned(),
            resolved,
            _lock: lock,
        };
        Ok(Opened {
            database,
            windows,
            damaged,
        })
    }

    /// False once the file was deleted or replaced: what is written no longer gets there.
    pub fn is_at_its_path(&self) -> bool {
        let now = identity(&self.path);
        now.is_some() && now == self.file
    }

    /// Adds to the totals and replaces the windows, all or nothing.
    pub fn write<'w>(
        &mut self,
        usage: impl Iterator<Item = (&'w OwnedUsageRow, &'w UsageTotals)>,
        owner: WindowOwner<'_>,
        windows: impl Iterator<Item = &'w WindowRecord>,
    ) -> Result<(), LedgerError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        {
            let mut add = transaction.prepare(&ADD_USAGE)?;
            for (row, totals) in usage {
                add.execute(params_from_iter(usage_values(row, totals)))?;
            }
            window_table::write(&transaction, owner, windows)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Drops what is older than it is kept for: the totals of one hour at a time, so that
    /// no write is long. True if there is more.
    pub fn prune(&mut self, now: i64, retention_days: u32) -> Result<bool, LedgerError> {
        let oldest = hour_of(now.saturating_sub(i64::from(retention_days) * DAY));
        let deleted = self.connection.execute(
            "DELETE FROM usage WHERE hour = (SELECT min(hour) FROM usage WHERE hour < ?1)",
            [oldest],
        )?;
        if deleted > 0 {
            let vacuum = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
            let mut vacuum = self.connection.prepare(&vacuum)?;
            let mut pages = vacuum.query(())?;
            // Each row is a page that is given back.
            while pages.next()?.is_some() {}
        }
        window_table::prune(&self.connection, now.saturating_sub(WINDOW_GRACE))?;
        Ok(deleted > 0)
    }

    /// Sets the file aside, after an error that says it is damaged. Dropping alone would
    /// leave it there.
    pub fn set_aside(self, now: Timestamp) -> Result<PathBuf, LedgerError> {
        let Self {
            connection,
            resolved,
            _lock: lock,
            ..
        } = self;
        drop(connection);
        let moved_to = set_aside(&resolved, now)?;
        drop(lock);
        Ok(moved_to)
    }

    /// Closes it after its file was deleted or replaced. SQLite leaves the log there then,
    /// and would apply it to the file that took its path.
    pub fn leave(self) -> io::Result<()> {
        let Self {
            connection,
            resolved,
            log,
            _lock: lock,
            ..
        } = self;
        drop(connection);
        let log_path = with_suffix(&resolved, LOG);
        if log.is_some() && identity(&log_path) == log {
            std::fs::remove_file(log_path)?;
        }
        drop(lock);
        Ok(())
    }

    #[cfg(test)]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Reads the windows as well, so that damage among them is found now.
fn connect(
    path: &Path,
    now: Timestamp,
    is_shared: bool,
) -> Result<(Connection, OpenWindows), LedgerError> {
    // SQLite would make it readable by everyone.
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    schema::prepare(&connection)?;
    window_table::convert(&mut connection, is_shared)?;
    let windows = OpenWindows::read(&connection, now, MAX_STORED)?;
    Ok((connection, windows))
}

impl OpenWindows {
    /// At most so many of both.
    pub fn read(
        connection: &Connection,
        now: Timestamp,
        max: usize,
    ) -> Result<Self, rusqlite::Error> {
        let now = now.as_second();
        Ok(Self {
            own: window_table::open_windows(connection, now, max)?,
            of_replicas: window_table::replica_windows(connection, now, max)?,
        })
    }
}

/// Renames the database and its log. With both, it can be examined.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let moved_to = with_suffix(
        path,
        &format!(".damaged-{}", now.strftime("%Y%m%dT%H%M%SZ")),
    );
    std::fs::rename(path, &moved_to)?;
    for suffix in [LOG, "-shm"] {
        match std::fs::rename(with_suffix(path, suffix), with_suffix(&moved_to, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(moved_to)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Totals saturate: the sum of absurd counts must not turn into a float.
static ADD_USAGE: LazyLock<String> = LazyLock::new(|| {
    let columns = SUMS.join(", ");
    let sums = SUMS.map(|sum| {
        let max = i64::MAX;
        format!("{sum} = min(usage.{sum}, {max} - excluded.{sum}) + excluded.{sum}")
    });
    format!(
        "INSERT INTO usage (hour, key, team, model, provider, upstream_model, session, outcome, {columns})
         VALUES ({}) ON CONFLICT DO UPDATE SET {}",
        vec!["?"; 8 + SUMS.len()].join(", "),
        sums.join(", ")
    )
});

fn usage_values(row: &OwnedUsageRow, totals: &UsageTotals) -> impl Iterator<Item = Value> {
    let OwnedUsageRow {
        hour,
        key,
        team,
        model,
        provider,
        upstream_model,
        session,
        outcome,
    } = row;
    let names = [key, team, model, provider, upstream_model, session];
    let names = names.map(|name| text(name)).into_iter();
    std::iter::once(Value::Integer(*hour))
        .chain(names)
        .chain([text(outcome)])
        .chain(totals.each().map(integer))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
