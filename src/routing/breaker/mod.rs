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
    /// Responses in a row that broke off: streams, and others.
    consecutive_broken: [AtomicU32; 2],
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

/// What an attempt that succeeded is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    /// The response has begun: how it ends is recorded later.
    Begun,
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseKind {
    Stream,
    Other,
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

    /// For an attempt that was admitted and not made: another one may probe at once.
    pub(super) fn cancel_probe(&self, now: u64) {
        let ejection = self.ejection.load(Ordering::Relaxed);
        if ejection & PROBING != 0 {
            // 0 would be no ejection.
            self.replace_ejection(ejection, now.max(1) << 1);
        }
    }

    /// Admits an attempt at an unavailable target. A success ends the ejection.
    pub(super) fn force_admit(&self) {
        if self.is_ejected() {
            self.has_forced_attempt.store(true, Ordering::Relaxed);
        }
    }

    /// True when the success ends an ejection.
    pub(super) fn record_success(&self, now: u64, rules: &Breaker, success: Success) -> bool {
        reset(&self.consecutive_failures);
        let ejection = self.ejection.load(Ordering::Relaxed);
        if ejection == 0 {
            self.window.record(now, rules, false);
            return false;
        }
        // Where responses break off, their beginning shows nothing.
        let is_enough = success == Success::Complete || !self.breaks_off(rules);
        is_enough && self.end_ejection(ejection, now)
    }

    /// Records the good end of a response whose beginning was recorded. True when it
    /// ends an ejection.
    pub(super) fn record_good_end(&self, now: u64, kind: ResponseKind) -> bool {
        reset(self.broken(kind));
        let ejection = self.ejection.load(Ordering::Relaxed);
        ejection != 0 && self.end_ejection(ejection, now)
    }

    /// The ejection that the failure starts. Of several concurrent failures one
    /// starts it, so that it is counted once.
    pub(super) fn record_failure(&self, now: u64, rules: &Breaker) -> Option<Ejection> {
        let consecutive = self.consecutive_failures.fetch_add(1, Ordering::Relaxed) + 1;
        let (attempts, failures) = self.window.record(now, rules, true);
        let too_many_in_a_row = rules.failures > 0 && consecutive >= rules.failures;
        let too_often = rules.error_rate > 0
            && attempts >= u64::from(rules.min_requests)
            && failures * 100 >= attempts * u64::from(rules.error_rate);
        let ejection = self.ejection.load(Ordering::Relaxed);
        let is_probe = is_probe(ejection, now);
        if !is_probe && (ejection != 0 || !(too_many_in_a_row || too_often)) {
            return None;
        }
        self.eject(ejection, now, rules)
    }

    /// The ejection that is due since a response broke off whose beginning was
    /// recorded as a success.
    pub(super) fn record_broken(
        &self,
        now: u64,
        rules: &Breaker,
        kind: ResponseKind,
    ) -> Option<Ejection> {
        let consecutive = self.broken(kind).fetch_add(1, Ordering::Relaxed) + 1;
        if rules.broken_responses == 0 || consecutive < rules.broken_responses {
            return None;
        }
        let ejection = self.ejection.load(Ordering::Relaxed);
        if ejection != 0 && !is_probe(ejection, now) {
            return None;
        }
        self.eject(ejection, now, rules)
    }

    /// Starts an ejection, or prolongs the one whose probe failed.
    fn eject(&self, ejection: u64, now: u64, rules: &Breaker) -> Option<Ejection> {
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

    /// Whether responses of a kind have broken off too often in a row.
    fn breaks_off(&self, rules: &Breaker) -> bool {
        let broken = self.consecutive_broken.iter();
        let mut counts = broken.map(|count| count.load(Ordering::Relaxed));
        rules.broken_responses > 0 && counts.any(|count| count >= rules.broken_responses)
    }

    fn broken(&self, kind: ResponseKind) -> &AtomicU32 {
        let [streams, others] = &self.consecutive_broken;
        match kind {
            ResponseKind::Stream => streams,
            ResponseKind::Other => others,
        }
    }

    fn end_ejection(&self, ejection: u64, now: u64) -> bool {
        // An attempt from before the ejection does not count as a probe.
        let is_probe = is_probe(ejection, now) || self.has_forced_attempt.load(Ordering::Relaxed);
        if !is_probe || !self.replace_ejection(ejection, 0) {
            return false;
        }
        self.consecutive_ejections.store(0, Ordering::Relaxed);
        self.window.0.store(0, Ordering::Relaxed);
        true
    }

    fn replace_ejection(&self, from: u64, to: u64) -> bool {
        let exchanged =
            self.ejection
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        exchanged.is_ok()
    }
}

/// Whether the ejection has lapsed, so that its probe runs or is due.
fn is_probe(ejection: u64, now: u64) -> bool {
    ejection != 0 && (ejection & PROBING != 0 || ejection >> 1 <= now)
}

/// Mostly it is 0 already, and memory that all threads share is not written to.
fn reset(count: &AtomicU32) {
    if count.load(Ordering::Relaxed) != 0 {
        count.store(0, Ordering::Relaxed);
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
mod tests;
