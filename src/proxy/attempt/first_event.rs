//! Waits for the first event of a stream, or for all of a short JSON text, before it is
//! relayed: until then another target can be tried, unnoticed by the client.

use bytes::Bytes;

use super::AcceptedResponse;
use super::body_start::{BodyStart, NextChunk, next_chunk};
use super::verdict::Verdict;
use crate::routing::AttemptOutcome;
use crate::wire::endpoint::Endpoint;
use crate::wire::failure::Blame;
use crate::wire::json_relay::{JsonEnd, JsonInspector, is_json};
use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::{FinishRule, StreamInspector};

/// Bytes held back. Keep-alive comments amount to some hundred bytes, and reports of
/// failures are short; anything larger counts as a success.
const MAX_HELD: usize = 64 * 1024;

/// The start of a body.
#[derive(Debug)]
struct Held {
    start: BodyStart,
    rule: FinishRule,
    kind: HeldKind,
}

#[derive(Debug)]
enum HeldKind {
    Stream(Box<StreamInspector>),
    Json(Box<JsonInspector>),
    /// Its first byte is enough.
    Any,
}

/// Why no more of the body needs to be held back.
enum Decision {
    Accept,
    Failed(AttemptOutcome),
    /// There is nothing that a client could use.
    Empty,
}

/// Classifies a response with a good status: by the first event of a stream, by the
/// whole of a short JSON text, or by the first byte of anything else. What begins with
/// blanks is not held: a client may wait for them.
pub(super) async fn classify(mut accepted: AcceptedResponse, endpoint: Endpoint) -> Verdict {
    if !accepted.response.status.is_success() {
        return Verdict::Accept(accepted);
    }
    let mut held = Held::new(&accepted, endpoint);
    let mut first = accepted.first_chunk.take();
    let decision = loop {
        let next = match first.take() {
            Some(chunk) => NextChunk::Chunk(chunk),
            None => next_chunk(&mut accepted.response.body, &accepted.timeouts).await,
        };
        match next {
            NextChunk::Chunk(chunk) => {
                if let Some(decision) = held.push(chunk) {
                    break decision;
                }
            }
            NextChunk::End => break held.at_end(endpoint),
            // The head is no result yet, and the upstream was working.
            NextChunk::Broken => return Verdict::disconnected(),
            NextChunk::TimedOut => return Verdict::timed_out(),
        }
        if held.start.len() > 0 && !matches!(held.kind, HeldKind::Stream(_)) {
            // That deadline was the one of the first byte.
            accepted.timeouts.first_event_by = None;
        }
    };
    accepted.first_chunk = held.start.into_bytes();
    match decision {
        Decision::Accept => Verdict::Accept(accepted),
        Decision::Failed(outcome) => Verdict::of_response(accepted, Some(outcome)),
        Decision::Empty => Verdict::empty(),
    }
}

/// How an attempt failed whose response has a good status and reports a failure.
pub(super) fn failure_outcome(blame: Option<Blame>) -> AttemptOutcome {
    match blame {
        Some(Blame::Request) => AttemptOutcome::Rejected,
        Some(Blame::Key) => AttemptOutcome::Unauthorized,
        Some(Blame::Permission) => AttemptOutcome::Forbidden,
        Some(Blame::Upstream) | None => AttemptOutcome::Failed,
    }
}

// === impl Held ===

impl Held {
    fn new(accepted: &AcceptedResponse, endpoint: Endpoint) -> Self {
        let rule = accepted.finish_rule;
        let kind = match accepted.media_type {
            MediaType::EventStream => HeldKind::Stream(Box::new(StreamInspector::new(rule, false))),
            MediaType::Json if endpoint.has_result() => HeldKind::Json(Box::default()),
            _ => HeldKind::Any,
        };
        Self {
            start: BodyStart::default(),
            rule,
            kind,
        }
    }

    fn push(&mut self, chunk: Bytes) -> Option<Decision> {
        if self.start.is_blank() && matches!(self.kind, HeldKind::Stream(_)) && is_json(&chunk) {
            self.kind = HeldKind::Json(Box::default());
        }
        self.start.push(chunk.clone());
        let decision = match &mut self.kind {
            HeldKind::Stream(inspector) => {
                inspector.feed(chunk);
                inspector
                    .has_data()
                    .then(|| stream_decision(self.rule, inspector))
            }
            HeldKind::Json(inspector) => {
                inspector.feed(&chunk);
                if inspector.is_other() {
                    Some(Decision::Failed(AttemptOutcome::Failed))
                } else {
                    let begins_blank = self.start.is_blank() && self.start.len() > 0;
                    begins_blank.then_some(Decision::Accept)
                }
            }
            HeldKind::Any => (self.start.len() > 0).then_some(Decision::Accept),
        };
        let is_full = self.start.len() > MAX_HELD;
        decision.or_else(|| is_full.then_some(Decision::Accept))
    }

    /// The body has ended as it should.
    fn at_end(&mut self, endpoint: Endpoint) -> Decision {
        let failed = Decision::Failed(AttemptOutcome::Failed);
        match &mut self.kind {
            HeldKind::Stream(inspector) => {
                inspector.end();
                if inspector.has_data() {
                    stream_decision(self.rule, inspector)
                } else {
                    failed
                }
            }
            HeldKind::Json(inspector) => match inspector.end() {
                JsonEnd::Result => Decision::Accept,
                JsonEnd::Failure => Decision::Failed(failure_outcome(inspector.blame())),
                JsonEnd::Blank if endpoint.has_json_result() => Decision::Empty,
                JsonEnd::Blank | JsonEnd::Other => failed,
            },
            HeldKind::Any if endpoint.has_json_result() => Decision::Empty,
            HeldKind::Any => failed,
        }
    }
}

/// Whether the first event is an error, or the end of an empty stream.
fn stream_decision(rule: FinishRule, inspector: &StreamInspector) -> Decision {
    let is_empty = rule == FinishRule::Chat && inspector.is_done() && inspector.event_count() == 1;
    if inspector.has_error() {
        Decision::Failed(failure_outcome(inspector.blame()))
    } else if is_empty {
        Decision::Failed(AttemptOutcome::Failed)
    } else {
        Decision::Accept
    }
}
