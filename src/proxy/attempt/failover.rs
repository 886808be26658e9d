//! Several targets: the next one, where the last one did not answer.

use std::mem;
use std::time::Duration;

use http::request::Parts;
use tokio::time::sleep;

use super::classify::Judged;
use super::context::{Errand, now, tell};
use super::hedge::race;
use super::{Accepted, affinity};
use crate::catalog::{Model, Resolved, Target};
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::intake::Intake;
use crate::routing::{Next, Plan, Stop};

/// Tries target after target, as the plan says, and tells the caller how many.
pub(super) async fn run(
    worker: &Worker,
    meter: &mut Meter,
    resolved: &Resolved<'_>,
    head: &mut Parts,
    intake: &Intake,
) -> Result<Accepted, Failure> {
    let fleet = &worker.snapshot.fleet;
    let model = resolved.model;
    let mut plan = Plan::new(fleet, &resolved.targets, model.retry, model.balance);
    if let Some(affinity) = &model.affinity {
        plan = plan.with_affinity(affinity::of(affinity, &head.headers, &intake.body));
    }
    let mut told = follow(worker, meter, model, &mut plan, head, intake).await;
    match &mut told {
        Ok(accepted) => {
            error_response::count_attempts(&mut accepted.reply.headers, plan.attempts())
        }
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
    let errand = Errand {
        worker,
        model,
        intake,
        weighs_loads: plan.weighs_loads(),
    };
    let mut last: Option<(Judged, &'p Target)> = None;
    let mut target = plan.first(now(), &mut worker.rng.borrow_mut());
    if let Some((target, kept)) = target.and_then(|it| Some((it, plan.keeps_to(it)?))) {
        meter.keeps(model, target, kept);
    }
    while let Some(first) = target {
        let awaited = plan.awaited();
        meter.asks(first);
        let (judged, current) = match errand.hedge_delay(plan, first) {
            None => {
                let holds = plan.may_go_on();
                let headers = if holds {
                    head.headers.clone()
                } else {
                    mem::take(&mut head.headers)
                };
                let attempt = errand.attempt(meter, first, head, (headers, awaited), holds);
                (attempt.await, first)
            }
            Some(delay) => {
                // Boxed, so that models without hedging need no room for it.
                let first = (first, awaited);
                let raced = Box::pin(race(&errand, meter, plan, first, head, delay)).await;
                if let Some(beside) = raced.beside {
                    let must_be_told = beside.must_be_told;
                    last = Some(better(last, (beside.judged, beside.target), must_be_told));
                }
                meter.asks(raced.target);
                (raced.judged, raced.target)
            }
        };
        meter.attempted_at(model, current, judged.fault);
        errand.note(current, &judged);
        let Some(fault) = judged.fault else {
            return judged.named(current);
        };
        let next = plan.after(current, fault, now(), &mut worker.rng.borrow_mut());
        tell(meter, current, &judged, fault, &next);
        let must_be_told = matches!(next, Next::Stop(Stop::MaybeProcessed));
        last = Some(better(last, (judged, current), must_be_told));
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
        || Err(error_response::upstream_protocol_error()),
        |(last, target)| last.named(target),
    )
}

/// Of two failures, the one that says more to the caller: what an upstream has
/// answered, before what we say in its place; else the later one. But that the
/// request may have been processed must be told, or the caller's SDK would send
/// it again.
pub(super) fn better<'t>(
    last: Option<(Judged, &'t Target)>,
    new: (Judged, &'t Target),
    must_be_told: bool,
) -> (Judged, &'t Target) {
    match last {
        Some(last) if must_be_told && last.0.is_lost() && !new.0.is_lost() => last,
        Some(last) if !must_be_told && last.0.answered && !new.0.answered => last,
        _ => new,
    }
}

/// Leaves a busy target alone for a while.
pub(super) async fn rest(meter: &Meter, pause: Duration) {
    if !pause.is_zero() {
        meter.waits();
        sleep(pause).await;
        meter.works();
    }
}
