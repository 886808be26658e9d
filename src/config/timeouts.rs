//! Timeouts of one attempt.

use std::time::Duration;

use super::raw::{self, DurationOrOff, PositiveDuration};

/// Timeouts of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS together.
    pub connect: Duration,
    /// TLS handshake, within `connect`; none for no separate limit.
    pub tls: Option<Duration>,
    /// From the end of the request to the response head.
    pub response_header: Duration,
    /// From the end of the request to the first event of a stream, or the first
    /// byte of any other body; none for no limit.
    pub first_event: Option<Duration>,
    /// Idle time within a response body.
    pub idle: Duration,
    /// The whole attempt; none for no limit.
    pub total: Option<Duration>,
}

/// Timeouts that a provider or a model sets itself; none if it sets nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::option_option,
    reason = "outer: whether it is overridden; inner: `None` for off"
)]
pub struct TimeoutOverrides {
    pub connect: Option<Duration>,
    pub tls: Option<Option<Duration>>,
    pub response_header: Option<Duration>,
    pub first_event: Option<Option<Duration>>,
    pub idle: Option<Duration>,
    pub total: Option<Option<Duration>>,
}

impl Timeouts {
    #[must_use]
    pub fn with_overrides(self, overrides: &TimeoutOverrides) -> Self {
        Self {
            connect: overrides.connect.unwrap_or(self.connect),
            tls: overrides.tls.unwrap_or(self.tls),
            response_header: overrides.response_header.unwrap_or(self.response_header),
            first_event: overrides.first_event.unwrap_or(self.first_event),
            idle: overrides.idle.unwrap_or(self.idle),
            total: overrides.total.unwrap_or(self.total),
        }
    }
}

impl From<&raw::Timeouts> for Timeouts {
    fn from(raw: &raw::Timeouts) -> Self {
        Self {
            connect: raw.connect.get(),
            tls: raw.tls.get(),
            response_header: raw.response_header.get(),
            first_event: raw.first_event.get(),
            idle: raw.idle.get(),
            total: raw.total.get(),
        }
    }
}

impl From<&raw::TimeoutOverrides> for TimeoutOverrides {
    fn from(raw: &raw::TimeoutOverrides) -> Self {
        Self {
            connect: raw.connect.map(PositiveDuration::get),
            tls: raw.tls.map(DurationOrOff::get),
            response_header: raw.response_header.map(PositiveDuration::get),
            first_event: raw.first_event.map(DurationOrOff::get),
            idle: raw.idle.map(PositiveDuration::get),
            total: raw.total.map(DurationOrOff::get),
        }
    }
}
