//! Limits in time on one attempt.

use std::time::Duration;

/// Limits in time on one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS together.
    pub connect: Duration,
    /// The TLS handshake within that, or none for no limit of its own.
    pub tls: Option<Duration>,
    /// From the time the request is sent to the response head.
    pub head: Duration,
    /// From the same time to the first event of a stream, or to the first byte
    /// of another body; none for no limit.
    pub first_event: Option<Duration>,
    /// Between two pieces of a response body.
    pub gap: Duration,
    /// The whole attempt, or none for no limit.
    pub total: Option<Duration>,
}

/// The limits that a provider, or a model, sets itself. Where it says nothing,
/// what it stands over holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnTimeouts {
    /// Instead of [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// Instead of [`Timeouts::tls`].
    pub tls: Option<Option<Duration>>,
    /// Instead of [`Timeouts::head`].
    pub head: Option<Duration>,
    /// Instead of [`Timeouts::first_event`].
    pub first_event: Option<Option<Duration>>,
    /// Instead of [`Timeouts::gap`].
    pub gap: Option<Duration>,
    /// Instead of [`Timeouts::total`].
    pub total: Option<Option<Duration>>,
}

impl Timeouts {
    /// The same, but for what `own` says.
    #[must_use]
    pub fn with(self, own: &OwnTimeouts) -> Self {
        Self {
            connect: own.connect.unwrap_or(self.connect),
            tls: own.tls.unwrap_or(self.tls),
            head: own.head.unwrap_or(self.head),
            first_event: own.first_event.unwrap_or(self.first_event),
            gap: own.gap.unwrap_or(self.gap),
            total: own.total.unwrap_or(self.total),
        }
    }
}
