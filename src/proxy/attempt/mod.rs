//! Attempts at the targets of a request, until one response can be relayed.

use std::mem;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::body_timeouts::BodyTimeouts;
use super::client_limits;
use super::object_ids::ObjectIdRecorder;
use super::translation::Translator;
use crate::error_response::ErrorResponse;
use crate::metering::Meter;
use crate::routing::{InFlightGuard, ResponseWatch};
use crate::upstream::UpstreamResponse;
use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::FinishRule;
use crate::wire::usage::Usage;

mod added;
mod body_start;
mod classify;
mod context;
mod encode;
mod exchange;
mod failover;
mod first_event;
mod hedge;
mod protocol;
mod repeat;
mod send;
mod translate;
mod verdict;
mod websocket;

pub(super) use context::AttemptContext;
pub(super) use websocket::Upgraded;

use send::send;

/// What the attempts came to, if one succeeded.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each request"
)]
pub(super) enum Accepted {
    Response(AcceptedResponse),
    WebSocket(Box<Upgraded>),
    /// No target counts tokens.
    Estimate(Box<TokenEstimate>),
}

/// A number of tokens that no provider counted.
#[derive(Debug)]
pub(super) struct TokenEstimate {
    pub tokens: u64,
    pub headers: HeaderMap,
}

/// A response that is relayed to the client.
#[derive(Debug)]
pub(super) struct AcceptedResponse {
    pub response: UpstreamResponse,
    /// The start of the body, where it has been read already.
    pub first_chunk: Option<Bytes>,
    /// [`MediaType::Other`] where the body cannot be read, being compressed.
    pub media_type: MediaType,
    /// True when the gateway asked for usage, and not the client.
    pub hide_usage: bool,
    pub timeouts: BodyTimeouts,
    pub finish_rule: FinishRule,
    /// Where the upstream's protocol is not the client's.
    pub translator: Option<Box<Translator>>,
    /// What the upstream reported in a body that was translated as a whole.
    pub usage: Option<Box<Usage>>,
    pub object_ids: Option<Box<ObjectIdRecorder>>,
    /// Counts the request at its target, where loads are compared.
    pub in_flight: Option<InFlightGuard>,
    /// Reports to the target's health how the response ends, where there are several
    /// targets.
    pub watch: Option<ResponseWatch>,
}

/// Most models have one target, whose response is taken as it comes.
pub(super) async fn run(
    context: &AttemptContext<'_>,
    meter: &mut Meter,
    head: &mut Parts,
) -> Result<Accepted, ErrorResponse> {
    let is_replayable_http = !context.is_websocket && context.intake.single_use_body().is_none();
    let Some(target) = context.only_target().filter(|_| is_replayable_http) else {
        // Boxed, so that requests with one target need no room for it.
        return Box::pin(failover::run(context, meter, head)).await;
    };
    meter.start_attempt(target);
    if let Some(leasing) = client_limits::lease_attempt(meter, target) {
        leasing.await;
    }
    let headers = mem::take(&mut head.headers);
    let verdict = send(context, meter, target, head, headers, None).await;
    if verdict.was_sent() {
        meter.on_attempt(verdict.failure());
    }
    if let Some(error) = verdict.error() {
        context::log_error(meter, target, error);
    } else if matches!(verdict, verdict::Verdict::Loop) {
        context.log_loop(meter, target);
    }
    verdict.record_charge(meter, target);
    verdict.into_result(meter, target)
}

// === impl AcceptedResponse ===

impl AcceptedResponse {
    /// In what was read of a failure.
    fn reported_usage(&self) -> Option<Box<Usage>> {
        let read = || Usage::find(self.first_chunk.as_deref()?).map(Box::new);
        self.usage.clone().or_else(read)
    }
}

// === impl Accepted ===

impl Accepted {
    fn headers_mut(&mut self) -> &mut HeaderMap {
        match self {
            Self::Response(accepted) => &mut accepted.response.headers,
            Self::WebSocket(upgraded) => &mut upgraded.headers,
            Self::Estimate(estimate) => &mut estimate.headers,
        }
    }
}
