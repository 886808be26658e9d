//! An event that came in several chunks, put together for inspection.

use std::borrow::Cow;

/// The longest event that is inspected as a whole. Beyond it, only both ends
/// are: its type stands in the first, its usage in the last.
const WHOLE_LIMIT: usize = 128 * 1024;
const HEAD: usize = 4 * 1024;
const TAIL: usize = 64 * 1024;

/// A buffer larger than this is given back once its event is complete.
const KEEP_CAPACITY: usize = 8 * 1024;

/// Stands for the middle that was left out. It occurs in no JSON text, so
/// nothing can be read across the gap.
const GAP: u8 = 0;

/// The bytes of one event, or the ends of a long one.
#[derive(Debug, Default)]
pub(super) struct Partial {
    kept: Vec<u8>,
    /// How many bytes there are in truth.
    len: usize,
    /// Whether the caller does not get them until the event is known.
    pub(super) held: bool,
}

/// An event as it is inspected: whole, or head, gap and tail of a long one.
pub(super) fn ends_of(event: &[u8]) -> Cow<'_, [u8]> {
    if event.len() <= WHOLE_LIMIT {
        Cow::Borrowed(event)
    } else {
        Cow::Owned(join_ends(event))
    }
}

fn join_ends(bytes: &[u8]) -> Vec<u8> {
    let head = bytes.get(..HEAD).unwrap_or_default();
    let tail = bytes.get(bytes.len() - TAIL..).unwrap_or_default();
    [head, &[GAP], tail].concat()
}

// === impl Partial ===

impl Partial {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds what came next. The memory stays bounded, however long it gets.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        for piece in bytes.chunks(TAIL) {
            self.kept.extend_from_slice(piece);
            if self.kept.len() > WHOLE_LIMIT + HEAD {
                self.kept = join_ends(&self.kept);
            }
        }
    }

    /// The event as it is inspected; the same for any cut into chunks.
    pub(super) fn view(&self) -> Cow<'_, [u8]> {
        if self.len <= WHOLE_LIMIT {
            Cow::Borrowed(&self.kept)
        } else {
            Cow::Owned(join_ends(&self.kept))
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.kept.capacity() > KEEP_CAPACITY {
            self.kept = Vec::new();
        } else {
            self.kept.clear();
        }
    }
}
