//! What a request used, as the upstream reports it.

mod parse;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::LazyLock;

use bytes::Bytes;

use super::json_key::Key;

/// How much of the end of a body is looked at. Usage stands near the end, with
/// at most a few more members behind it.
pub const TAIL_BYTES: usize = 64 * 1024;

/// How many `usage` members are tried. More than a few do not occur; the bound
/// keeps a hostile body from being parsed over and over.
const TRIES: usize = 8;

static USAGE: LazyLock<Key> = LazyLock::new(|| Key::new("\"usage\""));

/// Counts of tokens; what an upstream does not report is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, the cached ones included.
    pub input: Option<u64>,
    /// Tokens of the answer, those of reasoning included.
    pub output: Option<u64>,
    /// Tokens of the prompt that came out of a cache.
    pub cached: Option<u64>,
    /// Tokens of the answer that were spent on reasoning.
    pub reasoning: Option<u64>,
    /// The total that the upstream states.
    pub total: Option<u64>,
}

/// Remembers the end of a body that passes by, for the usage in it.
#[derive(Debug, Default)]
pub struct Tail {
    /// The last frame apart from the others: most bodies have but one.
    last: Bytes,
    before: VecDeque<Bytes>,
    /// Bytes in all of them.
    len: usize,
}

/// The usage in (the end of) an answer or an event: the last `usage` object in
/// it that holds counts, at any depth (Groq nests it in `x_groq`, the Responses
/// API in `response`). Several are never added up: upstreams that repeat it
/// report running totals.
#[must_use]
pub fn find_usage(bytes: &[u8]) -> Option<Usage> {
    // Forwards, although the last one is wanted: only that direction has a
    // vectorised search.
    let mut last: [Option<&[u8]>; TRIES] = [None; TRIES];
    for value in USAGE.values(bytes).filter(|value| value.starts_with(b"{")) {
        last.rotate_right(1);
        last[0] = Some(value);
    }
    last.into_iter().flatten().find_map(parse::parse)
}

// === impl Usage ===

impl Usage {
    /// Whether it reports anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// With what a later report of the same answer counts: both count from its
    /// start, and either may leave out what the other has.
    #[must_use]
    pub fn updated(self, later: Self) -> Self {
        Self {
            input: self.input.max(later.input),
            output: self.output.max(later.output),
            cached: self.cached.max(later.cached),
            reasoning: self.reasoning.max(later.reasoning),
            total: self.total.max(later.total),
        }
    }

    /// The tokens that are billed as the answer's. Some upstreams leave those
    /// of reasoning out of the answer and count them in the total alone (xAI,
    /// Gemini).
    #[must_use]
    pub fn billed_output(&self) -> u64 {
        let input = self.input.unwrap_or_default();
        let rest = self.total.unwrap_or_default().saturating_sub(input);
        self.output.unwrap_or_default().max(rest)
    }
}

// === impl Tail ===

impl Tail {
    /// Takes note of the next frame of the body. No bytes are copied, but the
    /// last frames stay in memory: at least [`TAIL_BYTES`] of them.
    pub fn push(&mut self, frame: &Bytes) {
        if frame.is_empty() {
            return;
        }
        self.len += frame.len();
        let previous = std::mem::replace(&mut self.last, frame.clone());
        if !previous.is_empty() {
            self.before.push_back(previous);
        }
        while let Some(first) = self.before.front() {
            if self.len - first.len() < TAIL_BYTES {
                break;
            }
            self.len -= first.len();
            self.before.pop_front();
        }
    }

    /// The usage in what was remembered.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        if self.before.is_empty() {
            return find_usage(&self.last);
        }
        // The key may be split between two frames, so they are put together;
        // this is the one copy, and it is made once.
        let mut whole = Vec::with_capacity(self.len);
        for frame in self.frames() {
            whole.extend_from_slice(frame);
        }
        find_usage(&whole)
    }

    fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.before.iter().chain([&self.last])
    }
}
