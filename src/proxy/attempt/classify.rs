//! Classifies a response: relay it, try another target, or respond with an error.

use std::pin::Pin;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::AcceptedResponse;
use super::body_start::{Blanks, BodyStart, read_error};
use super::translate::translate;
use super::verdict::{FailedAttempt, Verdict};
use crate::error_response::{self, ErrorResponse};
use crate::proxy::body_timeouts::BodyTimeouts;
use crate::proxy::object_ids::ObjectIdRecorder;
use crate::proxy::translation::Translation;
use crate::routing::AttemptOutcome;
use crate::upstream::UpstreamResponse;
use crate::wall_clock;
use crate::wire::endpoint::Endpoint;
use crate::wire::failure::ReportedFailure;
use crate::wire::media_type::MediaType;
use crate::wire::retry_after;
use crate::wire::sse_relay::FinishRule;

/// How long an error that is not JSON by its type may take to show that it is.
const UNTYPED_ERROR_TIMEOUT: Duration = Duration::from_secs(2);

/// A response that is not classified yet.
#[derive(Debug)]
pub(super) struct RawResponse {
    pub response: UpstreamResponse,
    pub endpoint: Endpoint,
    pub stream_requested: bool,
    /// True where an HTML page can be a successful response.
    pub html_allowed: bool,
    pub hide_usage: bool,
    pub timeouts: BodyTimeouts,
    pub finish_rule: FinishRule,
    pub translation: Option<Box<Translation>>,
    pub object_ids: Option<Box<ObjectIdRecorder>>,
}

/// Boxed, so that the future of a request needs no room for it.
pub(super) type PendingVerdict = Pin<Box<dyn Future<Output = Verdict>>>;

/// Most responses are classified by their head; the rest waits for the body.
pub(super) fn classify(raw: RawResponse) -> Result<Verdict, PendingVerdict> {
    let media_type = raw.media_type();
    let status = raw.response.status;
    if is_error(status) {
        if error_response::is_loop_detected(status, &raw.response.headers) {
            return Ok(Verdict::Loop);
        }
        let start = BodyStart::default();
        return Err(Box::pin(classify_error(raw, media_type, start)));
    }
    if raw.endpoint.has_json_result() && status.is_success() {
        if raw.response.body.has_ended() {
            return Ok(Verdict::empty());
        }
        if raw.waits_for_body(media_type) {
            return Err(Box::pin(classify_by_bytes(raw, media_type)));
        }
    } else if media_type == MediaType::Html && !raw.html_allowed {
        return Ok(Verdict::bad_content_type());
    }
    if raw.translation.is_some() {
        return Err(Box::pin(accept(
            raw,
            media_type,
            BodyStart::default(),
            None,
        )));
    }
    Ok(Verdict::Accept(
        raw.accepted(media_type, BodyStart::default()),
    ))
}

/// 304 is a success: the client asked for it (RFC 9110, section 15.4.5).
fn is_error(status: StatusCode) -> bool {
    !status.is_success() && status != StatusCode::NOT_MODIFIED
}

/// Classifies a result whose head does not show what it is.
async fn classify_by_bytes(mut raw: RawResponse, by_type: MediaType) -> Verdict {
    let mut start = BodyStart::default();
    let (body, timeouts) = (&mut raw.response.body, &raw.timeouts);
    let read = match by_type {
        MediaType::Json if !raw.stream_requested => start.poll_once(body).await,
        MediaType::Html => start.read(body, timeouts, Blanks::Skip).await,
        // What is translated forwards no blanks.
        _ if raw.translation.is_some() => start.read(body, timeouts, Blanks::Skip).await,
        _ => start.read(body, timeouts, Blanks::End).await,
    };
    if let Err(verdict) = read {
        return verdict;
    }
    // Nothing has left yet.
    if start.is_blank() && raw.response.body.has_ended() {
        return Verdict::empty();
    }
    let is_chat = raw.finish_rule != FinishRule::EndOfBody;
    let media_type = match (by_type, start.media_type()) {
        (MediaType::Html, None | Some(MediaType::Html | MediaType::Other))
        | (MediaType::Unspecified, Some(MediaType::Html)) => return Verdict::bad_content_type(),
        // What follows the blanks decides.
        (MediaType::Json, None) if raw.stream_requested => MediaType::Unspecified,
        (MediaType::Json, Some(MediaType::EventStream)) if raw.stream_requested => {
            MediaType::EventStream
        }
        (MediaType::Json, _) => MediaType::Json,
        // Words in place of a completion: inspected as JSON, which they are not.
        (_, Some(MediaType::Other)) if is_chat => MediaType::Json,
        (_, by_bytes) => by_bytes.unwrap_or(by_type),
    };
    accept(raw, media_type, start, None).await
}

/// An error is forwarded if it is JSON, by its type or its bytes, with something in it,
/// and may be seen.
pub(super) async fn classify_error(
    mut raw: RawResponse,
    by_type: MediaType,
    mut start: BodyStart,
) -> Verdict {
    let status = raw.response.status;
    let forbids_request = forbids_request(&mut raw, &mut start).await;
    let headers = &raw.response.headers;
    let outcome = if forbids_request {
        Some(AttemptOutcome::Rejected)
    } else {
        AttemptOutcome::from_status(status.as_u16(), || retry_delay(headers))
    };
    let may_forward = forbids_request || may_forward(status);
    if may_forward {
        let mut timeouts = raw.timeouts;
        if by_type != MediaType::Json {
            timeouts.idle = timeouts.idle.min(UNTYPED_ERROR_TIMEOUT);
        }
        // What came of an error that ends early is forwarded.
        let body = &mut raw.response.body;
        let _ = start.read(body, &timeouts, Blanks::Skip).await;
    }
    let is_readable = match start.media_type() {
        _ if !may_forward => false,
        None => false,
        Some(_) if by_type == MediaType::Json => true,
        Some(_) if is_encoded(&raw.response.headers) => false,
        // The words of an error event.
        Some(MediaType::EventStream) => raw.translation.is_some(),
        Some(by_bytes) => by_bytes == MediaType::Json,
    };
    if is_readable {
        return accept(raw, MediaType::Json, start, outcome).await;
    }
    let error = replacement(&raw.response);
    let Some(outcome) = outcome else {
        return Verdict::Final(error);
    };
    Verdict::Retry(FailedAttempt {
        outcome,
        status: (may_forward || status == StatusCode::FORBIDDEN).then_some(error.status),
        response: Err(error),
        error: None,
    })
}

/// Whether a 403 is about the request. Reads its body, which stays with `start`.
async fn forbids_request(raw: &mut RawResponse, start: &mut BodyStart) -> bool {
    if raw.response.status != StatusCode::FORBIDDEN {
        return false;
    }
    let body = read_error(&mut raw.response.body, &raw.timeouts).await;
    start.push(body.clone());
    ReportedFailure::read(&body).forbids_request()
}

/// A response that can be relayed, in the client's protocol.
async fn accept(
    mut raw: RawResponse,
    media_type: MediaType,
    start: BodyStart,
    outcome: Option<AttemptOutcome>,
) -> Verdict {
    let translation = raw.translation.take();
    let stream_requested = raw.stream_requested;
    let accepted = raw.accepted(media_type, start);
    match translation {
        None => Verdict::of_response(accepted, outcome),
        Some(translation) => translate(accepted, outcome, &translation, stream_requested).await,
    }
}

/// The delay that the upstream asks for.
fn retry_delay(headers: &HeaderMap) -> Option<Duration> {
    let headers: Vec<_> = text_headers(headers).collect();
    retry_after::delay(&headers, wall_clock::now())
}

pub(super) fn text_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let headers = headers.iter();
    headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

/// Whether the client may see an error of this status. 401 and 403 may echo our
/// credential; a 403 that [`forbids_request`] does not.
fn may_forward(status: StatusCode) -> bool {
    (status.is_client_error() || status.is_server_error())
        && status != StatusCode::UNAUTHORIZED
        && status != StatusCode::FORBIDDEN
}

/// The error in place of one that cannot be forwarded.
fn replacement(response: &UpstreamResponse) -> ErrorResponse {
    match response.status {
        StatusCode::UNAUTHORIZED => error_response::upstream_auth_failed(),
        StatusCode::FORBIDDEN => error_response::upstream_forbidden(),
        status if status.is_informational() => error_response::upstream_protocol_error(),
        status if status.is_redirection() => error_response::upstream_redirect(),
        status => error_response::upstream_error(status, &response.headers),
    }
}

/// Sent although not accepted; a compressed body cannot be inspected.
fn is_encoded(headers: &HeaderMap) -> bool {
    let encoding = headers.get(CONTENT_ENCODING);
    encoding.is_some_and(|encoding| encoding.as_bytes() != b"identity")
}

// === impl RawResponse ===

impl RawResponse {
    pub(super) fn media_type(&self) -> MediaType {
        let content_type = self.response.headers.get(CONTENT_TYPE);
        MediaType::parse(content_type.map(HeaderValue::as_bytes))
    }

    /// Whether the first bytes matter: the type says nothing, or something else than
    /// was requested. What is JSON by its type is looked at for being empty, as far as
    /// no wait is needed.
    fn waits_for_body(&self, by_type: MediaType) -> bool {
        let headers = &self.response.headers;
        let matters = match by_type {
            MediaType::Unspecified | MediaType::Html => true,
            MediaType::Json => self.stream_requested || !headers.contains_key(CONTENT_LENGTH),
            MediaType::EventStream | MediaType::Multipart | MediaType::Other => false,
        };
        matters && !is_encoded(headers)
    }

    fn accepted(mut self, mut media_type: MediaType, start: BodyStart) -> AcceptedResponse {
        let headers = &mut self.response.headers;
        let is_unknown = media_type == MediaType::Unspecified && !self.endpoint.has_json_result();
        if is_encoded(headers) || is_unknown {
            media_type = MediaType::Other;
        }
        if matches!(media_type, MediaType::EventStream | MediaType::Unspecified) {
            // An error event of ours, or an event held back, would make it wrong.
            headers.remove(CONTENT_LENGTH);
        }
        AcceptedResponse {
            response: self.response,
            first_chunk: start.into_bytes(),
            media_type,
            hide_usage: self.hide_usage,
            timeouts: self.timeouts,
            finish_rule: self.finish_rule,
            translator: None,
            usage: None,
            object_ids: self.object_ids,
            in_flight: None,
            watch: None,
        }
    }
}
