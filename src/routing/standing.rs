//! How a target stands, for those who watch.

use std::time::Duration;

/// Whether requests may go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Ready,
    /// They go elsewhere, for so long still.
    Out(Why, Duration),
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
}

impl Standing {
    /// The one of these reasons that lasts longest, at the same time the first.
    pub(super) fn of(reasons: [(u64, Why); 3], now: u64) -> Self {
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
        let of = |benched, ejected, cooling| {
            let all = [
                (benched, Why::Benched),
                (ejected, Why::Ejected),
                (cooling, Why::Cooling),
            ];
            Standing::of(all, 100)
        };
        assert_eq!(of(0, 100, 99), Standing::Ready);
        let out = |why, rest| Standing::Out(why, Duration::from_millis(rest));
        assert_eq!(of(0, 0, 101), out(Why::Cooling, 1));
        assert_eq!(of(0, 130, 120), out(Why::Ejected, 30));
        assert_eq!(of(130, 130, 120), out(Why::Benched, 30));
    }
}
