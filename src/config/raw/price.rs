//! `[prices."PROVIDER/MODEL"]` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Count;

/// `[prices."PROVIDER/MODEL"]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Price {
    #[serde(flatten)]
    pub rates: PriceRates,
    /// Prices of a request with a long prompt; they replace all others.
    pub long_prompt: Option<LongPromptPrice>,
    /// Prices of other service tiers, by their names: "batch", "fast", "flex", "priority".
    pub tiers: BTreeMap<String, TierPrice>,
}

/// `[prices."PROVIDER/MODEL".long_prompt]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct LongPromptPrice {
    /// A prompt of more tokens than these is long.
    pub above: Option<Count<1>>,
    #[serde(flatten)]
    pub rates: PriceRates,
}

/// `[prices."PROVIDER/MODEL".tiers.NAME]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct TierPrice {
    #[serde(flatten)]
    pub rates: PriceRates,
}

/// The keys that all of these tables have.
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PriceRates {
    /// US dollars per million prompt tokens, as text, so that the number is exact.
    #[schemars(example = "2.50")]
    pub input: Option<String>,
    /// The same for prompt tokens read from the provider's cache; `input` by default.
    #[schemars(example = "1.25")]
    pub cached_input: Option<String>,
    /// The same for prompt tokens written to the provider's cache.
    #[schemars(example = "3.75")]
    pub cache_write: Option<String>,
    /// The same for those that are kept there for an hour.
    #[schemars(example = "6")]
    pub cache_write_1h: Option<String>,
    /// The same for completion tokens, reasoning included.
    #[schemars(example = "10")]
    pub output: Option<String>,
    /// The same for prompt tokens that are audio.
    #[schemars(example = "40")]
    pub audio_input: Option<String>,
    /// The same for completion tokens that are audio.
    #[schemars(example = "80")]
    pub audio_output: Option<String>,
    /// The same for prompt tokens that the provider counts as images.
    #[schemars(example = "10")]
    pub image_input: Option<String>,
    /// The same for completion tokens that the provider counts as images.
    #[schemars(example = "40")]
    pub image_output: Option<String>,
    /// US dollars per thousand searches on the web by a tool of the provider.
    #[schemars(example = "10")]
    pub web_search: Option<String>,
}
