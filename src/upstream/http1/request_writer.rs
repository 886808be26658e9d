//! Writes a request: head and body in one vectored write, without joining them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::Transport;
use crate::request_body::{Framing, RequestBody, StreamingBody};

/// Of one write: a head, and a body of one frame with its two edits.
const USUAL_SLICES: usize = 6;
/// The same for a body of several frames.
const MAX_SLICES: usize = 32;

/// What is left to write of a request.
#[derive(Debug, Default)]
pub(super) struct RequestWriter {
    chunks: Vec<Bytes>,
    /// Index of the first chunk that is not written completely.
    next: usize,
    /// The rest of a streaming body.
    source: Option<Box<BodySource>>,
    /// How long it took to receive the streaming body so far.
    body_delay: Duration,
    started: bool,
    flushed: bool,
}

#[derive(Debug)]
struct BodySource {
    body: StreamingBody,
    /// Bytes left of the Content-Length; None for chunked encoding.
    remaining: Option<u64>,
    started_at: Instant,
    aborted: bool,
}

impl RequestWriter {
    pub(super) fn new(head: Bytes, body: &RequestBody) -> Self {
        let mut chunks = Vec::with_capacity(USUAL_SLICES);
        chunks.push(head);
        chunks.extend(body.chunks().cloned());
        Self {
            chunks,
            source: body.as_streaming().map(|streaming| {
                Box::new(BodySource {
                    body: streaming.clone(),
                    remaining: match body.framing() {
                        Framing::Length(length) => Some(length),
                        Framing::Empty | Framing::Chunked => None,
                    },
                    started_at: Instant::now(),
                    aborted: false,
                })
            }),
            ..Self::default()
        }
    }

    /// Whether any byte was written.
    pub(super) fn has_started(&self) -> bool {
        self.started
    }

    /// Whether every byte was written.
    pub(super) fn is_finished(&self) -> bool {
        self.flushed
    }

    /// Added to the response deadline: the time it took to receive a streaming body.
    pub(super) fn body_delay(&self) -> Duration {
        self.body_delay
    }

    /// Whether the streaming body ended early.
    pub(super) fn is_aborted(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.aborted)
    }

    /// Ready once everything is written and flushed.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut transport: Pin<&mut dyn Transport>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.next < self.chunks.len() {
                let unwritten = self.chunks.get(self.next..).unwrap_or_default();
                let transport = transport.as_mut();
                let written = ready!(if unwritten.len() <= USUAL_SLICES {
                    poll_write::<USUAL_SLICES>(context, transport, unwritten)
                } else {
                    poll_write::<MAX_SLICES>(context, transport, unwritten)
                })?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.started = true;
                self.advance(written);
            }
            match self.refill(context)? {
                // Flushed, so that the upstream gets it while the rest is waited for.
                Poll::Pending => {
                    ready!(transport.poll_flush(context))?;
                    return Poll::Pending;
                }
                Poll::Ready(true) => {}
                Poll::Ready(false) => break,
            }
        }
        ready!(transport.poll_flush(context))?;
        // Frees the request while the response is waited for.
        *self = Self {
            started: true,
            flushed: true,
            body_delay: self.body_delay,
            ..Self::default()
        };
        Poll::Ready(Ok(()))
    }

    /// Takes the next chunk of a streaming body; false when there is none.
    fn refill(&mut self, context: &mut Context<'_>) -> io::Result<Poll<bool>> {
        let Some(source) = &mut self.source else {
            return Ok(Poll::Ready(false));
        };
        let Poll::Ready(chunk) = source.body.poll_chunk(context) else {
            return Ok(Poll::Pending);
        };
        self.body_delay = source.started_at.elapsed();
        self.chunks.clear();
        self.next = 0;
        let incomplete = || io::Error::from(io::ErrorKind::UnexpectedEof);
        match (chunk, source.remaining) {
            (Some(Ok(chunk)), Some(remaining)) => {
                // Bytes beyond the length would be parsed as the next request.
                let remaining = remaining.checked_sub(chunk.len() as u64);
                source.aborted |= remaining.is_none();
                source.remaining = Some(remaining.ok_or_else(incomplete)?);
                self.chunks.push(chunk);
            }
            (Some(Ok(chunk)), None) => {
                // Chunked encoding (RFC 9112, section 7.1).
                self.chunks.push(format!("{:x}\r\n", chunk.len()).into());
                self.chunks.push(chunk);
                self.chunks.push(Bytes::from_static(b"\r\n"));
            }
            (None, Some(0)) => self.source = None,
            (None, None) => {
                self.chunks.push(Bytes::from_static(b"0\r\n\r\n"));
                self.source = None;
            }
            (None, Some(_)) | (Some(Err(_)), _) => {
                source.aborted = true;
                return Err(incomplete());
            }
        }
        Ok(Poll::Ready(!self.chunks.is_empty()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(chunk) = self.chunks.get_mut(self.next) {
            if written < chunk.len() {
                chunk.advance(written);
                return;
            }
            written -= chunk.len();
            *chunk = Bytes::new();
            self.next += 1;
        }
    }
}

/// Writes at most so many chunks at once.
fn poll_write<const SLICES: usize>(
    context: &mut Context<'_>,
    transport: Pin<&mut dyn Transport>,
    chunks: &[Bytes],
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    for (slice, chunk) in slices.iter_mut().zip(chunks) {
        *slice = IoSlice::new(chunk);
    }
    let count = chunks.len().min(SLICES);
    transport.poll_write_vectored(context, slices.get(..count).unwrap_or_default())
}
