//! `[retry]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, DurationOrZero};

/// `[retry]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Retry {
    /// Maximum number of attempts per request, over all targets and fallbacks.
    pub attempts: Count<1, 20>,
    /// Also retry when a provider may have processed the request but sent no response; it may then be billed twice.
    pub non_idempotent: bool,
    /// Maximum total time to wait for a failed or busy target before it is retried; with "0s" no target is tried twice.
    pub max_wait: DurationOrZero,
    /// Retry budget: retries caused by a provider's failures, in percent of the requests first sent there. Requests that never arrived do not count.
    pub budget: Count<0, 100>,
}

/// `[models.ALIAS.retry]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ModelRetry {
    /// Overrides `retry.attempts`.
    pub attempts: Option<Count<1, 20>>,
    /// Overrides `retry.non_idempotent`.
    pub non_idempotent: Option<bool>,
    /// Overrides `retry.max_wait`.
    pub max_wait: Option<DurationOrZero>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: Count::new(3),
            non_idempotent: false,
            max_wait: DurationOrZero::secs(0),
            budget: Count::new(10),
        }
    }
}
