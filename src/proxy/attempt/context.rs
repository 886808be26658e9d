//! One attempt of several.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::request::Parts;
use tracing::warn;

use super::classify::{Judged, judge, texts};
use super::{Unanswered, first_event, send};
use crate::catalog::{Model, Target};
use crate::config::Hedge;
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::intake::Intake;
use crate::routing::{Awaited, Next, Outcome, Plan};
use crate::wall_clock;
use crate::wire::rate_limit;

/// The headers of one attempt, and what counts it as sent until it is answered.
pub(super) type Sending<'p> = (HeaderMap, Option<Awaited<'p>>);

/// What the attempts of one request have in common.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    pub worker: &'a Worker,
    pub model: &'a Model,
    pub intake: &'a Intake,
    /// Whether it matters how busy the targets are.
    pub weighs_loads: bool,
}

impl Errand<'_> {
    /// Asks a target and judges its answer: by its first event where `holds`.
    /// It is counted as in flight, and timed, where that matters.
    pub(super) async fn attempt(
        &self,
        meter: &Meter,
        target: &Target,
        parts: &Parts,
        (headers, awaited): Sending<'_>,
        holds: bool,
    ) -> Judged {
        let remembers = holds && matches!(self.model.hedge, Some(Hedge::Quantile { .. }));
        if !self.weighs_loads && !remembers {
            let sending = (headers, awaited);
            return self.ask(meter, target, parts, sending, holds).await;
        }
        let fleet = &self.worker.snapshot.fleet;
        let in_flight = if self.weighs_loads {
            fleet.enter(target)
        } else {
            None
        };
        let began = now();
        let sending = (headers, awaited);
        let mut judged = self.ask(meter, target, parts, sending, holds).await;
        let ended = now();
        let took = ended.saturating_duration_since(began);
        // What fails at once is not to look fast.
        if self.weighs_loads && matches!(judged.fault, None | Some(Outcome::MaybeProcessed)) {
            fleet.observe(target, took, ended);
        }
        if remembers && judged.fault.is_none() {
            fleet.remember(target, self.intake.scan.stream, took);
        }
        if let Ok(accepted) = &mut judged.word {
            accepted.in_flight = in_flight;
        }
        judged
    }

    async fn ask(
        &self,
        meter: &Meter,
        target: &Target,
        parts: &Parts,
        (headers, awaited): Sending<'_>,
        holds: bool,
    ) -> Judged {
        let fleet = &self.worker.snapshot.fleet;
        let sent = now();
        let answer = send(self.worker, meter, target, parts, headers, self.intake).await;
        if let Ok(answer) = &answer
            && let Some(left) = rate_limit::report(texts(&answer.reply.headers), wall_clock::now())
        {
            fleet.report(target, &left, sent, now());
        }
        drop(awaited);
        let judged = match answer {
            Ok(answer) => match judge(answer) {
                Ok(judged) => judged,
                Err(unclear) => unclear.judged().await,
            },
            Err(Unanswered::Failed(error)) => Judged::unanswered(error),
            Err(Unanswered::Refused(failure)) => Judged::refused(*failure),
        };
        match judged {
            Judged {
                fault: None,
                word: Ok(accepted),
                ..
            } if holds => {
                meter.waits();
                let judged = first_event::judge(accepted).await;
                meter.works();
                judged
            }
            judged => judged,
        }
    }

    /// After how long a second attempt is due beside one at this target, if
    /// ever.
    pub(super) fn hedge_delay(&self, plan: &Plan<'_>, target: &Target) -> Option<Duration> {
        let rule = self.model.hedge?;
        let fleet = &self.worker.snapshot.fleet;
        let delay = fleet.hedge_delay(rule, target, self.intake.scan.stream)?;
        plan.may_hedge(target).then_some(delay)
    }

    /// Notes an attempt that lasted so long and was given up for the sake of
    /// another one. It is held against nobody, but the target was not fast.
    pub(super) fn outlasted(&self, target: &Target, took: Duration) {
        let fleet = &self.worker.snapshot.fleet;
        if self.weighs_loads {
            fleet.outlasted(target, took, now());
        }
        if matches!(self.model.hedge, Some(Hedge::Quantile { .. })) {
            fleet.remember(target, self.intake.scan.stream, took);
        }
    }

    /// Tells the fleet how an attempt ended.
    pub(super) fn note(&self, target: &Target, judged: &Judged) {
        if judged.is_blamed() {
            let fleet = &self.worker.snapshot.fleet;
            fleet.note(target, judged.fault, now());
        }
    }
}

/// One line for each attempt that failed.
pub(super) fn tell(
    meter: &Meter,
    target: &Target,
    judged: &Judged,
    fault: Outcome,
    next: &Next<'_>,
) {
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

/// The runtime's clock, which tests can set.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
