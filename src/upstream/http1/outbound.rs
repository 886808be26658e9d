//! A request on its way out: head and body in the pieces they come in, written
//! together.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use super::Socket;
use crate::body::Outgoing;

/// Pieces handed to the system at once: a head, and a body with its two edits.
const AT_ONCE: usize = 6;

/// What is still to be written of a request.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    pieces: Vec<Bytes>,
    next: usize,
    begun: bool,
    flushed: bool,
}

impl Outbound {
    pub(super) fn new(head: Bytes, body: &Outgoing) -> Self {
        let mut pieces = Vec::with_capacity(AT_ONCE);
        pieces.push(head);
        pieces.extend(body.pieces().cloned());
        Self {
            pieces,
            ..Self::default()
        }
    }

    /// Whether any byte has left.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether every byte has left.
    pub(super) fn is_done(&self) -> bool {
        self.flushed
    }

    /// Writes what the connection takes.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut socket: Pin<&mut dyn Socket>,
    ) -> Poll<io::Result<()>> {
        while self.next < self.pieces.len() {
            let mut slices = [IoSlice::new(&[]); AT_ONCE];
            let left = self.pieces.iter().skip(self.next);
            for (slice, piece) in slices.iter_mut().zip(left) {
                *slice = IoSlice::new(piece);
            }
            let written = ready!(socket.as_mut().poll_write_vectored(context, &slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun = true;
            self.advance(written);
        }
        ready!(socket.poll_flush(context))?;
        // What was sent need not be kept while the answer comes.
        *self = Self {
            begun: true,
            flushed: true,
            ..Self::default()
        };
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.pieces.get_mut(self.next) {
            if written < piece.len() {
                piece.advance(written);
                return;
            }
            written -= piece.len();
            *piece = Bytes::new();
            self.next += 1;
        }
    }
}
