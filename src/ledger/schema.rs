//! The tables of the ledger. They are documented in `docs/ledger.md`: others read them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::Connection;

use super::error::LedgerError;

/// `PRAGMA user_version`. A change that older versions cannot write to increments it.
pub const VERSION: i64 = 1;
/// `PRAGMA application_id`, as the file has it.
const MARK: [u8; 4] = *b"TRNK";
const APPLICATION: i64 = u32::from_be_bytes(MARK) as i64;
/// Where it has it (SQLite, "Database File Format", 1.3).
const MARK_OFFSET: u64 = 68;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS usage (
    hour INTEGER NOT NULL,
    key TEXT NOT NULL,
    team TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    upstream_model TEXT NOT NULL,
    session TEXT NOT NULL,
    outcome TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_picodollars INTEGER NOT NULL,
    estimated_cost_picodollars INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    PRIMARY KEY (hour, key, team, model, provider, upstream_model, session, outcome)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS limit_window (
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    model TEXT NOT NULL,
    user TEXT NOT NULL,
    provider TEXT NOT NULL,
    amount TEXT NOT NULL,
    period TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    month_starts_on INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end INTEGER NOT NULL,
    used INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    PRIMARY KEY (rule, subject, model, user, provider, amount, period, time_zone,
                 month_starts_on, window_start)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replica_window (
    replica TEXT NOT NULL,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    model TEXT NOT NULL,
    user TEXT NOT NULL,
    provider TEXT NOT NULL,
    amount TEXT NOT NULL,
    period TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    month_starts_on INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end INTEGER NOT NULL,
    used INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    PRIMARY KEY (rule, subject, model, user, provider, amount, period, time_zone,
                 month_starts_on, window_start, replica)
) WITHOUT ROWID;
";

/// The columns of `usage` that are sums, in the order of
/// [`super::UsageTotals::each`].
pub const SUMS: [&str; 9] = [
    "requests",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_picodollars",
    "estimated_cost_picodollars",
    "unpriced_requests",
];

/// The columns that tell windows apart.
pub const WINDOW_KEY: &str = "rule, subject, model, user, provider, amount, period, time_zone, \
                              month_starts_on, window_start";

/// What a database is, before anything is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerContent {
    Nothing,
    Ledger,
}

/// # Errors
///
/// The file is something else.
pub fn content(connection: &Connection) -> Result<LedgerContent, LedgerError> {
    let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(LedgerContent::Nothing),
        (APPLICATION, ..=VERSION) => Ok(LedgerContent::Ledger),
        (APPLICATION, newer) => Err(LedgerError::Newer(newer)),
        _ => Err(LedgerError::Foreign),
    }
}

/// Whether the file begins as one that was created here, even if SQLite cannot read it.
pub fn is_marked(path: &Path) -> bool {
    let mut mark = [0; MARK.len()];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut mark, MARK_OFFSET));
    read.is_ok() && mark == MARK
}

/// Makes a database ready to be written.
pub fn prepare(connection: &Connection) -> Result<(), LedgerError> {
    if content(connection)? == LedgerContent::Nothing {
        // Only possible before the first table: deleted rows give space back. The mark is
        // in the file itself before there is a log.
        connection.execute_batch(&format!(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = {APPLICATION}"
        ))?;
    }
    // Another file system may allow no write-ahead log; SQLite then keeps its own choice.
    // A write is synced, so that it also survives a loss of power.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304",
    )?;
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; PRAGMA user_version = {VERSION};{TABLES}COMMIT",
    ))?;
    Ok(())
}
