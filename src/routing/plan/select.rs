//! Selects one of a plan's targets.

use std::time::Instant;

use fastrand::Rng;

use super::Plan;
use crate::catalog::Target;
use crate::config::Balance;

impl<'p> Plan<'p> {
    /// A target by affinity, by weight, or the less loaded of two by weight: two
    /// random choices are almost as good as the best of all, and concurrent requests
    /// do not all choose the same target.
    pub(super) fn select(
        &self,
        now: Instant,
        rng: &mut Rng,
        is_eligible: impl Fn(&Target) -> bool,
    ) -> Option<(usize, &'p Target)> {
        if let Some(key) = self.affinity_key {
            let is_eligible = |_, target: &Target| is_eligible(target);
            let weight = |target: &Target| self.fleet.weight(target, now);
            let in_flight = |target: &Target| self.fleet.in_flight(target);
            return key.choose(self.candidates(&is_eligible)?, weight, in_flight);
        }
        let one = self.select_weighted(now, rng, |_, target| is_eligible(target))?;
        if self.balance == Balance::Weighted {
            return Some(one);
        }
        let step = one.1.step;
        let other = self.select_weighted(now, rng, |index, target| {
            index != one.0 && target.step == step && is_eligible(target)
        });
        let cost = |target: &Target| self.fleet.cost(target, now);
        let better = other.filter(|(_, other)| cost(other) < cost(one.1));
        Some(better.unwrap_or(one))
    }

    /// One of [`Self::candidates`], by weight.
    pub(super) fn select_weighted(
        &self,
        now: Instant,
        rng: &mut Rng,
        is_eligible: impl Fn(usize, &Target) -> bool,
    ) -> Option<(usize, &'p Target)> {
        let mut candidates = self.candidates(&is_eligible)?;
        let weight = |target| self.fleet.weight(target, now);
        let total: u64 = candidates.clone().map(|(_, target)| weight(target)).sum();
        let mut remaining = rng.u64(0..total.max(1));
        // A concurrent report may lower weights, so that none is hit.
        let last = candidates.clone().last();
        let hit = candidates.find(|(_, target)| {
            let weight = weight(target);
            let is_hit = remaining < weight;
            remaining = remaining.saturating_sub(weight);
            is_hit
        });
        hit.or(last)
    }

    /// The untried, eligible targets of the lowest step that has any.
    pub(super) fn candidates<'s>(
        &'s self,
        is_eligible: &'s impl Fn(usize, &Target) -> bool,
    ) -> Option<impl Iterator<Item = (usize, &'p Target)> + Clone + 's> {
        let untried = self.untried();
        let eligible = untried.filter(|(index, target)| is_eligible(*index, target));
        let (_, first) = eligible.clone().next()?;
        Some(eligible.filter(move |(_, target)| target.step == first.step))
    }

    /// With their indices.
    pub(super) fn untried(&self) -> impl Iterator<Item = (usize, &'p Target)> + Clone + use<'p> {
        let tried = self.tried;
        let targets = self.targets.iter().enumerate().take(64);
        targets.filter(move |(index, _)| tried & (1 << index) == 0)
    }
}
