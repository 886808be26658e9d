//! `[retry]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[retry]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Retry {
    /// Most attempts for one request, over all targets and fallbacks.
    pub attempts: u64,
    /// Try again also when a provider may have worked on the request without an answer having come; it may then be billed twice.
    pub processed: bool,
    /// Longest time, in all, to wait for a target that has failed or is busy before it is tried once more; with "0s" none is tried twice.
    pub max_wait: String,
    /// Second attempts that a provider's failures may cause, in percent of the requests sent there first. Requests that never arrived do not count.
    pub budget: u64,
}

/// `[models.ALIAS.retry]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ModelRetry {
    /// Instead of `retry.attempts`.
    pub attempts: Option<u64>,
    /// Instead of `retry.processed`.
    pub processed: Option<bool>,
    /// Instead of `retry.max_wait`.
    pub max_wait: Option<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            processed: false,
            max_wait: "0s".into(),
            budget: 10,
        }
    }
}
