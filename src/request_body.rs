//! Request bodies: as received from the client, and as sent to an upstream.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::wire::splice::Segments;

/// Bytes that a connection to a client reads at a time, at most: so much memory a frame
/// of a body may hold, however short it is.
pub const READ_BUFFER: usize = 128 * 1024;

/// The body of a client's request.
pub trait IncomingBody: Body<Data = Bytes, Error = hyper::Error> {}

impl<B: Body<Data = Bytes, Error = hyper::Error>> IncomingBody for B {}

/// The body of a request to an upstream.
#[derive(Debug, Clone)]
pub struct RequestBody(Content);

#[derive(Debug, Clone)]
enum Content {
    /// The client's own bytes with two edits, passed to the connection as segments and
    /// never joined.
    Buffered(Segments),
    Streaming(StreamingBody),
    /// No body, and no Content-Length.
    Empty,
}

/// A body that is sent while it is received. It can be sent only once: clones share
/// what is left of it.
#[derive(Clone)]
pub struct StreamingBody(Rc<RefCell<Source>>);

struct Source {
    body: Pin<Box<dyn Body<Data = Bytes, Error = BodyAborted>>>,
    /// Its Content-Length, if known.
    length: Option<u64>,
    started: bool,
    last_read_at: Instant,
}

/// How the end of a body is marked (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    Empty,
    Length(u64),
    Chunked,
}

/// The body did not arrive, or must not be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyAborted;

impl RequestBody {
    #[must_use]
    pub fn buffered(segments: Segments) -> Self {
        Self(Content::Buffered(segments))
    }

    #[must_use]
    pub fn streaming(streaming: StreamingBody) -> Self {
        Self(Content::Streaming(streaming))
    }

    #[must_use]
    pub fn empty() -> Self {
        Self(Content::Empty)
    }

    /// The buffered chunks that are not sent yet, in order.
    pub fn chunks(&self) -> std::slice::Iter<'_, Bytes> {
        match &self.0 {
            Content::Buffered(segments) => segments.iter(),
            Content::Streaming(_) | Content::Empty => [].iter(),
        }
    }

    #[must_use]
    pub fn as_streaming(&self) -> Option<&StreamingBody> {
        match &self.0 {
            Content::Streaming(streaming) => Some(streaming),
            Content::Buffered(_) | Content::Empty => None,
        }
    }

    #[must_use]
    pub fn framing(&self) -> Framing {
        match &self.0 {
            Content::Buffered(segments) => Framing::Length(segments.len() as u64),
            Content::Empty => Framing::Empty,
            Content::Streaming(streaming) => {
                let length = streaming.0.borrow().length;
                length.map_or(Framing::Chunked, Framing::Length)
            }
        }
    }
}

impl StreamingBody {
    #[must_use]
    pub fn new(
        body: impl Body<Data = Bytes, Error = BodyAborted> + 'static,
        length: Option<u64>,
    ) -> Self {
        Self(Rc::new(RefCell::new(Source {
            body: Box::pin(body),
            length,
            started: false,
            last_read_at: Instant::now(),
        })))
    }

    /// Whether any of it was read, so that it cannot be sent from its start.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.0.borrow().started
    }

    #[must_use]
    pub fn last_read_at(&self) -> Instant {
        self.0.borrow().last_read_at
    }

    pub fn poll_chunk(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyAborted>>> {
        let mut source = self.0.borrow_mut();
        source.started = true;
        loop {
            let Some(frame) = std::task::ready!(source.body.as_mut().poll_frame(context)) else {
                source.last_read_at = Instant::now();
                return Poll::Ready(None);
            };
            // Trailers belong to the client's connection: dropped.
            match frame.map(Frame::into_data) {
                Ok(Ok(chunk)) if chunk.is_empty() => {}
                Ok(Ok(chunk)) => {
                    source.last_read_at = Instant::now();
                    return Poll::Ready(Some(Ok(chunk)));
                }
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        match &mut self.0 {
            Content::Buffered(segments) => {
                Poll::Ready(segments.pop_front().map(|bytes| Ok(Frame::data(bytes))))
            }
            Content::Streaming(streaming) => {
                let chunk = streaming.poll_chunk(context);
                chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
            Content::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Buffered(segments) => segments.is_empty(),
            Content::Streaming(streaming) => streaming.0.borrow().body.is_end_stream(),
            Content::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing() {
            Framing::Empty => SizeHint::with_exact(0),
            Framing::Length(length) => SizeHint::with_exact(length),
            Framing::Chunked => SizeHint::default(),
        }
    }
}

impl fmt::Debug for StreamingBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StreamingBody")
    }
}

impl fmt::Display for BodyAborted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the request body was aborted")
    }
}

impl std::error::Error for BodyAborted {}
