//! The order in which one request tries its targets.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{AffinityKey, AffinityResult, AttemptOutcome, Fleet, QuotaPermit};
use crate::catalog::Target;
use crate::config::{Balance, Retry};

mod select;

/// Bounds of the backoff before a target that requests no delay is tried again.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// One request's plan: targets by weight within a step, then the next step. No
/// target is tried twice, except after a backoff, when all others were tried and
/// `retry.max_wait` allows it.
#[derive(Debug)]
pub struct Plan<'p> {
    fleet: &'p Fleet,
    targets: &'p [Target],
    retry: Retry,
    balance: Balance,
    /// Whether the model is configured with affinity.
    has_affinity: bool,
    affinity_key: Option<AffinityKey>,
    /// A bit per target.
    tried: u64,
    attempts: usize,
    /// Whether an attempt without a response may have been processed.
    maybe_processed: bool,
    /// Targets that may be tried again, and when.
    retryable: Vec<(&'p Target, Instant)>,
    /// What remains of `retry.max_wait`.
    retry_time_left: Duration,
    /// Whether the target that was chosen last is being probed.
    is_probe: bool,
    /// Permit of the target that was chosen last.
    quota_permit: Option<QuotaPermit<'p>>,
}

#[derive(Debug, Clone, Copy)]
pub enum Next<'p> {
    /// Try this target after a pause.
    Try(&'p Target, Duration),
    /// Report the failure to the client.
    Stop(StopReason),
}

/// Whether a second attempt starts while a slow one still runs.
#[derive(Debug, Clone, Copy)]
pub enum HedgeDecision<'p> {
    Start(&'p Target),
    /// This target would be tried, but the retry budget is used up.
    OverBudget(&'p Target),
    /// No attempt or no target is left.
    None,
}

/// Why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The request may have been processed.
    MaybeProcessed,
    /// `retry.attempts` is reached.
    Attempts,
    /// No target is left, or none that can be tried in time.
    Targets,
    /// The retry budget is used up.
    Budget,
}

impl StopReason {
    /// Text for the log.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::MaybeProcessed => "the request may have been processed",
            Self::Attempts => "no attempts left",
            Self::Targets => "no targets left",
            Self::Budget => "retry budget used up",
        }
    }
}

/// The only target of a model that cannot have a second attempt: such requests need
/// no plan.
#[must_use]
pub fn single_target<'p>(targets: &'p [Target], retry: &Retry) -> Option<&'p Target> {
    match targets {
        [target] if retry.max_wait.is_zero() => Some(target),
        _ => None,
    }
}

impl<'p> Plan<'p> {
    /// The targets must be in the order of their steps.
    #[must_use]
    pub fn new(fleet: &'p Fleet, targets: &'p [Target], retry: Retry, balance: Balance) -> Self {
        Self {
            fleet,
            targets,
            retry,
            balance,
            has_affinity: false,
            affinity_key: None,
            tried: 0,
            attempts: 0,
            maybe_processed: false,
            retryable: Vec::new(),
            retry_time_left: retry.max_wait,
            is_probe: false,
            quota_permit: None,
        }
    }

    /// For a model with affinity. `key` is `None` for a request without one.
    #[must_use]
    pub fn with_affinity(mut self, key: Option<AffinityKey>) -> Self {
        self.has_affinity = true;
        self.affinity_key = key;
        self
    }

    /// Whether this is the request's affine target; `None` for a model without
    /// affinity.
    #[must_use]
    pub fn affinity_result(&self, target: &Target) -> Option<AffinityResult> {
        let Some(key) = self.affinity_key else {
            return self.has_affinity.then_some(AffinityResult::NoKey);
        };
        let step = self.targets.first()?.step;
        let preferred = key.preferred(self.targets.iter().filter(|it| it.step == step));
        let is_hit = preferred.is_some_and(|it| it.state_index == target.state_index);
        Some(if is_hit {
            AffinityResult::Hit
        } else {
            AffinityResult::Moved
        })
    }

    /// The target of the first attempt.
    pub fn first(&mut self, now: Instant, rng: &mut Rng) -> Option<&'p Target> {
        let target = self.choose(now, rng)?;
        self.fleet.deposit(target);
        self.attempts += 1;
        Some(target)
    }

    /// The permit for the target that was chosen last, to be held until the head of
    /// its response.
    pub fn take_quota_permit(&mut self) -> Option<QuotaPermit<'p>> {
        self.quota_permit.take()
    }

    /// What follows a failed attempt.
    pub fn after(
        &mut self,
        failed: &'p Target,
        outcome: AttemptOutcome,
        now: Instant,
        rng: &mut Rng,
    ) -> Next<'p> {
        self.maybe_processed |= outcome == AttemptOutcome::MaybeProcessed;
        if self.maybe_processed && !self.retry.non_idempotent {
            return Next::Stop(StopReason::MaybeProcessed);
        }
        if self.attempts >= self.retry.attempts {
            return Next::Stop(StopReason::Attempts);
        }
        self.schedule_retry(failed, outcome, now, rng);
        let Some((target, pause)) = self.choose_next(now, rng) else {
            return Next::Stop(StopReason::Targets);
        };
        // A request that was not sent added no load.
        if outcome.was_sent() && !self.fleet.withdraw(failed, now) {
            return Next::Stop(StopReason::Budget);
        }
        self.retry_time_left = self.retry_time_left.saturating_sub(pause);
        self.attempts += 1;
        Next::Try(target, pause)
    }

    /// What follows where the target that was chosen last cannot take the request: it is
    /// passed over, and there was no attempt.
    pub fn pass_over(
        &mut self,
        target: &'p Target,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<(&'p Target, Duration)> {
        self.attempts = self.attempts.saturating_sub(1);
        if self.is_probe {
            self.fleet.cancel_probe(target, now);
        }
        self.quota_permit = None;
        let (next, pause) = self.choose_next(now, rng)?;
        if self.attempts == 0 {
            self.fleet.deposit(next);
        }
        self.attempts += 1;
        Some((next, pause))
    }

    /// As [`Self::pass_over`], for the target of a hedge.
    pub fn cancel_hedge(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
        self.quota_permit = None;
    }

    /// Whether an attempt at `first` could be hedged.
    #[must_use]
    pub fn may_hedge(&self, first: &Target) -> bool {
        let mut others = self.untried();
        self.attempts < self.retry.attempts
            && others.any(|(_, other)| is_other_upstream(first, other))
    }

    /// Hedges the slow attempt at `first`: the second one is at another upstream, and
    /// only at a target that needs no probe. It counts as a retry.
    pub fn hedge(&mut self, first: &'p Target, now: Instant, rng: &mut Rng) -> HedgeDecision<'p> {
        if self.attempts >= self.retry.attempts {
            return HedgeDecision::None;
        }
        let fleet = self.fleet;
        let is_eligible =
            |it: &Target| is_other_upstream(first, it) && fleet.is_available_unprobed(it, now);
        let Some((index, target)) = self.select(now, rng, is_eligible) else {
            return HedgeDecision::None;
        };
        let Some(permit) = fleet.try_acquire_quota(target, now) else {
            return HedgeDecision::None;
        };
        if !fleet.withdraw(first, now) {
            return HedgeDecision::OverBudget(target);
        }
        self.quota_permit = Some(permit);
        self.tried |= 1 << index;
        self.attempts += 1;
        HedgeDecision::Start(target)
    }

    /// Records the failure of one of two attempts while the other still runs. True
    /// when it must be reported to the client if that one fails as well.
    pub fn record_concurrent_failure(
        &mut self,
        failed: &'p Target,
        outcome: AttemptOutcome,
        now: Instant,
        rng: &mut Rng,
    ) -> bool {
        self.maybe_processed |= outcome == AttemptOutcome::MaybeProcessed;
        self.schedule_retry(failed, outcome, now, rng);
        self.maybe_processed && !self.retry.non_idempotent
    }

    /// Whether another attempt may follow the current one.
    #[must_use]
    pub fn has_next(&self) -> bool {
        self.attempts < self.retry.attempts
            && (self.has_untried() || !self.retry_time_left.is_zero())
    }

    /// Whether the plan compares the loads of targets.
    #[must_use]
    pub fn needs_load(&self) -> bool {
        self.has_affinity || self.balance == Balance::LeastLoaded
    }

    /// Attempts so far, the current one included.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.attempts
    }

    /// Whether a target is left that was not chosen yet.
    #[must_use]
    pub fn has_untried(&self) -> bool {
        (self.tried.count_ones() as usize) < self.targets.len()
    }

    fn schedule_retry(
        &mut self,
        failed: &'p Target,
        outcome: AttemptOutcome,
        now: Instant,
        rng: &mut Rng,
    ) {
        if let Some(backoff) = self.backoff(outcome, rng) {
            self.retryable.push((failed, now + backoff));
        }
    }

    fn choose_next(&mut self, now: Instant, rng: &mut Rng) -> Option<(&'p Target, Duration)> {
        if let Some(target) = self.choose(now, rng) {
            return Some((target, Duration::ZERO));
        }
        if self.retry_time_left.is_zero() {
            return None;
        }
        let soonest = (0..self.retryable.len())
            .min_by_key(|index| self.retryable.get(*index).map(|it| it.1))?;
        let (_, due) = self.retryable.get(soonest)?;
        let pause = due.saturating_duration_since(now);
        if pause > self.retry_time_left {
            return None;
        }
        let (target, _) = self.retryable.swap_remove(soonest);
        self.quota_permit = Some(self.fleet.acquire_quota(target));
        Some((target, pause))
    }

    /// An untried target: an available one, or any other when none is available. So
    /// the last target of a model is always tried.
    fn choose(&mut self, now: Instant, rng: &mut Rng) -> Option<&'p Target> {
        let fleet = self.fleet;
        while let Some((index, target)) = self.select(now, rng, |it| fleet.is_available(it, now)) {
            // Of concurrent requests, one gets the last of a quota, and one probes a
            // lapsed ejection.
            if let Some(permit) = fleet.try_acquire_quota(target, now)
                && fleet.try_admit(target, now)
            {
                self.quota_permit = Some(permit);
                self.is_probe = true;
                self.tried |= 1 << index;
                return Some(target);
            }
        }
        let (index, target) = self.select(now, rng, |_| true)?;
        fleet.force_admit(target);
        self.is_probe = false;
        self.quota_permit = Some(fleet.acquire_quota(target));
        self.tried |= 1 << index;
        Some(target)
    }

    /// Backoff before a target is tried again; `None` if a retry is useless.
    fn backoff(&self, outcome: AttemptOutcome, rng: &mut Rng) -> Option<Duration> {
        match outcome {
            AttemptOutcome::Unauthorized | AttemptOutcome::Forbidden | AttemptOutcome::Rejected => {
                None
            }
            AttemptOutcome::Throttled(Some(pause)) => Some(pause),
            // Full jitter, so that requests that failed together do not come back
            // together.
            _ => {
                let exponent = u32::try_from(self.attempts).unwrap_or(u32::MAX).min(16);
                let max = (MIN_BACKOFF * (1 << exponent)).min(MAX_BACKOFF);
                Some(max.mul_f64(rng.f64()))
            }
        }
    }
}

/// Another key of the same provider reaches the same upstream.
fn is_other_upstream(first: &Target, second: &Target) -> bool {
    first.provider.id != second.provider.id || first.encoded_model != second.encoded_model
}
