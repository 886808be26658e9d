//! Why an attempt brought no answer.

use std::error::Error as StdError;
use std::fmt;

use crate::request_body::Interrupted;
use crate::routing::Outcome;

/// An attempt that brought no answer.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// For our own log: it may name addresses, so no caller sees it.
    detail: String,
    outcome: Outcome,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The provider's limit on requests in flight is reached.
    Full,
    /// This machine has no port or no descriptor left for a connection.
    Exhausted,
    /// The host name leads nowhere.
    Dns,
    /// The connection was refused or reset while it was made.
    Connect,
    /// The connection took too long to make.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The answer was not HTTP, or broke its rules.
    Protocol,
    /// The connection ended before an answer came.
    Disconnected,
    /// The head of the answer took too long.
    HeadTimeout,
    /// The caller did not send what it had begun to send.
    Interrupted,
}

impl Error {
    /// A failure of this kind before anything of the request was sent.
    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            outcome: Outcome::NotProcessed,
        }
    }

    /// A failure of this kind after the request was, at least in part, sent.
    pub(super) fn after_sending(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            outcome: Outcome::MaybeProcessed,
        }
    }

    /// The failure of an exchange. hyper calls it cancelled only where the
    /// request had not been started on the wire.
    pub(super) fn from_exchange(error: &hyper::Error) -> Self {
        let detail = chain(error);
        if was_interrupted(error) {
            return Self::after_sending(ErrorKind::Interrupted, detail);
        }
        if error.is_canceled() || was_refused(error) {
            return Self::new(ErrorKind::Disconnected, detail);
        }
        let broke_rules = error.is_parse()
            || error.is_parse_too_large()
            || h2_reason(error).is_some_and(|reason| {
                matches!(
                    reason,
                    h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR
                )
            });
        let kind = if broke_rules {
            ErrorKind::Protocol
        } else {
            ErrorKind::Disconnected
        };
        Self::after_sending(kind, detail)
    }

    /// The head of the answer did not come in time.
    pub(super) fn no_head() -> Self {
        Self::after_sending(ErrorKind::HeadTimeout, "no head in time")
    }

    /// The time for the whole attempt ran out.
    #[must_use]
    pub fn out_of_time() -> Self {
        Self::after_sending(
            ErrorKind::HeadTimeout,
            "the time for the whole attempt ran out",
        )
    }

    /// The same of a request that no upstream works on.
    pub(super) fn unprocessed(self) -> Self {
        let outcome = Outcome::NotProcessed;
        Self { outcome, ..self }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the upstream may have worked on the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.detail)
    }
}

impl StdError for Error {}

/// An HTTP/2 stream that the peer says it did not work on (RFC 9113, section
/// 8.7): refused, or above the last stream of its GOAWAY, which the h2 crate
/// reports as a refused stream as well.
fn was_refused(error: &hyper::Error) -> bool {
    h2_reason(error) == Some(h2::Reason::REFUSED_STREAM)
}

/// The body of the request broke off.
fn was_interrupted(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if inner.is::<Interrupted>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

fn h2_reason(error: &hyper::Error) -> Option<h2::Reason> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(h2) = inner.downcast_ref::<h2::Error>() {
            return h2.reason();
        }
        cause = inner.source();
    }
    None
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
