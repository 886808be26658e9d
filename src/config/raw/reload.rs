//! `[reload]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[reload]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Reload {
    /// Reload when this file, `.env`, or a key or certificate file named here changes. SIGHUP reloads in either case.
    pub watch: bool,
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true }
    }
}
