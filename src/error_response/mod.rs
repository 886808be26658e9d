//! The one place that knows HTTP statuses and the error envelope.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::catalog::Target;
use crate::dialect::{self, Dialect};
use crate::metering::Outcome;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::error::{ApiError, ErrorType};

mod request;
mod server_timing;
mod upstream;

pub use request::*;
pub use server_timing::tell_times;
pub use upstream::*;

/// The id under which we know a request.
pub const OWN_REQUEST_ID: HeaderName = HeaderName::from_static("x-trunkline-request-id");
/// The id that the OpenAI SDKs show: the upstream's where there is one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The provider that a request was sent to.
const PROVIDER: HeaderName = HeaderName::from_static("x-trunkline-provider");
/// What that provider calls the model.
const MODEL: HeaderName = HeaderName::from_static("x-trunkline-model");
/// How many attempts it took, where a model has several targets.
const ATTEMPTS: HeaderName = HeaderName::from_static("x-trunkline-attempts");
/// Obeyed by the OpenAI SDKs (their `_should_retry`).
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// An error of ours on its way to the caller.
#[derive(Debug)]
pub struct Failure {
    /// HTTP status.
    pub status: StatusCode,
    /// What the body says.
    pub error: ApiError,
    /// How the request is accounted.
    pub outcome: Outcome,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => ErrorType::RateLimitError,
            status if status.is_server_error() => ErrorType::ServerError,
            _ => ErrorType::InvalidRequestError,
        };
        let outcome = match status {
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Outcome::Shed,
            StatusCode::INTERNAL_SERVER_ERROR => Outcome::InternalError,
            status if status.is_server_error() => Outcome::UpstreamError,
            _ => Outcome::ClientError,
        };
        let error = ApiError {
            message: message.into(),
            kind,
            param: None,
            code,
        };
        Self {
            status,
            error,
            outcome,
            headers: Vec::new(),
        }
    }

    fn about(mut self, param: &'static str) -> Self {
        self.error.param = Some(param.into());
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says how many attempts were made.
    pub fn count_attempts(&mut self, attempts: usize) {
        self.headers.push((ATTEMPTS, HeaderValue::from(attempts)));
    }

    /// Says where the request had been sent.
    #[must_use]
    pub fn at(mut self, target: &Target) -> Self {
        let names = names(target).filter_map(|(name, value)| Some((name, value.clone()?)));
        self.headers.extend(names);
        self
    }

    /// A retry by the SDK cannot help, or could be billed twice.
    fn final_word(self) -> Self {
        self.with(SHOULD_RETRY, HeaderValue::from_static("false"))
    }

    /// The connection is not to be used again.
    fn closing(self) -> Self {
        self.with(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The error as the last event of a stream in this dialect.
    #[must_use]
    pub fn to_event(&self, dialect: Dialect) -> Bytes {
        dialect::own_event(dialect, &self.error)
    }

    /// The status, headers and body of the answer.
    #[must_use]
    pub fn into_response(self, request_id: &RequestId, dialect: Dialect) -> Response<Bytes> {
        let status = self.status.as_u16();
        let body = dialect::own_error(dialect, status, &self.error, Some(request_id.as_str()));
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        identify(headers, request_id);
        response
    }
}

/// The protocol that callers of this endpoint speak.
#[must_use]
pub fn dialect(endpoint: Endpoint) -> Dialect {
    if endpoint.is_anthropics() {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    }
}

/// Says on an answer how many attempts it took.
pub fn count_attempts(headers: &mut HeaderMap, attempts: usize) {
    headers.insert(ATTEMPTS, HeaderValue::from(attempts));
}

/// Says on an answer where it comes from.
pub fn name_target(headers: &mut HeaderMap, target: &Target) {
    for (name, value) in names(target) {
        if let Some(value) = value {
            headers.insert(name, value.clone());
        }
    }
}

fn names(target: &Target) -> impl Iterator<Item = (HeaderName, &Option<HeaderValue>)> {
    let provider = (PROVIDER, &target.provider.name_header);
    [provider, (MODEL, &target.model_header)].into_iter()
}

/// Puts the request's id on an answer; an upstream's own one stays.
pub fn identify(headers: &mut HeaderMap, request_id: &RequestId) {
    headers
        .entry(REQUEST_ID)
        .or_insert_with(|| request_id.header());
    headers.insert(OWN_REQUEST_ID, request_id.header());
}
