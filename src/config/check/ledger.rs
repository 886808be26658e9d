//! `[ledger]`.

use std::path::PathBuf;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{LedgerConfig, raw};

/// `None` while there is no ledger. The file itself is not looked at: a ledger that
/// cannot be opened never stops the gateway.
pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Ledger) -> Option<LedgerConfig> {
    let text = raw.path.as_deref()?;
    // A trailing slash is lost in a `Path`.
    if text.is_empty() || text.ends_with('/') || PathBuf::from(text).file_name().is_none() {
        let message = "names no file; write one such as \"/var/lib/trunkline/usage.db\"";
        checker.error(&KeyPath::new(["ledger", "path"]), message);
        return None;
    }
    Some(LedgerConfig {
        path: PathBuf::from(text),
        retention_days: raw.retention_days.get(),
    })
}
