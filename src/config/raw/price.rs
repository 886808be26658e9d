//! `[prices."PROVIDER/MODEL"]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[prices."PROVIDER/MODEL"]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Price {
    /// US dollars per million prompt tokens, as text, so that the number is exact.
    #[schemars(example = "2.50")]
    pub input: Option<String>,
    /// The same for prompt tokens read from the provider's cache; `input` by default.
    #[schemars(example = "1.25")]
    pub cached_input: Option<String>,
    /// The same for completion tokens, reasoning included.
    #[schemars(example = "10")]
    pub output: Option<String>,
}
