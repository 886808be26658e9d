//! Whether an answer is one that a caller can use.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::timeout_at;

use super::{Accepted, Unjudged};
use crate::catalog::Target;
use crate::error_response;
use crate::error_response::Failure;
use crate::proxy::body_timeouts::Bounds;
use crate::proxy::translation::Translation;
use crate::routing::Outcome;
use crate::upstream::{Error, ErrorKind, Reply};
use crate::wall_clock;
use crate::wire::media_type::MediaType;
use crate::wire::retry_after;

/// Most bytes of an answer that is translated in one piece.
const MOST_TRANSLATED: usize = 64 * 1024 * 1024;

/// What is thought of an answer.
#[derive(Debug)]
pub(super) struct Judged {
    /// How the attempt failed, if it did.
    pub fault: Option<Outcome>,
    /// True when the upstream's own answer can be told from what the caller
    /// gets.
    pub answered: bool,
    /// What the caller gets if nothing better comes.
    pub word: Result<Accepted, Failure>,
    /// Why there was no answer, for our own log.
    pub cause: Option<Error>,
}

/// An answer of which the head does not say enough: its status is no good one,
/// or it is to be translated.
#[derive(Debug)]
pub(super) struct Unclear {
    answer: Unjudged,
    media_type: MediaType,
}

impl Judged {
    /// What the caller gets, with the name of the target.
    pub(super) fn named(self, target: &Target) -> Result<Accepted, Failure> {
        let mut accepted = self.word.map_err(|failure| failure.at(target))?;
        error_response::name_target(&mut accepted.reply.headers, target);
        Ok(accepted)
    }

    /// An attempt that brought no answer.
    pub(super) fn unanswered(error: Error) -> Self {
        Self {
            word: Err((&error).into()),
            fault: Some(error.outcome()),
            answered: false,
            cause: Some(error),
        }
    }

    /// An attempt that was not made: the target does not take what the caller
    /// wants, and no other is looked for.
    pub(super) fn refused(failure: Failure) -> Self {
        Self {
            word: Err(failure),
            fault: None,
            answered: false,
            cause: None,
        }
    }

    /// Whether the attempt says something about the target. That we have no
    /// place for more requests to it does not.
    pub(super) fn is_blamed(&self) -> bool {
        let cause = self.cause.as_ref();
        cause.is_none_or(|error| !matches!(error.kind(), ErrorKind::Full | ErrorKind::Exhausted))
    }

    /// Whether the request may have been processed without an answer.
    pub(super) fn is_lost(&self) -> bool {
        self.fault == Some(Outcome::MaybeProcessed)
    }

    /// The status that the upstream answered with, if it did.
    pub(super) fn status(&self) -> Option<StatusCode> {
        let told = self.word.as_ref();
        let status = told.map_or_else(|failure| failure.status, |told| told.reply.status);
        self.answered.then_some(status)
    }

    /// An answer that can be passed on, although it may be one to avoid.
    pub(super) fn answered(fault: Option<Outcome>, accepted: Accepted) -> Self {
        Self {
            fault,
            answered: true,
            word: Ok(accepted),
            cause: None,
        }
    }

    /// An answer that no caller can use.
    pub(super) fn unfit(fault: Outcome, failure: Failure) -> Self {
        Self {
            fault: Some(fault),
            answered: false,
            word: Err(failure),
            cause: None,
        }
    }
}

/// Looks at the head of an answer, which says enough of one that is good.
pub(super) fn judge(answer: Unjudged) -> Result<Judged, Box<Unclear>> {
    let headers = &answer.reply.headers;
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let media_type = MediaType::of(content_type);
    if is_refusal(answer.reply.status) || answer.translation.is_some() {
        return Err(Box::new(Unclear { answer, media_type }));
    }
    if media_type == MediaType::Html && !answer.may_be_anything {
        let failure = error_response::upstream_bad_content_type();
        return Ok(Judged::unfit(Outcome::Failed, failure));
    }
    Ok(Judged::answered(None, answer.accepted(media_type, None)))
}

/// A copy that the caller has is still good (RFC 9110, section 15.4.5), which is
/// what it asked.
fn is_refusal(status: StatusCode) -> bool {
    !status.is_success() && status != StatusCode::NOT_MODIFIED
}

impl Unclear {
    /// Looks at the status, at whether there are words that can be passed on, and
    /// at what they mean to the caller.
    pub(super) async fn judged(mut self: Box<Self>) -> Judged {
        let (mut first, mut fault) = (None, None);
        let reply = &mut self.answer.reply;
        let status = reply.status;
        if is_refusal(status) {
            fault = Outcome::of_status(status.as_u16(), || {
                let headers: Vec<_> = texts(&reply.headers).collect();
                retry_after::wait(&headers, wall_clock::now())
            });
            if self.media_type == MediaType::Json && may_pass(status) {
                // Boxed: every request's state would have to keep room for a timer.
                first = Box::pin(first_piece(reply, &self.answer.bounds)).await;
            }
            if first.is_none() {
                return Judged {
                    fault,
                    answered: may_pass(status),
                    word: Err(instead_of(reply)),
                    cause: None,
                };
            }
        }
        let translation = self.answer.translation.take();
        let accepted = self.answer.accepted(self.media_type, first);
        match translation {
            None => Judged::answered(fault, accepted),
            Some(translation) => Box::pin(translated(accepted, fault, &translation)).await,
        }
    }
}

impl Unjudged {
    fn accepted(mut self, mut media_type: MediaType, first: Option<Bytes>) -> Accepted {
        let headers = &mut self.reply.headers;
        let encoding = headers.get(CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding.as_bytes() != b"identity") {
            // It was asked not to; what is compressed cannot be looked into.
            media_type = MediaType::Other;
        }
        if media_type == MediaType::EventStream {
            // An error event of ours, or an event held back, would make it wrong.
            headers.remove(CONTENT_LENGTH);
        }
        Accepted {
            reply: self.reply,
            first,
            media_type,
            hide_usage: self.hide_usage,
            bounds: self.bounds,
            rule: self.rule,
            translator: None,
            learner: self.learner,
            in_flight: None,
        }
    }
}

/// Tells an answer in the caller's protocol: a stream while it passes, anything
/// else at once.
async fn translated(
    mut accepted: Accepted,
    fault: Option<Outcome>,
    translation: &Translation,
) -> Judged {
    let status = accepted.reply.status;
    match accepted.media_type {
        MediaType::EventStream if status.is_success() => {
            accepted.translator = Some(translation.of_stream());
            return Judged::answered(fault, accepted);
        }
        MediaType::Json => {}
        _ => return Judged::unfit(Outcome::Failed, error_response::upstream_bad_content_type()),
    }
    let Some(body) = all_of(&mut accepted).await else {
        return Judged::unfit(
            Outcome::MaybeProcessed,
            error_response::upstream_broke_off(),
        );
    };
    let told = match translation.of_whole(status, &body) {
        Ok(told) => told,
        Err(failure) => return Judged::unfit(Outcome::Failed, failure),
    };
    accepted.reply.status = told.status;
    let headers = &mut accepted.reply.headers;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(told.body.len()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    accepted.first = Some(told.body.into());
    Judged::answered(fault, accepted)
}

/// All of an answer's body, if it comes in time and is not too long.
async fn all_of(accepted: &mut Accepted) -> Option<Bytes> {
    let mut whole = BytesMut::from(accepted.first.take().unwrap_or_default());
    loop {
        let due = accepted.bounds.due();
        let body = &mut accepted.reply.body;
        let next = timeout_at(due, poll_fn(|context| body.poll_piece(context))).await;
        match next.ok()? {
            None => return Some(whole.freeze()),
            Some(piece) => whole.extend_from_slice(&piece.ok()?),
        }
        if whole.len() > MOST_TRANSLATED {
            return None;
        }
    }
}

/// The headers that are text.
pub(super) fn texts(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let headers = headers.iter();
    headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

/// Whether the words of an error of this status may reach the caller. Those of
/// 401 and 403 may echo our credential.
fn may_pass(status: StatusCode) -> bool {
    (status.is_client_error() || status.is_server_error())
        && status != StatusCode::UNAUTHORIZED
        && status != StatusCode::FORBIDDEN
}

/// What the caller gets instead of an error that cannot be passed on.
fn instead_of(reply: &Reply) -> Failure {
    match reply.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => error_response::upstream_auth_failed(),
        status if status.is_informational() => error_response::upstream_protocol_error(),
        status if status.is_redirection() => error_response::upstream_redirect(),
        status => error_response::upstream_error(status, &reply.headers),
    }
}

/// The first piece of an error's body that has anything in it.
async fn first_piece(reply: &mut Reply, bounds: &Bounds) -> Option<Bytes> {
    let mut next = async || poll_fn(|context| reply.body.poll_piece(context)).await;
    while let Ok(Some(Ok(piece))) = timeout_at(bounds.due(), next()).await {
        if !piece.is_empty() {
            return Some(piece);
        }
    }
    None
}
