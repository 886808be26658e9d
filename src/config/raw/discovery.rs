//! `[discovery]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[discovery]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Discovery {
    /// How long a provider's own list of models is told without asking for it anew.
    pub ttl: String,
    /// Longest wait for such a list.
    pub timeout: String,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            ttl: "5m".into(),
            timeout: "5s".into(),
        }
    }
}
