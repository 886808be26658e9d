//! `[models.ALIAS.hedge]` as a person writes it.

use schemars::JsonSchema;
use serde::Deserialize;

/// `[models.ALIAS.hedge]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Hedge {
    /// Time without a first event (of a stream) or a first byte (of anything else) after which a second target is asked as well. Both may then work on the request and bill it.
    pub after: Option<String>,
    /// Instead of `after`: the time within which so many percent of the target's last answers had begun.
    pub quantile: Option<u64>,
    /// Shortest time that `quantile` may come to; "250ms" by default.
    pub floor: Option<String>,
    /// Least answers that `quantile` needs to know, from 5 to 128; 20 by default. Before, nothing is hedged.
    pub samples: Option<u64>,
}
