//! `[reload]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[reload]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Reload {
    /// Obey changes of this file, of `.env`, and of the key and certificate files named here, as soon as they are written. SIGHUP is obeyed either way.
    pub watch: bool,
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true }
    }
}
