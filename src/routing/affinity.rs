//! Which target a request belongs to: the same one for all that have something
//! in common, in every process, for as long as it is there.

use twox_hash::XxHash3_64;

use crate::catalog::{Target, fingerprint};

/// What requests that belong together have in common, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinship {
    key: u64,
    /// Most requests in flight at one target, in percent of its share.
    max_load: Option<u32>,
}

/// Whether affinity had its way with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It went where it belongs.
    Kept,
    /// That place was left out, or had its share already.
    Moved,
    /// It says nothing that it could be known by.
    Unknown,
}

impl Kinship {
    /// Of a request that is known by these parts; none where nothing is in them.
    #[must_use]
    pub fn of(parts: &[&[u8]], max_load: Option<u32>) -> Option<Self> {
        let says_something = parts.iter().any(|part| !part.is_empty());
        says_something.then(|| Self {
            key: fingerprint(parts.iter().copied()),
            max_load,
        })
    }

    /// Of these targets, the one where the request belongs, full or not.
    pub(super) fn home<'p>(self, targets: impl Iterator<Item = &'p Target>) -> Option<&'p Target> {
        let ranked = targets.map(|target| (target, self.rank(target, target.weight)));
        let first = ranked.reduce(|one, other| if other.1 > one.1 { other } else { one });
        Some(first?.0)
    }

    /// Of these targets, the first one in the request's own order that has room.
    /// `weight` is a target's share of the requests, `in_flight` what it is at
    /// work on.
    ///
    /// This is consistent hashing with bounded loads (Mirrokni, Thorup and
    /// Zadimoghaddam, 2016) over weighted rendezvous hashing: all together have
    /// room for more than there is, so that one of them has.
    pub(super) fn choose<'p>(
        self,
        targets: impl Iterator<Item = (usize, &'p Target)> + Clone,
        weight: impl Fn(&Target) -> u64,
        in_flight: impl Fn(&Target) -> u64,
    ) -> Option<(usize, &'p Target)> {
        let bound = self.max_load.map(|percent| {
            let sums = targets.clone().fold((0, 0), |(whole, busy), (_, target)| {
                (whole + weight(target), busy + in_flight(target))
            });
            let (whole, busy) = sums;
            (
                u128::from(busy + 1) * u128::from(percent),
                u128::from(whole.max(1)) * 100,
            )
        });
        let has_room = |target: &Target| {
            bound.is_none_or(|(load, whole)| {
                let room = (load * u128::from(weight(target))).div_ceil(whole);
                u128::from(in_flight(target)) < room
            })
        };
        let ranked = targets.map(|it| (has_room(it.1), self.rank(it.1, weight(it.1)), it));
        let first = ranked.reduce(|one, other| {
            if (other.0, other.1) > (one.0, one.1) {
                other
            } else {
                one
            }
        });
        Some(first?.2)
    }

    /// The place of a target in the request's own order: the greatest is the
    /// first. With a uniform `u`, `-weight / ln(u)` is the greatest as often as
    /// the weight says (Schindelhauer and Schomaker, 2005), and it changes for
    /// no other target when one comes or goes.
    fn rank(self, target: &Target, weight: u64) -> f64 {
        let hash = XxHash3_64::oneshot_with_seed(self.key, &target.identity.to_le_bytes());
        // The middles of 2^52 equal parts: neither 0 nor 1.
        let uniform = ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
        -(weight as f64) / uniform.ln()
    }
}

impl Kept {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// Word for the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Moved => "moved",
            Self::Unknown => "unknown",
        }
    }
}
