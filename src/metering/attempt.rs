//! What came of an attempt, as metrics tell it.

use crate::routing;

/// What came of an attempt.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// An answer for the caller.
    Answered,
    /// None, or one to avoid.
    Failed(routing::Outcome),
    /// Nothing that is known: another one answered first.
    Cancelled,
}

/// What came of an attempt that was begun while the first one was silent.
#[derive(Debug, Clone, Copy)]
pub enum Hedged {
    /// Its answer went to the caller.
    Won,
    /// The first attempt's did.
    Lost,
    /// It failed.
    Failed,
    /// The caller left while both were silent.
    Abandoned,
    /// It was due, and not begun: the retry budget is used up.
    Withheld,
}

impl Attempt {
    /// How many results there are.
    pub(super) const COUNT: usize = routing::Outcome::KINDS + 2;

    pub(super) fn number(self) -> usize {
        match self {
            Self::Failed(fault) => fault.kind(),
            Self::Answered => routing::Outcome::KINDS,
            Self::Cancelled => routing::Outcome::KINDS + 1,
        }
    }

    /// Word for the log and the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed(fault) => fault.label(),
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Hedged {
    /// How many results there are.
    pub(super) const COUNT: usize = 5;

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Withheld => "withheld",
        }
    }
}
