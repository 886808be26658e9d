//! Token usage, as reported by upstreams.

mod parse;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::LazyLock;

use bytes::Bytes;

use super::json_key::KeyFinder;

/// The end of a body that is searched. At most a few members follow `usage`.
pub const TAIL_BYTES: usize = 64 * 1024;

/// The most `usage` members that are parsed. There are never more than a few; the
/// limit keeps a hostile body from being parsed over and over.
const MAX_CANDIDATES: usize = 8;

static USAGE: LazyLock<KeyFinder> = LazyLock::new(|| KeyFinder::new("\"usage\""));

/// Token counts; `None` if the upstream reports none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: Option<u64>,
    /// Tokens of the response, reasoning included.
    pub output: Option<u64>,
    /// Tokens of the prompt that were read from a cache.
    pub cached: Option<u64>,
    /// Tokens of the response spent on reasoning.
    pub reasoning: Option<u64>,
    /// The upstream's own total.
    pub total: Option<u64>,
}

/// The end of a body, kept to find the usage in it.
#[derive(Debug, Default)]
pub struct UsageTail {
    /// Apart from the others, since most bodies have a single frame.
    last: Bytes,
    earlier: VecDeque<Bytes>,
    /// Bytes of all frames kept.
    len: usize,
}

/// The usage in (the end of) a response or an event: the last `usage` object with
/// counts, at any depth (Groq nests it in `x_groq`, the Responses API in
/// `response`). Several are never added up: upstreams that repeat it report
/// running totals.
#[must_use]
pub fn find_usage(bytes: &[u8]) -> Option<Usage> {
    // Forwards, although the last one is needed: only that search is vectorised.
    let mut last: [Option<&[u8]>; MAX_CANDIDATES] = [None; MAX_CANDIDATES];
    for value in USAGE.values(bytes).filter(|value| value.starts_with(b"{")) {
        last.rotate_right(1);
        last[0] = Some(value);
    }
    last.into_iter().flatten().find_map(parse::parse)
}

// === impl Usage ===

impl Usage {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Merges a later report of the same response. Both count from the start, and
    /// either may lack counts.
    #[must_use]
    pub fn merged_with(self, later: Self) -> Self {
        Self {
            input: self.input.max(later.input),
            output: self.output.max(later.output),
            cached: self.cached.max(later.cached),
            reasoning: self.reasoning.max(later.reasoning),
            total: self.total.max(later.total),
        }
    }

    /// The tokens billed as output. Some upstreams count reasoning in the total but
    /// not in the output (xAI, Gemini).
    #[must_use]
    pub fn billed_output(&self) -> u64 {
        let input = self.input.unwrap_or_default();
        let rest = self.total.unwrap_or_default().saturating_sub(input);
        self.output.unwrap_or_default().max(rest)
    }
}

// === impl UsageTail ===

impl UsageTail {
    /// Keeps the frame without copying it, and drops those before the last
    /// [`TAIL_BYTES`].
    pub fn push(&mut self, frame: &Bytes) {
        if frame.is_empty() {
            return;
        }
        self.len += frame.len();
        let previous = std::mem::replace(&mut self.last, frame.clone());
        if !previous.is_empty() {
            self.earlier.push_back(previous);
        }
        while let Some(first) = self.earlier.front() {
            if self.len - first.len() < TAIL_BYTES {
                break;
            }
            self.len -= first.len();
            self.earlier.pop_front();
        }
    }

    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        if self.earlier.is_empty() {
            return find_usage(&self.last);
        }
        // The key may span two frames, so they are joined: one copy, made once.
        let mut joined = Vec::with_capacity(self.len);
        for frame in self.frames() {
            joined.extend_from_slice(frame);
        }
        find_usage(&joined)
    }

    fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.earlier.iter().chain([&self.last])
    }
}
