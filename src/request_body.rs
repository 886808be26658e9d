//! The body of a request on its way upstream.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::wire::splice::Segments;

/// A body on its way upstream.
#[derive(Debug, Clone)]
pub struct Outgoing(Content);

#[derive(Debug, Clone)]
enum Content {
    /// The caller's own bytes with two edits, handed to the connection piece by
    /// piece and never joined.
    Held(Segments),
    /// What comes while it goes.
    Passing(Passing),
    /// There is no body, nor a word of one.
    Absent,
}

/// A body that comes while it goes. It can be sent once only: clones share what
/// is left of it.
#[derive(Clone)]
pub struct Passing(Rc<RefCell<Source>>);

struct Source {
    body: Pin<Box<dyn Body<Data = Bytes, Error = Interrupted>>>,
    /// Bytes in all of it, where that was announced.
    length: Option<u64>,
    begun: bool,
    /// When a piece was last taken.
    moved: Instant,
}

/// How far a body goes, and so how its end is told (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// There is none.
    Absent,
    /// By so many bytes.
    Length(u64),
    /// By its last chunk.
    Chunked,
}

/// What was to be passed on did not come, or must not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl Outgoing {
    /// A body of these pieces.
    #[must_use]
    pub fn new(segments: Segments) -> Self {
        Self(Content::Held(segments))
    }

    /// A body that comes while it goes.
    #[must_use]
    pub fn passing(passing: Passing) -> Self {
        Self(Content::Passing(passing))
    }

    /// No body.
    #[must_use]
    pub fn absent() -> Self {
        Self(Content::Absent)
    }

    /// The pieces that are here and were not taken yet, in order.
    pub fn pieces(&self) -> std::slice::Iter<'_, Bytes> {
        match &self.0 {
            Content::Held(segments) => segments.iter(),
            Content::Passing(_) | Content::Absent => [].iter(),
        }
    }

    /// What comes while it goes, if that is so.
    #[must_use]
    pub fn as_passing(&self) -> Option<&Passing> {
        match &self.0 {
            Content::Passing(passing) => Some(passing),
            Content::Held(_) | Content::Absent => None,
        }
    }

    /// How far it goes.
    #[must_use]
    pub fn extent(&self) -> Extent {
        match &self.0 {
            Content::Held(segments) => Extent::Length(segments.len() as u64),
            Content::Absent => Extent::Absent,
            Content::Passing(passing) => {
                let length = passing.0.borrow().length;
                length.map_or(Extent::Chunked, Extent::Length)
            }
        }
    }
}

impl Passing {
    /// A body of `length` bytes, where that was announced.
    #[must_use]
    pub fn new(
        body: impl Body<Data = Bytes, Error = Interrupted> + 'static,
        length: Option<u64>,
    ) -> Self {
        Self(Rc::new(RefCell::new(Source {
            body: Box::pin(body),
            length,
            begun: false,
            moved: Instant::now(),
        })))
    }

    /// Whether any of it was taken, so that it cannot be sent from its start.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.borrow().begun
    }

    /// When a piece of it was last taken.
    #[must_use]
    pub fn moved(&self) -> Instant {
        self.0.borrow().moved
    }

    /// The next piece; none at the end.
    pub fn poll_piece(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Interrupted>>> {
        let mut source = self.0.borrow_mut();
        source.begun = true;
        loop {
            let Some(frame) = std::task::ready!(source.body.as_mut().poll_frame(context)) else {
                source.moved = Instant::now();
                return Poll::Ready(None);
            };
            // Trailers speak of the caller's connection.
            match frame.map(Frame::into_data) {
                Ok(Ok(piece)) if piece.is_empty() => {}
                Ok(Ok(piece)) => {
                    source.moved = Instant::now();
                    return Poll::Ready(Some(Ok(piece)));
                }
                Ok(Err(_)) => {}
                Err(interrupted) => return Poll::Ready(Some(Err(interrupted))),
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match &mut self.0 {
            Content::Held(segments) => {
                Poll::Ready(segments.take_next().map(|bytes| Ok(Frame::data(bytes))))
            }
            Content::Passing(passing) => {
                let piece = passing.poll_piece(context);
                piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
            Content::Absent => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Held(segments) => segments.is_empty(),
            Content::Passing(passing) => passing.0.borrow().body.is_end_stream(),
            Content::Absent => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.extent() {
            Extent::Absent => SizeHint::with_exact(0),
            Extent::Length(length) => SizeHint::with_exact(length),
            Extent::Chunked => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Passing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passing")
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body was interrupted")
    }
}

impl std::error::Error for Interrupted {}
