//! `[timeouts]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationOrOff, PositiveDuration};

/// `[timeouts]`
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Timeouts {
    /// Timeout for a connection: name lookup, TCP and TLS together.
    pub connect: PositiveDuration,
    /// Timeout for the TLS handshake, within `connect`; "off" for no separate limit.
    pub tls: DurationOrOff,
    /// From the end of the request to the response head.
    pub response_header: PositiveDuration,
    /// From the end of the request to the first event of a stream, or the first byte of any other response; "off" for no limit besides `response_header` and `idle`.
    pub first_event: DurationOrOff,
    /// Maximum idle time within a response body.
    pub idle: PositiveDuration,
    /// Timeout for a whole attempt; "off" for no limit.
    pub total: DurationOrOff,
}

/// `[providers.NAME.timeouts]` and `[models.ALIAS.timeouts]`
#[derive(Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct TimeoutOverrides {
    /// Overrides `timeouts.connect`.
    pub connect: Option<PositiveDuration>,
    /// Overrides `timeouts.tls`.
    pub tls: Option<DurationOrOff>,
    /// Overrides `timeouts.response_header`.
    pub response_header: Option<PositiveDuration>,
    /// Overrides `timeouts.first_event`.
    pub first_event: Option<DurationOrOff>,
    /// Overrides `timeouts.idle`.
    pub idle: Option<PositiveDuration>,
    /// Overrides `timeouts.total`.
    pub total: Option<DurationOrOff>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: PositiveDuration::secs(5),
            tls: DurationOrOff::OFF,
            response_header: PositiveDuration::secs(300),
            first_event: DurationOrOff::OFF,
            idle: PositiveDuration::secs(300),
            total: DurationOrOff::OFF,
        }
    }
}
