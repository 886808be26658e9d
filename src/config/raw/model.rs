//! `[models.ALIAS]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Hedge, ModelRetry, OwnTimeouts};
use crate::config::{AffinityKind, Balance};

/// `[models.ALIAS]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Model {
    /// Name of the provider, as in `[providers.NAME]` or the built-in table.
    pub provider: Option<String>,
    /// Name that the provider uses for the model; the alias itself by default.
    pub model: Option<String>,
    /// Tokens that it can take, question and answer together; shown on the page. Known by itself for some of the built-in aliases.
    pub context: Option<u64>,
    /// Several places that can answer, instead of `provider` and `model`.
    pub targets: Vec<Target>,
    /// How the targets of one priority share the requests; "weighted" by default.
    pub balance: Option<Balance>,
    /// Sends requests that belong together to the same target, so that its prompt cache serves them; off by default.
    pub affinity: Affinity,
    /// Aliases that are tried, in this order, when none of these places gives an answer.
    pub fallbacks: Vec<String>,
    /// What differs from `[retry]`.
    pub retry: ModelRetry,
    /// Limits in time that differ from those of its providers.
    pub timeouts: OwnTimeouts,
    /// When a second target is asked while the first one is silent; never by default.
    pub hedge: Option<Hedge>,
}

/// `[models.ALIAS.affinity]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Affinity {
    /// What requests must have in common to belong together. One that has nothing of the kind goes by `balance`.
    pub by: Option<AffinityKind>,
    /// The header, where `by` is "header", such as "x-session-id".
    pub header: Option<String>,
    /// Most requests in flight at one target before the next one takes over, in percent of its share of all that are; 125 by default, 0 for no bound.
    pub max_load: Option<u64>,
}

/// `[[models.ALIAS.targets]]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Target {
    /// Name of the provider, as in `[providers.NAME]` or the built-in table.
    pub provider: Option<String>,
    /// Name that the provider uses for the model; the alias itself by default.
    pub model: Option<String>,
    /// Its share of the requests among those of the same priority; 1 by default.
    pub weight: Option<u64>,
    /// The lowest number is tried first; 0 by default.
    pub priority: Option<u64>,
}
