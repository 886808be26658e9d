//! One attempt: the exchange with a target, and its latency.

use http::HeaderMap;
use http::request::Parts;

use super::context::now;
use super::verdict::Verdict;
use super::{AttemptContext, first_event, send};
use crate::catalog::Target;
use crate::config::Hedge;
use crate::metering::Meter;
use crate::routing::{AttemptOutcome, QuotaPermit};

impl AttemptContext<'_> {
    /// Makes one attempt. Where `may_retry`, the verdict waits for the first event.
    pub(super) async fn attempt(
        &self,
        meter: &Meter,
        target: &Target,
        parts: &Parts,
        headers: HeaderMap,
        quota: Option<QuotaPermit<'_>>,
        may_retry: bool,
    ) -> Verdict {
        let records_latency =
            may_retry && matches!(self.model().hedge, Some(Hedge::Quantile { .. }));
        if !self.needs_load && !records_latency {
            return self
                .exchange(meter, target, parts, headers, quota, may_retry)
                .await;
        }
        let fleet = &self.worker.snapshot.fleet;
        let in_flight = self.enter(target);
        let started = now();
        let mut verdict = self
            .exchange(meter, target, parts, headers, quota, may_retry)
            .await;
        let ended = now();
        let took = ended.saturating_duration_since(started);
        let failure = verdict.failure();
        // An immediate failure must not look like a fast target.
        if self.needs_load && matches!(failure, None | Some(AttemptOutcome::MaybeProcessed)) {
            fleet.record_latency(target, took, ended);
        }
        if records_latency && failure.is_none() {
            fleet.record_hedge_latency(target, self.intake.scan.stream, took);
        }
        if let Some(accepted) = verdict.response_mut() {
            accepted.in_flight = in_flight;
        }
        verdict
    }

    async fn exchange(
        &self,
        meter: &Meter,
        target: &Target,
        parts: &Parts,
        headers: HeaderMap,
        quota: Option<QuotaPermit<'_>>,
        may_retry: bool,
    ) -> Verdict {
        match send(self, meter, target, parts, headers, quota).await {
            Verdict::Accept(accepted) if may_retry => {
                let _wait = meter.wait();
                first_event::classify(accepted, meter.endpoint()).await
            }
            verdict => verdict,
        }
    }
}
