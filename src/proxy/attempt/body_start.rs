//! The first bytes of a body, read before it is relayed.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::verdict::Verdict;
use crate::lazy_timer::{timeout, timeout_at};
use crate::proxy::body_timeouts::BodyTimeouts;
use crate::upstream::UpstreamBody;
use crate::wire::json_relay::first_byte;
use crate::wire::media_type::MediaType;

/// Bytes that are read to find the first one that is not blank, and of an error.
const MAX_READ: usize = 64 * 1024;
/// Time for an error. What has come until then decides.
const ERROR_TIMEOUT: Duration = Duration::from_secs(1);

/// What has been read of a body.
#[derive(Debug)]
pub(super) struct BodyStart {
    chunks: Vec<Bytes>,
    len: usize,
    is_blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blanks {
    /// They are forwarded as they come: a client may wait for them.
    End,
    Skip,
}

pub(super) enum NextChunk {
    Chunk(Bytes),
    End,
    Broken,
    TimedOut,
}

pub(super) async fn next_chunk(body: &mut UpstreamBody, timeouts: &BodyTimeouts) -> NextChunk {
    let deadline = timeouts.next_deadline();
    match timeout_at(deadline, poll_fn(|context| body.poll_chunk(context))).await {
        Ok(Some(Ok(chunk))) => NextChunk::Chunk(chunk),
        Ok(Some(Err(_))) => NextChunk::Broken,
        Ok(None) => NextChunk::End,
        Err(_) => NextChunk::TimedOut,
    }
}

/// The body of an error, or as much of it as comes in time: it says early what it is
/// about.
pub(super) async fn read_error(body: &mut UpstreamBody, timeouts: &BodyTimeouts) -> Bytes {
    let mut start = BodyStart::default();
    let reading = async {
        while start.len() < MAX_READ {
            match next_chunk(body, timeouts).await {
                NextChunk::Chunk(chunk) => start.push(chunk),
                NextChunk::End | NextChunk::Broken | NextChunk::TimedOut => break,
            }
        }
    };
    // What was read is kept.
    let _ = timeout(ERROR_TIMEOUT, reading).await;
    start.into_bytes().unwrap_or_default()
}

// === impl BodyStart ===

impl BodyStart {
    /// Reads until the bytes show what the body is, or its end.
    pub(super) async fn read(
        &mut self,
        body: &mut UpstreamBody,
        timeouts: &BodyTimeouts,
        blanks: Blanks,
    ) -> Result<(), Verdict> {
        while self.media_type().is_none() && self.len < MAX_READ {
            if blanks == Blanks::End && self.is_blank && self.len > 0 {
                break;
            }
            match next_chunk(body, timeouts).await {
                NextChunk::Chunk(chunk) => self.push(chunk),
                NextChunk::End => break,
                NextChunk::Broken => return Err(Verdict::disconnected()),
                NextChunk::TimedOut => return Err(Verdict::timed_out()),
            }
        }
        Ok(())
    }

    /// Takes what has arrived already.
    pub(super) async fn poll_once(&mut self, body: &mut UpstreamBody) -> Result<(), Verdict> {
        let polled = poll_fn(|context| Poll::Ready(body.poll_chunk(context))).await;
        match polled {
            Poll::Ready(Some(Ok(chunk))) => self.push(chunk),
            Poll::Ready(Some(Err(_))) => return Err(Verdict::disconnected()),
            Poll::Ready(None) | Poll::Pending => {}
        }
        Ok(())
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        self.is_blank &= first_byte(&chunk).is_none();
        self.len += chunk.len();
        self.chunks.push(chunk);
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// What the body is, by its first bytes.
    pub(super) fn media_type(&self) -> Option<MediaType> {
        match &self.chunks[..] {
            _ if self.is_blank => None,
            [only] => MediaType::of_bytes(only),
            chunks => MediaType::of_bytes(&chunks.concat()),
        }
    }

    /// In one chunk.
    pub(super) fn into_bytes(mut self) -> Option<Bytes> {
        if self.chunks.len() < 2 {
            return self.chunks.pop();
        }
        let mut whole = BytesMut::with_capacity(self.len);
        for chunk in self.chunks {
            whole.extend_from_slice(&chunk);
        }
        Some(whole.freeze())
    }
}

impl Default for BodyStart {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            is_blank: true,
        }
    }
}
