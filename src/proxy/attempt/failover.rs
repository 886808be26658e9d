//! Several targets: the next one, where the last one did not answer.

use std::mem;
use std::time::Duration;

use http::request::Parts;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::judge::{Judged, judge};
use super::{Accepted, first_event, kinship, send};
use crate::catalog::{Model, Resolved, Target};
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::intake::Intake;
use crate::proxy::reply::{self, Failure};
use crate::routing::{Next, Outcome, Plan, Stop};

/// Tries target after target, as the plan says, and tells the caller how many.
pub(super) async fn run(
    worker: &Worker,
    meter: &mut Meter,
    resolved: &Resolved<'_>,
    head: &mut Parts,
    intake: &Intake,
) -> Result<Accepted, Failure> {
    let fleet = &worker.snapshot.fleet;
    let model = &resolved.model;
    let mut plan = Plan::new(fleet, &resolved.targets, model.retry, model.balance);
    if let Some(affinity) = &model.affinity {
        plan = plan.with_affinity(kinship::of(affinity, &head.headers, &intake.body));
    }
    let mut told = follow(worker, meter, model, &mut plan, head, intake).await;
    match &mut told {
        Ok(accepted) => reply::count_attempts(&mut accepted.reply.headers, plan.attempts()),
        Err(failure) => failure.count_attempts(plan.attempts()),
    }
    told
}

async fn follow<'p>(
    worker: &Worker,
    meter: &mut Meter,
    model: &Model,
    plan: &mut Plan<'p>,
    head: &mut Parts,
    intake: &Intake,
) -> Result<Accepted, Failure> {
    let mut last: Option<(Judged, &'p Target)> = None;
    let mut target = plan.first(now(), &mut worker.rng.borrow_mut());
    if let Some((target, kept)) = target.and_then(|it| Some((it, plan.keeps_to(it)?))) {
        meter.keeps(model, target, kept);
    }
    while let Some(current) = target {
        meter.asks(current);
        let judged = watched(worker, meter, plan, current, head, intake).await;
        meter.attempted_at(model, current, judged.fault);
        if judged.is_blamed() {
            worker.snapshot.fleet.note(current, judged.fault, now());
        }
        let Some(fault) = judged.fault else {
            return judged.named(current);
        };
        let next = plan.after(fault, now(), &mut worker.rng.borrow_mut());
        tell(meter, current, &judged, fault, &next);
        last = Some(better(last, (judged, current), &next));
        target = match next {
            Next::Stop(_) => None,
            Next::Try(next, pause) => {
                rest(meter, pause).await;
                meter.retries(model, next, fault);
                Some(next)
            }
        };
    }
    // A plan has at least one target, so there is something to tell.
    last.map_or_else(
        || Err(reply::upstream_protocol_error()),
        |(last, target)| last.named(target),
    )
}

/// An attempt that is counted as in flight, and timed, where it matters who is
/// less busy.
async fn watched(
    worker: &Worker,
    meter: &mut Meter,
    plan: &Plan<'_>,
    target: &Target,
    head: &mut Parts,
    intake: &Intake,
) -> Judged {
    if !plan.weighs_loads() {
        return attempt(worker, meter, plan, target, head, intake).await;
    }
    let fleet = &worker.snapshot.fleet;
    let in_flight = fleet.enter(target);
    let began = now();
    let mut judged = attempt(worker, meter, plan, target, head, intake).await;
    // What fails at once is not to look fast.
    if matches!(judged.fault, None | Some(Outcome::MaybeProcessed)) {
        let now = now();
        fleet.observe(target, now.saturating_duration_since(began), now);
    }
    if let Ok(accepted) = &mut judged.word {
        accepted.in_flight = in_flight;
    }
    judged
}

async fn attempt(
    worker: &Worker,
    meter: &mut Meter,
    plan: &Plan<'_>,
    target: &Target,
    head: &mut Parts,
    intake: &Intake,
) -> Judged {
    let headers = if plan.may_go_on() {
        head.headers.clone()
    } else {
        mem::take(&mut head.headers)
    };
    let judged = match send(worker, meter, target, head, headers, intake).await {
        Ok(answer) => judge(answer).await,
        Err(error) => Judged::unanswered(error),
    };
    match judged {
        Judged {
            fault: None,
            word: Ok(accepted),
            ..
        } if plan.may_go_on() => {
            meter.waits();
            let judged = first_event::judge(accepted, meter.endpoint().finish_rule()).await;
            meter.works();
            judged
        }
        judged => judged,
    }
}

/// Of two failures, the one that says more to the caller: what an upstream has
/// answered, before what we say in its place; else the later one. But that the
/// request may have been processed must be told, or the caller's SDK would send
/// it again.
fn better<'t>(
    last: Option<(Judged, &'t Target)>,
    new: (Judged, &'t Target),
    next: &Next<'_>,
) -> (Judged, &'t Target) {
    let must_be_told = matches!(next, Next::Stop(Stop::MaybeProcessed));
    match last {
        Some(last) if last.0.answered && !new.0.answered && !must_be_told => last,
        _ => new,
    }
}

/// One line for each attempt that failed.
fn tell(meter: &Meter, target: &Target, judged: &Judged, fault: Outcome, next: &Next<'_>) {
    let status = judged.status().map(|status| status.as_u16());
    let error = judged.cause.as_ref().map(tracing::field::display);
    let request_id = meter.request_id().as_str();
    let provider = &*target.provider.name;
    let result = fault.label();
    let (then, why) = match next {
        Next::Try(next, _) => (Some(&*next.provider.name), None),
        Next::Stop(why) => (None, Some(why.label())),
    };
    warn!(
        request_id,
        provider, result, status, error, then, why, "attempt failed"
    );
}

/// Leaves a busy target alone for a while.
async fn rest(meter: &mut Meter, pause: Duration) {
    if !pause.is_zero() {
        meter.waits();
        sleep(pause).await;
        meter.works();
    }
}

/// The runtime's clock, which tests can set.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
