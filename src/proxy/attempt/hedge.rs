//! Two attempts at a time: where the first is silent for too long, a second
//! one is begun somewhere else, and the first good answer is taken.

use std::pin::pin;
use std::time::Duration;

use http::request::Parts;
use tokio::time::{Instant, timeout};
use tracing::info;

use super::classify::Judged;
use super::context::{Errand, now, tell};
use crate::catalog::Target;
use crate::metering::{Attempt, Hedged, Meter};
use crate::routing::{Awaited, Next, Outcome, Plan, Second};

/// What came of one attempt, or of two.
pub(super) struct Raced<'p> {
    /// The answer that was taken, or the failure that came last.
    pub judged: Judged,
    /// Whose it is.
    pub target: &'p Target,
    /// The failure that came before.
    pub beside: Option<Beside<'p>>,
}

/// One of two attempts that failed before the other ended.
pub(super) struct Beside<'p> {
    pub judged: Judged,
    pub target: &'p Target,
    /// Whether the caller has to be told if the other one fails as well.
    pub must_be_told: bool,
}

/// Asks `first`, and after `delay` a second target as well. Whoever is not
/// waited for any longer is dropped, which ends the request there.
pub(super) async fn race<'p>(
    errand: &Errand<'_>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    (first, awaited): (&'p Target, Option<Awaited<'p>>),
    parts: &Parts,
    delay: Duration,
) -> Raced<'p> {
    let began = Instant::now();
    let sending = (parts.headers.clone(), awaited);
    let mut one = pin!(errand.attempt(meter, first, parts, sending, true));
    if let Ok(judged) = timeout(delay, one.as_mut()).await {
        return Raced::alone(judged, first);
    }
    meter.works();
    let Some(second) = choose(errand, meter, plan, first) else {
        meter.waits();
        return Raced::alone(one.await, first);
    };
    let mut tally = Tally {
        errand,
        meter,
        target: second,
        result: Hedged::Abandoned,
    };
    let sending = (parts.headers.clone(), plan.awaited());
    let mut two = pin!(errand.attempt(meter, second, parts, sending, true));
    let (judged, is_first) = tokio::select! {
        biased;
        judged = one.as_mut() => (judged, true),
        judged = two.as_mut() => (judged, false),
    };
    let (ended, other) = if is_first {
        (first, second)
    } else {
        (second, first)
    };
    let Some(fault) = judged.fault else {
        tally.result = if is_first { Hedged::Lost } else { Hedged::Won };
        if !is_first {
            errand.outlasted(first, began.elapsed());
        }
        cancelled(errand, meter, other, ended);
        return Raced::alone(judged, ended);
    };
    let must_be_told = failed(errand, meter, plan, (ended, other), &judged, fault);
    let beside = Beside {
        judged,
        target: ended,
        must_be_told,
    };
    meter.waits();
    let judged = if is_first { two.await } else { one.await };
    let won = is_first && judged.fault.is_none();
    tally.result = if won { Hedged::Won } else { Hedged::Failed };
    Raced {
        judged,
        target: other,
        beside: Some(beside),
    }
}

/// The target of a second attempt, if there may be one.
fn choose<'p>(
    errand: &Errand<'_>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    first: &'p Target,
) -> Option<&'p Target> {
    match plan.hedge(first, now(), &mut errand.worker.rng.borrow_mut()) {
        Second::Try(second) => Some(second),
        Second::None => None,
        Second::Withheld(target) => {
            meter.hedged(errand.model, target, Hedged::Withheld);
            None
        }
    }
}

/// One of two attempts failed. True when the caller has to be told if the other
/// one fails as well.
fn failed<'p>(
    errand: &Errand<'_>,
    meter: &Meter,
    plan: &mut Plan<'p>,
    (ended, other): (&'p Target, &'p Target),
    judged: &Judged,
    fault: Outcome,
) -> bool {
    meter.tried(errand.model, ended, Attempt::Failed(fault));
    errand.note(ended, judged);
    let next = Next::Try(other, Duration::ZERO);
    tell(meter, ended, judged, fault, &next);
    let rng = &mut errand.worker.rng.borrow_mut();
    plan.failed_beside(ended, fault, now(), rng)
}

/// An attempt was given up, since another one has brought an answer.
fn cancelled(errand: &Errand<'_>, meter: &Meter, target: &Target, winner: &Target) {
    meter.tried(errand.model, target, Attempt::Cancelled);
    let request_id = meter.request_id().as_str();
    let (provider, then) = (&*target.provider.name, &*winner.provider.name);
    let result = Attempt::Cancelled.label();
    info!(request_id, provider, result, then, "attempt cancelled");
}

impl<'p> Raced<'p> {
    fn alone(judged: Judged, target: &'p Target) -> Self {
        Self {
            judged,
            target,
            beside: None,
        }
    }
}

/// Counts what came of a second attempt, also when nobody waits for it any
/// more.
struct Tally<'a> {
    errand: &'a Errand<'a>,
    meter: &'a Meter,
    target: &'a Target,
    result: Hedged,
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.meter
            .hedged(self.errand.model, self.target, self.result);
    }
}
