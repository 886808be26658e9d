//! How a target stands, for those who watch.

use std::time::Duration;

/// Whether requests may go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Ready,
    /// They go elsewhere, for so long still.
    Out(Why, Duration),
    /// They go elsewhere until its provider passes health checks again.
    Unwell,
}

/// Why a target is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It failed too often.
    Ejected,
    /// It asked to be left alone.
    Cooling,
    /// Its key was refused.
    Benched,
    /// Its key has nothing left of its rate limit.
    Exhausted,
}

impl Standing {
    /// The one of these reasons that lasts longest, at the same time the first.
    pub(super) fn of(reasons: [(u64, Why); 4], now: u64) -> Self {
        let mut longest = (now, Self::Ready);
        for (until, why) in reasons {
            if until > longest.0 {
                longest = (until, Self::Out(why, Duration::from_millis(until - now)));
            }
        }
        longest.1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Standing, Why};

    #[test]
    fn the_reason_that_lasts_longest_is_told() {
        let of = |benched, ejected, cooling, exhausted| {
            let all = [
                (benched, Why::Benched),
                (ejected, Why::Ejected),
                (cooling, Why::Cooling),
                (exhausted, Why::Exhausted),
            ];
            Standing::of(all, 100)
        };
        assert_eq!(of(0, 100, 99, 0), Standing::Ready);
        let out = |why, rest| Standing::Out(why, Duration::from_millis(rest));
        assert_eq!(of(0, 0, 101, 0), out(Why::Cooling, 1));
        assert_eq!(of(0, 130, 120, 130), out(Why::Ejected, 30));
        assert_eq!(of(130, 130, 120, 0), out(Why::Benched, 30));
        assert_eq!(of(0, 0, 120, 140), out(Why::Exhausted, 40));
    }
}
