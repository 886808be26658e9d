//! CORS (Fetch standard, "CORS protocol").

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// Seconds for which a browser may cache a preflight response.
const PREFLIGHT_MAX_AGE: &str = "600";

/// `*` stands for every name only in responses to requests without credentials (Fetch,
/// "CORS-exposed header-name list"); to others, the rest applies.
const EXPOSED: &str = "*, anthropic-ratelimit-input-tokens-limit, \
    anthropic-ratelimit-input-tokens-remaining, anthropic-ratelimit-input-tokens-reset, \
    anthropic-ratelimit-output-tokens-limit, anthropic-ratelimit-output-tokens-remaining, \
    anthropic-ratelimit-output-tokens-reset, anthropic-ratelimit-requests-limit, \
    anthropic-ratelimit-requests-remaining, anthropic-ratelimit-requests-reset, \
    anthropic-ratelimit-tokens-limit, anthropic-ratelimit-tokens-remaining, \
    anthropic-ratelimit-tokens-reset, retry-after, retry-after-ms, server-timing, x-request-id, \
    x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, \
    x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens, \
    x-should-retry, x-trunkline-attempts, x-trunkline-budget-remaining, \
    x-trunkline-budget-reset, x-trunkline-estimate, x-trunkline-limit, x-trunkline-model, \
    x-trunkline-provider, x-trunkline-request-id";

/// The allowed origins, exactly as browsers send them.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    pub fn new(origins: &[String]) -> Self {
        Self {
            origins: origins.to_vec(),
        }
    }

    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins
            .iter()
            .any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }

    /// Lets an allowed page read the response and its headers, also of requests with
    /// browser credentials (`credentials: "include"`): every allowed origin is exact.
    pub fn add_headers(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED),
            );
        }
    }

    /// The response to OPTIONS on a route with the methods in `allow`.
    pub fn preflight(&self, request: &HeaderMap, allow: &'static str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static(allow));
        if request
            .get(ORIGIN)
            .is_some_and(|origin| self.allows(origin))
        {
            headers.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(allow),
            );
            headers.insert(
                ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(PREFLIGHT_MAX_AGE),
            );
            // Every SDK adds its own headers, so all requested ones are
            // allowed; the check of the origin is what protects.
            if let Some(requested) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
            }
        }
        response
    }
}
