//! How a request ended, in the words of metrics and logs.

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The caller has the whole answer.
    Ok,
    /// The request was at fault.
    ClientError,
    /// The upstream was.
    UpstreamError,
    /// The caller went away.
    Cancelled,
    /// The caller took nothing of its answer for too long.
    ClientStalled,
    /// A limit in time was reached.
    Timeout,
    /// A limit on load was reached.
    Shed,
    /// We were at fault.
    InternalError,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
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

    /// The outcome of an answer that came whole with this status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            429 | 500.. => Self::UpstreamError,
            400..=499 => Self::ClientError,
            _ => Self::Ok,
        }
    }

    /// The name that metrics and logs use.
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
