//! Whether a target gets requests, and why not.

use std::time::Duration;

use crate::telemetry::metric::label::ejection_reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    Ready,
    /// Excluded for this reason, and for this much longer.
    Excluded(Reason, Duration),
    /// Excluded until its provider passes health checks again.
    Unhealthy,
}

/// Why a target is excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It failed too often: the circuit breaker ejected it.
    Failed,
    /// Its responses broke off too often, and the circuit breaker ejected it.
    BrokenResponses,
    /// It responded that it is overloaded.
    Throttled,
    /// It rejected its credential.
    Unauthorized,
    /// The credential's rate limit is used up.
    RateLimited,
}

// === impl TargetState ===

impl TargetState {
    /// The reason that lasts longest; the first of those that last equally long.
    pub(super) fn from_reasons(reasons: [(u64, Reason); 4], now: u64) -> Self {
        let mut longest = (now, Self::Ready);
        for (until, reason) in reasons {
            if until > longest.0 {
                let remaining = Duration::from_millis(until - now);
                longest = (until, Self::Excluded(reason, remaining));
            }
        }
        longest.1
    }
}

// === impl Reason ===

impl Reason {
    pub(super) const COUNT: usize = Self::ALL.len();
    /// In the order of their discriminants.
    pub(super) const ALL: [Self; 5] = [
        Self::Failed,
        Self::BrokenResponses,
        Self::Throttled,
        Self::Unauthorized,
        Self::RateLimited,
    ];

    /// Label for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed => ejection_reason::FAILED,
            Self::BrokenResponses => ejection_reason::BROKEN_RESPONSES,
            Self::Throttled => ejection_reason::THROTTLED,
            Self::Unauthorized => ejection_reason::UNAUTHORIZED,
            Self::RateLimited => ejection_reason::RATE_LIMITED,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Reason, TargetState};

    #[test]
    fn the_reason_that_lasts_longest_is_reported() {
        let state = |unauthorized, failed, throttled, rate_limited| {
            let reasons = [
                (unauthorized, Reason::Unauthorized),
                (failed, Reason::Failed),
                (throttled, Reason::Throttled),
                (rate_limited, Reason::RateLimited),
            ];
            TargetState::from_reasons(reasons, 100)
        };
        let excluded =
            |reason, for_ms| TargetState::Excluded(reason, Duration::from_millis(for_ms));
        assert_eq!(state(0, 100, 99, 0), TargetState::Ready);
        assert_eq!(state(0, 0, 101, 0), excluded(Reason::Throttled, 1));
        assert_eq!(state(0, 130, 120, 130), excluded(Reason::Failed, 30));
        assert_eq!(state(130, 130, 120, 0), excluded(Reason::Unauthorized, 30));
        assert_eq!(state(0, 0, 120, 140), excluded(Reason::RateLimited, 40));
    }
}
