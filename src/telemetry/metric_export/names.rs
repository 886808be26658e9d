//! Names and units in OTLP: those of OpenTelemetry's semantic conventions for generative
//! AI where they define the metric, else the ones that Prometheus sees.
//!
//! The conventions are still in development; these names are of version 1.37 of the
//! semantic conventions ("Generative AI metrics").

use metrics::{Key, Unit};
use serde::Serialize;

use crate::telemetry::gen_ai::provider_name;
use crate::telemetry::metric::{
    Metric, MetricKind, REQUEST_DURATION, REQUEST_TOKENS, REQUESTS, REQUESTS_IN_FLIGHT,
    TIME_TO_FIRST_TOKEN, TOKENS,
};

/// Our metrics that the conventions define.
const GEN_AI: [(&str, &str); 3] = [
    (REQUEST_DURATION.name, "gen_ai.client.operation.duration"),
    (
        TIME_TO_FIRST_TOKEN.name,
        "gen_ai.server.time_to_first_token",
    ),
    (REQUEST_TOKENS.name, "gen_ai.client.token.usage"),
];

/// An attribute of a data point.
#[derive(Debug, Serialize)]
pub(super) struct PointAttribute<'a> {
    key: &'a str,
    value: TextValue<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TextValue<'a> {
    string_value: &'a str,
}

/// The conventions' name of a metric, if they define it.
fn gen_ai_name(metric: &Metric) -> Option<&'static str> {
    let mut defined = GEN_AI.iter().filter(|(ours, _)| *ours == metric.name);
    defined.next().map(|(_, name)| *name)
}

pub(super) fn name(metric: &Metric) -> &'static str {
    gen_ai_name(metric).unwrap_or(metric.name)
}

/// In UCUM, with annotations where the conventions have them; empty for none.
pub(super) fn unit(metric: &Metric) -> &'static str {
    let is_one_of = |metrics: [&Metric; 2]| metrics.iter().any(|it| it.name == metric.name);
    match (metric.unit, metric.kind) {
        (Unit::Seconds, _) => "s",
        (Unit::Bytes, _) => "By",
        _ if is_one_of([&TOKENS, &REQUEST_TOKENS]) => "{token}",
        _ if is_one_of([&REQUESTS, &REQUESTS_IN_FLIGHT]) => "{request}",
        // Prometheus appends `_ratio` to the name of a gauge whose unit is 1.
        (_, MetricKind::Gauge) => "",
        _ => "1",
    }
}

/// A series' labels. The provider's name in the configuration is kept beside that of the
/// conventions, as in spans, so that no two series become one.
pub(super) fn attributes<'a>(metric: &Metric, key: &'a Key) -> Vec<PointAttribute<'a>> {
    let labels = key.labels().map(|label| (label.key(), label.value()));
    if gen_ai_name(metric).is_none() {
        return labels.map(PointAttribute::from).collect();
    }
    let mut attributes = Vec::new();
    for (name, value) in labels {
        let name = match name {
            "model" => "gen_ai.request.model",
            "kind" => "gen_ai.token.type",
            "provider" => {
                attributes.push(("gen_ai.provider.name", provider_name(value)));
                "trunkline.provider"
            }
            name => name,
        };
        attributes.push((name, value));
    }
    attributes.into_iter().map(PointAttribute::from).collect()
}

impl<'a> From<(&'a str, &'a str)> for PointAttribute<'a> {
    fn from((key, value): (&'a str, &'a str)) -> Self {
        let value = TextValue {
            string_value: value,
        };
        Self { key, value }
    }
}
