//! Results of attempts, as metrics and logs label them.

use crate::routing;
use crate::telemetry::metric::label::{attempt_result, hedge_result};

#[derive(Debug, Clone, Copy)]
pub enum AttemptResult {
    /// A response for the client.
    Responded,
    /// No response, or one that another attempt may improve on.
    Failed(routing::AttemptOutcome),
    /// Unknown: another attempt responded first.
    Cancelled,
}

/// Outcome of a hedge: a second attempt, due while the first had no response.
#[derive(Debug, Clone, Copy)]
pub enum HedgeOutcome {
    /// Its response went to the client.
    Won,
    /// The first attempt responded first.
    Superseded,
    Failed,
    /// The client left while both were in flight.
    Abandoned,
    /// Not started: the retry budget was exhausted.
    OverBudget,
}

impl AttemptResult {
    pub(super) const COUNT: usize = routing::AttemptOutcome::COUNT + 2;

    pub(super) fn index(self) -> usize {
        match self {
            Self::Failed(outcome) => outcome.index(),
            Self::Responded => routing::AttemptOutcome::COUNT,
            Self::Cancelled => routing::AttemptOutcome::COUNT + 1,
        }
    }

    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed(outcome) => outcome.label(),
            Self::Responded => attempt_result::RESPONDED,
            Self::Cancelled => attempt_result::CANCELLED,
        }
    }
}

impl HedgeOutcome {
    pub(super) const COUNT: usize = 5;

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Won => hedge_result::WON,
            Self::Superseded => hedge_result::SUPERSEDED,
            Self::Failed => hedge_result::FAILED,
            Self::Abandoned => hedge_result::ABANDONED,
            Self::OverBudget => hedge_result::OVER_BUDGET,
        }
    }
}
