//! Responses made by the gateway itself.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt;

use super::gzip::negotiated_json;
use crate::dialect::Dialect;
use crate::error_response::{ErrorResponse, REQUEST_ID};
use crate::proxy::{ResponseBody, Worker};

/// The error response to a request that does not reach the proxy; logs it.
pub fn reject(
    worker: &Worker,
    headers: &HeaderMap,
    error: ErrorResponse,
) -> Response<ResponseBody> {
    let request_id = worker.request_ids.for_request(headers.get(REQUEST_ID));
    worker.snapshot.metrics.log_rejected(
        &request_id,
        error.status.as_u16(),
        error.outcome,
        error.body.code,
    );
    error
        .into_response(&request_id, request_dialect(headers))
        .map(ResponseBody::full)
}

/// The dialect of an error response: Anthropic's SDKs always send their version
/// header.
pub fn request_dialect(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") {
        Dialect::Messages
    } else {
        Dialect::Chat
    }
}

/// The head of a response, after its body has been read to the end: dropping it would
/// count as a client that disconnects.
pub async fn without_body(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    while let Some(Ok(_)) = response.body_mut().frame().await {}
    response.map(|_| ResponseBody::full(Bytes::new()))
}

/// JSON that caches must not keep.
pub fn json_no_store(text: Vec<u8>, request: &HeaderMap) -> Response<ResponseBody> {
    let mut response = negotiated_json(text, request);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub fn json(body: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body.into()));
    let value = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}
