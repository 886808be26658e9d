//! How a connection ended, and what is counted of it.

use std::io;

use h2::Reason;
use metrics::Counter;
use tracing::debug;

use super::state::ConnPhase;
use crate::error_chain::cause_ref;
use crate::routes::context::ConnectionErrors;
use crate::telemetry::metric::label::connection_error;

pub enum ConnectionEnd {
    /// By either side; also of a client that left.
    Closed,
    Failed(hyper::Error),
    TimedOut(ConnPhase),
}

impl ConnectionEnd {
    /// Counts what is an error of the client.
    pub fn record(&self, errors: &ConnectionErrors) {
        let counted: Option<(&Counter, &str)> = match self {
            Self::TimedOut(ConnPhase::Head) => {
                Some((&errors.header_timeout, connection_error::HEADER_TIMEOUT))
            }
            Self::TimedOut(_) => Some((&errors.idle_timeout, connection_error::IDLE_TIMEOUT)),
            Self::Failed(error) => of_failure(errors, error),
            Self::Closed => None,
        };
        if let Some((counter, kind)) = counted {
            counter.increment(1);
            debug!(kind, "client connection ended");
        }
    }
}

fn of_failure<'e>(
    errors: &'e ConnectionErrors,
    error: &hyper::Error,
) -> Option<(&'e Counter, &'static str)> {
    let counted = if error.is_parse_too_large() {
        (&errors.header_too_large, connection_error::HEADER_TOO_LARGE)
    } else if error.is_parse() {
        (&errors.malformed, connection_error::MALFORMED)
    } else if is_timed_out(error) {
        (&errors.write_timeout, connection_error::WRITE_TIMEOUT)
    } else {
        match http2_violation(error)? {
            Reason::ENHANCE_YOUR_CALM => (&errors.http2_flood, connection_error::HTTP2_FLOOD),
            _ => (&errors.malformed, connection_error::MALFORMED),
        }
    };
    Some(counted)
}

/// True if the kernel's or the stream's write timeout ended the connection.
pub fn is_timed_out(error: &hyper::Error) -> bool {
    cause_ref::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// The reason of the GOAWAY by which we ended an HTTP/2 connection (RFC 9113, section 7).
/// None if the client ended it: it may do so at any time, and an aborted response is
/// metered as a request.
fn http2_violation(error: &hyper::Error) -> Option<Reason> {
    let error = cause_ref::<h2::Error>(error)?;
    let reason = error.reason().filter(|_| error.is_library())?;
    let is_ours = matches!(
        reason,
        Reason::NO_ERROR | Reason::INTERNAL_ERROR | Reason::CANCEL
    );
    (!is_ours).then_some(reason)
}
