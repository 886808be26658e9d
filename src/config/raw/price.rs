//! `[prices."PROVIDER/MODEL"]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[prices."PROVIDER/MODEL"]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Price {
    /// US dollars for a million tokens of the prompt, as text, so that it is read exactly.
    #[schemars(example = "2.50")]
    pub input: Option<String>,
    /// The same for tokens of the prompt that come out of the provider's cache; as `input` when not given.
    #[schemars(example = "1.25")]
    pub cached_input: Option<String>,
    /// The same for tokens of the answer, those of reasoning included.
    #[schemars(example = "10")]
    pub output: Option<String>,
}
