//! The end of a body, kept to find the usage in it.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;

use super::{ServiceTier, Usage, hosted_tools, tier};

/// The end of a body that is searched. At most a few members follow `usage`.
pub(super) const TAIL_BYTES: usize = 64 * 1024;

/// The longest text that is searched for in what is dropped, and some blanks.
const MAX_NEEDLE: usize = 64;

/// The end of a body.
#[derive(Debug, Default)]
pub struct UsageTail {
    /// Apart from the others, since most bodies have a single frame.
    last: Bytes,
    earlier: VecDeque<Bytes>,
    /// Bytes of all frames kept.
    len: usize,
    dropped: Dropped,
}

/// What is remembered of the bytes before the tail.
#[derive(Debug, Default)]
struct Dropped {
    /// The last bytes of it.
    end: Vec<u8>,
    /// It names something with a price of its own.
    has_charges: bool,
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
            self.dropped.push(first);
            self.earlier.pop_front();
        }
    }

    /// The usage; `None` where the upstream reports none.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let mut usage = Usage::find(&self.kept())?;
        usage.inexact |= self.dropped.has_charges(self.frames());
        Some(usage)
    }

    /// The end of the body, as far as it is kept. Frames are joined, since what is
    /// searched for may span two.
    #[must_use]
    pub fn kept(&self) -> Cow<'_, [u8]> {
        if self.earlier.is_empty() {
            return Cow::Borrowed(&self.last);
        }
        let mut joined = Vec::with_capacity(self.len);
        for frame in self.frames() {
            joined.extend_from_slice(frame);
        }
        Cow::Owned(joined)
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = &Bytes> {
        self.earlier.iter().chain([&self.last])
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

// === impl Dropped ===

impl Dropped {
    fn push(&mut self, frame: &[u8]) {
        // What spans two frames is found where they meet.
        let (start, rest) = frame.split_at(frame.len().min(MAX_NEEDLE));
        self.end.extend_from_slice(start);
        self.has_charges |= names_charges(&self.end) || names_charges(frame);
        let from = rest.len().saturating_sub(MAX_NEEDLE);
        self.end
            .extend_from_slice(rest.get(from..).unwrap_or_default());
        let excess = self.end.len().saturating_sub(MAX_NEEDLE);
        self.end.drain(..excess);
    }

    /// `kept` are the frames that follow.
    fn has_charges<'f>(&'f self, kept: impl Iterator<Item = &'f Bytes>) -> bool {
        if self.end.is_empty() {
            return false;
        }
        let next = kept.flatten().take(MAX_NEEDLE);
        let border: Vec<u8> = self.end.iter().chain(next).copied().collect();
        self.has_charges || names_charges(&border)
    }
}

fn names_charges(json: &[u8]) -> bool {
    hosted_tools::are_named(json)
        || tier::named(json).is_some_and(|tier| tier != ServiceTier::Standard)
}
