//! A hedged attempt: where the first target is slow, a second attempt starts
//! elsewhere, and the first success is taken.

use std::pin::pin;
use std::time::Duration;

use http::request::Parts;
use tokio::time::Instant;
use tracing::info;

use super::AttemptContext;
use super::context::{log_failure, log_passed_over, now};
use super::verdict::{FailedAttempt, Verdict};
use crate::catalog::Target;
use crate::error_response::ErrorResponse;
use crate::lazy_timer::timeout;
use crate::metering::{AttemptResult, HedgeOutcome, Meter};
use crate::routing::{HedgeDecision, Next, Plan, QuotaPermit};

pub(super) struct RaceResult<'p> {
    /// The success, or the failure that came last.
    pub verdict: Verdict,
    pub target: &'p Target,
    /// The failure that came first, and whether it must be reported if the other
    /// attempt fails as well.
    pub failed: Option<((FailedAttempt, &'p Target), bool)>,
}

/// Tries `first`, and after `delay` a second target as well. The attempt that is no
/// longer awaited is dropped, which ends its request.
pub(super) async fn race<'p>(
    context: &AttemptContext<'p>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    (first, quota): (&'p Target, Option<QuotaPermit<'p>>),
    parts: &Parts,
    delay: Duration,
) -> RaceResult<'p> {
    let started = Instant::now();
    let headers = parts.headers.clone();
    let mut one = pin!(context.attempt(meter, first, parts, headers, quota, true));
    if let Ok(verdict) = timeout(delay, one.as_mut()).await {
        return RaceResult::alone(verdict, first);
    }
    meter.resume_overhead();
    let Some(second) = choose(context, meter, plan, first) else {
        meter.pause_overhead();
        return RaceResult::alone(one.await, first);
    };
    let mut guard = HedgeMetricGuard {
        context,
        meter,
        target: second,
        result: Some(HedgeOutcome::Abandoned),
    };
    let (headers, quota) = (parts.headers.clone(), plan.take_quota_permit());
    let mut two = pin!(context.attempt(meter, second, parts, headers, quota, true));
    let (verdict, is_first) = tokio::select! {
        biased;
        verdict = one.as_mut() => (verdict, true),
        verdict = two.as_mut() => (verdict, false),
    };
    let (ended, other) = if is_first {
        (first, second)
    } else {
        (second, first)
    };
    let failed = match verdict {
        Verdict::Retry(failed) => failed,
        Verdict::Unsupported(error) if !is_first => {
            guard.pass_over(plan, &error);
            return RaceResult::alone(one.await, first);
        }
        verdict => {
            guard.on_success(is_first);
            if !is_first {
                context.record_abandoned(first, started.elapsed());
            }
            on_cancelled(context, meter, other, ended);
            return RaceResult::alone(verdict, ended);
        }
    };
    let must_report = on_failed(context, meter, plan, (ended, other), &failed);
    meter.pause_overhead();
    let verdict = if is_first { two.await } else { one.await };
    guard.result = Some(HedgeOutcome::Failed);
    if is_first && verdict.failure().is_none() {
        guard.result = Some(HedgeOutcome::Won);
    }
    RaceResult {
        verdict,
        target: other,
        failed: Some(((failed, ended), must_report)),
    }
}

/// The target of a second attempt, if the plan allows one.
fn choose<'p>(
    context: &AttemptContext<'_>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    first: &'p Target,
) -> Option<&'p Target> {
    match plan.hedge(first, now(), &mut context.worker.rng.borrow_mut()) {
        HedgeDecision::Start(second) => Some(second),
        HedgeDecision::None => None,
        HedgeDecision::OverBudget(target) => {
            meter.on_hedge(context.model(), target, HedgeOutcome::OverBudget);
            None
        }
    }
}

/// Records a failure while the other attempt still runs. True when it must be
/// reported if that one fails as well.
fn on_failed<'p>(
    context: &AttemptContext<'_>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    (ended, other): (&'p Target, &'p Target),
    failed: &FailedAttempt,
) -> bool {
    let outcome = failed.outcome;
    failed.record_charge(meter, ended);
    meter.on_concurrent_attempt(context.model(), ended, AttemptResult::Failed(outcome));
    if failed.counts_against_target() {
        context.record_health(ended, Some(outcome));
    }
    log_failure(meter, ended, failed, &Next::Try(other, Duration::ZERO));
    let rng = &mut context.worker.rng.borrow_mut();
    plan.record_concurrent_failure(ended, outcome, now(), rng)
}

fn on_cancelled(context: &AttemptContext<'_>, meter: &Meter, target: &Target, winner: &Target) {
    meter.on_concurrent_attempt(context.model(), target, AttemptResult::Cancelled);
    meter.on_attempt_abandoned(target);
    let request_id = meter.request_id().as_str();
    let (provider, next_provider) = (&*target.provider.name, &*winner.provider.name);
    let result = AttemptResult::Cancelled.label();
    info!(
        request_id,
        provider, result, next_provider, "attempt cancelled"
    );
}

// === impl RaceResult ===

impl<'p> RaceResult<'p> {
    fn alone(verdict: Verdict, target: &'p Target) -> Self {
        Self {
            verdict,
            target,
            failed: None,
        }
    }
}

/// Counts the result of a second attempt when it is dropped, also where the request
/// was abandoned.
struct HedgeMetricGuard<'a> {
    context: &'a AttemptContext<'a>,
    meter: &'a Meter,
    target: &'a Target,
    /// `None` where it was not sent.
    result: Option<HedgeOutcome>,
}

impl HedgeMetricGuard<'_> {
    fn on_success(&mut self, is_of_first: bool) {
        self.result = Some(if is_of_first {
            HedgeOutcome::Superseded
        } else {
            HedgeOutcome::Won
        });
    }

    /// The second target cannot take the request: there was no hedge.
    fn pass_over(&mut self, plan: &mut Plan<'_>, error: &ErrorResponse) {
        self.result = None;
        plan.cancel_hedge();
        log_passed_over(self.meter, self.target, error);
        self.meter.pause_overhead();
    }
}

impl Drop for HedgeMetricGuard<'_> {
    fn drop(&mut self) {
        if let Some(result) = self.result {
            self.meter
                .on_hedge(self.context.model(), self.target, result);
        }
    }
}
