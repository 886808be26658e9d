//! How an attempt failed, independent of the protocol.

use std::time::Duration;

use crate::telemetry::metric::label::attempt_result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The upstream certainly did not process the request.
    NotProcessed,
    /// No response, and the upstream may have processed the request: a second
    /// attempt could be billed twice.
    MaybeProcessed,
    /// The upstream is overloaded or limits the rate, perhaps for a known time.
    Throttled(Option<Duration>),
    /// The upstream rejected the credential.
    Unauthorized,
    /// A 403 that may be about the credential. The target is not at fault for it: clients can
    /// cause such responses.
    Forbidden,
    /// The model is missing or not allowed, the upstream timed out, or its report under
    /// a good status blames the request.
    Rejected,
    /// An error of the upstream, or a response that is useless to clients.
    Failed,
}

impl AttemptOutcome {
    /// `None` for a status that goes to the client: a success, or the client's own
    /// error. `retry_after` is the delay requested by the upstream.
    #[must_use]
    pub fn from_status(
        status: u16,
        retry_after: impl FnOnce() -> Option<Duration>,
    ) -> Option<Self> {
        match status {
            429 | 503 | 529 => Some(Self::Throttled(retry_after())),
            401 | 402 => Some(Self::Unauthorized),
            403 => Some(Self::Forbidden),
            // Another target may succeed, but this one is not at fault: clients
            // can cause such responses.
            404 | 408 => Some(Self::Rejected),
            100..=199 | 300..=399 | 500..=599 => Some(Self::Failed),
            _ => None,
        }
    }

    /// Of the labels.
    pub const COUNT: usize = 6;

    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::NotProcessed => 0,
            Self::MaybeProcessed => 1,
            Self::Throttled(_) => 2,
            Self::Unauthorized | Self::Forbidden => 3,
            Self::Rejected => 4,
            Self::Failed => 5,
        }
    }

    /// Label for logs and metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotProcessed => attempt_result::NOT_SENT,
            Self::MaybeProcessed => attempt_result::NO_RESPONSE,
            Self::Throttled(_) => attempt_result::THROTTLED,
            Self::Unauthorized | Self::Forbidden => attempt_result::UNAUTHORIZED,
            Self::Rejected => attempt_result::REJECTED,
            Self::Failed => attempt_result::FAILED,
        }
    }

    /// Whether the request reached the upstream, so that a retry adds load.
    #[must_use]
    pub fn was_sent(self) -> bool {
        self != Self::NotProcessed
    }
}
