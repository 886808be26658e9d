//! Counts of tokens for upstreams that have no call for it.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::attempt::{Accepted, AttemptContext, TokenEstimate};
use super::{ResponseBody, Worker};
use crate::error_response::{self, ErrorResponse, UNSUPPORTED_ENDPOINT};
use crate::metering::{Meter, RequestOutcome};
use crate::wire::endpoint::Endpoint;

/// Marks a count that no provider made.
const ESTIMATE: HeaderName = HeaderName::from_static("x-trunkline-estimate");

/// An estimate in place of the error that no target of the model counts tokens, if its
/// configuration asks for one.
pub(super) fn or_estimate(
    context: &AttemptContext<'_>,
    meter: &Meter,
    error: ErrorResponse,
) -> Result<Accepted, ErrorResponse> {
    let model = context.resolved.model;
    if meter.endpoint() != Endpoint::MessagesCountTokens
        || !model.estimates_tokens
        || error.body.code != UNSUPPORTED_ENDPOINT
    {
        return Err(error);
    }
    let bytes = context.intake.body.len();
    Ok(Accepted::Estimate(Box::new(TokenEstimate {
        tokens: context.worker.metrics.estimate_tokens(model, bytes as u64),
        headers: HeaderMap::new(),
    })))
}

/// The response of Anthropic's "Count tokens in a Message".
pub(super) fn respond(
    worker: &Worker,
    estimate: TokenEstimate,
    mut meter: Meter,
) -> Response<ResponseBody> {
    let body = format!(r#"{{"input_tokens":{}}}"#, estimate.tokens);
    meter.on_response_head(200, false);
    meter.finish(RequestOutcome::Ok, None);
    meter.add_bytes_out(body.len());
    let mut headers = estimate.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ESTIMATE, HeaderValue::from_static("true"));
    error_response::set_request_id(&mut headers, meter.request_id());
    meter.pause_overhead();
    if worker.snapshot.limits.server_timing {
        error_response::append_server_timing(&mut headers, &meter);
    }
    let mut response = Response::new(ResponseBody::full(body.into()));
    *response.headers_mut() = headers;
    response
}
