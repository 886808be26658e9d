//! One WebSocket handshake with one target.

use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::AttemptContext;
use super::classify::{RawResponse, classify};
use super::encode::encode;
use super::protocol::protocol;
use super::verdict::Verdict;
use crate::catalog::Target;
use crate::error_response::{self, ErrorResponse, UNSUPPORTED_ENDPOINT};
use crate::metering::Meter;
use crate::proxy::body_timeouts::BodyTimeouts;
use crate::proxy::client_limits;
use crate::routing::InFlightGuard;
use crate::upstream::{RequestHead, WebSocket, WebSocketHandshake};
use crate::wire::additions::Additions;
use crate::wire::endpoint::Endpoint;

/// A WebSocket that an upstream has accepted.
#[derive(Debug)]
pub(in crate::proxy) struct Upgraded {
    /// Headers of the upstream's 101 response.
    pub headers: HeaderMap,
    pub upstream: WebSocket,
    /// Counts the request at its target, where loads are compared.
    pub in_flight: Option<InFlightGuard>,
}

pub(super) async fn attempt(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
) -> Verdict {
    let in_flight = context.enter(target);
    let head = match prepare(context, meter, target, parts) {
        Ok(head) => head,
        Err(error) => {
            meter.cancel_attempt(target);
            return unsupported(error, meter);
        }
    };
    let limits = &target.timeouts;
    let opening = {
        let _wait = meter.wait();
        let client = &context.worker.client;
        client
            .open_websocket(target.provider.id, head, limits)
            .await
    };
    // A handshake alone processes nothing.
    if opening.is_ok() {
        meter.on_request_written(target);
    }
    match opening {
        Ok(WebSocketHandshake::Accepted(headers, upstream)) => {
            meter.on_attempt_head(target, StatusCode::SWITCHING_PROTOCOLS);
            Verdict::Upgrade(Box::new(Upgraded {
                headers,
                upstream,
                in_flight,
            }))
        }
        Ok(WebSocketHandshake::Rejected(response)) => {
            meter.on_attempt_head(target, response.status);
            if is_refused(meter.endpoint(), response.status) {
                return Verdict::refused(response.status, error_response::websocket_unavailable());
            }
            let timeouts = BodyTimeouts {
                idle: limits.idle,
                first_event_by: None,
                deadline: limits.total.map(|total| Instant::now() + total),
            };
            let classified = classify(RawResponse {
                response,
                endpoint: meter.endpoint(),
                stream_requested: false,
                hide_usage: false,
                html_allowed: false,
                timeouts,
                finish_rule: meter.endpoint().finish_rule(),
                translation: None,
                object_ids: None,
            });
            match classified {
                Ok(verdict) => verdict,
                Err(pending) => pending.await,
            }
        }
        Err(error) => Verdict::no_response(error),
    }
}

fn prepare(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
) -> Result<RequestHead, Box<ErrorResponse>> {
    let protocol = protocol(context, target, meter.endpoint())?;
    client_limits::reserve_attempt(meter, target)?;
    let (headers, additions) = (parts.headers.clone(), Additions::default());
    let encoded = encode(context, meter, target, parts, headers, protocol, additions)?;
    Ok(encoded.head)
}

/// Whether the upstream has the call, if at all, over HTTP only.
fn is_refused(endpoint: Endpoint, status: StatusCode) -> bool {
    endpoint == Endpoint::Responses && matches!(status.as_u16(), 404 | 405 | 501)
}

/// Where only the WebSocket is unsupported, the client is led to HTTP.
fn unsupported(error: Box<ErrorResponse>, meter: &Meter) -> Verdict {
    let leads_to_http =
        meter.endpoint() == Endpoint::Responses && error.body.code == UNSUPPORTED_ENDPOINT;
    Verdict::Unsupported(if leads_to_http {
        Box::new(error_response::websocket_unavailable())
    } else {
        error
    })
}
