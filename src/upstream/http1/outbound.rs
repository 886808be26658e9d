//! A request on its way out: head and body in the pieces they come in, written
//! together.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::Socket;
use crate::request_body::{Extent, Outgoing, Passing};

/// Pieces handed to the system at once: a head, and a body with its two edits.
const AT_ONCE: usize = 6;

/// What is still to be written of a request.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    pieces: Vec<Bytes>,
    next: usize,
    /// Where the rest comes from, if it is not all here.
    source: Option<Box<Source>>,
    /// How long it took for that to come.
    delay: Duration,
    begun: bool,
    flushed: bool,
}

/// The rest of a body that comes while it goes.
#[derive(Debug)]
struct Source {
    body: Passing,
    /// Bytes still to come, where they were counted; else chunks are made.
    left: Option<u64>,
    began: Instant,
    broken: bool,
}

impl Outbound {
    pub(super) fn new(head: Bytes, body: &Outgoing) -> Self {
        let mut pieces = Vec::with_capacity(AT_ONCE);
        pieces.push(head);
        pieces.extend(body.pieces().cloned());
        Self {
            pieces,
            source: body.as_passing().map(|passing| {
                Box::new(Source {
                    body: passing.clone(),
                    left: match body.extent() {
                        Extent::Length(length) => Some(length),
                        Extent::Absent | Extent::Chunked => None,
                    },
                    began: Instant::now(),
                    broken: false,
                })
            }),
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

    /// How much later than others its answer is due, since its body passes while
    /// it comes.
    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether the rest of the body will never come.
    pub(super) fn is_broken(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.broken)
    }

    /// Writes what the connection takes.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut socket: Pin<&mut dyn Socket>,
    ) -> Poll<io::Result<()>> {
        loop {
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
            match self.refill(context)? {
                // What is written is to arrive while the rest is waited for.
                Poll::Pending => {
                    ready!(socket.poll_flush(context))?;
                    return Poll::Pending;
                }
                Poll::Ready(true) => {}
                Poll::Ready(false) => break,
            }
        }
        ready!(socket.poll_flush(context))?;
        // What was sent need not be kept while the answer comes.
        *self = Self {
            begun: true,
            flushed: true,
            delay: self.delay,
            ..Self::default()
        };
        Poll::Ready(Ok(()))
    }

    /// Takes the next piece of a body that comes while it goes; false when
    /// there is none.
    fn refill(&mut self, context: &mut Context<'_>) -> io::Result<Poll<bool>> {
        let Some(source) = &mut self.source else {
            return Ok(Poll::Ready(false));
        };
        let Poll::Ready(piece) = source.body.poll_piece(context) else {
            return Ok(Poll::Pending);
        };
        self.delay = source.began.elapsed();
        self.pieces.clear();
        self.next = 0;
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        match (piece, source.left) {
            (Some(Ok(piece)), Some(left)) => {
                // One byte more would be taken for the next request.
                let rest = left.checked_sub(piece.len() as u64);
                source.broken |= rest.is_none();
                source.left = Some(rest.ok_or_else(cut)?);
                self.pieces.push(piece);
            }
            (Some(Ok(piece)), None) => {
                // A chunk (RFC 9112, section 7.1).
                self.pieces.push(format!("{:x}\r\n", piece.len()).into());
                self.pieces.push(piece);
                self.pieces.push(Bytes::from_static(b"\r\n"));
            }
            (None, Some(0)) => self.source = None,
            (None, None) => {
                self.pieces.push(Bytes::from_static(b"0\r\n\r\n"));
                self.source = None;
            }
            (None, Some(_)) | (Some(Err(_)), _) => {
                source.broken = true;
                return Err(cut());
            }
        }
        Ok(Poll::Ready(!self.pieces.is_empty()))
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
