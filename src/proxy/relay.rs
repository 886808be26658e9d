//! Passes an upstream's answer on, piece by piece as it comes.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::Worker;
use super::attempt::Accepted;
use super::curfew::{Ear, Phase};
use super::limits::Share;
use super::patience::{Late, Patience};
use super::reply::{self, Failure};
use crate::metering::{Meter, Outcome, Tap};
use crate::routing::InFlight;
use crate::upstream::ReplyBody;
use crate::wire::media::MediaType;

/// The body of an answer to a caller.
pub enum Answer {
    /// Our own words.
    Whole(Option<Bytes>),
    /// The upstream's.
    Relay(Box<Relay>),
    /// Our own, as they come.
    Stream(Pin<Box<OwnStream>>),
}

/// What we say piece by piece.
type OwnStream = dyn Body<Data = Bytes, Error = Infallible>;

/// An upstream's answer on its way to the caller.
#[derive(Debug)]
pub struct Relay {
    first: Option<Bytes>,
    body: ReplyBody,
    tap: Tap,
    meter: Option<Meter>,
    patience: Patience,
    ear: Ear,
    state: State,
    /// Outcome of the request when its answer comes whole.
    whole: Outcome,
    _seat: Share,
    _in_flight: Option<InFlight>,
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

/// An answer that must not look complete: the connection ends in a way that no
/// client takes for the end of the answer.
#[derive(Debug)]
pub struct Aborted;

/// The response that relays an accepted answer.
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
        gap,
        deadline,
        in_flight,
    } = accepted;
    let streams = media_type == MediaType::EventStream;
    meter.answers(reply.status.as_u16(), streams);
    let mut headers = reply.headers;
    reply::identify(&mut headers, meter.request_id());
    meter.waits();
    let relay = Relay {
        first,
        body: reply.body,
        tap: Tap::new(media_type, meter.endpoint().finish_rule(), hide_usage),
        whole: Outcome::of_status(reply.status.as_u16()),
        meter: Some(meter),
        patience: Patience::new(gap, deadline),
        ear: worker.curfew.listen(),
        state: State::Relaying,
        _seat: seat,
        _in_flight: in_flight,
    };
    let mut response = Response::new(Answer::relay(relay));
    *response.status_mut() = reply.status;
    *response.headers_mut() = headers;
    response
}

// ===== Answer =====

impl Answer {
    /// An answer of our own.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// An answer of our own that comes piece by piece.
    #[must_use]
    pub fn stream(body: impl Body<Data = Bytes, Error = Infallible> + 'static) -> Self {
        Self::Stream(Box::pin(body))
    }

    fn relay(mut relay: Relay) -> Self {
        // A body known to be empty is never asked for anything.
        if relay.first.is_none() && relay.body.has_ended() {
            let _ = relay.upstream_ended(None);
        }
        Self::Relay(Box::new(relay))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => relay.poll(context).map(|piece| {
                let piece = piece.transpose()?;
                Some(piece.map(Frame::data))
            }),
            Self::Stream(body) => {
                let frame = body.as_mut().poll_frame(context);
                frame.map_err(|never| match never {})
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Relay(relay) => matches!(relay.state, State::Ended),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            // The upstream's own length, where there is one, is in the headers.
            Self::Relay(_) | Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the answer was broken off")
    }
}

impl std::error::Error for Aborted {}

// ===== Relay =====

impl Relay {
    /// The next piece; `Ok(None)` is the end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Aborted>> {
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
            self.break_off(&reply::shutting_down());
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(self.take(first));
        }
        match self.body.poll_piece(context) {
            Poll::Ready(Some(Ok(piece))) => Poll::Ready(self.take(piece)),
            Poll::Ready(Some(Err(_))) => {
                self.break_off(&reply::stream_disconnected());
                Poll::Ready(None)
            }
            Poll::Ready(None) => Poll::Ready(self.upstream_ended(None)),
            Poll::Pending => self.wait(context),
        }
    }

    fn take(&mut self, piece: Bytes) -> Option<Bytes> {
        self.patience.fed();
        let piece = self.tap.feed(piece);
        if let Some(meter) = &mut self.meter {
            let has_data = self.tap.stream().is_some_and(|stream| stream.first_data());
            meter.piece(has_data);
        }
        if self.body.has_ended() {
            self.upstream_ended(piece)
        } else {
            self.pass(piece)
        }
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ear.poll(context) == Phase::Expired {
            self.break_off(&reply::shutting_down());
            return Poll::Ready(None);
        }
        let late = std::task::ready!(self.patience.poll_late(context));
        self.break_off(&match late {
            Late::Silent => reply::stream_stalled(),
            Late::TooLong => reply::stream_too_long(),
        });
        Poll::Ready(None)
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
                self.break_off(&reply::stream_incomplete());
                return self.pass(piece);
            }
            piece = joined(piece, stream.end());
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
            if stream.is_done() || stream.upstream_error() && stream.at_boundary() {
                // Only the framing is missing: the answer is complete, or the
                // upstream itself has said why it is not.
                let failed = stream.upstream_error();
                outcome = if failed {
                    Outcome::UpstreamError
                } else {
                    self.whole
                };
                code = None;
                state = State::Closing(stream.end().unwrap_or_default());
            } else if stream.at_boundary() {
                state = State::Closing(failure.to_event());
            }
        }
        self.settle(outcome, code);
        if let State::Closing(last) = &state {
            let last = last.clone();
            self.pass(Some(last));
        }
        self.state = state;
    }

    fn settle(&mut self, outcome: Outcome, code: Option<&'static str>) {
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
