//! Circuit breaker of one target.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use metrics::Gauge;

use crate::config::Breaker;

/// Bits of each of the two counts in a [`Window`].
const COUNT_BITS: u32 = 22;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// Flag of a lapsed ejection whose probe is running.
const PROBING: u64 = 1;

/// Times are milliseconds since the fleet's start.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    consecutive_failures: AtomicU32,
    window: Window,
    /// End of the ejection, shifted left by one, with the flag [`PROBING`]; 0 while
    /// the target is not ejected.
    ejection: AtomicU64,
    /// Whether an attempt was admitted during the ejection, as no other target was
    /// available.
    has_forced_attempt: AtomicBool,
    consecutive_ejections: AtomicU32,
    /// Set by throttling, and for a credential that was rejected.
    cooldown_until: AtomicU64,
    /// Counts the target while it is ejected.
    gauge: OnceLock<Gauge>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ejection {
    pub(super) duration: Duration,
    /// False when it prolongs an ejection whose probe failed.
    pub(super) is_new: bool,
}

/// Packed number of the current window, its attempts and its failures.
#[derive(Debug, Default)]
struct Window(AtomicU64);

// === impl CircuitBreaker ===

impl CircuitBreaker {
    /// Whether the target is neither ejected nor in cooldown, or due for a probe.
    pub(super) fn is_available(&self, now: u64) -> bool {
        self.cooldown_until.load(Ordering::Relaxed) <= now
            && self.ejection.load(Ordering::Relaxed) >> 1 <= now
    }

    /// Ends of the ejection and of the cooldown.
    pub(super) fn excluded_until(&self) -> (u64, u64) {
        let ejected_until = self.ejection.load(Ordering::Relaxed) >> 1;
        (ejected_until, self.cooldown_until.load(Ordering::Relaxed))
    }

    /// Admits an attempt. A lapsed ejection admits a single one, the probe; if its
    /// result is never recorded, the next one is admitted after `probe_timeout`.
    pub(super) fn try_admit(&self, now: u64, probe_timeout: Duration) -> bool {
        let ejection = self.ejection.load(Ordering::Relaxed);
        if ejection == 0 {
            return true;
        }
        let probing = (now + millis(probe_timeout)) << 1 | PROBING;
        ejection >> 1 <= now && self.replace_ejection(ejection, probing)
    }

    /// Admits an attempt at an unavailable target. A success ends the ejection.
    pub(super) fn force_admit(&self) {
        if self.is_ejected() {
            self.has_forced_attempt.store(true, Ordering::Relaxed);
        }
    }

    /// True when the success ends an ejection.
    pub(super) fn record_success(&self, now: u64, rules: &Breaker) -> bool {
        if self.consecutive_failures.load(Ordering::Relaxed) != 0 {
            self.consecutive_failures.store(0, Ordering::Relaxed);
        }
        let ejection = self.ejection.load(Ordering::Relaxed);
        if ejection == 0 {
            self.window.record(now, rules, false);
            return false;
        }
        // An attempt from before the ejection does not count as a probe.
        let is_probe = ejection & PROBING != 0 || ejection >> 1 <= now;
        let is_probe = is_probe || self.has_forced_attempt.load(Ordering::Relaxed);
        if !is_probe || !self.replace_ejection(ejection, 0) {
            return false;
        }
        self.consecutive_ejections.store(0, Ordering::Relaxed);
        self.window.0.store(0, Ordering::Relaxed);
        true
    }

    /// The ejection that the failure starts. Of several concurrent failures one
    /// starts it, so that it is counted once.
    pub(super) fn record_failure(&self, now: u64, rules: &Breaker) -> Option<Ejection> {
        let consecutive = self.consecutive_failures.fetch_add(1, Ordering::Relaxed) + 1;
        let (attempts, failures) = self.window.record(now, rules, true);
        let ejection = self.ejection.load(Ordering::Relaxed);
        let is_probe = ejection != 0 && (ejection & PROBING != 0 || ejection >> 1 <= now);
        let too_many_in_a_row = rules.failures > 0 && consecutive >= rules.failures;
        let too_often = rules.error_rate > 0
            && attempts >= u64::from(rules.min_requests)
            && failures * 100 >= attempts * u64::from(rules.error_rate);
        if !is_probe && (ejection != 0 || !(too_many_in_a_row || too_often)) {
            return None;
        }
        let ejections = self.consecutive_ejections.load(Ordering::Relaxed);
        let doubled = rules.cooldown.saturating_mul(1 << ejections.min(16));
        let duration = doubled.min(rules.max_cooldown.max(rules.cooldown));
        if !self.replace_ejection(ejection, (now + millis(duration)) << 1) {
            return None;
        }
        self.has_forced_attempt.store(false, Ordering::Relaxed);
        self.consecutive_ejections
            .store(ejections.saturating_add(1), Ordering::Relaxed);
        Some(Ejection {
            duration,
            is_new: ejection == 0,
        })
    }

    /// Starts or prolongs the cooldown.
    pub(super) fn cool_down(&self, now: u64, duration: Duration) {
        self.cooldown_until
            .fetch_max(now + millis(duration), Ordering::Relaxed);
    }

    pub(super) fn increment_gauge(&self, gauge: &Gauge) {
        self.gauge.get_or_init(|| gauge.clone()).increment(1);
    }

    pub(super) fn decrement_gauge(&self) {
        if let Some(gauge) = self.gauge.get() {
            gauge.decrement(1);
        }
    }

    /// True also while the probe of a lapsed ejection runs.
    pub(super) fn is_ejected(&self) -> bool {
        self.ejection.load(Ordering::Relaxed) != 0
    }

    fn replace_ejection(&self, from: u64, to: u64) -> bool {
        let exchanged =
            self.ejection
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        exchanged.is_ok()
    }
}

/// A reload may remove the target while it is ejected.
impl Drop for CircuitBreaker {
    fn drop(&mut self) {
        if *self.ejection.get_mut() != 0 {
            self.decrement_gauge();
        }
    }
}

// === impl Window ===

impl Window {
    /// Counts an attempt. Returns the window's attempts and failures.
    fn record(&self, now: u64, rules: &Breaker, is_failure: bool) -> (u64, u64) {
        let number = (now / millis(rules.window).max(1)) << (2 * COUNT_BITS);
        let mut counts = (0, 0);
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
                let is_current = packed >> (2 * COUNT_BITS) == number >> (2 * COUNT_BITS);
                let (attempts, failures) = if is_current {
                    (packed >> COUNT_BITS & COUNT_MASK, packed & COUNT_MASK)
                } else {
                    (0, 0)
                };
                if attempts == COUNT_MASK {
                    counts = (attempts, failures);
                    return None;
                }
                counts = (attempts + 1, failures + u64::from(is_failure));
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

    use super::{CircuitBreaker, Ejection};
    use crate::config::Breaker;

    const RULES: Breaker = Breaker {
        failures: 3,
        error_rate: 50,
        min_requests: 10,
        window: Duration::from_secs(10),
        cooldown: Duration::from_secs(5),
        max_cooldown: Duration::from_secs(15),
    };
    const COOLDOWN: Duration = RULES.cooldown;
    const EJECTED: Option<Ejection> = Some(Ejection {
        duration: COOLDOWN,
        is_new: true,
    });

    #[test]
    fn three_failures_in_a_row_eject() {
        let rules = Breaker {
            error_rate: 0,
            ..RULES
        };
        let breaker = CircuitBreaker::default();
        for round in 0..4 {
            assert_eq!(breaker.record_failure(round, &rules), None);
            assert_eq!(breaker.record_failure(round, &rules), None);
            assert!(!breaker.record_success(round, &rules) && breaker.is_available(round));
        }
        for expected in [None, None, EJECTED, None] {
            assert_eq!(breaker.record_failure(100, &rules), expected);
        }
        assert!(!breaker.is_available(5099) && breaker.is_available(5100));
        // An attempt from before the ejection does not end it.
        assert!(!breaker.record_success(200, &rules) && !breaker.is_available(200));
    }

    #[test]
    fn a_lapsed_ejection_admits_one_attempt() {
        let breaker = CircuitBreaker::default();
        for _ in 0..3 {
            breaker.record_failure(0, &RULES);
        }
        assert!(!breaker.try_admit(4999, COOLDOWN));
        assert!(breaker.try_admit(5000, COOLDOWN) && !breaker.try_admit(5000, COOLDOWN));
        assert!(!breaker.is_available(5001));
        // It fails, and the duration is doubled, up to a bound.
        let mut now = 5000;
        for seconds in [10, 15, 15] {
            let duration = Duration::from_secs(seconds);
            let prolonged = Some(Ejection {
                duration,
                is_new: false,
            });
            assert_eq!(breaker.record_failure(now, &RULES), prolonged);
            now += u64::try_from(duration.as_millis()).unwrap();
            assert!(breaker.try_admit(now, COOLDOWN));
        }
        // A probe without a result blocks the next one for the cooldown only.
        assert!(
            !breaker.try_admit(now + 4999, COOLDOWN) && breaker.try_admit(now + 5000, COOLDOWN)
        );
        assert!(breaker.record_success(now + 5001, &RULES));
        assert!(breaker.is_available(now + 5001) && breaker.try_admit(now + 5001, COOLDOWN));
        assert!(breaker.try_admit(now + 5001, COOLDOWN));
        assert_eq!(breaker.record_failure(now + 5002, &RULES), None);
    }

    #[test]
    fn a_success_of_a_forced_attempt_ends_the_ejection() {
        let breaker = CircuitBreaker::default();
        let eject = |now| {
            (0..3)
                .filter_map(|_| breaker.record_failure(now, &RULES))
                .count()
        };
        assert_eq!(eject(0), 1);
        breaker.force_admit();
        assert_eq!(breaker.record_failure(1, &RULES), None);
        assert!(!breaker.is_available(4999));
        assert!(breaker.record_success(2, &RULES) && breaker.is_available(2));
        // A forced attempt does not count for the next ejection.
        assert_eq!(eject(3), 1);
        assert!(!breaker.record_success(4, &RULES) && !breaker.is_available(4));
    }

    #[test]
    fn a_failure_rate_of_one_half_ejects() {
        let breaker = CircuitBreaker::default();
        for now in 0..4 {
            breaker.record_success(now, &RULES);
            assert_eq!(breaker.record_failure(now, &RULES), None);
        }
        // A new window starts from zero.
        for now in 10_000..10_004 {
            breaker.record_success(now, &RULES);
            assert_eq!(breaker.record_failure(now, &RULES), None);
        }
        breaker.record_success(10_004, &RULES);
        assert_eq!(breaker.record_failure(10_004, &RULES), EJECTED);
    }

    #[test]
    fn of_concurrent_attempts_one_starts_an_ejection_and_one_ends_it() {
        let breaker = CircuitBreaker::default();
        let count = |record: &(dyn Fn() -> bool + Sync)| {
            let run = || (0..2000).filter(|_| record()).count();
            std::thread::scope(|scope| {
                let threads = [(); 4].map(|()| scope.spawn(run));
                let counts = threads.map(|thread| thread.join().unwrap());
                counts.iter().sum::<usize>()
            })
        };
        for round in 0..20 {
            let now = round * 100_000;
            let started = count(&|| {
                breaker
                    .record_failure(now, &RULES)
                    .is_some_and(|it| it.is_new)
            });
            let ended = count(&|| breaker.record_success(now + 90_000, &RULES));
            assert_eq!((started, ended), (1, 1));
        }
        // Both at once: each ejection that started has ended, or lasts.
        let (started, ended) = std::thread::scope(|scope| {
            let failing = scope.spawn(|| {
                let failures = (0..100_000).filter_map(|_| breaker.record_failure(0, &RULES));
                failures.filter(|ejection| ejection.is_new).count()
            });
            let recovering = scope.spawn(|| {
                let ended = (0..100_000).filter(|_| breaker.record_success(90_000, &RULES));
                ended.count()
            });
            (failing.join().unwrap(), recovering.join().unwrap())
        });
        let lasting = usize::from(!breaker.is_available(0));
        assert_eq!(started, ended + lasting);
    }

    #[test]
    fn without_rules_no_target_is_ejected() {
        let off = Breaker {
            failures: 0,
            error_rate: 0,
            ..RULES
        };
        let breaker = CircuitBreaker::default();
        assert!((0..1000).all(|now| breaker.record_failure(now, &off).is_none()));
    }

    #[test]
    fn a_cooldown_is_never_shortened() {
        let breaker = CircuitBreaker::default();
        breaker.cool_down(0, Duration::from_secs(9));
        breaker.cool_down(1000, Duration::from_secs(1));
        assert!(!breaker.is_available(8999) && breaker.is_available(9000));
    }
}
