//! What the attempts of one request share, and the records of each attempt.

use std::time::{Duration, Instant};

use http::StatusCode;
use tracing::{debug, warn};

use super::verdict::{FailedAttempt, Verdict};
use crate::catalog::{Model, Resolved, Target};
use crate::config::{BaseUrl, Hedge, ProviderConfig};
use crate::error_response::ErrorResponse;
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::intake::Intake;
use crate::routing::{self, AttemptOutcome, InFlightGuard, Next, Plan};
use crate::upstream::Error;
use crate::wire::additions::Addition;
use crate::wire::endpoint::Endpoint;
use crate::wire::media_type::MediaType;

#[derive(Clone, Copy)]
pub(in crate::proxy) struct AttemptContext<'a> {
    pub worker: &'a Worker,
    pub resolved: &'a Resolved<'a>,
    pub intake: &'a Intake,
    pub is_websocket: bool,
    /// Whether requests in flight and latencies decide between targets.
    pub needs_load: bool,
}

impl<'a> AttemptContext<'a> {
    #[inline]
    pub(in crate::proxy) fn new(
        worker: &'a Worker,
        resolved: &'a Resolved<'a>,
        intake: &'a Intake,
        is_websocket: bool,
    ) -> Self {
        Self {
            worker,
            resolved,
            intake,
            is_websocket,
            needs_load: false,
        }
    }

    pub(super) fn model(&self) -> &'a Model {
        self.resolved.model
    }

    /// The target of a request that can have one attempt only.
    #[inline]
    pub(super) fn only_target(&self) -> Option<&'a Target> {
        routing::single_target(&self.resolved.targets, &self.model().retry)
    }

    /// Whether the number of attempts is worth reporting.
    pub(super) fn counts_attempts(&self) -> bool {
        self.only_target().is_none()
    }

    pub(super) fn plan(&self) -> Plan<'a> {
        let (fleet, model) = (&self.worker.snapshot.fleet, self.model());
        Plan::new(fleet, &self.resolved.targets, model.retry, model.balance)
    }

    /// Counts a request in flight at its target, where loads are compared.
    pub(super) fn enter(&self, target: &Target) -> Option<InFlightGuard> {
        let fleet = &self.worker.snapshot.fleet;
        self.needs_load
            .then(|| fleet.track_request(target))
            .flatten()
    }

    /// Delay after which a second attempt starts beside one at this target.
    pub(super) fn hedge_delay(&self, plan: &Plan<'_>, target: &Target) -> Option<Duration> {
        let rule = self.model().hedge?;
        let fleet = &self.worker.snapshot.fleet;
        let delay = fleet.hedge_delay(rule, target, self.intake.scan.stream)?;
        plan.may_hedge(target).then_some(delay)
    }

    /// Records the latency of an attempt that was cancelled because another one
    /// succeeded. It is no failure, but the target was not fast.
    pub(super) fn record_abandoned(&self, target: &Target, took: Duration) {
        let fleet = &self.worker.snapshot.fleet;
        if self.needs_load {
            fleet.record_abandoned(target, took, now());
        }
        if matches!(self.model().hedge, Some(Hedge::Quantile { .. })) {
            fleet.record_hedge_latency(target, self.intake.scan.stream, took);
        }
    }

    /// Counts the result of an attempt, and records it in the target's health. How an
    /// accepted response ends is recorded later.
    pub(super) fn record(&self, meter: &mut Meter, target: &Target, verdict: &mut Verdict) {
        if matches!(verdict, Verdict::Loop) {
            self.log_loop(meter, target);
        }
        verdict.record_charge(meter, target);
        if self.counts_attempts() {
            meter.on_target_attempt(self.model(), target, verdict.failure());
        } else {
            meter.on_attempt(verdict.failure());
        }
        match verdict {
            Verdict::Accept(accepted) if self.counts_attempts() => {
                let is_stream = accepted.media_type == MediaType::EventStream;
                let fleet = &self.worker.snapshot.fleet;
                accepted.watch = fleet.watch_response(target, is_stream, now());
            }
            verdict if verdict.was_sent() && verdict.counts_against_target() => {
                self.record_health(target, verdict.failure());
            }
            _ => {}
        }
    }

    /// Names what to correct.
    pub(super) fn log_loop(&self, meter: &Meter, target: &Target) {
        let request_id = meter.request_id().as_str();
        let provider = &*target.provider.name;
        let upstream = self.worker.snapshot.upstreams.get(target.provider.id);
        let base_url = match upstream.and_then(Option::as_ref).map(|it| it.provider()) {
            Some(ProviderConfig {
                base_url: BaseUrl::Set { url, .. },
                ..
            }) => url.as_str(),
            _ => "",
        };
        warn!(request_id, provider, base_url, "loop detected");
    }

    pub(super) fn record_health(&self, target: &Target, failure: Option<AttemptOutcome>) {
        self.worker
            .snapshot
            .fleet
            .record_result(target, failure, now());
    }
}

pub(super) fn log_error(meter: &Meter, target: &Target, error: &Error) {
    let request_id = meter.request_id().as_str();
    let provider = &*target.provider.name;
    warn!(request_id, provider, %error, "attempt failed");
}

/// The gateway had written this member, and asks again without it.
pub(super) fn log_refusal(meter: &Meter, target: &Target, status: StatusCode, refused: Addition) {
    let request_id = meter.request_id().as_str();
    let (provider, model) = (&*target.provider.name, target.model_for_log());
    let (status, refused) = (status.as_u16(), refused.member());
    warn!(
        request_id,
        provider, model, status, refused, "addition refused, asking again without it"
    );
}

/// The provider has not the call, and is asked in another protocol from now on.
pub(super) fn log_missing_call(meter: &Meter, target: &Target, call: Endpoint, status: StatusCode) {
    let request_id = meter.request_id().as_str();
    let (provider, model) = (&*target.provider.name, target.model_for_log());
    let (status, call) = (status.as_u16(), call.label());
    warn!(
        request_id,
        provider, model, status, call, "call refused, translating to another"
    );
}

/// The target cannot take the request: there is no attempt at it.
pub(super) fn log_passed_over(meter: &Meter, target: &Target, error: &ErrorResponse) {
    let request_id = meter.request_id().as_str();
    let provider = &*target.provider.name;
    let (code, param) = (error.body.code, error.body.param.as_deref());
    debug!(request_id, provider, code, param, "target passed over");
}

pub(super) fn log_failure(meter: &Meter, target: &Target, failed: &FailedAttempt, next: &Next<'_>) {
    let status = failed.status.map(|status| status.as_u16());
    let error = failed.error.as_ref().map(tracing::field::display);
    let request_id = meter.request_id().as_str();
    let provider = &*target.provider.name;
    let result = failed.outcome.label();
    let (next_provider, why) = match next {
        Next::Try(next, _) => (Some(&*next.provider.name), None),
        Next::Stop(why) => (None, Some(why.label())),
    };
    warn!(
        request_id,
        provider, result, status, error, next_provider, why, "attempt failed"
    );
}

/// The runtime's clock, which tests can set.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
