//! What an attempt came to, in words that no protocol knows.

use std::time::Duration;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream surely did not work on the request.
    NotProcessed,
    /// There was no answer, and the upstream may have worked on the request: a
    /// second try could be billed twice.
    MaybeProcessed,
    /// It answered that it has too much to do, and perhaps for how long.
    Throttled(Option<Duration>),
    /// It answered that the credential does not open it.
    Denied,
    /// It answered that it has no such model, not for us, or not in time.
    Refused,
    /// It answered that it failed, or in a way that no caller can use.
    Failed,
}

impl Outcome {
    /// What the status of an answer says; none where the answer is for the
    /// caller, be it good or the caller's own fault. `wait` is how long the
    /// upstream asks to be left alone.
    #[must_use]
    pub fn of_status(status: u16, wait: impl FnOnce() -> Option<Duration>) -> Option<Self> {
        match status {
            429 | 503 | 529 => Some(Self::Throttled(wait())),
            401 | 402 => Some(Self::Denied),
            // Another one may do better, but this one is not broken: callers can
            // bring such answers about.
            403 | 404 | 408 => Some(Self::Refused),
            100..=199 | 300..=399 | 500..=599 => Some(Self::Failed),
            _ => None,
        }
    }

    /// How many kinds there are.
    pub const KINDS: usize = 6;

    /// Number of the kind.
    #[must_use]
    pub fn kind(self) -> usize {
        match self {
            Self::NotProcessed => 0,
            Self::MaybeProcessed => 1,
            Self::Throttled(_) => 2,
            Self::Denied => 3,
            Self::Refused => 4,
            Self::Failed => 5,
        }
    }

    /// Word for the log and the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotProcessed => "unsent",
            Self::MaybeProcessed => "lost",
            Self::Throttled(_) => "throttled",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Whether the upstream got the request, so that one more is one more for
    /// somebody to bear.
    #[must_use]
    pub fn was_sent(self) -> bool {
        self != Self::NotProcessed
    }
}
