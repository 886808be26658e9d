//! Answers of our own.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};

use crate::dialect::Dialect;
use crate::error_response::{Failure, REQUEST_ID};
use crate::proxy::{Answer, Worker};

/// An error of ours for a request that did not come as far as the proxy.
pub fn refuse(worker: &Worker, headers: &HeaderMap, failure: Failure) -> Response<Answer> {
    let request_id = worker.request_ids.for_request(headers.get(REQUEST_ID));
    worker.snapshot.meters.refused(
        &request_id,
        failure.status.as_u16(),
        failure.outcome,
        failure.error.code,
    );
    failure
        .into_response(&request_id, dialect(headers))
        .map(Answer::whole)
}

/// What the caller speaks: who speaks Anthropic's protocol says so.
pub fn dialect(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    }
}

/// An answer in JSON.
pub fn json(body: impl Into<bytes::Bytes>) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(body.into()));
    let value = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}
