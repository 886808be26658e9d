//! `[ledger]`, checked.

use std::path::PathBuf;

/// Where usage is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerConfig {
    pub path: PathBuf,
    /// Days for which totals are kept.
    pub retention_days: u32,
}
