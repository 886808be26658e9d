//! The loop over the targets of a plan: the next one, where the last one failed.

use std::mem;
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use tokio::time::sleep;

use super::context::{log_error, log_failure, now};
use super::hedge::race;
use super::verdict::{FailedAttempt, Verdict};
use super::{Accepted, AttemptContext, send, websocket};
use crate::catalog::Target;
use crate::config::{Affinity, AffinityBy};
use crate::error_response::{self, ErrorResponse};
use crate::metering::Meter;
use crate::proxy::intake::StreamedBody;
use crate::routing::{AffinityKey, Next, Plan, StopReason};
use crate::wire::endpoint::Endpoint;
use crate::wire::frames::Frames;
use crate::wire::scan::affinity::{prompt_prefix, session_key};

/// A failed attempt, and its target.
type Failed<'p> = (FailedAttempt, &'p Target);

pub(super) async fn run(
    context: &AttemptContext<'_>,
    meter: &mut Meter,
    head: &mut Parts,
) -> Result<Accepted, ErrorResponse> {
    let mut plan = context.plan();
    if let Some(body) = context.intake.single_use_body() {
        return run_once(context, meter, &mut plan, head, body).await;
    }
    // The affinity key is in the head or in a body that was scanned.
    if let Some(affinity) = &context.model().affinity
        && !context.is_websocket
    {
        let body = &context.intake.body;
        let key = affinity_key(affinity, meter.endpoint(), &head.headers, body);
        plan = plan.with_affinity(key);
    }
    let context = &AttemptContext {
        needs_load: plan.needs_load(),
        ..*context
    };
    let mut result = run_plan(context, meter, &mut plan, head).await;
    if context.counts_attempts() {
        match &mut result {
            Ok(result) => error_response::set_attempts(result.headers_mut(), plan.attempts()),
            Err(error) => error.set_attempts(plan.attempts()),
        }
    }
    result
}

/// Sends a body that cannot be sent again, to the plan's first target.
async fn run_once(
    context: &AttemptContext<'_>,
    meter: &mut Meter,
    plan: &mut Plan<'_>,
    head: &mut Parts,
    body: &StreamedBody,
) -> Result<Accepted, ErrorResponse> {
    let first = plan.first(now(), &mut context.worker.rng.borrow_mut());
    // A plan has at least one target.
    let target = first.ok_or_else(error_response::upstream_protocol_error)?;
    meter.start_attempt(target);
    let headers = mem::take(&mut head.headers);
    let mut verdict = send(context, meter, target, head, headers, None).await;
    if let Some(error) = verdict.error() {
        if let Some(client_error) = body.state().take_error() {
            return Err(client_error.with_target(target));
        }
        log_error(meter, target, error);
    }
    if verdict.was_sent() {
        context.record(meter, target, &mut verdict);
    }
    verdict.into_result(target)
}

async fn run_plan<'p>(
    context: &AttemptContext<'p>,
    meter: &mut Meter,
    plan: &mut Plan<'p>,
    head: &mut Parts,
) -> Result<Accepted, ErrorResponse> {
    let (worker, model) = (context.worker, context.model());
    let mut best: Option<Failed<'p>> = None;
    let mut next = plan.first(now(), &mut worker.rng.borrow_mut());
    if let Some((target, affinity)) = next.and_then(|it| Some((it, plan.affinity_result(it)?))) {
        meter.on_affinity(model, target, affinity);
    }
    while let Some(target) = next {
        let (mut verdict, target) = attempt(context, meter, plan, head, target, &mut best).await;
        context.record(meter, target, &mut verdict);
        let failed = match verdict {
            Verdict::Retry(failed) => failed,
            verdict => return verdict.into_result(target),
        };
        let outcome = failed.outcome;
        let step = plan.after(target, outcome, now(), &mut worker.rng.borrow_mut());
        log_failure(meter, target, &failed, &step);
        // A handshake can be repeated at no cost.
        let must_report =
            !context.is_websocket && matches!(step, Next::Stop(StopReason::MaybeProcessed));
        best = Some(prefer(best, (failed, target), must_report));
        next = match step {
            Next::Stop(_) => None,
            Next::Try(target, pause) => {
                backoff(meter, pause).await;
                meter.on_retry(model, target, outcome);
                Some(target)
            }
        };
    }
    // A plan has at least one target, so there was an attempt.
    best.map_or_else(
        || Err(error_response::upstream_protocol_error()),
        |(failed, target)| failed.into_result(target),
    )
}

/// One attempt at this target, or two where it is slow and the model is hedged;
/// then a failure of the first to end goes to `best`.
async fn attempt<'p>(
    context: &AttemptContext<'p>,
    meter: &mut Meter,
    plan: &mut Plan<'p>,
    head: &mut Parts,
    target: &'p Target,
    best: &mut Option<Failed<'p>>,
) -> (Verdict, &'p Target) {
    let quota = plan.take_quota_permit();
    meter.start_attempt(target);
    if context.is_websocket {
        let verdict = websocket::attempt(context, meter, target, head).await;
        return (verdict, target);
    }
    let Some(delay) = context.hedge_delay(plan, target) else {
        let may_retry = plan.has_next();
        let headers = if may_retry {
            head.headers.clone()
        } else {
            mem::take(&mut head.headers)
        };
        let attempt = context.attempt(meter, target, head, headers, quota, may_retry);
        return (attempt.await, target);
    };
    // Boxed, so that models without hedging need no room for it.
    let raced = Box::pin(race(context, meter, plan, (target, quota), head, delay)).await;
    if let Some((failed, must_report)) = raced.failed {
        *best = Some(prefer(best.take(), failed, must_report));
    }
    meter.start_attempt(raced.target);
    (raced.verdict, raced.target)
}

/// The failure to report: one with an upstream's response before one without, else
/// the later one. But that the request may have been processed must be reported, or
/// the client's SDK would send it again.
fn prefer<'p>(best: Option<Failed<'p>>, new: Failed<'p>, must_report: bool) -> Failed<'p> {
    match best {
        Some(best) if must_report && best.0.maybe_processed() && !new.0.maybe_processed() => best,
        Some(best) if !must_report && best.0.status.is_some() && new.0.status.is_none() => best,
        _ => new,
    }
}

async fn backoff(meter: &Meter, pause: Duration) {
    if !pause.is_zero() {
        let _wait = meter.wait();
        sleep(pause).await;
    }
}

fn affinity_key(
    affinity: &Affinity,
    endpoint: Endpoint,
    headers: &HeaderMap,
    body: &Frames,
) -> Option<AffinityKey> {
    let max_load = affinity.max_load;
    match &affinity.by {
        AffinityBy::User => AffinityKey::new(&[&session_key(&body.text())?], max_load),
        AffinityBy::Prompt => {
            let body = body.text();
            let prefix = prompt_prefix(&body, endpoint.is_anthropic());
            AffinityKey::new(&prefix, max_load)
        }
        AffinityBy::Header(name) => AffinityKey::new(&[headers.get(name)?.as_bytes()], max_load),
    }
}
