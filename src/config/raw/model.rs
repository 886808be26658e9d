//! `[models.ALIAS]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ModelRetry, OwnTimeouts};
use crate::config::Balance;

/// `[models.ALIAS]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Model {
    /// Name of the provider, as in `[providers.NAME]` or the built-in table.
    pub provider: Option<String>,
    /// Name that the provider uses for the model; the alias itself by default.
    pub model: Option<String>,
    /// Several places that can answer, instead of `provider` and `model`.
    pub targets: Vec<Target>,
    /// How the targets of one priority share the requests; "weighted" by default.
    pub balance: Option<Balance>,
    /// Aliases that are tried, in this order, when none of these places gives an answer.
    pub fallbacks: Vec<String>,
    /// What differs from `[retry]`.
    pub retry: ModelRetry,
    /// Limits in time that differ from those of its providers.
    pub timeouts: OwnTimeouts,
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
