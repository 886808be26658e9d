//! Errors caused by an upstream.

use http::{HeaderMap, HeaderName, StatusCode};

use super::{ErrorResponse, SHOULD_RETRY, invalid_body, overloaded};
use crate::metering::RequestOutcome;
use crate::routing;
use crate::upstream::{Error, ErrorKind};
use crate::wire::error::UPSTREAM_STALLED;

impl From<&Error> for ErrorResponse {
    fn from(error: &Error) -> Self {
        let bad_gateway =
            |code, message: &'static str| Self::new(StatusCode::BAD_GATEWAY, code, message);
        let timeout =
            |code, message: &'static str| Self::new(StatusCode::GATEWAY_TIMEOUT, code, message);
        match error.kind() {
            ErrorKind::InFlightLimit => {
                overloaded("Too many requests in flight at this model's provider; retry.")
            }
            ErrorKind::LocalResources => overloaded(
                "The gateway has no port or file descriptor left to connect to the model's \
                 provider; retry.",
            ),
            ErrorKind::Dns => bad_gateway(
                "upstream_dns_failed",
                "The upstream's host name could not be resolved.",
            ),
            ErrorKind::Connect => bad_gateway(
                "upstream_connect_failed",
                "The upstream could not be reached.",
            ),
            ErrorKind::ConnectTimeout => timeout(
                "upstream_connect_timeout",
                "The upstream could not be reached in time.",
            ),
            ErrorKind::Tls => bad_gateway(
                "upstream_tls_failed",
                "The TLS handshake with the upstream failed.",
            )
            .no_retry(),
            ErrorKind::Protocol => bad_gateway(
                "upstream_protocol_error",
                "The upstream's response violates HTTP.",
            )
            .no_retry(),
            ErrorKind::Disconnected => {
                let response = bad_gateway(
                    "upstream_disconnected",
                    "The upstream closed the connection before it responded.",
                );
                match error.outcome() {
                    routing::AttemptOutcome::NotProcessed => response,
                    _ => response.no_retry(),
                }
            }
            ErrorKind::HeaderTimeout => upstream_timeout(),
            ErrorKind::RequestAborted => invalid_body(),
        }
    }
}

/// No response head or first event in time.
#[must_use]
pub fn upstream_timeout() -> ErrorResponse {
    let message = "The upstream did not respond in time; it may still be processing the request.";
    ErrorResponse::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message).no_retry()
}

/// Invalid events in a translated stream.
#[must_use]
pub fn stream_protocol_error() -> ErrorResponse {
    let message = "The upstream's stream violates its protocol.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_protocol_error", message).no_retry()
}

/// The upstream closed before the first event of its stream, while processing.
#[must_use]
pub fn upstream_disconnected() -> ErrorResponse {
    let message = "The upstream closed the connection before it responded.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_disconnected", message).no_retry()
}

/// Following a redirect would send the provider's key elsewhere.
#[must_use]
pub fn upstream_redirect() -> ErrorResponse {
    let message = "The upstream responded with a redirect, which is not followed. Its base_url \
                   is probably wrong.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_redirect", message).no_retry()
}

/// The upstream's body is not relayed: it may echo the credential.
#[must_use]
pub fn upstream_auth_failed() -> ErrorResponse {
    let message = "The upstream rejected the gateway's credential for this model. The \
                   gateway's operator must renew it.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_auth_failed", message).no_retry()
}

/// As [`upstream_auth_failed`], for a 403, which may also be about the request: agents repeat
/// a 5xx, whatever the headers say.
#[must_use]
pub fn upstream_forbidden() -> ErrorResponse {
    let message = "The upstream refused the request with status 403: the gateway's credential \
                   may not use this model, or the provider does not allow this request.";
    let mut response = ErrorResponse::new(StatusCode::FORBIDDEN, "upstream_forbidden", message);
    response.outcome = RequestOutcome::UpstreamError;
    response
}

/// The request has passed this gateway before, or too many gateways.
#[must_use]
pub fn loop_detected() -> ErrorResponse {
    let message = "Loop detected: this request has passed this gateway before, or too many \
                   gateways, since the base URL of a provider leads back to it. The gateway's \
                   operator must correct it; the log names the provider.";
    let mut response =
        ErrorResponse::new(StatusCode::LOOP_DETECTED, "loop_detected", message).no_retry();
    // The gateway that sent it counts the provider's failure; anyone else can send such a
    // request, even without a client key.
    response.outcome = RequestOutcome::ClientError;
    response
}

/// The provider leads back to a gateway that the request has passed.
#[must_use]
pub fn provider_leads_back(provider: &str) -> ErrorResponse {
    let message = format!(
        "Loop detected: the provider {provider} leads back to a gateway that this request has \
         passed. The gateway's operator must correct providers.{provider}.base_url."
    );
    ErrorResponse::new(StatusCode::LOOP_DETECTED, "loop_detected", message).no_retry()
}

/// Whether a response to an upstream request is [`loop_detected`]: only its `no_retry` tells
/// it from the 508 that some hosts use for other limits.
#[must_use]
pub fn is_loop_detected(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::LOOP_DETECTED
        && headers
            .get(SHOULD_RETRY)
            .is_some_and(|retry| retry == "false")
}

/// A response that HTTP does not allow for this request.
#[must_use]
pub fn upstream_protocol_error() -> ErrorResponse {
    let message = "The upstream's response violates HTTP.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_protocol_error", message).no_retry()
}

/// A 200 with a web page.
#[must_use]
pub fn upstream_bad_content_type() -> ErrorResponse {
    let message = "The upstream responded with a web page. Its base_url is probably wrong.";
    ErrorResponse::new(
        StatusCode::BAD_GATEWAY,
        "upstream_bad_content_type",
        message,
    )
    .no_retry()
}

/// A good status, and nothing where a result is due.
#[must_use]
pub fn upstream_empty() -> ErrorResponse {
    let message = "The upstream responded with a good status and an empty body.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_empty_response", message)
}

/// A result that cannot be translated, since it is not one of its protocol.
#[must_use]
pub fn upstream_invalid_result() -> ErrorResponse {
    let message = "The upstream's response is not one of its own protocol.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_protocol_error", message).no_retry()
}

/// The upstream failed without a machine-readable error. Of its `headers`, those on
/// retries and rate limits are kept.
#[must_use]
pub fn upstream_error(status: StatusCode, headers: &HeaderMap) -> ErrorResponse {
    let message = format!(
        "The upstream responded with status {} and no readable error.",
        status.as_u16()
    );
    let mut response = ErrorResponse::new(status, "upstream_error", message);
    response.outcome = RequestOutcome::from_status(status.as_u16());
    for (name, value) in headers {
        if is_forwarded_with_error(name) {
            response.headers.push((name.clone(), value.clone()));
        }
    }
    response
}

fn is_forwarded_with_error(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "retry-after" | "retry-after-ms" | "x-request-id" | "x-should-retry"
    ) || name.starts_with("x-ratelimit-")
}

// === errors inside a stream ===

#[must_use]
pub fn stream_disconnected() -> ErrorResponse {
    let message = "The upstream closed the connection in the middle of the response.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_disconnected", message)
}

#[must_use]
pub fn stream_stalled() -> ErrorResponse {
    let message = "The upstream stopped sending in the middle of the response.";
    ErrorResponse::new(StatusCode::GATEWAY_TIMEOUT, UPSTREAM_STALLED, message)
}

/// The stream ended properly, but without the last event of its protocol.
#[must_use]
pub fn stream_incomplete() -> ErrorResponse {
    let message = "The upstream ended its stream before the response was complete.";
    ErrorResponse::new(StatusCode::BAD_GATEWAY, "upstream_incomplete", message)
}

/// The total timeout expired.
#[must_use]
pub fn stream_too_long() -> ErrorResponse {
    let message = "The response took longer than the total timeout for this model.";
    ErrorResponse::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
}
