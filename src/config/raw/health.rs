//! `[providers.NAME.health]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[providers.NAME.health]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Health {
    /// How often the provider is asked whether it is well, such as "10s"; not at all when it is not given.
    pub interval: Option<String>,
    /// What it is asked for, below its base URL; "/models" by default. An answer with a status from 200 to 299 is good.
    pub path: Option<String>,
    /// Longest wait for the answer; "5s" by default.
    pub timeout: Option<String>,
    /// Bad answers in a row after which the provider is left out; 3 by default.
    pub failures: Option<u64>,
    /// Good answers in a row after which it is back; 2 by default.
    pub successes: Option<u64>,
}
