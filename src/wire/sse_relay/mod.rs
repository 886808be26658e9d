//! Inspects a streamed response while it is forwarded.
//!
//! The bytes are forwarded as they arrive; an event that spans chunks is
//! assembled on the side, for inspection only. The one exception is a usage event
//! that the gateway requested and the client did not: it is removed.

mod delta_size;
mod partial;
mod stream_state;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::failure::Blame;
use super::sse::EventSplitter;
use super::usage::Usage;
use partial::PartialEvent;
use stream_state::StreamState;

/// A longer event is not held back: no usage event is that long.
pub const MAX_HELD_BYTES: usize = 64 * 1024;

/// What marks a streamed response as complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishRule {
    /// Chat Completions and Completions: `[DONE]`, or a `finish_reason` that is not
    /// empty, since not every upstream sends `[DONE]`.
    Chat,
    /// The Responses API: one of its terminal events, or `[DONE]`.
    Responses,
    /// Anthropic's Messages: `message_stop`, or `error`.
    Messages,
    /// No end marker: only the transport knows whether the body is complete.
    EndOfBody,
}

#[derive(Debug)]
pub struct StreamInspector {
    rule: FinishRule,
    hide_usage: bool,
    splitter: EventSplitter,
    /// The event that is not complete yet.
    partial: PartialEvent,
    /// The next chunk's prefix must be removed: the rest of a removed event's line
    /// end, or a byte order mark after a comment.
    remove_prefix: bool,
    ended: bool,
    state: StreamState,
}

/// The part of a chunk that is forwarded. Nothing is copied unless bytes are
/// removed or prepended.
#[derive(Default)]
struct ChunkEdit {
    /// Bytes that had to be copied.
    out: BytesMut,
    /// The start of the rest of the chunk, which is neither in `out` nor removed.
    from: usize,
}

enum EventAction {
    Forward,
    /// Forward it after these bytes of it, which were held back.
    Prepend(Vec<u8>),
    Remove,
}

// === impl StreamInspector ===

impl StreamInspector {
    /// With `hide_usage`, the usage event after the response is removed.
    #[must_use]
    pub fn new(rule: FinishRule, hide_usage: bool) -> Self {
        Self {
            rule,
            hide_usage,
            splitter: EventSplitter::default(),
            partial: PartialEvent::default(),
            remove_prefix: false,
            ended: false,
            state: StreamState::default(),
        }
    }

    /// Returns the bytes to forward: those of the chunk, except around a hidden
    /// usage event.
    pub fn feed(&mut self, chunk: Bytes) -> Option<Bytes> {
        let mut edit = ChunkEdit::default();
        let mut from = self.splitter.start_chunk(&chunk);
        if from > 0 && self.remove_prefix {
            edit.remove(&chunk, 0..from);
        }
        loop {
            let rest = chunk.get(from..).unwrap_or_default();
            let Some(end) = self.splitter.next_event_end(rest) else {
                break;
            };
            let content = rest.get(..end.content).unwrap_or_default();
            match self.on_event(content) {
                EventAction::Forward => {}
                EventAction::Prepend(held) => edit.prepend(&held),
                EventAction::Remove => edit.remove(&chunk, from..from + end.event),
            }
            from += end.event;
        }
        self.on_partial_event(&chunk, from, &mut edit);
        edit.finish(chunk)
    }

    /// Ends the body, complete or not. Returns the bytes still held back.
    pub fn end(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        // Some upstreams omit the last empty line. An event of complete JSON
        // counts.
        let rest = self.partial.inspected();
        let is_usage = self.state.record_last_event(self.rule, &rest);
        if !self.partial.held {
            return None;
        }
        let held = Bytes::copy_from_slice(&rest);
        self.partial.held = false;
        if is_usage {
            self.partial.clear();
            return None;
        }
        Some(held)
    }

    /// True if the bytes forwarded so far end at the end of an event, or if there
    /// are none.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.partial.held || self.partial.is_empty()
    }

    /// True if a comment may follow the bytes forwarded so far. The caller is
    /// expected to insert one: a byte order mark that arrives later is removed,
    /// since it is one only at the start of a stream.
    pub fn may_insert_comment(&mut self) -> bool {
        if self.partial.held {
            return true;
        }
        let is_allowed =
            self.partial.is_empty() && self.splitter.is_between_events() && !self.ended;
        self.remove_prefix |= is_allowed && self.splitter.is_at_start();
        is_allowed
    }

    /// Always true for [`FinishRule::EndOfBody`].
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self.rule {
            FinishRule::Chat => self.state.done || self.state.finished,
            FinishRule::Responses | FinishRule::Messages => self.state.done,
            FinishRule::EndOfBody => true,
        }
    }

    /// True after the last event of the protocol: `[DONE]`, or a terminal event of
    /// the Responses API or of Messages.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state.done
    }

    /// True if an event reported an error.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.state.error.is_some()
    }

    /// Whose fault the error is, if an event reported one.
    #[must_use]
    pub fn blame(&self) -> Option<Blame> {
        self.state.error
    }

    /// True after an event with data; comments and empty events do not count.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.state.event_count > 0
    }

    /// The usage reported so far. Before the end, more of it may follow.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let report = self.state.usage.filter(|report| !report.is_zero())?;
        let mut usage = report.usage();
        usage.inexact |= !self.is_complete();
        Some(usage)
    }

    /// About how many tokens the response has so far, by the size of its events.
    #[must_use]
    pub fn delta_tokens(&self) -> u64 {
        self.state.deltas.tokens()
    }

    /// The number of events with data, including `[DONE]`.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.state.event_count
    }

    /// `content` completes an event.
    fn on_event(&mut self, content: &[u8]) -> EventAction {
        // The sizes of chunks must not matter.
        let may_hide = self.hides_usage() && self.partial.len() + content.len() <= MAX_HELD_BYTES;
        let was_held = std::mem::take(&mut self.partial.held);
        if self.partial.is_empty() {
            let is_usage = self
                .state
                .record_event(self.rule, &partial::without_middle(content));
            self.remove_prefix = may_hide && is_usage;
            return if self.remove_prefix {
                EventAction::Remove
            } else {
                EventAction::Forward
            };
        }
        let held = was_held.then(|| self.partial.inspected().into_owned());
        self.partial.push(content);
        let is_usage = self
            .state
            .record_event(self.rule, &self.partial.inspected());
        self.partial.clear();
        self.remove_prefix = may_hide && is_usage;
        match held {
            _ if self.remove_prefix => EventAction::Remove,
            Some(held) => EventAction::Prepend(held),
            None => EventAction::Forward,
        }
    }

    /// The chunk from `from` on is the start of an event, or more of one.
    fn on_partial_event(&mut self, chunk: &Bytes, from: usize, edit: &mut ChunkEdit) {
        let rest = chunk.get(from..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        self.partial.held |= self.partial.is_empty() && self.hides_usage();
        if self.partial.held && self.partial.len() + rest.len() > MAX_HELD_BYTES {
            edit.prepend(&self.partial.inspected());
            self.partial.held = false;
        }
        self.partial.push(rest);
        if self.partial.held {
            edit.remove(chunk, from..chunk.len());
        }
    }

    /// The usage event follows the response, so nothing is hidden or held back
    /// before the finish.
    fn hides_usage(&self) -> bool {
        self.hide_usage && self.state.finished
    }
}

// === impl ChunkEdit ===

impl ChunkEdit {
    /// Forwards held-back bytes before those of the chunk.
    fn prepend(&mut self, held: &[u8]) {
        self.out.extend_from_slice(held);
    }

    fn remove(&mut self, chunk: &[u8], span: Range<usize>) {
        let before = chunk.get(self.from..span.start).unwrap_or_default();
        self.out.extend_from_slice(before);
        self.from = span.end;
    }

    fn finish(mut self, mut chunk: Bytes) -> Option<Bytes> {
        chunk.advance(self.from);
        let bytes = if self.out.is_empty() {
            chunk
        } else {
            self.out.extend_from_slice(&chunk);
            self.out.freeze()
        };
        (!bytes.is_empty()).then_some(bytes)
    }
}
