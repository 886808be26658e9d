//! The body of a response to a client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::relay::{Aborted, Relay};
use super::tunnel::Tunnel;
use crate::error_response;
use crate::metering::RequestOutcome;

pub enum ResponseBody {
    /// A response of ours, in one chunk.
    Full(Option<Bytes>),
    Relay(Box<Relay>),
    /// An upstream's body, in the form of another API.
    Converted(Box<dyn BodyConverter>),
    /// A response of ours, chunk by chunk.
    Stream(Pin<Box<LocalStream>>),
    /// No body: an upgraded connection follows.
    Tunnel(Box<Tunnel>),
}

/// Converts a body chunk by chunk.
pub trait BodyConverter {
    /// The next chunk of the converted body.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>>;

    /// The body that is converted.
    fn source(&mut self) -> &mut ResponseBody;
}

type LocalStream = dyn Body<Data = Bytes, Error = Infallible>;

// === impl ResponseBody ===

impl ResponseBody {
    #[must_use]
    pub fn full(bytes: Bytes) -> Self {
        Self::Full(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    #[must_use]
    pub fn local_stream(body: impl Body<Data = Bytes, Error = Infallible> + 'static) -> Self {
        Self::Stream(Box::pin(body))
    }

    /// Gives up the body after a panic in it.
    pub fn fail(&mut self) -> Aborted {
        let failure = error_response::internal_error();
        if let Some(relay) = self.relay() {
            relay.set_outcome(failure.outcome, Some(failure.body.code));
        }
        *self = Self::Full(None);
        Aborted
    }

    /// Records that the body is dropped because the client does not read it.
    pub fn on_client_stalled(&mut self) {
        if let Some(relay) = self.relay() {
            relay.set_outcome(RequestOutcome::ClientStalled, None);
        }
    }

    fn relay(&mut self) -> Option<&mut Relay> {
        match self {
            Self::Relay(relay) => Some(relay),
            Self::Converted(converter) => converter.source().relay(),
            _ => None,
        }
    }

    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        if !matches!(self, Self::Tunnel(_)) {
            return None;
        }
        match std::mem::replace(self, Self::Full(None)) {
            Self::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut *self {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => relay.poll(context).map(|chunk| {
                let chunk = chunk.transpose()?;
                Some(chunk.map(Frame::data))
            }),
            Self::Converted(converter) => converter.poll_chunk(context).map_ok(Frame::data),
            Self::Stream(body) => {
                let frame = body.as_mut().poll_frame(context);
                frame.map_err(|never| match never {})
            }
            Self::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.has_ended(),
            Self::Converted(_) => false,
            Self::Stream(body) => body.is_end_stream(),
            Self::Tunnel(_) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            // A relayed Content-Length is in the headers.
            Self::Relay(_) | Self::Converted(_) | Self::Stream(_) | Self::Tunnel(_) => {
                SizeHint::default()
            }
        }
    }
}
