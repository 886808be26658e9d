//! `[breaker]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[breaker]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Breaker {
    /// Faults in a row that eject a target; 0 to count none.
    pub failures: u64,
    /// Share of faults, in percent of the attempts in a window, that ejects a target; 0 for none.
    pub error_rate: u64,
    /// Least attempts in a window for its share of faults to count.
    pub min_requests: u64,
    /// Length of a window.
    pub window: String,
    /// How long an ejected target is left out before one request tries it; doubled while that fails.
    pub cooldown: String,
    /// Longest time that a target is left out, be it ejected, out of its rate limit or refusing its key.
    pub max_cooldown: String,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 5,
            error_rate: 50,
            min_requests: 20,
            window: "10s".into(),
            cooldown: "5s".into(),
            max_cooldown: "60s".into(),
        }
    }
}
