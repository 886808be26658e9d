//! The one log line of a request. It holds no content, no credential and no
//! word of the caller's choosing but a checked request id.

use std::time::Duration;

use tracing::{debug, info};

use super::{Meter, Outcome};
use crate::catalog::Target;
use crate::telemetry::request_id::RequestId;

pub(super) fn write(meter: &Meter, status: u16, outcome: Outcome, duration: Duration) {
    let usage = meter.usage.unwrap_or_default();
    info!(
        request_id = meter.request_id.as_str(),
        trace_id = meter
            .trace
            .as_ref()
            .map(|it| tracing::field::display(it.id())),
        key = meter.caller.as_ref().and_then(|caller| caller.key_name()),
        endpoint = meter.endpoint.label(),
        model = meter
            .model
            .as_ref()
            .map_or("unknown", |model| &*model.name.label),
        provider = meter.model.as_ref().map(|model| &*model.name.provider),
        attempts = Some(meter.attempts.get()).filter(|attempts| *attempts > 0),
        status,
        outcome = outcome.label(),
        code = meter.code,
        stream = meter.streams,
        request_bytes = meter.bytes_in,
        response_bytes = meter.bytes_out,
        input_tokens = usage.input,
        output_tokens = usage.output,
        cached_tokens = usage.cached,
        reasoning_tokens = usage.reasoning,
        cost_usd = meter.cost.map(tracing::field::display),
        duration_ms = milliseconds(duration),
        first_byte_ms = meter.first_byte.map(milliseconds),
        first_token_ms = meter.first_token.map(milliseconds),
        overhead_ms = milliseconds(meter.clock.own()),
        "request"
    );
}

/// What a request asks of whom, for those who want to know why.
pub(super) fn write_attempt(request_id: &RequestId, target: &Target) {
    debug!(
        request_id = request_id.as_str(),
        provider = &*target.provider.name,
        model = target.shown_model(),
        credential = target.credential,
        "attempt begins"
    );
}

/// The line of a request that was refused before it was known what it calls.
pub(super) fn write_refusal(
    request_id: &RequestId,
    status: u16,
    outcome: Outcome,
    code: &'static str,
) {
    let (request_id, outcome) = (request_id.as_str(), outcome.label());
    info!(request_id, status, outcome, code, "request");
}

/// Milliseconds with microseconds behind the point.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
