//! How one target has fared of late.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Breaker;
use crate::telemetry::metric::Gauge;

/// Bits of each of the two counts in a [`Window`].
const COUNT_BITS: u32 = 22;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// Marks an ejection that has lapsed and is now being tried out.
const PROBED: u64 = 1;

/// One target's record. Times are milliseconds since the fleet began.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Faults since the last good attempt.
    consecutive: AtomicU32,
    window: Window,
    /// Until when it is ejected, doubled, and [`PROBED`]; 0 while it is not.
    ejected: AtomicU64,
    /// Whether it was asked while it was ejected, since no other was fit.
    asked_anyway: AtomicBool,
    /// How often in a row it was ejected.
    times: AtomicU32,
    /// Until when it asked to be left alone, or is not to be bothered.
    cool_until: AtomicU64,
    /// Where it is counted while it is ejected.
    gauge: OnceLock<Gauge>,
}

/// A target is left out, by one fault too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ejection {
    /// For how long.
    pub(super) rest: Duration,
    /// False when it goes on with one that was lapsing.
    pub(super) is_new: bool,
}

/// Attempts and faults of the present window: its number, then the counts, in
/// one word.
#[derive(Debug, Default)]
struct Window(AtomicU64);

impl Health {
    /// Whether requests may go there.
    pub(super) fn is_fit(&self, now: u64) -> bool {
        self.cool_until.load(Ordering::Relaxed) <= now
            && self.ejected.load(Ordering::Relaxed) >> 1 <= now
    }

    /// Until when it is kept from requests: by an ejection, and by a pause.
    pub(super) fn out_until(&self) -> (u64, u64) {
        let ejected = self.ejected.load(Ordering::Relaxed) >> 1;
        (ejected, self.cool_until.load(Ordering::Relaxed))
    }

    /// Takes it for an attempt. An ejection that has lapsed lets a single
    /// attempt through, which has to end well; one that is never heard of again
    /// blocks the next no longer than `rest`.
    pub(super) fn claim(&self, now: u64, rest: Duration) -> bool {
        let ejected = self.ejected.load(Ordering::Relaxed);
        if ejected == 0 {
            return true;
        }
        let lease = (now + millis(rest)) << 1 | PROBED;
        ejected >> 1 <= now && self.swap(ejected, lease)
    }

    /// Takes it for an attempt although it is not fit. If that ends well, it is.
    pub(super) fn claim_anyway(&self) {
        if self.is_ejected() {
            self.asked_anyway.store(true, Ordering::Relaxed);
        }
    }

    /// Notes an attempt that ended well. True when that ended an ejection.
    pub(super) fn succeeded(&self, now: u64, rules: &Breaker) -> bool {
        if self.consecutive.load(Ordering::Relaxed) != 0 {
            self.consecutive.store(0, Ordering::Relaxed);
        }
        let ejected = self.ejected.load(Ordering::Relaxed);
        if ejected == 0 {
            self.window.add(now, rules, false);
            return false;
        }
        // An attempt from before the ejection says nothing about the time since.
        let is_probe = ejected & PROBED != 0 || ejected >> 1 <= now;
        let is_probe = is_probe || self.asked_anyway.load(Ordering::Relaxed);
        if !is_probe || !self.swap(ejected, 0) {
            return false;
        }
        self.times.store(0, Ordering::Relaxed);
        self.window.0.store(0, Ordering::Relaxed);
        true
    }

    /// Notes a fault. Says so when this was one too many; of several at the same
    /// time only one is told, so that what begins is counted once.
    pub(super) fn failed(&self, now: u64, rules: &Breaker) -> Option<Ejection> {
        let consecutive = self.consecutive.fetch_add(1, Ordering::Relaxed) + 1;
        let (attempts, faults) = self.window.add(now, rules, true);
        let ejected = self.ejected.load(Ordering::Relaxed);
        let is_probe = ejected != 0 && (ejected & PROBED != 0 || ejected >> 1 <= now);
        let in_a_row = rules.failures > 0 && consecutive >= rules.failures;
        let too_often = rules.error_rate > 0
            && attempts >= u64::from(rules.min_requests)
            && faults * 100 >= attempts * u64::from(rules.error_rate);
        if !is_probe && (ejected != 0 || !(in_a_row || too_often)) {
            return None;
        }
        let times = self.times.load(Ordering::Relaxed);
        let doubled = rules.cooldown.saturating_mul(1 << times.min(16));
        let rest = doubled.min(rules.max_cooldown.max(rules.cooldown));
        if !self.swap(ejected, (now + millis(rest)) << 1) {
            return None;
        }
        self.asked_anyway.store(false, Ordering::Relaxed);
        self.times.store(times.saturating_add(1), Ordering::Relaxed);
        Some(Ejection {
            rest,
            is_new: ejected == 0,
        })
    }

    /// Leaves it alone for a while.
    pub(super) fn cool(&self, now: u64, pause: Duration) {
        self.cool_until
            .fetch_max(now + millis(pause), Ordering::Relaxed);
    }

    /// Counts it as ejected.
    pub(super) fn count(&self, gauge: &Gauge) {
        self.gauge.get_or_init(|| gauge.clone()).increment(1);
    }

    /// Counts it as ejected no more.
    pub(super) fn uncount(&self) {
        if let Some(gauge) = self.gauge.get() {
            gauge.decrement(1);
        }
    }

    /// Whether it is ejected, if only until the attempt that tries it out ends.
    pub(super) fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed) != 0
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        let swapped = self
            .ejected
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        swapped.is_ok()
    }
}

/// It may be gone from the configuration while it is ejected.
impl Drop for Health {
    fn drop(&mut self) {
        if *self.ejected.get_mut() != 0 {
            self.uncount();
        }
    }
}

impl Window {
    /// Counts an attempt; attempts and faults of the window so far.
    fn add(&self, now: u64, rules: &Breaker, is_fault: bool) -> (u64, u64) {
        let number = (now / millis(rules.window).max(1)) << (2 * COUNT_BITS);
        let mut counts = (0, 0);
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let same = word >> (2 * COUNT_BITS) == number >> (2 * COUNT_BITS);
                let (attempts, faults) = if same {
                    (word >> COUNT_BITS & COUNT_MASK, word & COUNT_MASK)
                } else {
                    (0, 0)
                };
                if attempts == COUNT_MASK {
                    counts = (attempts, faults);
                    return None;
                }
                counts = (attempts + 1, faults + u64::from(is_fault));
                Some(number | counts.0 << COUNT_BITS | counts.1)
            });
        counts
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ejection, Health};
    use crate::config::Breaker;

    const RULES: Breaker = Breaker {
        failures: 3,
        error_rate: 50,
        min_requests: 10,
        window: Duration::from_secs(10),
        cooldown: Duration::from_secs(5),
        max_cooldown: Duration::from_secs(15),
    };
    const REST: Duration = RULES.cooldown;
    const EJECTED: Option<Ejection> = Some(Ejection {
        rest: REST,
        is_new: true,
    });

    #[test]
    fn three_faults_in_a_row_eject() {
        let rules = Breaker {
            error_rate: 0,
            ..RULES
        };
        let health = Health::default();
        for round in 0..4 {
            assert_eq!(health.failed(round, &rules), None);
            assert_eq!(health.failed(round, &rules), None);
            assert!(!health.succeeded(round, &rules) && health.is_fit(round));
        }
        for expected in [None, None, EJECTED, None] {
            assert_eq!(health.failed(100, &rules), expected);
        }
        assert!(!health.is_fit(5099) && health.is_fit(5100));
        // What began before the ejection does not end it.
        assert!(!health.succeeded(200, &rules) && !health.is_fit(200));
    }

    #[test]
    fn a_lapsed_ejection_lets_one_attempt_through() {
        let health = Health::default();
        for _ in 0..3 {
            health.failed(0, &RULES);
        }
        assert!(!health.claim(4999, REST));
        assert!(health.claim(5000, REST) && !health.claim(5000, REST));
        assert!(!health.is_fit(5001));
        // It fails, and the rest is doubled, up to a bound.
        let mut now = 5000;
        for rest in [10, 15, 15] {
            let rest = Duration::from_secs(rest);
            let is_new = false;
            let again = Some(Ejection { rest, is_new });
            assert_eq!(health.failed(now, &RULES), again);
            now += u64::try_from(rest.as_millis()).unwrap();
            assert!(health.claim(now, REST));
        }
        // One that is never heard of again blocks for a while only.
        assert!(!health.claim(now + 4999, REST) && health.claim(now + 5000, REST));
        assert!(health.succeeded(now + 5001, &RULES));
        assert!(health.is_fit(now + 5001) && health.claim(now + 5001, REST));
        assert!(health.claim(now + 5001, REST));
        assert_eq!(health.failed(now + 5002, &RULES), None);
    }

    #[test]
    fn one_that_was_asked_anyway_and_answers_is_back() {
        let health = Health::default();
        let eject = |now| (0..3).filter_map(|_| health.failed(now, &RULES)).count();
        assert_eq!(eject(0), 1);
        health.claim_anyway();
        assert_eq!(health.failed(1, &RULES), None);
        assert!(!health.is_fit(4999));
        assert!(health.succeeded(2, &RULES) && health.is_fit(2));
        // What was asked before counts for nothing the next time.
        assert_eq!(eject(3), 1);
        assert!(!health.succeeded(4, &RULES) && !health.is_fit(4));
    }

    #[test]
    fn half_of_the_attempts_failing_eject() {
        let health = Health::default();
        for turn in 0..4 {
            health.succeeded(turn, &RULES);
            assert_eq!(health.failed(turn, &RULES), None);
        }
        // A new window begins; what was counted is forgotten.
        for turn in 10_000..10_004 {
            health.succeeded(turn, &RULES);
            assert_eq!(health.failed(turn, &RULES), None);
        }
        health.succeeded(10_004, &RULES);
        assert_eq!(health.failed(10_004, &RULES), EJECTED);
    }

    #[test]
    fn of_many_at_once_one_begins_an_ejection_and_one_ends_it() {
        let health = Health::default();
        let count = |turn: &(dyn Fn() -> bool + Sync)| {
            let turns = || (0..2000).filter(|_| turn()).count();
            std::thread::scope(|scope| {
                let threads = [(); 4].map(|()| scope.spawn(turns));
                let counts = threads.map(|thread| thread.join().unwrap());
                counts.iter().sum::<usize>()
            })
        };
        for round in 0..20 {
            let now = round * 100_000;
            let begun = count(&|| health.failed(now, &RULES).is_some_and(|it| it.is_new));
            let ended = count(&|| health.succeeded(now + 90_000, &RULES));
            assert_eq!((begun, ended), (1, 1));
        }
        // Both at once: whatever has begun has ended, or still goes on.
        let (begun, ended) = std::thread::scope(|scope| {
            let failing = scope.spawn(|| {
                let faults = (0..100_000).filter_map(|_| health.failed(0, &RULES));
                faults.filter(|ejection| ejection.is_new).count()
            });
            let recovering = scope.spawn(|| {
                let turns = (0..100_000).filter(|_| health.succeeded(90_000, &RULES));
                turns.count()
            });
            (failing.join().unwrap(), recovering.join().unwrap())
        });
        let goes_on = usize::from(!health.is_fit(0));
        assert_eq!(begun, ended + goes_on);
    }

    #[test]
    fn rules_of_nothing_eject_nobody() {
        let off = Breaker {
            failures: 0,
            error_rate: 0,
            ..RULES
        };
        let health = Health::default();
        assert!((0..1000).all(|now| health.failed(now, &off).is_none()));
    }

    #[test]
    fn a_pause_is_kept_and_never_shortened() {
        let health = Health::default();
        health.cool(0, Duration::from_secs(9));
        health.cool(1000, Duration::from_secs(1));
        assert!(!health.is_fit(8999) && health.is_fit(9000));
    }
}
