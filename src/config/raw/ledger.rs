//! `[ledger]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Count;

/// `[ledger]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Ledger {
    /// SQLite database of what was used, such as "/var/lib/trunkline/usage.db"; the file is created, its folder is not. Without it, limits by day, week, month or total start anew when the process does.
    pub path: Option<String>,
    /// Days for which totals are kept.
    pub retention_days: Count<1, 36_500>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            path: None,
            retention_days: Count::new(400),
        }
    }
}
