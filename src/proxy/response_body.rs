//! What callers get: our own words, or an upstream's.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::relay::Relay;
use super::tunnel::Tunnel;
use crate::error_response;
use crate::metering::Outcome;

/// The body of an answer to a caller.
pub enum Answer {
    /// Our own words.
    Whole(Option<Bytes>),
    /// The upstream's.
    Relay(Box<Relay>),
    /// Our own, as they come.
    Stream(Pin<Box<OwnStream>>),
    /// None: what follows is no HTTP any more.
    Tunnel(Box<Tunnel>),
}

/// What we say piece by piece.
type OwnStream = dyn Body<Data = Bytes, Error = Infallible>;

/// An answer that must not look complete: the connection ends in a way that no
/// client takes for the end of the answer.
#[derive(Debug)]
pub struct Aborted;

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

    /// Gives it up after a panic within it: what it was to say next cannot be
    /// known.
    pub fn fail(&mut self) -> Aborted {
        if let Self::Relay(relay) = self {
            let failure = error_response::internal_error();
            relay.settle(failure.outcome, Some(failure.error.code));
        }
        *self = Self::Whole(None);
        Aborted
    }

    /// Notes that it is given up because its caller takes nothing of it.
    pub fn stalled(&mut self) {
        if let Self::Relay(relay) = self {
            relay.settle(Outcome::ClientStalled, None);
        }
    }

    /// Takes out what is to follow in place of a body.
    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        if !matches!(self, Self::Tunnel(_)) {
            return None;
        }
        match std::mem::replace(self, Self::Whole(None)) {
            Self::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        }
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
            Self::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.has_ended(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Tunnel(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            // The upstream's own length, where there is one, is in the headers.
            Self::Relay(_) | Self::Stream(_) | Self::Tunnel(_) => SizeHint::default(),
        }
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the answer was broken off")
    }
}

impl std::error::Error for Aborted {}
