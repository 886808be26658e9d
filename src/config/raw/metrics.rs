//! `[metrics]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::PositiveDuration;

/// `[metrics]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Metrics {
    /// Export all metrics over OTLP/HTTP as well, to the collector of `[traces]`: they go to `/v1/metrics` below `traces.endpoint`, with the headers of `[traces]`.
    pub otlp: bool,
    /// Time between two exports, at least "1s".
    pub otlp_interval: PositiveDuration,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            otlp: false,
            // OpenTelemetry's default (metrics SDK specification, "Periodic exporting
            // MetricReader").
            otlp_interval: PositiveDuration::secs(60),
        }
    }
}
