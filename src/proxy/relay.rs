//! Passes an upstream's answer on, piece by piece as it comes.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;

use super::Worker;
use super::attempt::Accepted;
use super::body_timeouts::{Late, Patience};
use super::object_ids::Learner;
use super::response_body::{Aborted, Answer};
use super::translation::Translator;
use crate::dialect::Dialect;
use crate::drain::{Ear, Phase};
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::{Meter, Outcome, Tap};
use crate::routing::InFlight;
use crate::shared_limit::Share;
use crate::upstream::ReplyBody;
use crate::wire::media_type::MediaType;

/// A comment, which readers of an event stream pass over (WHATWG HTML, section
/// 9.2.7, proposes it against proxies that give up on a silent stream).
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// An upstream's answer on its way to the caller.
#[derive(Debug)]
pub struct Relay {
    first: Option<Bytes>,
    body: ReplyBody,
    tap: Tap,
    translator: Option<Box<Translator>>,
    dialect: Dialect,
    meter: Option<Meter>,
    patience: Patience,
    ear: Ear,
    state: State,
    /// Outcome of the request when its answer comes whole.
    whole: Outcome,
    _seat: Share,
    _in_flight: Option<InFlight>,
    learner: Option<Box<Learner>>,
}

#[derive(Debug)]
enum State {
    Relaying,
    /// One more piece of ours, then the end.
    Closing(Bytes),
    /// To be broken off, but not before what was passed on has left.
    Aborting {
        flushed: bool,
    },
    Ended,
}

/// The response that relays an accepted answer. Inlined, since all of it would be
/// moved otherwise.
#[inline]
pub(super) fn answer(
    worker: &Worker,
    accepted: Accepted,
    seat: Share,
    mut meter: Meter,
) -> Response<Answer> {
    let Accepted {
        reply,
        first,
        media_type,
        hide_usage,
        bounds,
        rule,
        translator,
        learner,
        in_flight,
    } = accepted;
    let streams = media_type == MediaType::EventStream;
    meter.answers(reply.status.as_u16(), streams);
    let mut headers = reply.headers;
    error_response::identify(&mut headers, meter.request_id());
    meter.waits();
    let limits = &worker.snapshot.limits;
    if limits.server_timing {
        error_response::tell_times(&mut headers, &meter);
    }
    let quiet = limits.keepalive_comments.filter(|_| streams);
    let mut relay = Box::new(Relay {
        first,
        body: reply.body,
        tap: Tap::new(media_type, rule, hide_usage),
        translator,
        dialect: error_response::dialect(meter.endpoint()),
        whole: Outcome::of_status(reply.status.as_u16()),
        meter: Some(meter),
        patience: Patience::new(bounds, quiet),
        ear: worker.curfew.listen(),
        state: State::Relaying,
        _seat: seat,
        _in_flight: in_flight,
        learner,
    });
    relay.end_at_once();
    let mut response = Response::new(Answer::Relay(relay));
    *response.status_mut() = reply.status;
    *response.headers_mut() = headers;
    response
}

impl Relay {
    /// A body known to be empty is never asked for anything.
    fn end_at_once(&mut self) {
        if self.first.is_none() && self.body.has_ended() {
            let _ = self.upstream_ended(None);
        }
    }

    /// Has it panic once so many pieces have passed.
    #[cfg(test)]
    pub(crate) fn fail_after(&mut self, pieces: usize) {
        self.tap = Tap::Failing(pieces);
    }

    /// Whether all of it has been passed on.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The next piece; `Ok(None)` is the end.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Aborted>> {
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(Ok(None)),
                State::Closing(last) => {
                    let last = std::mem::take(last);
                    self.close();
                    return Poll::Ready(Ok(Some(last)));
                }
                State::Aborting { flushed: true } => {
                    self.close();
                    return Poll::Ready(Err(Aborted));
                }
                State::Aborting { flushed } => {
                    // The connection writes out what it has when a body has
                    // nothing for it, and drops it when a body fails.
                    *flushed = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Relaying => {
                    if let Some(piece) = std::task::ready!(self.poll_upstream(context)) {
                        return Poll::Ready(Ok(Some(piece)));
                    }
                }
            }
        }
    }

    /// A piece to pass on, or none when the state has changed or the piece is
    /// not for the caller.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ear.phase() == Phase::Expired {
            self.break_off(&error_response::shutting_down());
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(self.take(first));
        }
        match self.body.poll_piece(context) {
            Poll::Ready(Some(Ok(piece))) => Poll::Ready(self.take(piece)),
            Poll::Ready(Some(Err(_))) => {
                self.break_off(&error_response::stream_disconnected());
                Poll::Ready(None)
            }
            Poll::Ready(None) => Poll::Ready(self.upstream_ended(None)),
            Poll::Pending => self.wait(context),
        }
    }

    fn take(&mut self, piece: Bytes) -> Option<Bytes> {
        self.patience.fed();
        if let Some(learner) = &mut self.learner
            && learner.feed(&piece, self.body.has_ended())
        {
            self.learner = None;
        }
        let mut piece = self.tap.feed(piece);
        if let Some(translator) = &mut self.translator {
            piece = piece.and_then(|piece| translator.tell(&piece));
            if translator.is_broken() {
                self.break_off(&error_response::stream_malformed());
                return self.pass(piece);
            }
        }
        if let Some(meter) = &mut self.meter {
            let stream = self.tap.stream().map(|stream| stream.first_data());
            meter.piece(stream == Some(true));
            if stream != Some(false) {
                self.patience.begun();
            }
        }
        if self.body.has_ended() {
            self.upstream_ended(piece)
        } else {
            self.pass(piece)
        }
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ear.poll(context) == Phase::Expired {
            self.break_off(&error_response::shutting_down());
            return Poll::Ready(None);
        }
        match std::task::ready!(self.patience.poll_late(context)) {
            Late::Silent => self.break_off(&error_response::stream_stalled()),
            Late::TooLong => self.break_off(&error_response::stream_too_long()),
            Late::Quiet => return Poll::Ready(self.comment()),
        }
        Poll::Ready(None)
    }

    /// A sign of life, where one can stand between two events.
    fn comment(&mut self) -> Option<Bytes> {
        let stream = self.tap.stream()?;
        let goes_on = !stream.is_done() && !stream.upstream_error();
        let comment = (goes_on && stream.interpose()).then_some(KEEP_ALIVE);
        self.pass(comment.map(Bytes::from_static))
    }

    fn pass(&mut self, piece: Option<Bytes>) -> Option<Bytes> {
        if let (Some(piece), Some(meter)) = (&piece, &mut self.meter) {
            meter.passed(piece.len());
        }
        piece
    }

    /// The upstream has ended its body as it should. `piece` is the last one.
    fn upstream_ended(&mut self, piece: Option<Bytes>) -> Option<Bytes> {
        let mut outcome = self.whole;
        let mut piece = piece;
        if let Some(stream) = self.tap.stream() {
            if stream.upstream_error() {
                outcome = Outcome::UpstreamError;
            } else if self.whole == Outcome::Ok && !stream.is_complete() {
                self.break_off(&error_response::stream_incomplete());
                return self.pass(piece);
            }
            let rest = stream.end();
            if let Some(translator) = &mut self.translator {
                piece = joined(piece, translator.end(rest));
                if !translator.is_over() {
                    self.break_off(&error_response::stream_incomplete());
                    return self.pass(piece);
                }
            } else {
                piece = joined(piece, rest);
            }
        }
        self.settle(outcome, None);
        let piece = self.pass(piece);
        self.close();
        piece
    }

    /// The answer cannot go on. A stream between two events gets one more that
    /// says so; anything else is broken off.
    fn break_off(&mut self, failure: &Failure) {
        let mut state = State::Aborting { flushed: false };
        let mut outcome = failure.outcome;
        let mut code = Some(failure.error.code);
        if let Some(stream) = self.tap.stream() {
            let is_broken = self.translator.as_ref().is_some_and(|it| it.is_broken());
            let has_said_it_all =
                stream.is_done() || stream.upstream_error() && stream.at_boundary();
            if has_said_it_all && !is_broken {
                // Only the framing is missing: the answer is complete, or the
                // upstream itself has said why it is not.
                let failed = stream.upstream_error();
                outcome = if failed {
                    Outcome::UpstreamError
                } else {
                    self.whole
                };
                code = None;
                let mut rest = stream.end();
                if let Some(translator) = &mut self.translator {
                    rest = translator.end(rest);
                }
                state = State::Closing(rest.unwrap_or_default());
            } else if self.translator.is_some() || stream.at_boundary() {
                state = State::Closing(failure.to_event(self.dialect));
            }
        }
        self.settle(outcome, code);
        if let State::Closing(last) = &state {
            let last = last.clone();
            self.pass(Some(last));
        }
        self.state = state;
    }

    /// Says how the request ended, unless that is known.
    pub(super) fn settle(&mut self, outcome: Outcome, code: Option<&'static str>) {
        if let Some(meter) = &mut self.meter {
            meter.ends(outcome, code);
        }
    }

    fn close(&mut self) {
        self.state = State::Ended;
        if let Some(mut meter) = self.meter.take() {
            meter.used(self.tap.usage());
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The caller left; what was reported until then still counts.
        self.close();
    }
}

fn joined(one: Option<Bytes>, other: Option<Bytes>) -> Option<Bytes> {
    match (one, other) {
        (Some(one), Some(other)) => Some([one, other].concat().into()),
        (one, other) => one.or(other),
    }
}
