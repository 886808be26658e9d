//! Affinity: requests with the same key go to the same target, in every gateway
//! process, as long as that target is available.

use twox_hash::XxHash3_64;

use crate::catalog::{Target, fingerprint};
use crate::telemetry::metric::label::affinity_result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AffinityKey {
    hash: u64,
    /// Maximum requests in flight at a target, in percent of its share by weight.
    max_load: Option<u32>,
}

/// Whether a request went to its affine target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AffinityResult {
    Hit,
    /// The affine target was unavailable or full.
    Moved,
    /// The request has no affinity key.
    NoKey,
}

// === impl AffinityKey ===

impl AffinityKey {
    /// `None` when all parts are empty.
    #[must_use]
    pub fn new(parts: &[&[u8]], max_load: Option<u32>) -> Option<Self> {
        let has_content = parts.iter().any(|part| !part.is_empty());
        has_content.then(|| Self {
            hash: fingerprint(parts.iter().copied()),
            max_load,
        })
    }

    /// The affine target, regardless of its load.
    pub(super) fn preferred<'p>(
        self,
        targets: impl Iterator<Item = &'p Target>,
    ) -> Option<&'p Target> {
        let ranked = targets.map(|target| (target, self.score(target, target.weight)));
        let first = ranked.reduce(|one, other| if other.1 > one.1 { other } else { one });
        Some(first?.0)
    }

    /// The first target in the key's order that has room.
    ///
    /// This is consistent hashing with bounded loads (Mirrokni, Thorup and
    /// Zadimoghaddam, 2016) over weighted rendezvous hashing: the bounds add up to
    /// more than the requests in flight, so at least one target has room.
    pub(super) fn choose<'p>(
        self,
        targets: impl Iterator<Item = (usize, &'p Target)> + Clone,
        weight: impl Fn(&Target) -> u64,
        in_flight: impl Fn(&Target) -> u64,
    ) -> Option<(usize, &'p Target)> {
        let bound = self.max_load.map(|percent| {
            let (total_weight, total_in_flight) =
                targets.clone().fold((0, 0), |sums, (_, target)| {
                    (sums.0 + weight(target), sums.1 + in_flight(target))
                });
            (
                u128::from(total_in_flight + 1) * u128::from(percent),
                u128::from(total_weight.max(1)) * 100,
            )
        });
        let has_room = |target: &Target| {
            bound.is_none_or(|(load, total)| {
                let limit = (load * u128::from(weight(target))).div_ceil(total);
                u128::from(in_flight(target)) < limit
            })
        };
        let ranked = targets.map(|it| (has_room(it.1), self.score(it.1, weight(it.1)), it));
        let first = ranked.reduce(|one, other| {
            if (other.0, other.1) > (one.0, one.1) {
                other
            } else {
                one
            }
        });
        Some(first?.2)
    }

    /// The target with the greatest score comes first. With a uniform `u`,
    /// `-weight / ln(u)` is the greatest in proportion to the weight (Schindelhauer
    /// and Schomaker, 2005), and does not depend on the other targets.
    fn score(self, target: &Target, weight: u64) -> f64 {
        let hash = XxHash3_64::oneshot_with_seed(self.hash, &target.identity.to_le_bytes());
        // The middles of 2^52 equal intervals: neither 0 nor 1.
        let uniform = ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
        -(weight as f64) / uniform.ln()
    }
}

// === impl AffinityResult ===

impl AffinityResult {
    pub const COUNT: usize = 3;

    /// Metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Hit => affinity_result::HIT,
            Self::Moved => affinity_result::MOVED,
            Self::NoKey => affinity_result::NO_KEY,
        }
    }
}
