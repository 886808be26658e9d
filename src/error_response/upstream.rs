//! Errors that an upstream brings on a request.

use http::{HeaderMap, HeaderName, StatusCode};

use super::{Failure, invalid_body, overloaded};
use crate::metering::Outcome;
use crate::routing;
use crate::upstream::{Error, ErrorKind};

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let bad = |code, message: &'static str| Self::new(StatusCode::BAD_GATEWAY, code, message);
        let late =
            |code, message: &'static str| Self::new(StatusCode::GATEWAY_TIMEOUT, code, message);
        match error.kind() {
            ErrorKind::Full => {
                overloaded("Too many requests are in flight at this model's provider.")
            }
            ErrorKind::Exhausted => overloaded(
                "The gateway has no port or descriptor left for a connection to the model's \
                 provider.",
            ),
            ErrorKind::Dns => bad(
                "upstream_dns_failed",
                "The upstream's host name could not be resolved.",
            ),
            ErrorKind::Connect => bad(
                "upstream_connect_failed",
                "The upstream could not be reached.",
            ),
            ErrorKind::ConnectTimeout => late(
                "upstream_connect_timeout",
                "The upstream could not be reached in time.",
            ),
            ErrorKind::Tls => bad(
                "upstream_tls_failed",
                "The TLS handshake with the upstream failed.",
            )
            .final_word(),
            ErrorKind::Protocol => bad(
                "upstream_protocol_error",
                "The upstream's answer broke the rules of HTTP.",
            )
            .final_word(),
            ErrorKind::Disconnected => {
                let failure = bad(
                    "upstream_disconnected",
                    "The upstream closed before it answered.",
                );
                match error.outcome() {
                    routing::Outcome::NotProcessed => failure,
                    _ => failure.final_word(),
                }
            }
            ErrorKind::HeadTimeout => upstream_timeout(),
            ErrorKind::Interrupted => invalid_body(),
        }
    }
}

/// The upstream took too long to begin its answer.
#[must_use]
pub fn upstream_timeout() -> Failure {
    let message = "The upstream did not answer in time; it may still be at work.";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message).final_word()
}

/// The events of a stream that is translated are not what they should be.
#[must_use]
pub fn stream_malformed() -> Failure {
    let message = "The upstream's stream broke the rules of its own protocol.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_protocol_error", message).final_word()
}

/// The upstream closed before the first event of its stream; it was at work.
#[must_use]
pub fn upstream_broke_off() -> Failure {
    let message = "The upstream closed before it answered.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_disconnected", message).final_word()
}

/// The upstream points elsewhere; following would carry its key there.
#[must_use]
pub fn upstream_redirect() -> Failure {
    let message = "The upstream answered with a redirect, which is not followed. Its base_url \
                   is probably wrong.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_redirect", message).final_word()
}

/// The upstream refused our credential. Its body may echo it.
#[must_use]
pub fn upstream_auth_failed() -> Failure {
    let message = "The upstream refused the gateway's credential for this model. Its operator \
                   must renew it.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_auth_failed", message).final_word()
}

/// The upstream's answer is no HTTP answer to a request like ours.
#[must_use]
pub fn upstream_protocol_error() -> Failure {
    let message = "The upstream's answer broke the rules of HTTP.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_protocol_error", message).final_word()
}

/// The upstream says that all is well, with a web page.
#[must_use]
pub fn upstream_bad_content_type() -> Failure {
    let message = "The upstream answered with a web page. Its base_url is probably wrong.";
    Failure::new(
        StatusCode::BAD_GATEWAY,
        "upstream_bad_content_type",
        message,
    )
    .final_word()
}

/// The upstream failed without an error that a program can read. `headers` are
/// the upstream's, of which those on retries and limits are kept.
#[must_use]
pub fn upstream_error(status: StatusCode, headers: &HeaderMap) -> Failure {
    let message = format!(
        "The upstream failed with status {} and no readable error.",
        status.as_u16()
    );
    let mut failure = Failure::new(status, "upstream_error", message);
    failure.outcome = Outcome::of_status(status.as_u16());
    for (name, value) in headers {
        if passes_with_error(name) {
            failure.headers.push((name.clone(), value.clone()));
        }
    }
    failure
}

fn passes_with_error(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "retry-after" | "retry-after-ms" | "x-request-id" | "x-should-retry"
    ) || name.starts_with("x-ratelimit-")
}

// ===== inside a stream =====

/// The upstream closed in the middle of its stream.
#[must_use]
pub fn stream_disconnected() -> Failure {
    let message = "The upstream closed in the middle of the answer.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_disconnected", message)
}

/// The upstream fell silent in the middle of its stream.
#[must_use]
pub fn stream_stalled() -> Failure {
    let message = "The upstream fell silent in the middle of the answer.";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_stalled", message)
}

/// The upstream's stream ended properly, but not its answer.
#[must_use]
pub fn stream_incomplete() -> Failure {
    let message = "The upstream ended its stream before the answer was complete.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_incomplete", message)
}

/// The whole answer took longer than is allowed.
#[must_use]
pub fn stream_too_long() -> Failure {
    let message = "The answer took longer than the limit for this model.";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
}
