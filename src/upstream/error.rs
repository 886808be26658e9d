//! Failed attempts: why there was no response, and whether the upstream may have
//! processed the request.

use std::error::Error as StdError;
use std::fmt;

use crate::error_chain::cause_ref;
use crate::request_body::BodyAborted;
use crate::routing::AttemptOutcome;

#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// For the log only: it may contain addresses, so clients never see it.
    detail: String,
    outcome: AttemptOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The provider's limit of requests in flight is reached.
    InFlightLimit,
    /// This machine has no port or descriptor left.
    LocalResources,
    /// The host name could not be resolved.
    Dns,
    Connect,
    ConnectTimeout,
    Tls,
    /// The response violates HTTP.
    Protocol,
    /// The connection ended before the response head.
    Disconnected,
    /// No response head in time.
    HeaderTimeout,
    /// The client did not send all of the request body.
    RequestAborted,
}

impl Error {
    /// A failure before anything of the request was sent.
    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            outcome: AttemptOutcome::NotProcessed,
        }
    }

    /// A failure after the request was sent, at least in part.
    pub(super) fn after_sending(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            outcome: AttemptOutcome::MaybeProcessed,
        }
    }

    /// A failure of an HTTP/2 exchange. hyper reports a cancelled request only if it was not
    /// yet started on the wire.
    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
        let detail = with_causes(error);
        if cause_ref::<BodyAborted>(error).is_some() {
            return Self::after_sending(ErrorKind::RequestAborted, detail);
        }
        if error.is_canceled() || is_refused_stream(error) {
            return Self::new(ErrorKind::Disconnected, detail);
        }
        let is_protocol_error = error.is_parse()
            || error.is_parse_too_large()
            || h2_reason(error).is_some_and(|reason| {
                matches!(
                    reason,
                    h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR
                )
            });
        let kind = if is_protocol_error {
            ErrorKind::Protocol
        } else {
            ErrorKind::Disconnected
        };
        Self::after_sending(kind, detail)
    }

    pub(super) fn header_timeout() -> Self {
        Self::after_sending(ErrorKind::HeaderTimeout, "response header timeout")
    }

    /// The timeout of the whole attempt.
    #[must_use]
    pub fn total_timeout() -> Self {
        Self::after_sending(ErrorKind::HeaderTimeout, "total timeout")
    }

    /// The same error, of a request that the upstream does not process.
    pub(super) fn not_processed(self) -> Self {
        let outcome = AttemptOutcome::NotProcessed;
        Self { outcome, ..self }
    }

    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    #[must_use]
    pub fn outcome(&self) -> AttemptOutcome {
        self.outcome
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.detail)
    }
}

impl StdError for Error {}

/// The peer did not process the stream (RFC 9113, section 8.7): it refused it, or its
/// GOAWAY excludes it, which the h2 crate reports as a refused stream as well.
fn is_refused_stream(error: &hyper::Error) -> bool {
    h2_reason(error) == Some(h2::Reason::REFUSED_STREAM)
}

fn h2_reason(error: &hyper::Error) -> Option<h2::Reason> {
    cause_ref::<h2::Error>(error)?.reason()
}

/// An error and its causes in one line.
pub(super) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
