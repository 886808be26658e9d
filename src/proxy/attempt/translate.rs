//! Translates the response of an upstream whose protocol is not the client's.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::AcceptedResponse;
use super::body_start::{NextChunk, next_chunk};
use super::first_event::failure_outcome;
use super::verdict::Verdict;
use crate::error_response;
use crate::proxy::translation::{TranslatedResponse, Translation};
use crate::routing::AttemptOutcome;
use crate::wire::failure::ReportedFailure;
use crate::wire::json_relay::first_byte;
use crate::wire::media_type::MediaType;
use crate::wire::usage::Usage;

/// Bytes of a body that is translated as a whole.
const MAX_TRANSLATED: usize = 64 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Translates a stream while it is relayed, anything else at once.
pub(super) async fn translate(
    mut accepted: AcceptedResponse,
    outcome: Option<AttemptOutcome>,
    translation: &Translation,
    stream_requested: bool,
) -> Verdict {
    let is_success = accepted.response.status.is_success();
    match accepted.media_type {
        MediaType::EventStream if is_success => {
            return Verdict::Accept(into_stream(accepted, translation));
        }
        MediaType::Json => {}
        // Nothing but blanks so far.
        MediaType::Unspecified if is_success => {}
        _ => return Verdict::bad_content_type(),
    }
    let body = match read_body(&mut accepted).await {
        Ok(body) => body,
        Err(verdict) => return verdict,
    };
    if !is_success {
        let status = accepted.response.status;
        let translated = translation.translate_error(status, &body);
        return Verdict::of_response(replace_body(accepted, translated), outcome);
    }
    if first_byte(&body).is_none() {
        return Verdict::empty();
    }
    if let Some(failure) = ReportedFailure::find(&body) {
        let outcome = failure_outcome(Some(failure.blame()));
        let translated = translation.translate_failure(&failure);
        return Verdict::of_response(replace_body(accepted, translated), Some(outcome));
    }
    accepted.usage = Usage::find(&body).map(Box::new);
    let translated = if stream_requested {
        translation.events_of(&body)
    } else {
        translation.translate_body(&body)
    };
    let Some(body) = translated else {
        let error = error_response::upstream_invalid_result();
        return Verdict::unusable(AttemptOutcome::Failed, error);
    };
    if stream_requested {
        accepted.first_chunk = Some(body.into());
        return Verdict::Accept(into_stream(accepted, translation));
    }
    let status = StatusCode::OK;
    Verdict::Accept(replace_body(accepted, TranslatedResponse { status, body }))
}

fn into_stream(mut accepted: AcceptedResponse, translation: &Translation) -> AcceptedResponse {
    accepted.translator = Some(translation.stream_translator());
    accepted.media_type = MediaType::EventStream;
    accepted.response.headers.remove(CONTENT_LENGTH);
    set_content_type(&mut accepted, EVENT_STREAM);
    accepted
}

fn set_content_type(accepted: &mut AcceptedResponse, value: HeaderValue) {
    accepted.response.headers.insert(CONTENT_TYPE, value);
}

fn replace_body(
    mut accepted: AcceptedResponse,
    translated: TranslatedResponse,
) -> AcceptedResponse {
    accepted.response.status = translated.status;
    let length = HeaderValue::from(translated.body.len());
    accepted.response.headers.insert(CONTENT_LENGTH, length);
    set_content_type(&mut accepted, JSON);
    accepted.first_chunk = Some(translated.body.into());
    accepted.media_type = MediaType::Json;
    accepted
}

/// The whole body, if it arrives in time and is not too large.
async fn read_body(accepted: &mut AcceptedResponse) -> Result<Bytes, Verdict> {
    let mut whole = BytesMut::from(accepted.first_chunk.take().unwrap_or_default());
    while whole.len() <= MAX_TRANSLATED {
        match next_chunk(&mut accepted.response.body, &accepted.timeouts).await {
            NextChunk::Chunk(chunk) => whole.extend_from_slice(&chunk),
            NextChunk::End => return Ok(whole.freeze()),
            NextChunk::Broken | NextChunk::TimedOut => break,
        }
    }
    Err(Verdict::disconnected())
}
