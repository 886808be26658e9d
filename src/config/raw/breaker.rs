//! `[breaker]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, PositiveDuration};

/// `[breaker]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Breaker {
    /// Consecutive failures that eject a target; 0 disables this rule.
    pub failures: Count<0, 1_000_000>,
    /// Failure rate in a window, in percent of its attempts, that ejects a target; 0 disables this rule.
    pub error_rate: Count<0, 100>,
    /// Consecutive streams, or consecutive other responses, that break off after they began and so eject a target; 0 disables this rule.
    pub broken_responses: Count<0, 1_000_000>,
    /// Minimum number of attempts in a window for `error_rate` to apply.
    pub min_requests: Count<1, 1_000_000>,
    /// Length of a window.
    pub window: PositiveDuration,
    /// Time before an ejected target is tried again, with one request; doubled each time that request fails.
    pub cooldown: PositiveDuration,
    /// Maximum time for which a target gets no requests: ejected, in cooldown, rate-limited or unauthorized.
    pub max_cooldown: PositiveDuration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: Count::new(5),
            error_rate: Count::new(50),
            broken_responses: Count::new(5),
            min_requests: Count::new(20),
            window: PositiveDuration::secs(10),
            cooldown: PositiveDuration::secs(5),
            max_cooldown: PositiveDuration::secs(60),
        }
    }
}
