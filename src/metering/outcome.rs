//! Outcomes of requests, as metrics and logs label them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The client has the complete response.
    Ok,
    ClientError,
    UpstreamError,
    /// The client left.
    Cancelled,
    /// The client stopped reading the response.
    ClientStalled,
    Timeout,
    /// Rejected: a load limit was reached.
    Shed,
    InternalError,
}

impl RequestOutcome {
    /// In the order of their discriminants.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::ClientError,
        Self::UpstreamError,
        Self::Cancelled,
        Self::ClientStalled,
        Self::Timeout,
        Self::Shed,
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

    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::UpstreamError => "upstream_error",
            Self::Cancelled => "cancelled",
            Self::ClientStalled => "client_stalled",
            Self::Timeout => "timeout",
            Self::Shed => "shed",
            Self::InternalError => "internal_error",
        }
    }
}
