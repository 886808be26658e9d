//! `[models.ALIAS]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, Hedge, ModelRetry, TimeoutOverrides};
use crate::config::{AffinityKind, Balance, SystemMessages, TokenCounting};

/// `[models.ALIAS]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
#[allow(
    clippy::struct_field_names,
    reason = "fields are named after the keys of the configuration"
)]
pub struct Model {
    /// Name of the provider: one in `[providers]`, or a built-in one.
    pub provider: Option<String>,
    /// The provider's name for the model; the alias by default, or what the client asked for if the alias is a pattern.
    pub model: Option<String>,
    /// Context window in tokens, prompt and completion together; shown on the page and in `/v1/models`. Built in for some aliases; else what the provider's list says.
    pub context: Option<Count<1>>,
    /// Maximum number of tokens of a completion; shown in `/v1/models`. Built in for some aliases; else what the provider's list says.
    pub max_output: Option<Count<1>>,
    /// Name for people, which programs show in place of the alias; in `/v1/models`.
    pub display_name: Option<String>,
    /// What becomes of system messages behind the first message of a user, in requests that are translated into chat completions; as the provider's by default.
    pub system_messages: Option<SystemMessages>,
    /// Who counts tokens for `/v1/messages/count_tokens`; "provider" by default.
    pub count_tokens: Option<TokenCounting>,
    /// Several targets, instead of `provider` and `model`.
    pub targets: Vec<Target>,
    /// How targets of the same priority share requests; "weighted" by default.
    pub balance: Option<Balance>,
    /// Sends related requests to the same target, to make use of its prompt cache; off by default.
    pub affinity: Affinity,
    /// Aliases that are tried in this order when no target responds.
    pub fallbacks: Vec<String>,
    /// Settings that override `[retry]`.
    pub retry: ModelRetry,
    /// Timeouts that override those of its providers.
    pub timeouts: TimeoutOverrides,
    /// When a request is also sent to a second target because the first is slow; never by default.
    pub hedge: Option<Hedge>,
}

/// `[models.ALIAS.affinity]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Affinity {
    /// What related requests have in common. A request that lacks it is balanced as usual.
    pub by: Option<AffinityKind>,
    /// The header for `by = "header"`, such as "x-session-id".
    pub header: Option<String>,
    /// Maximum number of requests in flight at one target before the next takes over, in percent of its share of all of them; 125 by default, 0 for no bound.
    pub max_load: Option<u64>,
}

/// `[[models.ALIAS.targets]]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Target {
    /// Name of the provider: one in `[providers]`, or a built-in one.
    pub provider: Option<String>,
    /// The provider's name for the model; the alias by default, or what the client asked for if the alias is a pattern.
    pub model: Option<String>,
    /// Share of the requests among targets of the same priority; 1 by default.
    pub weight: Option<Count<1, 1000>>,
    /// Targets with the lowest number are tried first; 0 by default.
    pub priority: Option<Count<0, 1000>>,
}
