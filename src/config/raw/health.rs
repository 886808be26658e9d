//! `[providers.NAME.health]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, PositiveDuration};

/// `[providers.NAME.health]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Health {
    /// Time between two health checks, such as "10s"; without it, none are made.
    pub interval: Option<PositiveDuration>,
    /// Path requested, below the base URL; "/models" by default. Status 200 to 299 is a success.
    pub path: Option<String>,
    /// Timeout of a health check; "5s" by default.
    pub timeout: Option<PositiveDuration>,
    /// Consecutive failures after which the provider is unhealthy; 3 by default.
    pub failures: Option<Count<1, 100>>,
    /// Consecutive successes after which it is healthy again; 2 by default.
    pub successes: Option<Count<1, 100>>,
}
