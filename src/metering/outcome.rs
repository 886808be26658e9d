//! Outcomes of requests, as metrics and logs label them.

use crate::telemetry::metric::label::outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The client has the complete response.
    Ok,
    ClientError,
    /// The model has no target with a key and an address.
    NotConfigured,
    UpstreamError,
    /// The client left.
    Cancelled,
    /// The client stopped reading the response.
    ClientStalled,
    Timeout,
    /// Rejected: a load limit was reached.
    Shed,
    /// Refused: a limit of the client was reached.
    Limited,
    InternalError,
}

impl RequestOutcome {
    /// In the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::ClientError,
        Self::NotConfigured,
        Self::UpstreamError,
        Self::Cancelled,
        Self::ClientStalled,
        Self::Timeout,
        Self::Shed,
        Self::Limited,
        Self::InternalError,
    ];

    /// The outcome of a complete response with this status.
    #[must_use]
    pub fn from_status(status: u16) -> Self {
        match status {
            429 | 500.. => Self::UpstreamError,
            400..=499 => Self::ClientError,
            _ => Self::Ok,
        }
    }

    /// False as well for a client that left, or stopped reading.
    #[must_use]
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Cancelled | Self::ClientStalled)
    }

    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => outcome::OK,
            Self::ClientError => outcome::CLIENT_ERROR,
            Self::NotConfigured => outcome::NOT_CONFIGURED,
            Self::UpstreamError => outcome::UPSTREAM_ERROR,
            Self::Cancelled => outcome::CANCELLED,
            Self::ClientStalled => outcome::CLIENT_STALLED,
            Self::Timeout => outcome::TIMEOUT,
            Self::Shed => outcome::SHED,
            Self::Limited => outcome::LIMITED,
            Self::InternalError => outcome::INTERNAL_ERROR,
        }
    }
}
