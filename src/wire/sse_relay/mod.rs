//! Follows a streamed answer while it passes by.
//!
//! The bytes go on as they come: an event that is split over chunks is put
//! together on the side, for inspection only. The one exception is the usage
//! event that the gateway asked for and the caller did not: it is taken out.

mod facts;
mod partial;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::sse::Splitter;
use super::usage::Usage;
use facts::Facts;
use partial::Partial;

/// An event longer than this is not held back, since no usage event is so long.
pub const HELD_LIMIT_BYTES: usize = 64 * 1024;

/// How a complete answer is told from one that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishRule {
    /// Chat Completions and Completions: `[DONE]`, or a `finish_reason` that is
    /// not null, since not every upstream sends `[DONE]`.
    Chat,
    /// The Responses API: one of its terminal events, or `[DONE]`.
    Responses,
    /// Anthropic's Messages: `message_stop`, or `error`.
    Messages,
    /// The stream has no mark of its own: whether the body ended well is for
    /// the transport to say.
    EndOfBody,
}

/// Follows one streamed answer.
#[derive(Debug)]
pub struct Follower {
    rule: FinishRule,
    hide_usage: bool,
    splitter: Splitter,
    /// What came of the event that is not complete yet.
    partial: Partial,
    /// Whether the last event was taken out, with it the rest of its line end;
    /// or the place for a byte order mark.
    last_was_cut: bool,
    ended: bool,
    facts: Facts,
}

/// What of one chunk goes on. Nothing is copied unless the chunk falls apart.
#[derive(Default)]
struct Passing {
    /// What was put together already, if anything had to be.
    out: BytesMut,
    /// Where the part of the chunk begins that is neither in `out` nor cut.
    from: usize,
}

/// What becomes of an event that is complete.
enum Fate {
    /// Its bytes pass as they are.
    Passes,
    /// Its bytes pass, behind those of it that were held back.
    Follows(Vec<u8>),
    /// Nothing of it goes on.
    IsCut,
}

// === impl Follower ===

impl Follower {
    /// Begins with the first byte of the body. With `hide_usage`, the usage
    /// event behind the answer does not reach the caller.
    #[must_use]
    pub fn new(rule: FinishRule, hide_usage: bool) -> Self {
        Self {
            rule,
            hide_usage,
            splitter: Splitter::default(),
            partial: Partial::default(),
            last_was_cut: false,
            ended: false,
            facts: Facts::default(),
        }
    }

    /// Takes a chunk from upstream, and gives what goes downstream now: the very
    /// same bytes, except next to a usage event that is to be hidden.
    pub fn feed(&mut self, chunk: Bytes) -> Option<Bytes> {
        let mut passing = Passing::default();
        let mut from = self.splitter.begin(&chunk);
        if from > 0 && self.last_was_cut {
            passing.cut(&chunk, 0..from);
        }
        loop {
            let rest = chunk.get(from..).unwrap_or_default();
            let Some(end) = self.splitter.next_end(rest) else {
                break;
            };
            let content = rest.get(..end.content).unwrap_or_default();
            match self.event(content) {
                Fate::Passes => {}
                Fate::Follows(held) => passing.prepend(&held),
                Fate::IsCut => passing.cut(&chunk, from..from + end.event),
            }
            from += end.event;
        }
        self.unfinished(&chunk, from, &mut passing);
        passing.finish(chunk)
    }

    /// The upstream's body ended, well or not. Gives what is still held back.
    pub fn end(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        // Some upstreams leave out the last empty line. An event that is whole
        // as JSON was not cut off, and counts.
        let rest = self.partial.view();
        let is_usage = self.facts.inspect_last(self.rule, &rest);
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

    /// Whether the bytes that were given out end where an event ends, so that
    /// another one may follow. True at the start.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.partial.held || self.partial.is_empty()
    }

    /// Whether a comment may be put in behind the bytes that were given out; it
    /// is then expected to be. A byte order mark that comes behind it is taken
    /// out, since it is one at the very start alone.
    pub fn interpose(&mut self) -> bool {
        if self.partial.held {
            return true;
        }
        let may = self.partial.is_empty() && self.splitter.is_between() && !self.ended;
        self.last_was_cut |= may && self.splitter.is_at_start();
        may
    }

    /// Whether the answer is complete by the rule. For [`FinishRule::EndOfBody`]
    /// this is always true, since only the transport can tell.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self.rule {
            FinishRule::Chat => self.facts.done || self.facts.finished,
            FinishRule::Responses | FinishRule::Messages => self.facts.done,
            FinishRule::EndOfBody => true,
        }
    }

    /// Whether the last event of the protocol was seen: `[DONE]`, or a terminal
    /// event of the Responses API or of Messages.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.facts.done
    }

    /// Whether an event reported an error in the stream.
    #[must_use]
    pub fn upstream_error(&self) -> bool {
        self.facts.error
    }

    /// Whether an event with data was seen, as opposed to comments and events
    /// without data.
    #[must_use]
    pub fn first_data(&self) -> bool {
        self.facts.events > 0
    }

    /// The last usage that was reported.
    #[must_use]
    pub fn usage(&self) -> Option<&Usage> {
        self.facts.usage.as_ref()
    }

    /// How many events with data were seen, `[DONE]` among them.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.facts.events
    }

    /// An event is complete with `content`, the last of its lines.
    fn event(&mut self, content: &[u8]) -> Fate {
        // Whether to hide it must not depend on how it was cut into chunks.
        let may_hide = self.hides() && self.partial.len() + content.len() <= HELD_LIMIT_BYTES;
        let holding = std::mem::take(&mut self.partial.held);
        if self.partial.is_empty() {
            let is_usage = self.facts.inspect(self.rule, &partial::ends_of(content));
            self.last_was_cut = may_hide && is_usage;
            return if self.last_was_cut {
                Fate::IsCut
            } else {
                Fate::Passes
            };
        }
        let held = holding.then(|| self.partial.view().into_owned());
        self.partial.push(content);
        let is_usage = self.facts.inspect(self.rule, &self.partial.view());
        self.partial.clear();
        self.last_was_cut = may_hide && is_usage;
        match held {
            _ if self.last_was_cut => Fate::IsCut,
            Some(held) => Fate::Follows(held),
            None => Fate::Passes,
        }
    }

    /// The chunk from `from` on belongs to an event that goes on in the next.
    fn unfinished(&mut self, chunk: &Bytes, from: usize, passing: &mut Passing) {
        let rest = chunk.get(from..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        self.partial.held |= self.partial.is_empty() && self.hides();
        if self.partial.held && self.partial.len() + rest.len() > HELD_LIMIT_BYTES {
            passing.prepend(&self.partial.view());
            self.partial.held = false;
        }
        self.partial.push(rest);
        if self.partial.held {
            passing.cut(chunk, from..chunk.len());
        }
    }

    /// The usage event stands behind the answer, so nothing is hidden or held
    /// back before a finish was seen.
    fn hides(&self) -> bool {
        self.hide_usage && self.facts.finished
    }
}

// === impl Passing ===

impl Passing {
    /// Lets bytes that were held back go before those of the chunk.
    fn prepend(&mut self, held: &[u8]) {
        self.out.extend_from_slice(held);
    }

    fn cut(&mut self, chunk: &[u8], place: Range<usize>) {
        let kept = chunk.get(self.from..place.start).unwrap_or_default();
        self.out.extend_from_slice(kept);
        self.from = place.end;
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
