//! How many second attempts a provider's failures may cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Tokens are counted in thousandths.
const TOKEN: u64 = 1000;
/// Most tokens kept, at least. A burst of failures, until the target is ejected,
/// is served out of them.
const BURST: u64 = 50 * TOKEN;
/// Whoever allows more retries expects more requests at the same time: for each
/// percent so many tokens are kept.
const BURST_PER_PERCENT: u64 = 5 * TOKEN;
/// Milliseconds in which a token comes by itself, so that a gateway with
/// little to do can retry at all.
const TRICKLE_MS: u64 = 1000;

/// A bucket of tokens: each first attempt at the provider puts a part of one
/// in, each attempt that follows a failure there takes one out. However badly
/// things go, requests to upstreams are at most so much more than those of the
/// callers.
#[derive(Debug)]
pub(super) struct Budget {
    /// What a first attempt puts in.
    share: u64,
    /// Most tokens kept.
    most: u64,
    tokens: AtomicU64,
    /// Up to when the trickle has been put in.
    trickled_ms: AtomicU64,
}

impl Budget {
    /// A full bucket; first attempts earn `percent` of a token.
    pub(super) fn new(percent: u32) -> Self {
        let most = BURST.max(u64::from(percent) * BURST_PER_PERCENT);
        Self {
            share: u64::from(percent) * TOKEN / 100,
            most,
            tokens: AtomicU64::new(most),
            trickled_ms: AtomicU64::new(0),
        }
    }

    /// Whether it goes by the same rule.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.share == other.share
    }

    /// Notes a first attempt.
    pub(super) fn earn(&self) {
        self.add(self.share);
    }

    /// Takes a token, if there is one. `since` is the time since the start.
    pub(super) fn spend(&self, since: Duration) -> bool {
        self.trickle(since);
        self.change(|tokens| tokens.checked_sub(TOKEN))
    }

    fn trickle(&self, since: Duration) {
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let last = self.trickled_ms.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) / TRICKLE_MS;
        if due == 0 {
            return;
        }
        let upto = last + due * TRICKLE_MS;
        let won =
            self.trickled_ms
                .compare_exchange(last, upto, Ordering::Relaxed, Ordering::Relaxed);
        // Whoever lost leaves it to the other.
        if won.is_ok() && self.share > 0 {
            self.add(due.saturating_mul(TOKEN));
        }
    }

    fn add(&self, amount: u64) {
        self.change(|tokens| {
            let more = tokens.saturating_add(amount).min(self.most);
            (more != tokens).then_some(more)
        });
    }

    fn change(&self, next: impl FnMut(u64) -> Option<u64>) -> bool {
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BURST, Budget, TOKEN};

    fn drain(budget: &Budget, since: Duration) -> u64 {
        let mut tokens = 0;
        while budget.spend(since) {
            tokens += 1;
        }
        tokens
    }

    #[test]
    fn ten_first_attempts_earn_one_more() {
        let budget = Budget::new(10);
        assert_eq!(drain(&budget, Duration::ZERO), BURST / TOKEN);
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend(Duration::ZERO));
        budget.earn();
        assert!(budget.spend(Duration::ZERO));
        assert!(!budget.spend(Duration::ZERO));
    }

    #[test]
    fn more_percent_is_a_larger_burst() {
        for (percent, burst) in [(0, 50), (10, 50), (11, 55), (100, 500)] {
            assert_eq!(drain(&Budget::new(percent), Duration::ZERO), burst);
        }
    }

    #[test]
    fn a_little_comes_by_itself() {
        let budget = Budget::new(10);
        drain(&budget, Duration::ZERO);
        assert!(!budget.spend(Duration::from_millis(999)));
        assert!(budget.spend(Duration::from_secs(1)));
        assert!(!budget.spend(Duration::from_millis(1999)));
        let after_a_day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(drain(&budget, after_a_day), BURST / TOKEN);
    }

    #[test]
    fn no_percent_is_no_retry_beyond_the_first_ones() {
        let budget = Budget::new(0);
        drain(&budget, Duration::ZERO);
        budget.earn();
        assert!(!budget.spend(Duration::from_secs(60)));
    }
}
