//! What follows from an attempt.

use http::StatusCode;

use super::{Accepted, AcceptedResponse, Upgraded};
use crate::catalog::Target;
use crate::error_response::{self, ErrorResponse};
use crate::metering::{Meter, RequestOutcome};
use crate::routing::AttemptOutcome;
use crate::upstream::{Error, ErrorKind};
use crate::wire::endpoint::Endpoint;

/// What follows from an attempt.
#[derive(Debug)]
pub(super) enum Verdict {
    Accept(AcceptedResponse),
    Upgrade(Box<Upgraded>),
    /// Another attempt may succeed.
    Retry(FailedAttempt),
    /// No other attempt would do better.
    Final(ErrorResponse),
    /// The target leads back to a gateway that the request has passed. At another target,
    /// each gateway in the circle would multiply the request.
    Loop,
    /// The target does not support the request, which was not sent.
    Unsupported(Box<ErrorResponse>),
}

#[derive(Debug)]
pub(super) struct FailedAttempt {
    pub outcome: AttemptOutcome,
    /// What the client gets unless another attempt does better.
    pub response: Result<AcceptedResponse, ErrorResponse>,
    /// Status of the upstream's response, where the client may see it.
    pub status: Option<StatusCode>,
    /// Why there was no response, for the log.
    pub error: Option<Error>,
}

// === impl Verdict ===

impl Verdict {
    /// A response that can be relayed, although the attempt may have failed.
    pub(super) fn of_response(accepted: AcceptedResponse, outcome: Option<AttemptOutcome>) -> Self {
        match outcome {
            None => Self::Accept(accepted),
            Some(outcome) => Self::Retry(FailedAttempt {
                outcome,
                status: Some(accepted.response.status),
                response: Ok(accepted),
                error: None,
            }),
        }
    }

    pub(super) fn no_response(error: Error) -> Self {
        Self::Retry(FailedAttempt {
            outcome: error.outcome(),
            response: Err((&error).into()),
            status: None,
            error: Some(error),
        })
    }

    /// A response that no client can use.
    pub(super) fn unusable(outcome: AttemptOutcome, error: ErrorResponse) -> Self {
        Self::Retry(FailedAttempt {
            outcome,
            response: Err(error),
            status: None,
            error: None,
        })
    }

    /// The head is no result yet, and the upstream was working.
    pub(super) fn disconnected() -> Self {
        let error = error_response::upstream_disconnected();
        Self::unusable(AttemptOutcome::MaybeProcessed, error)
    }

    /// As [`Self::disconnected`].
    pub(super) fn timed_out() -> Self {
        let error = error_response::upstream_timeout();
        Self::unusable(AttemptOutcome::MaybeProcessed, error)
    }

    /// A good status, and nothing in the body.
    pub(super) fn empty() -> Self {
        Self::unusable(AttemptOutcome::Failed, error_response::upstream_empty())
    }

    pub(super) fn bad_content_type() -> Self {
        let error = error_response::upstream_bad_content_type();
        Self::unusable(AttemptOutcome::Failed, error)
    }

    /// The target, which was asked, has not the call.
    pub(super) fn missing_call(
        target: &Target,
        endpoint: Endpoint,
        asked: Endpoint,
        status: StatusCode,
    ) -> Self {
        let provider = &target.provider.name;
        let error = error_response::missing_endpoint(provider, endpoint, asked, status);
        Self::refused(status, error)
    }

    /// The target refused the request with this status, which clients cannot use.
    pub(super) fn refused(status: StatusCode, error: ErrorResponse) -> Self {
        Self::Retry(FailedAttempt {
            outcome: AttemptOutcome::Rejected,
            response: Err(error),
            status: Some(status),
            error: None,
        })
    }

    pub(super) fn was_sent(&self) -> bool {
        !matches!(self, Self::Unsupported(_))
    }

    /// How the attempt failed, if it did.
    pub(super) fn failure(&self) -> Option<AttemptOutcome> {
        match self {
            Self::Retry(failed) => Some(failed.outcome),
            Self::Loop => Some(AttemptOutcome::Failed),
            _ => None,
        }
    }

    pub(super) fn error(&self) -> Option<&Error> {
        match self {
            Self::Retry(failed) => failed.error.as_ref(),
            _ => None,
        }
    }

    pub(super) fn counts_against_target(&self) -> bool {
        match self {
            Self::Retry(failed) => failed.counts_against_target(),
            _ => true,
        }
    }

    pub(super) fn response_mut(&mut self) -> Option<&mut AcceptedResponse> {
        match self {
            Self::Accept(accepted) => Some(accepted),
            Self::Retry(failed) => failed.response.as_mut().ok(),
            _ => None,
        }
    }

    /// Records what the attempt is charged to the client's limits, unless its response goes
    /// to the client.
    #[inline]
    pub(super) fn record_charge(&self, meter: &Meter, target: &Target) {
        if meter.limits().is_some() {
            self.record_limit_charge(meter, target);
        }
    }

    fn record_limit_charge(&self, meter: &Meter, target: &Target) {
        match self {
            Self::Retry(failed) => failed.record_charge(meter, target),
            Self::Final(error) => {
                meter.on_attempt_failed(target, error.status.is_client_error(), None);
            }
            Self::Loop => meter.on_attempt_failed(target, false, None),
            Self::Accept(_) | Self::Upgrade(_) | Self::Unsupported(_) => {}
        }
    }

    #[inline]
    pub(super) fn into_result(
        mut self,
        meter: &Meter,
        target: &Target,
    ) -> Result<Accepted, ErrorResponse> {
        match &mut self {
            Self::Accept(accepted) => {
                error_response::set_target(&mut accepted.response.headers, target);
            }
            Self::Upgrade(upgraded) => error_response::set_target(&mut upgraded.headers, target),
            _ => {}
        }
        match self {
            Self::Accept(accepted) => Ok(Accepted::Response(accepted)),
            Self::Upgrade(upgraded) => Ok(Accepted::WebSocket(upgraded)),
            Self::Retry(failed) => failed.into_result(meter, target),
            Self::Final(error) => Err(error.with_target(target)),
            Self::Loop => {
                let error = error_response::provider_leads_back(&target.provider.name);
                Err(error.with_target(target))
            }
            Self::Unsupported(error) => Err(error.with_target(target)),
        }
    }
}

// === impl FailedAttempt ===

impl FailedAttempt {
    /// Local limits say nothing about the target.
    pub(super) fn counts_against_target(&self) -> bool {
        let kind = self.error.as_ref().map(Error::kind);
        !matches!(
            kind,
            Some(ErrorKind::InFlightLimit | ErrorKind::LocalResources)
        )
    }

    /// Whether the request may have been processed without a response.
    pub(super) fn maybe_processed(&self) -> bool {
        self.outcome == AttemptOutcome::MaybeProcessed
    }

    /// A provider bills what it works on while it is no longer awaited; a failure only if it
    /// reports usage.
    pub(super) fn record_charge(&self, meter: &Meter, target: &Target) {
        if meter.limits().is_none() {
            return;
        }
        let usage = match &self.response {
            Err(error) if error.outcome == RequestOutcome::Timeout => {
                return meter.on_attempt_abandoned(target);
            }
            Err(_) => None,
            Ok(accepted) => accepted.reported_usage(),
        };
        let is_refused = matches!(
            self.outcome,
            AttemptOutcome::Rejected | AttemptOutcome::Unauthorized | AttemptOutcome::Forbidden
        ) || self.status.is_some_and(|it| it.is_client_error());
        meter.on_attempt_failed(target, is_refused, usage);
    }

    pub(super) fn into_result(
        self,
        meter: &Meter,
        target: &Target,
    ) -> Result<Accepted, ErrorResponse> {
        match self.response {
            Ok(accepted) => {
                meter.on_failure_relayed(target);
                Verdict::Accept(accepted).into_result(meter, target)
            }
            Err(error) => Err(error.with_target(target)),
        }
    }
}
