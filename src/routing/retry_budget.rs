//! Retry budget of a provider: bounds the second attempts that its failures cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Tokens are counted in thousandths.
const TOKEN: u64 = 1000;
/// Minimum capacity: covers a burst of failures until the target is ejected.
const BURST: u64 = 50 * TOKEN;
/// Capacity per percent: a higher rate implies more concurrent requests.
const BURST_PER_PERCENT: u64 = 5 * TOKEN;
/// One token is added per interval, so that a gateway with few requests can retry
/// at all.
const REFILL_INTERVAL_MS: u64 = 1000;

/// Token bucket: each first attempt at the provider adds a fraction of a token, each
/// attempt that follows a failure takes one. So retries are at most a fixed fraction
/// of the clients' requests.
#[derive(Debug)]
pub(super) struct RetryBudget {
    /// Added by each first attempt.
    deposit_amount: u64,
    capacity: u64,
    tokens: AtomicU64,
    /// The time up to which refills were added.
    refilled_ms: AtomicU64,
}

impl RetryBudget {
    /// A full bucket. Each first attempt deposits `percent` of a token.
    pub(super) fn new(percent: u32) -> Self {
        let capacity = BURST.max(u64::from(percent) * BURST_PER_PERCENT);
        Self {
            deposit_amount: u64::from(percent) * TOKEN / 100,
            capacity,
            tokens: AtomicU64::new(capacity),
            refilled_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn has_same_rate(&self, other: &Self) -> bool {
        self.deposit_amount == other.deposit_amount
    }

    pub(super) fn deposit(&self) {
        self.add(self.deposit_amount);
    }

    /// Takes a token, if there is one. `now` is the time since the fleet's start.
    pub(super) fn withdraw(&self, now: Duration) -> bool {
        self.refill(now);
        self.update(|tokens| tokens.checked_sub(TOKEN))
    }

    fn refill(&self, now: Duration) {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let last = self.refilled_ms.load(Ordering::Relaxed);
        let intervals = now.saturating_sub(last) / REFILL_INTERVAL_MS;
        if intervals == 0 {
            return;
        }
        let next = last + intervals * REFILL_INTERVAL_MS;
        let exchanged =
            self.refilled_ms
                .compare_exchange(last, next, Ordering::Relaxed, Ordering::Relaxed);
        // On a lost race, the other thread adds the tokens.
        if exchanged.is_ok() && self.deposit_amount > 0 {
            self.add(intervals.saturating_mul(TOKEN));
        }
    }

    fn add(&self, amount: u64) {
        self.update(|tokens| {
            let next = tokens.saturating_add(amount).min(self.capacity);
            (next != tokens).then_some(next)
        });
    }

    fn update(&self, next: impl FnMut(u64) -> Option<u64>) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BURST, RetryBudget, TOKEN};

    fn withdraw_all(budget: &RetryBudget, now: Duration) -> u64 {
        let mut tokens = 0;
        while budget.withdraw(now) {
            tokens += 1;
        }
        tokens
    }

    #[test]
    fn ten_first_attempts_allow_one_retry() {
        let budget = RetryBudget::new(10);
        assert_eq!(withdraw_all(&budget, Duration::ZERO), BURST / TOKEN);
        for _ in 0..9 {
            budget.deposit();
        }
        assert!(!budget.withdraw(Duration::ZERO));
        budget.deposit();
        assert!(budget.withdraw(Duration::ZERO));
        assert!(!budget.withdraw(Duration::ZERO));
    }

    #[test]
    fn a_higher_percentage_allows_a_larger_burst() {
        for (percent, burst) in [(0, 50), (10, 50), (11, 55), (100, 500)] {
            assert_eq!(
                withdraw_all(&RetryBudget::new(percent), Duration::ZERO),
                burst
            );
        }
    }

    #[test]
    fn one_token_is_added_per_second() {
        let budget = RetryBudget::new(10);
        withdraw_all(&budget, Duration::ZERO);
        assert!(!budget.withdraw(Duration::from_millis(999)));
        assert!(budget.withdraw(Duration::from_secs(1)));
        assert!(!budget.withdraw(Duration::from_millis(1999)));
        let after_a_day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(withdraw_all(&budget, after_a_day), BURST / TOKEN);
    }

    #[test]
    fn zero_percent_allows_the_initial_burst_only() {
        let budget = RetryBudget::new(0);
        withdraw_all(&budget, Duration::ZERO);
        budget.deposit();
        assert!(!budget.withdraw(Duration::from_secs(60)));
    }
}
