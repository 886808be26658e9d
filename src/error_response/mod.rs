//! Error responses of the gateway: statuses, codes, texts and headers.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::catalog::Target;
use crate::dialect::{self, Dialect};
use crate::limits::LimitRefusal;
use crate::metering::RequestOutcome;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::error::{ApiError, ErrorType};

mod body;
mod limit;
mod limit_headers;
mod request;
mod server_timing;
mod upstream;

pub use body::*;
pub use limit::*;
pub use limit_headers::*;
pub use request::*;
pub use server_timing::append_server_timing;
pub use upstream::*;

/// The gateway's own id of a request.
pub const TRUNKLINE_REQUEST_ID: HeaderName = HeaderName::from_static("x-trunkline-request-id");
/// The id that the OpenAI SDKs show: the upstream's where there is one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The provider that the request was sent to.
const PROVIDER: HeaderName = HeaderName::from_static("x-trunkline-provider");
/// The name of the model at that provider.
const MODEL: HeaderName = HeaderName::from_static("x-trunkline-model");
/// The number of attempts, for models with several targets.
const ATTEMPTS: HeaderName = HeaderName::from_static("x-trunkline-attempts");
/// Read by the OpenAI SDKs (their `_should_retry`).
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// An error of the gateway, not yet in the dialect of the client.
#[derive(Debug)]
pub struct ErrorResponse {
    pub status: StatusCode,
    pub body: ApiError,
    /// The outcome of the request in metrics and logs.
    pub outcome: RequestOutcome,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Boxed, as it is rare.
    extras: Option<Box<Extras>>,
}

#[derive(Debug, Default)]
struct Extras {
    /// The body in the format of an API that is none of the dialects.
    own_body: Option<OwnBody>,
    /// The limit that has no room for the request.
    refusal: Option<Box<LimitRefusal>>,
}

#[derive(Debug)]
struct OwnBody {
    content_type: &'static str,
    bytes: Bytes,
}

impl ErrorResponse {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => ErrorType::RateLimitError,
            status if status.is_server_error() => ErrorType::ServerError,
            _ => ErrorType::InvalidRequestError,
        };
        let outcome = match status {
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => RequestOutcome::Timeout,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => RequestOutcome::Shed,
            StatusCode::INTERNAL_SERVER_ERROR => RequestOutcome::InternalError,
            status if status.is_server_error() => RequestOutcome::UpstreamError,
            _ => RequestOutcome::ClientError,
        };
        let body = ApiError {
            message: message.into(),
            kind,
            param: None,
            code,
            limit: None,
        };
        Self {
            status,
            body,
            outcome,
            headers: Vec::new(),
            extras: None,
        }
    }

    /// With a body that stands in for that of the dialect.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, bytes: Bytes) -> Self {
        let own_body = OwnBody {
            content_type,
            bytes,
        };
        self.extras.get_or_insert_default().own_body = Some(own_body);
        self
    }

    #[must_use]
    pub fn has_own_body(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|it| it.own_body.is_some())
    }

    /// The limit of the client that refused the request, if one did.
    #[must_use]
    pub fn refusal(&self) -> Option<&LimitRefusal> {
        self.extras.as_ref()?.refusal.as_deref()
    }

    fn param(mut self, param: &'static str) -> Self {
        self.body.param = Some(param.into());
        self
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn set_attempts(&mut self, attempts: usize) {
        self.headers.push((ATTEMPTS, HeaderValue::from(attempts)));
    }

    #[must_use]
    pub fn with_target(mut self, target: &Target) -> Self {
        let headers =
            target_headers(target).filter_map(|(name, value)| Some((name, value.clone()?)));
        self.headers.extend(headers);
        self
    }

    /// For errors where a retry by the SDK cannot help, or could be billed twice.
    fn no_retry(self) -> Self {
        self.header(SHOULD_RETRY, HeaderValue::from_static("false"))
    }

    fn close_connection(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The error as the last event of a stream.
    #[must_use]
    pub fn to_event(&self, dialect: Dialect) -> Bytes {
        dialect::gateway_error_event(dialect, &self.body)
    }

    #[must_use]
    pub fn into_response(self, request_id: &RequestId, dialect: Dialect) -> Response<Bytes> {
        let status = self.status.as_u16();
        let id = Some(request_id.as_str());
        let (content_type, bytes) = match self.extras.and_then(|it| it.own_body) {
            Some(own) => (own.content_type, own.bytes),
            None => (
                "application/json",
                dialect::gateway_error(dialect, status, &self.body, id),
            ),
        };
        let mut response = Response::new(bytes);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        set_request_id(headers, request_id);
        set_should_retry(headers, self.status);
        response
    }
}

/// The dialect of clients of this endpoint.
#[must_use]
pub fn dialect(endpoint: Endpoint) -> Dialect {
    match endpoint {
        Endpoint::Responses => Dialect::Responses,
        endpoint if endpoint.is_anthropic() => Dialect::Messages,
        _ => Dialect::Chat,
    }
}

/// For an error that the same request meets again. Other statuses are left to the SDK, and
/// so is a client error that an upstream says more about.
pub fn set_should_retry(headers: &mut HeaderMap, status: StatusCode) {
    // Those that the SDKs repeat, and "too early".
    let is_final = status.is_client_error() && !matches!(status.as_u16(), 408 | 409 | 425 | 429);
    if is_final {
        headers
            .entry(SHOULD_RETRY)
            .or_insert(HeaderValue::from_static("false"));
    }
}

pub fn set_attempts(headers: &mut HeaderMap, attempts: usize) {
    headers.insert(ATTEMPTS, HeaderValue::from(attempts));
}

pub fn set_target(headers: &mut HeaderMap, target: &Target) {
    for (name, value) in target_headers(target) {
        if let Some(value) = value {
            headers.insert(name, value.clone());
        }
    }
}

fn target_headers(target: &Target) -> impl Iterator<Item = (HeaderName, &Option<HeaderValue>)> {
    let provider = (PROVIDER, &target.provider.name_header);
    [provider, (MODEL, &target.model_header)].into_iter()
}

/// Keeps the upstream's own `x-request-id`.
pub fn set_request_id(headers: &mut HeaderMap, request_id: &RequestId) {
    headers
        .entry(REQUEST_ID)
        .or_insert_with(|| request_id.header());
    headers.insert(TRUNKLINE_REQUEST_ID, request_id.header());
}
