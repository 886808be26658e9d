//! The loop over the targets of a plan: the next one, where the last one failed.

use std::cmp::Reverse;
use std::mem;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName};
use tokio::time::sleep;

use super::context::{log_error, log_failure, log_passed_over, now};
use super::hedge::race;
use super::verdict::{FailedAttempt, Verdict};
use super::{Accepted, AttemptContext, send, websocket};
use crate::catalog::Target;
use crate::config::{Affinity, AffinityBy};
use crate::error_response::{self, ErrorResponse, UNSUPPORTED_ENDPOINT};
use crate::limits::Shortage;
use crate::metering::Meter;
use crate::proxy::client_limits;
use crate::proxy::intake::StreamedBody;
use crate::proxy::session;
use crate::routing::{AffinityKey, Next, Plan, StopReason};
use crate::wire::endpoint::Endpoint;
use crate::wire::frames::Frames;
use crate::wire::scan::affinity::{prompt_prefix, session_key};

/// A failed attempt, and its target.
type Failed<'p> = (FailedAttempt, &'p Target);
/// The error of a target that cannot take the request, and the target.
type PassedOver<'p> = (Box<ErrorResponse>, &'p Target);

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
        let sessions = &context.worker.snapshot.session_headers;
        let key = affinity_key(affinity, meter.endpoint(), &head.headers, sessions, body);
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

/// Sends a body that cannot be sent again, to the plan's first target that takes it.
async fn run_once<'p>(
    context: &AttemptContext<'p>,
    meter: &mut Meter,
    plan: &mut Plan<'p>,
    head: &mut Parts,
    body: &StreamedBody,
) -> Result<Accepted, ErrorResponse> {
    let mut passed_over = None;
    let mut next = plan.first(now(), &mut context.worker.rng.borrow_mut());
    while let Some(target) = next {
        meter.start_attempt(target);
        if let Some(leasing) = client_limits::lease_attempt(meter, target) {
            leasing.await;
        }
        let headers = take_headers(plan.has_untried(), head);
        let mut verdict = send(context, meter, target, head, headers, None).await;
        if let Verdict::Unsupported(error) = verdict {
            next = pass_over(context, meter, plan, (error, target), &mut passed_over).await;
            continue;
        }
        if let Some(error) = verdict.error() {
            if let Some(client_error) = body.state().take_error() {
                // Of an incomplete body, nothing is processed.
                meter.on_attempt_failed(target, false, None);
                return Err(client_error.with_target(target));
            }
            log_error(meter, target, error);
        }
        context.record(meter, target, &mut verdict);
        return verdict.into_result(meter, target);
    }
    Err(no_target(passed_over))
}

async fn run_plan<'p>(
    context: &AttemptContext<'p>,
    meter: &mut Meter,
    plan: &mut Plan<'p>,
    head: &mut Parts,
) -> Result<Accepted, ErrorResponse> {
    let (worker, model) = (context.worker, context.model());
    let mut best: Option<Failed<'p>> = None;
    let mut passed_over: Option<PassedOver<'p>> = None;
    let mut next = plan.first(now(), &mut worker.rng.borrow_mut());
    let mut is_first = true;
    while let Some(chosen) = next {
        let affinity = plan.affinity_result(chosen).filter(|_| is_first);
        let (mut verdict, target) = attempt(context, meter, plan, head, chosen, &mut best).await;
        if let Verdict::Unsupported(error) = verdict {
            next = pass_over(context, meter, plan, (error, target), &mut passed_over).await;
            continue;
        }
        if let Some(affinity) = affinity {
            meter.on_affinity(model, chosen, affinity);
        }
        is_first = false;
        context.record(meter, target, &mut verdict);
        let failed = match verdict {
            Verdict::Retry(failed) => failed,
            verdict => return verdict.into_result(meter, target),
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
    best.map_or_else(
        || Err(no_target(passed_over)),
        |(failed, target)| failed.into_result(meter, target),
    )
}

/// The target after one that cannot take the request.
async fn pass_over<'p>(
    context: &AttemptContext<'p>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    refusal: PassedOver<'p>,
    first: &mut Option<PassedOver<'p>>,
) -> Option<&'p Target> {
    let (error, target) = refusal;
    log_passed_over(meter, target, &error);
    let next = plan.pass_over(target, now(), &mut context.worker.rng.borrow_mut());
    let is_less = |(first, _): &PassedOver<'_>| helpfulness(first) < helpfulness(&error);
    if first.as_ref().is_none_or(is_less) {
        *first = Some((error, target));
    }
    let (target, pause) = next?;
    backoff(meter, pause).await;
    Some(target)
}

/// That a limit will have room again says more than what to change in the request, which
/// says more than that a provider lacks the call.
fn helpfulness(error: &ErrorResponse) -> (u8, Reverse<Duration>) {
    let (rank, wait) = match error.refusal().map(|it| it.shortage) {
        Some(Shortage::Wait(wait)) => (3, wait),
        Some(Shortage::Held) => (3, Duration::ZERO),
        // It says nothing of when.
        Some(Shortage::StoreAway | Shortage::Lease) => (3, Duration::MAX),
        Some(Shortage::UntilEnd(_) | Shortage::Blocked) => (2, Duration::ZERO),
        None => (
            u8::from(error.body.code != UNSUPPORTED_ENDPOINT),
            Duration::ZERO,
        ),
    };
    (rank, Reverse(wait))
}

/// A plan has at least one target: it was passed over.
fn no_target(passed_over: Option<PassedOver<'_>>) -> ErrorResponse {
    passed_over.map_or_else(
        error_response::upstream_protocol_error,
        |(error, target)| error.with_target(target),
    )
}

/// Copied where another target may need them.
fn take_headers(is_copied: bool, head: &mut Parts) -> HeaderMap {
    if is_copied {
        head.headers.clone()
    } else {
        mem::take(&mut head.headers)
    }
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
    if let Some(leasing) = client_limits::lease_attempt(meter, target) {
        leasing.await;
    }
    if context.is_websocket {
        let verdict = websocket::attempt(context, meter, target, head).await;
        return (verdict, target);
    }
    let Some(delay) = context.hedge_delay(plan, target) else {
        let may_retry = plan.has_next();
        let headers = take_headers(may_retry || plan.has_untried(), head);
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
    sessions: &[HeaderName],
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
        AffinityBy::Session => {
            AffinityKey::new(&[session::named(sessions, headers)?.as_bytes()], max_load)
        }
        AffinityBy::Header(name) => AffinityKey::new(&[headers.get(name)?.as_bytes()], max_load),
    }
}
