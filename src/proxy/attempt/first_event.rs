//! Waits for the first event of a stream before it is relayed: until then another
//! target can be tried, unnoticed by the client.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout_at;

use super::AcceptedResponse;
use super::classify::Verdict;
use crate::error_response;
use crate::routing::AttemptOutcome;
use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::{FinishRule, StreamInspector};

/// Bytes held back. Keep-alive comments amount to some hundred bytes; a first event
/// larger than this counts as a success.
const MAX_HELD: usize = 64 * 1024;

/// The start of a stream.
#[derive(Debug)]
struct Prefix {
    chunks: Vec<Bytes>,
    len: usize,
    rule: FinishRule,
    inspector: StreamInspector,
}

enum NextChunk {
    Chunk(Bytes),
    End,
    Broken,
    TimedOut,
}

/// Classifies a response with a good status by the first event of a stream, or the
/// first byte of anything else.
pub(super) async fn classify(mut accepted: AcceptedResponse) -> Verdict {
    let is_stream = accepted.media_type == MediaType::EventStream;
    if accepted.first_chunk.is_some() {
        return Verdict::Accept(accepted);
    }
    let mut prefix = Prefix::new(accepted.finish_rule);
    let failure = loop {
        match next(&mut accepted).await {
            NextChunk::Chunk(chunk) if is_stream => prefix.push(chunk),
            NextChunk::Chunk(chunk) if chunk.is_empty() => {}
            NextChunk::Chunk(chunk) => {
                accepted.first_chunk = Some(chunk);
                return Verdict::Accept(accepted);
            }
            NextChunk::End if is_stream => break prefix.at_end(),
            // An empty body is not even an empty object.
            NextChunk::End => break Some(AttemptOutcome::Failed),
            // The head is no result yet, and the upstream was working.
            NextChunk::Broken => {
                return Verdict::unusable(
                    AttemptOutcome::MaybeProcessed,
                    error_response::upstream_disconnected(),
                );
            }
            NextChunk::TimedOut => {
                return Verdict::unusable(
                    AttemptOutcome::MaybeProcessed,
                    error_response::upstream_timeout(),
                );
            }
        }
        if prefix.inspector.has_data() {
            break prefix.failure();
        }
        if prefix.len > MAX_HELD {
            break None;
        }
    };
    accepted.first_chunk = prefix.concat();
    Verdict::of_response(accepted, failure)
}

async fn next(accepted: &mut AcceptedResponse) -> NextChunk {
    let deadline = accepted.timeouts.next_deadline();
    let body = &mut accepted.response.body;
    match timeout_at(deadline, poll_fn(|context| body.poll_chunk(context))).await {
        Ok(Some(Ok(chunk))) => NextChunk::Chunk(chunk),
        Ok(Some(Err(_))) => NextChunk::Broken,
        Ok(None) => NextChunk::End,
        Err(_) => NextChunk::TimedOut,
    }
}

// === impl Prefix ===

impl Prefix {
    fn new(rule: FinishRule) -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            rule,
            inspector: StreamInspector::new(rule, false),
        }
    }

    fn push(&mut self, chunk: Bytes) {
        self.inspector.feed(chunk.clone());
        self.len += chunk.len();
        self.chunks.push(chunk);
    }

    /// Whether the first event is an error, or the end of an empty stream.
    fn failure(&self) -> Option<AttemptOutcome> {
        let inspector = &self.inspector;
        let is_empty =
            self.rule == FinishRule::Chat && inspector.is_done() && inspector.event_count() == 1;
        (is_empty || inspector.has_error()).then_some(AttemptOutcome::Failed)
    }

    /// The body ended before the first event did.
    fn at_end(&mut self) -> Option<AttemptOutcome> {
        self.inspector.end();
        if self.inspector.has_data() {
            self.failure()
        } else {
            Some(AttemptOutcome::Failed)
        }
    }

    fn concat(mut self) -> Option<Bytes> {
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
