//! Request and response bodies of the admin listener.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a body of at most `max` bytes. The error is a response: 400 with the text
/// `usage` for a longer body.
pub(super) async fn read(
    body: Incoming,
    max: usize,
    usage: &'static str,
) -> Result<Bytes, Response<Full<Bytes>>> {
    match timeout(BODY_TIMEOUT, Limited::new(body, max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, usage)),
        Err(_) => {
            let late = "the body did not arrive in time\n";
            Err(text(StatusCode::REQUEST_TIMEOUT, late))
        }
    }
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    with_media_type(status, "text/plain; charset=utf-8", body)
}

/// Of values whose serialization cannot fail.
pub(super) fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    json_text(serde_json::to_vec(value).unwrap_or_default())
}

pub(super) fn json_text(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    with_media_type(StatusCode::OK, "application/json", body)
}

fn with_media_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
