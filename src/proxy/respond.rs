//! The response to the client: an upstream's, a WebSocket, or an error of ours.

use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::attempt::{Accepted, AcceptedResponse, Upgraded};
use super::client_limits;
use super::relay::Relay;
use super::tunnel::Tunnel;
use super::{PipelineResult, ResponseBody, Worker, token_count};
use crate::error_response::{self, ErrorResponse};
use crate::metering::Meter;
use crate::shared_limit::LimitPermit;

#[inline]
pub(super) fn respond(
    worker: &Worker,
    result: PipelineResult,
    meter: Meter,
) -> Response<ResponseBody> {
    match result {
        Ok((Accepted::Response(accepted), permit)) => relay(worker, accepted, permit, meter),
        Ok((Accepted::WebSocket(upgraded), permit)) => {
            switch_protocols(worker, *upgraded, permit, meter)
        }
        Ok((Accepted::Estimate(estimate), _)) => token_count::respond(worker, *estimate, meter),
        Err(error) => fail(worker, error, meter),
    }
}

/// Inlined, since all of the response would be moved otherwise.
#[inline]
fn relay(
    worker: &Worker,
    accepted: AcceptedResponse,
    permit: LimitPermit,
    meter: Meter,
) -> Response<ResponseBody> {
    let status = accepted.response.status;
    let (mut headers, relay) = Relay::new(worker, accepted, permit, meter);
    if let Some(meter) = &relay.meter {
        client_limits::set_headers(&mut headers, meter);
    }
    response(status, headers, ResponseBody::Relay(relay))
}

/// The 101 response. The connection takes the tunnel out of its body.
fn switch_protocols(
    worker: &Worker,
    upgraded: Upgraded,
    permit: LimitPermit,
    mut meter: Meter,
) -> Response<ResponseBody> {
    let status = StatusCode::SWITCHING_PROTOCOLS;
    meter.on_response_head(status.as_u16(), false);
    meter.on_upgrade();
    let mut headers = upgraded.headers;
    client_limits::set_headers(&mut headers, &meter);
    error_response::set_request_id(&mut headers, meter.request_id());
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    meter.pause_overhead();
    if worker.snapshot.limits.server_timing {
        error_response::append_server_timing(&mut headers, &meter);
    }
    let (upstream, in_flight) = (upgraded.upstream, upgraded.in_flight);
    let tunnel = Tunnel::new(worker, &headers, upstream, in_flight, permit, meter);
    response(status, headers, ResponseBody::Tunnel(Box::new(tunnel)))
}

/// Responds with an error of ours.
fn fail(worker: &Worker, error: ErrorResponse, mut meter: Meter) -> Response<ResponseBody> {
    if let Some(refusal) = error.refusal() {
        meter.on_limit_refused(refusal);
    }
    meter.finish(error.outcome, Some(error.body.code));
    meter.finish_with_error(error.status.as_u16());
    let dialect = error_response::dialect(meter.endpoint());
    let mut response = error.into_response(meter.request_id(), dialect);
    client_limits::set_headers(response.headers_mut(), &meter);
    if worker.snapshot.limits.server_timing {
        error_response::append_server_timing(response.headers_mut(), &meter);
    }
    meter.add_bytes_out(response.body().len());
    response.map(ResponseBody::full)
}

#[inline]
fn response(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
