//! Classifies a response: relay it, try another target, or respond with an error.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::timeout_at;

use super::{Accepted, AcceptedResponse, Upgraded};
use crate::catalog::Target;
use crate::error_response::{self, ErrorResponse};
use crate::proxy::body_timeouts::BodyTimeouts;
use crate::proxy::object_ids::ObjectIdRecorder;
use crate::proxy::translation::Translation;
use crate::routing::AttemptOutcome;
use crate::upstream::{Error, ErrorKind, UpstreamResponse};
use crate::wall_clock;
use crate::wire::media_type::MediaType;
use crate::wire::retry_after;
use crate::wire::sse_relay::FinishRule;

/// Bytes of a body that is translated as a whole.
const MAX_TRANSLATED: usize = 64 * 1024 * 1024;

/// A response that is not classified yet.
#[derive(Debug)]
pub(super) struct RawResponse {
    pub response: UpstreamResponse,
    pub hide_usage: bool,
    /// True where an HTML page can be a successful response.
    pub html_allowed: bool,
    pub timeouts: BodyTimeouts,
    pub finish_rule: FinishRule,
    pub translation: Option<Box<Translation>>,
    pub object_ids: Option<Box<ObjectIdRecorder>>,
}

/// What follows from an attempt.
#[derive(Debug)]
pub(super) enum Verdict {
    Accept(AcceptedResponse),
    Upgrade(Box<Upgraded>),
    /// Another attempt may succeed.
    Retry(FailedAttempt),
    /// No other attempt would do better.
    Final(ErrorResponse),
    /// The target does not support the request, which was not sent.
    Unsupported(Box<ErrorResponse>),
}

/// Boxed, so that the future of a request needs no room for it.
pub(super) type PendingVerdict = Pin<Box<dyn Future<Output = Verdict>>>;

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

/// Most responses are classified by their head; the rest waits for the body.
pub(super) fn classify(raw: RawResponse) -> Result<Verdict, PendingVerdict> {
    let content_type = raw.response.headers.get(CONTENT_TYPE);
    let media_type = MediaType::parse(content_type.map(HeaderValue::as_bytes));
    if is_error(raw.response.status) {
        return Err(Box::pin(classify_error(raw, media_type)));
    }
    if raw.translation.is_some() {
        return Err(Box::pin(accept(raw, media_type, None, None)));
    }
    if media_type == MediaType::Html && !raw.html_allowed {
        let error = error_response::upstream_bad_content_type();
        return Ok(Verdict::unusable(AttemptOutcome::Failed, error));
    }
    Ok(Verdict::Accept(raw.accepted(media_type, None)))
}

/// 304 is a success: the client asked for it (RFC 9110, section 15.4.5).
fn is_error(status: StatusCode) -> bool {
    !status.is_success() && status != StatusCode::NOT_MODIFIED
}

/// An error is forwarded if it is JSON, with something in it, and may be seen.
async fn classify_error(mut raw: RawResponse, media_type: MediaType) -> Verdict {
    let response = &mut raw.response;
    let status = response.status;
    let outcome = AttemptOutcome::from_status(status.as_u16(), || {
        let headers: Vec<_> = text_headers(&response.headers).collect();
        retry_after::delay(&headers, wall_clock::now())
    });
    let first_chunk = if media_type == MediaType::Json && may_forward(status) {
        first_chunk(response, &raw.timeouts).await
    } else {
        None
    };
    if first_chunk.is_some() {
        return accept(raw, media_type, first_chunk, outcome).await;
    }
    let error = replacement(response);
    let Some(outcome) = outcome else {
        return Verdict::Final(error);
    };
    Verdict::Retry(FailedAttempt {
        outcome,
        status: may_forward(status).then_some(error.status),
        response: Err(error),
        error: None,
    })
}

/// A response that can be relayed, in the client's protocol.
async fn accept(
    mut raw: RawResponse,
    media_type: MediaType,
    first_chunk: Option<Bytes>,
    outcome: Option<AttemptOutcome>,
) -> Verdict {
    let translation = raw.translation.take();
    let accepted = raw.accepted(media_type, first_chunk);
    match translation {
        None => Verdict::of_response(accepted, outcome),
        Some(translation) => translate(accepted, outcome, &translation).await,
    }
}

/// Translates a stream while it is relayed, anything else at once.
async fn translate(
    mut accepted: AcceptedResponse,
    outcome: Option<AttemptOutcome>,
    translation: &Translation,
) -> Verdict {
    let status = accepted.response.status;
    match accepted.media_type {
        MediaType::EventStream if status.is_success() => {
            accepted.translator = Some(translation.stream_translator());
            return Verdict::of_response(accepted, outcome);
        }
        MediaType::Json => {}
        _ => {
            let error = error_response::upstream_bad_content_type();
            return Verdict::unusable(AttemptOutcome::Failed, error);
        }
    }
    let Some(body) = read_body(&mut accepted).await else {
        let error = error_response::upstream_disconnected();
        return Verdict::unusable(AttemptOutcome::MaybeProcessed, error);
    };
    let translated = match translation.translate_body(status, &body) {
        Ok(translated) => translated,
        Err(error) => return Verdict::unusable(AttemptOutcome::Failed, error),
    };
    accepted.response.status = translated.status;
    let headers = &mut accepted.response.headers;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(translated.body.len()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    accepted.first_chunk = Some(translated.body.into());
    Verdict::of_response(accepted, outcome)
}

/// The whole body, if it arrives in time and is not too large.
async fn read_body(accepted: &mut AcceptedResponse) -> Option<Bytes> {
    let mut whole = BytesMut::from(accepted.first_chunk.take().unwrap_or_default());
    loop {
        let deadline = accepted.timeouts.next_deadline();
        let body = &mut accepted.response.body;
        let next = timeout_at(deadline, poll_fn(|context| body.poll_chunk(context))).await;
        match next.ok()? {
            None => return Some(whole.freeze()),
            Some(chunk) => whole.extend_from_slice(&chunk.ok()?),
        }
        if whole.len() > MAX_TRANSLATED {
            return None;
        }
    }
}

pub(super) fn text_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let headers = headers.iter();
    headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

/// Whether the client may see an error of this status. 401 and 403 may echo our
/// credential.
fn may_forward(status: StatusCode) -> bool {
    (status.is_client_error() || status.is_server_error())
        && status != StatusCode::UNAUTHORIZED
        && status != StatusCode::FORBIDDEN
}

/// The error in place of one that cannot be forwarded.
fn replacement(response: &UpstreamResponse) -> ErrorResponse {
    match response.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => error_response::upstream_auth_failed(),
        status if status.is_informational() => error_response::upstream_protocol_error(),
        status if status.is_redirection() => error_response::upstream_redirect(),
        status => error_response::upstream_error(status, &response.headers),
    }
}

/// The first chunk of an error's body that is not empty.
async fn first_chunk(response: &mut UpstreamResponse, timeouts: &BodyTimeouts) -> Option<Bytes> {
    let mut next = async || poll_fn(|context| response.body.poll_chunk(context)).await;
    while let Ok(Some(Ok(chunk))) = timeout_at(timeouts.next_deadline(), next()).await {
        if !chunk.is_empty() {
            return Some(chunk);
        }
    }
    None
}

// === impl RawResponse ===

impl RawResponse {
    fn accepted(
        mut self,
        mut media_type: MediaType,
        first_chunk: Option<Bytes>,
    ) -> AcceptedResponse {
        let headers = &mut self.response.headers;
        let encoding = headers.get(CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding.as_bytes() != b"identity") {
            // Sent although not accepted; a compressed body cannot be inspected.
            media_type = MediaType::Other;
        }
        if media_type == MediaType::EventStream {
            // An error event of ours, or an event held back, would make it wrong.
            headers.remove(CONTENT_LENGTH);
        }
        AcceptedResponse {
            response: self.response,
            first_chunk,
            media_type,
            hide_usage: self.hide_usage,
            timeouts: self.timeouts,
            finish_rule: self.finish_rule,
            translator: None,
            object_ids: self.object_ids,
            in_flight: None,
        }
    }
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

    pub(super) fn was_sent(&self) -> bool {
        !matches!(self, Self::Unsupported(_))
    }

    /// How the attempt failed, if it did.
    pub(super) fn failure(&self) -> Option<AttemptOutcome> {
        match self {
            Self::Retry(failed) => Some(failed.outcome),
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

    #[inline]
    pub(super) fn into_result(mut self, target: &Target) -> Result<Accepted, ErrorResponse> {
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
            Self::Retry(failed) => failed.into_result(target),
            Self::Final(error) => Err(error.with_target(target)),
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

    pub(super) fn into_result(self, target: &Target) -> Result<Accepted, ErrorResponse> {
        match self.response {
            Ok(accepted) => Verdict::Accept(accepted).into_result(target),
            Err(error) => Err(error.with_target(target)),
        }
    }
}
