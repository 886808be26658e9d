//! `[discovery]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::PositiveDuration;

/// `[discovery]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Discovery {
    /// How long a provider's model list is cached.
    pub ttl: PositiveDuration,
    /// Timeout for fetching a model list.
    pub timeout: PositiveDuration,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            ttl: PositiveDuration::secs(300),
            timeout: PositiveDuration::secs(5),
        }
    }
}
