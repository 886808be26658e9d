//! Access log: one line for each request. Contains no content, no credential, and no
//! text of the client except a validated request id and the name of its session.

use std::time::Duration;

use tracing::{debug, info};

use super::{Meter, RequestOutcome};
use crate::catalog::Target;
use crate::telemetry::request_id::RequestId;

/// The line of a request. Empty fields are not free: those that few requests have are added
/// by the caller.
macro_rules! request_line {
    ($meter:expr, $status:expr, $outcome:expr, $duration:expr, { $($rare:tt)* }) => {{
        let (meter, status, outcome, duration): (&Meter, u16, RequestOutcome, Duration) =
            ($meter, $status, $outcome, $duration);
        let usage = meter.usage.as_deref().copied().unwrap_or_default();
        info!(
            request_id = meter.request_id.as_str(),
            trace_id = meter
                .trace
                .as_ref()
                .map(|it| tracing::field::display(it.id())),
            key = meter.caller.as_ref().and_then(|caller| caller.key_name()),
            $($rare)*
            session = meter.session.as_deref(),
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
            stream = meter.is_stream,
            request_bytes = meter.bytes_in,
            response_bytes = meter.bytes_out,
            input_tokens = usage.input,
            output_tokens = usage.output,
            cached_tokens = usage.cached,
            cache_write_tokens = usage.cache_write,
            reasoning_tokens = usage.reasoning,
            cost_usd = meter.cost.map(tracing::field::display),
            duration_ms = milliseconds(duration),
            first_byte_ms = meter.first_byte.map(milliseconds),
            first_token_ms = meter.first_token.map(milliseconds),
            overhead_ms = milliseconds(meter.overhead.own_time()),
            "request"
        );
    }};
}

pub(super) fn write(meter: &Meter, status: u16, outcome: RequestOutcome, duration: Duration) {
    let has_team = meter.caller.as_ref().is_some_and(|it| it.team().is_some());
    if has_team || meter.is_estimated || meter.limit_events.is_some() {
        write_limited(meter, status, outcome, duration);
    } else {
        request_line!(meter, status, outcome, duration, {});
    }
}

/// In a function of its own: each line needs much of the stack.
#[inline(never)]
fn write_limited(meter: &Meter, status: u16, outcome: RequestOutcome, duration: Duration) {
    let limits = meter.limit_events.as_deref();
    request_line!(meter, status, outcome, duration, {
        team = meter.caller.as_ref().and_then(|caller| caller.team()),
        limit = limits.and_then(|it| it.refused_by.as_deref()),
        limit_wait_ms = limits.and_then(|it| it.waited).map(milliseconds),
        cost_estimated = meter.is_estimated.then_some(true),
    });
}

pub(super) fn write_attempt(request_id: &RequestId, target: &Target) {
    debug!(
        request_id = request_id.as_str(),
        provider = &*target.provider.name,
        model = target.model_for_log(),
        credential = target.credential,
        "attempt started"
    );
}

/// For a request that was rejected before it reached the proxy.
pub(super) fn write_rejected(
    request_id: &RequestId,
    status: u16,
    outcome: RequestOutcome,
    code: &'static str,
) {
    let (request_id, outcome) = (request_id.as_str(), outcome.label());
    info!(request_id, status, outcome, code, "request");
}

/// With microsecond resolution.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
