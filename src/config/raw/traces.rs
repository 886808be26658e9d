//! `[traces]` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// `[traces]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Traces {
    /// OTLP/HTTP endpoint of an OpenTelemetry collector, such as `http://127.0.0.1:4318`; spans go to `/v1/traces` below it. "off" or "" for no traces.
    pub endpoint: String,
    /// Environment variable that, if set, overrides `endpoint`.
    #[schemars(example = &"OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub endpoint_env: Option<String>,
    /// Share of requests to trace, from "0" to "1", among those without a valid `traceparent`; otherwise its sampled flag decides.
    pub ratio: String,
    /// Service name in traces; by default the value of `OTEL_SERVICE_NAME`, else "trunkline".
    pub service_name: Option<String>,
    /// PEM file of additional certificate authorities to trust, for an `https://` collector.
    pub ca_file: Option<String>,
    /// Headers added to every export. Their values are never shown.
    pub headers: BTreeMap<String, String>,
    /// Environment variable that holds further headers, as `name=value,name=value` with percent-encoded values.
    #[schemars(example = &"OTEL_EXPORTER_OTLP_HEADERS")]
    pub headers_env: Option<String>,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: "off".into(),
            endpoint_env: None,
            ratio: "1".into(),
            service_name: None,
            ca_file: None,
            headers: BTreeMap::new(),
            headers_env: None,
        }
    }
}
