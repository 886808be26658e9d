//! Splits all data points into requests of a bounded number.

use crate::telemetry::metric::FamilySnapshot;

/// Metrics with at most `max` data points together. A metric with many series is in
/// several batches.
#[derive(Debug)]
pub(super) struct Batches<I> {
    families: I,
    /// What of the last metric did not fit.
    rest: Option<FamilySnapshot>,
    max: usize,
}

impl<I: Iterator<Item = FamilySnapshot>> Batches<I> {
    pub(super) fn new(families: I, max: usize) -> Self {
        let rest = None;
        Self {
            families,
            rest,
            max,
        }
    }

    /// The next series of one metric, at most `room` of them.
    fn next_family(&mut self, room: usize) -> Option<FamilySnapshot> {
        let mut family = self.rest.take().or_else(|| self.families.next())?;
        if family.samples.len() > room {
            self.rest = Some(FamilySnapshot {
                metric: family.metric,
                samples: family.samples.split_off(room),
            });
        }
        Some(family)
    }
}

impl<I: Iterator<Item = FamilySnapshot>> Iterator for Batches<I> {
    type Item = Vec<FamilySnapshot>;

    fn next(&mut self) -> Option<Vec<FamilySnapshot>> {
        let mut batch = Vec::new();
        let mut room = self.max;
        while room > 0
            && let Some(family) = self.next_family(room)
        {
            room = room.saturating_sub(family.samples.len());
            batch.push(family);
        }
        (!batch.is_empty()).then_some(batch)
    }
}
