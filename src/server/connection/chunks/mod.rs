//! Reads of an HTTP/1 connection, in which small chunks of a request body are joined.
//!
//! hyper hands over each chunk by itself, in a turn of the connection's task: 3,200
//! instructions for a byte. So chunks that have arrived together reach it as one. It is
//! hyper that decides whether a body is chunked; what is needed here is where it begins.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use self::head_end::HeadEnd;
use self::merge::ChunkMerger;
use super::read_size::{ReadSize, SMALL_READ};
use super::state::ConnState;

mod head_end;
mod merge;
#[cfg(any(test, feature = "fuzzing"))]
pub mod oracle;
#[cfg(test)]
mod tests;

/// Bytes of small chunks that are read at a time if there is room for large buffers.
const DENSE_READ: usize = 32 * 1024;

/// Whether hyper has been given exactly the head of a request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum BodyBoundary {
    #[default]
    Unknown,
    /// If the next request begins before more is read, its body does behind that.
    Here,
    /// It did, and its body is chunked.
    Chunked,
}

/// The reads of one connection.
#[derive(Debug)]
pub struct ChunkedReads {
    read_size: ReadSize,
    /// Boxed, as it is rare.
    body: Option<Box<ChunkedBody>>,
    /// Never, once something unusual was read where a head is expected.
    looks_for_heads: bool,
}

/// A chunked body that is being read, or may be.
#[derive(Debug)]
struct ChunkedBody {
    chunks: ChunkMerger,
    /// Bytes that hyper has not been given, from `at` to `end`.
    raw: Vec<u8>,
    at: usize,
    end: usize,
    /// The last bytes had chunks to join.
    is_dense: bool,
}

impl ChunkedReads {
    pub fn new(read_size: ReadSize, is_http1: bool) -> Self {
        Self {
            read_size,
            body: None,
            looks_for_heads: is_http1,
        }
    }

    pub fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        state: &ConnState,
    ) -> Poll<io::Result<()>> {
        match state.take_body_boundary() {
            BodyBoundary::Unknown => {}
            // What was taken for a head was none.
            BodyBoundary::Here => self.looks_for_heads = false,
            BodyBoundary::Chunked => {
                self.body.get_or_insert_default().chunks = ChunkMerger::at_body();
            }
        }
        if let Some(body) = &mut self.body {
            let polled = body.poll_read(&mut self.read_size, stream, context, buffer);
            if body.has_ended() {
                self.body = None;
            }
            return polled;
        }
        let before = buffer.filled().len();
        let polled = self.read_size.poll_read(stream, context, buffer);
        if self.looks_for_heads && !state.is_busy() {
            self.end_read_with_head(buffer, before, state);
        }
        polled
    }

    /// Keeps back what follows a head if it may be a chunked body.
    fn end_read_with_head(&mut self, buffer: &mut ReadBuf<'_>, before: usize, state: &ConnState) {
        let read = buffer.filled().get(before..).unwrap_or_default();
        let end = match HeadEnd::find(read) {
            HeadEnd::Absent => return,
            HeadEnd::Unclear => {
                self.looks_for_heads = false;
                return;
            }
            HeadEnd::At(end) => end,
        };
        let Some((head, rest)) = read.split_at_checked(end) else {
            return;
        };
        if !rest.first().is_none_or(u8::is_ascii_hexdigit) {
            // No chunked body begins so.
            return;
        }
        if !HeadEnd::is_certain(head) {
            self.looks_for_heads = false;
            return;
        }
        if !rest.is_empty() {
            self.body = Some(Box::new(ChunkedBody::with_unread(rest)));
            buffer.set_filled(before + end);
        }
        state.set_body_boundary(BodyBoundary::Here);
    }

    /// Bytes that hyper has not been given.
    pub fn into_unread(self) -> Vec<u8> {
        self.body
            .map_or_else(Vec::new, |body| body.unread().to_vec())
    }
}

impl ChunkedBody {
    fn with_unread(raw: &[u8]) -> Self {
        Self {
            chunks: ChunkMerger::inactive(),
            raw: raw.to_vec(),
            at: 0,
            end: raw.len(),
            is_dense: false,
        }
    }

    fn unread(&self) -> &[u8] {
        self.raw.get(self.at..self.end).unwrap_or_default()
    }

    /// What follows is read as it is.
    fn has_ended(&self) -> bool {
        !self.chunks.is_active() && self.at == self.end
    }

    fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        read_size: &mut ReadSize,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.end {
            let read = if self.is_dense {
                self.poll_read_dense(read_size, stream, context)
            } else {
                self.poll_read_through(read_size, stream, context, buffer)
            };
            ready!(read)?;
            self.is_dense = false;
        }
        self.merge_into(buffer);
        Poll::Ready(Ok(()))
    }

    /// Reads more than hyper would: there is less of it once it is joined.
    fn poll_read_dense<S: AsyncRead + Unpin>(
        &mut self,
        read_size: &mut ReadSize,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let length = if read_size.is_large() {
            DENSE_READ
        } else {
            SMALL_READ
        };
        self.raw.resize(length, 0);
        let mut read = ReadBuf::new(&mut self.raw);
        let polled = read_size.poll_read(stream, context, &mut read);
        (self.at, self.end) = (0, read.filled().len());
        if self.end == 0 {
            // Not while more is awaited.
            self.raw = Vec::new();
        }
        polled
    }

    /// Reads into hyper's buffer, and takes back what begins with chunks to join.
    fn poll_read_through<S: AsyncRead + Unpin>(
        &mut self,
        read_size: &mut ReadSize,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = read_size.poll_read(stream, context, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        let passed = self.chunks.pass(read);
        if let Some(rest @ [_, ..]) = read.get(passed..) {
            self.raw.clear();
            self.raw.extend_from_slice(rest);
            (self.at, self.end) = (0, rest.len());
            buffer.set_filled(before + passed);
        }
        polled
    }

    fn merge_into(&mut self, buffer: &mut ReadBuf<'_>) {
        let unread = self.raw.get(self.at..self.end).unwrap_or_default();
        if unread.is_empty() {
            return;
        }
        let room = buffer.initialize_unfilled_to(buffer.remaining().min(unread.len()));
        let (taken, written) = self.chunks.merge(unread, room);
        buffer.advance(written);
        self.at += taken;
        self.is_dense |= written < taken;
        if self.at == self.end && !self.is_dense {
            self.raw = Vec::new();
        }
    }
}

impl Default for ChunkedBody {
    fn default() -> Self {
        Self::with_unread(&[])
    }
}
