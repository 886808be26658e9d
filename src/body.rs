//! The body of a request on its way upstream.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::wire::splice::Segments;

/// A spliced body: the caller's own bytes with two edits, handed to the
/// connection piece by piece and never joined.
#[derive(Debug, Clone)]
pub struct Outgoing {
    segments: Segments,
}

impl Outgoing {
    /// A body of these pieces.
    #[must_use]
    pub fn new(segments: Segments) -> Self {
        Self { segments }
    }

    /// The pieces that were not taken yet, in order.
    pub fn pieces(&self) -> std::slice::Iter<'_, Bytes> {
        self.segments.iter()
    }

    /// The bytes in them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(
            self.segments
                .take_next()
                .map(|bytes| Ok(Frame::data(bytes))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.segments.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.segments.len() as u64)
    }
}
