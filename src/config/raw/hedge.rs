//! `[models.ALIAS.hedge]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Count, PositiveDuration};

/// `[models.ALIAS.hedge]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Hedge {
    /// Time without a first event (of a stream) or first byte (of any other response) after which the request is also sent to a second target. Both may process it and bill it.
    pub after: Option<PositiveDuration>,
    /// Instead of `after`: a percentile, from 50 to 99, of the target's recent times to first event or byte.
    pub quantile: Option<Count<50, 99>>,
    /// Minimum delay when `quantile` is used; "250ms" by default.
    pub floor: Option<PositiveDuration>,
    /// Number of responses, from 5 to 128, that `quantile` requires; 20 by default. With fewer, nothing is hedged.
    pub samples: Option<Count<5, 128>>,
}
