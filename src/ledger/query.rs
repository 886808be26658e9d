//! Reads a ledger, also while a gateway writes it.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row};

use super::database::{LOG, OpenWindows};
use super::error::LedgerError;
use super::file_lock::{resolved, with_suffix};
use super::schema::{self, LedgerContent, SUMS};
use crate::limits::{WindowId, WindowRecord};

/// How long a reader waits while the database is opened or closed by its writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Sums are made of two parts each, since one could exceed SQLite's integers.
const PART: i64 = 1_000_000_000;

/// What usage can be split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageColumn {
    Hour,
    Key,
    Team,
    Model,
    Provider,
    UpstreamModel,
    Session,
    Outcome,
}

/// The sum of some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// Seconds since 1970; 0 unless it is asked for.
    pub hour: i64,
    /// Of the other columns that were asked for, in their order.
    pub names: Vec<String>,
    /// In the order of [`super::UsageTotals::each`].
    pub sums: [u128; SUMS.len()],
}

#[derive(Debug)]
pub struct LedgerReader(Connection);

// === impl UsageColumn ===

impl UsageColumn {
    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Key => "key",
            Self::Team => "team",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::UpstreamModel => "upstream_model",
            Self::Session => "session",
            Self::Outcome => "outcome",
        }
    }
}

// === impl LedgerReader ===

impl LedgerReader {
    /// # Errors
    ///
    /// There is no such file, or it is no ledger.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        // SQLite's own error does not say why.
        std::fs::File::open(path)?;
        let opened = connect(path).and_then(|connection| {
            let content = schema::content(&connection)?;
            Ok((connection, content))
        });
        match opened.map_err(|error| error.of_file(path))? {
            (connection, LedgerContent::Ledger) => Ok(Self(connection)),
            (_, LedgerContent::Nothing) => Err(LedgerError::Foreign),
        }
    }

    /// The sums of the rows of these hours that are equal in `columns`, in their order.
    pub fn usage(
        &self,
        hours: &Range<i64>,
        columns: &[UsageColumn],
    ) -> Result<Vec<UsageRecord>, LedgerError> {
        let mut statement = self.0.prepare(&usage_sql(columns))?;
        let rows = statement.query_map([hours.start, hours.end], |row| record(row, columns))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The windows of limits that have not ended, of all processes that wrote here.
    pub fn open_windows(&self, now: Timestamp) -> Result<Vec<WindowRecord>, LedgerError> {
        let OpenWindows { own, of_replicas } = self.windows(now)?;
        let mut windows: IndexMap<WindowId, WindowRecord> = IndexMap::new();
        let of_replicas = of_replicas.into_iter().map(|it| it.window);
        for window in own.into_iter().chain(of_replicas) {
            match windows.get_mut(&window.id) {
                Some(sum) => {
                    sum.used = sum.used.saturating_add(window.used);
                    sum.reserved = sum.reserved.saturating_add(window.reserved);
                }
                None => {
                    windows.insert(window.id.clone(), window);
                }
            }
        }
        Ok(windows.into_values().collect())
    }

    pub(super) fn windows(&self, now: Timestamp) -> Result<OpenWindows, LedgerError> {
        Ok(OpenWindows::read(&self.0, now, usize::MAX)?)
    }
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        schema::content(&connection)?;
        Ok(connection)
    };
    match open() {
        // Without a writer, a reader has to create the index of the log, and may not be
        // allowed to. Without a log, the file is all there is (SQLite, "Write-Ahead
        // Logging", section 5).
        Err(LedgerError::Database(_)) if !with_suffix(&resolved(path), LOG).exists() => {
            let uri = format!("file:{}?immutable=1", uri_path(path));
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Ok(Connection::open_with_flags(uri, flags)?)
        }
        opened => opened,
    }
}

/// Escapes what has a meaning in a URI (SQLite, "URI Filenames").
fn uri_path(path: &Path) -> String {
    let path = path.display().to_string();
    path.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn usage_sql(columns: &[UsageColumn]) -> String {
    let names: Vec<&str> = columns.iter().map(|it| it.name()).collect();
    let mut selected: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    for sum in SUMS {
        selected.push(format!("coalesce(sum({sum} / {PART}), 0)"));
        selected.push(format!("coalesce(sum({sum} % {PART}), 0)"));
    }
    let order = if names.is_empty() {
        String::new()
    } else {
        let names = names.join(", ");
        format!(" GROUP BY {names} ORDER BY {names}")
    };
    let selected = selected.join(", ");
    format!("SELECT {selected} FROM usage WHERE hour >= ?1 AND hour < ?2{order}")
}

fn record(row: &Row<'_>, columns: &[UsageColumn]) -> rusqlite::Result<UsageRecord> {
    let mut record = UsageRecord {
        hour: 0,
        names: Vec::new(),
        sums: [0; SUMS.len()],
    };
    for (index, column) in columns.iter().enumerate() {
        match column {
            UsageColumn::Hour => record.hour = row.get(index)?,
            _ => record.names.push(row.get(index)?),
        }
    }
    let part = |index: usize| {
        let part: i64 = row.get(index)?;
        Ok::<_, rusqlite::Error>(u128::try_from(part).unwrap_or_default())
    };
    for (number, sum) in record.sums.iter_mut().enumerate() {
        let index = columns.len() + 2 * number;
        *sum = part(index)? * u128::from(PART.unsigned_abs()) + part(index + 1)?;
    }
    Ok(record)
}
