//! Why the ledger cannot be used.

use std::io;

use rusqlite::ErrorCode;
use thiserror::Error;

use super::schema::VERSION;

#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("another process has it open; each process needs a file of its own")]
    InUse,
    #[error("the file is a database of another program; write another path")]
    Foreign,
    #[error(
        "a newer version of Trunkline wrote it (its format is {0}, this version knows {VERSION}); run that version, or write another path"
    )]
    Newer(i64),
    #[error("it is damaged: {0}")]
    Damaged(rusqlite::Error),
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error),
            _ => Self::Database(error),
        }
    }
}

impl LedgerError {
    /// True while only another connection is in the way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error)
            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }
}
