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

#[cfg(test)]
mod tests {
    use super::{GAP, HEAD, Partial, TAIL, WHOLE_LIMIT, ends_of};

    fn event(len: usize) -> Vec<u8> {
        b"abcdefghijklmnopqrstuvwxy"
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect()
    }

    #[test]
    fn the_view_does_not_depend_on_the_pieces() {
        for len in [
            1,
            TAIL,
            WHOLE_LIMIT,
            WHOLE_LIMIT + 1,
            WHOLE_LIMIT + HEAD + 1,
            500_000,
        ] {
            let event = event(len);
            for step in [1_000, 4_097, TAIL, TAIL + 1, 140_000, len] {
                let mut partial = Partial::default();
                for piece in event.chunks(step) {
                    partial.push(piece);
                }
                assert_eq!(partial.len(), len);
                assert!(partial.view() == ends_of(&event), "{len} by {step}");
            }
        }
    }

    #[test]
    fn only_the_ends_of_a_long_event_are_seen() {
        let whole = event(WHOLE_LIMIT);
        assert!(ends_of(&whole) == whole);
        let long = event(WHOLE_LIMIT + 1);
        let seen = ends_of(&long);
        assert_eq!(seen.len(), HEAD + 1 + TAIL);
        assert!(seen.starts_with(&long[..HEAD]) && seen[HEAD] == GAP);
        assert!(seen.ends_with(&long[long.len() - TAIL..]));
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let mut partial = Partial::default();
        let piece = event(50_000);
        for _ in 0..1_000 {
            partial.push(&piece);
            assert!(partial.kept.len() <= WHOLE_LIMIT + HEAD);
        }
        assert!(partial.kept.capacity() < 4 * WHOLE_LIMIT);
        partial.clear();
        assert!(partial.is_empty());
        assert_eq!(partial.kept.capacity(), 0);
    }
}
