//! Why the ledger cannot be used.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use thiserror::Error;

use super::schema::{VERSION, is_marked};

#[derive(Debug, Error)]
pub enum LedgerError {
    #[error("another process has it open; each process needs a file of its own")]
    InUse,
    #[error(
        "the file is not a ledger of Trunkline and stays as it is; write another path, or move it"
    )]
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
    /// The error of opening this file, which is a damaged ledger only if it begins as one:
    /// a mistyped path may name anything.
    pub(super) fn of_file(self, path: &Path) -> Self {
        match self {
            Self::Damaged(_) if !is_marked(path) => Self::Foreign,
            error => error,
        }
    }

    /// True while only another connection is in the way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error)
            if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }
}
