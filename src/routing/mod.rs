//! Whom to try, in which order, and when to stop.

use crate::catalog::Target;

/// The ordered targets for one request. A target is handed out once.
#[derive(Debug)]
pub struct Plan<'t> {
    targets: &'t [Target],
    tried: usize,
}

/// What an attempt that was not accepted says about further ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream surely did not work on the request: the next target may.
    NotProcessed,
    /// It may have; a second try could be billed twice.
    MaybeProcessed,
}

impl<'t> Plan<'t> {
    /// A plan over these targets, the first one first.
    #[must_use]
    pub fn new(targets: &'t [Target]) -> Self {
        Self { targets, tried: 0 }
    }

    /// The target of the first attempt.
    pub fn first(&mut self) -> Option<&'t Target> {
        self.next()
    }

    /// The target of the next attempt after one that ended like this, or none
    /// when the failure is to be told.
    pub fn after(&mut self, outcome: Outcome) -> Option<&'t Target> {
        match outcome {
            Outcome::NotProcessed => self.next(),
            Outcome::MaybeProcessed => None,
        }
    }

    /// True while there is a target that has not been handed out.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.tried < self.targets.len()
    }

    fn next(&mut self) -> Option<&'t Target> {
        let target = self.targets.get(self.tried);
        self.tried += 1;
        target
    }
}
