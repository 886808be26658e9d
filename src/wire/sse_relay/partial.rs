//! An event that spans chunks, assembled for inspection.

use std::borrow::Cow;

/// The longest event that is inspected as a whole. Of a longer one only the ends
/// are: its type is in the first, its usage in the last.
const MAX_WHOLE_BYTES: usize = 128 * 1024;
const HEAD_BYTES: usize = 4 * 1024;
const TAIL_BYTES: usize = 64 * 1024;

/// A larger buffer is freed once its event is complete.
const MAX_KEPT_CAPACITY: usize = 8 * 1024;

/// Replaces the middle. It occurs in no JSON text, so nothing can be matched
/// across the gap.
const GAP: u8 = 0;

/// The bytes of one event, or the ends of a long one.
#[derive(Debug, Default)]
pub(super) struct PartialEvent {
    buffer: Vec<u8>,
    /// The length of the event, including what was dropped.
    len: usize,
    /// The bytes are not forwarded before the event is complete.
    pub(super) held: bool,
}

/// The event as inspected: whole, or the head, gap and tail of a long one.
pub(super) fn without_middle(event: &[u8]) -> Cow<'_, [u8]> {
    if event.len() <= MAX_WHOLE_BYTES {
        Cow::Borrowed(event)
    } else {
        Cow::Owned(join_ends(event))
    }
}

fn join_ends(bytes: &[u8]) -> Vec<u8> {
    let head = bytes.get(..HEAD_BYTES).unwrap_or_default();
    let tail = bytes.get(bytes.len() - TAIL_BYTES..).unwrap_or_default();
    [head, &[GAP], tail].concat()
}

// === impl Partial ===

impl PartialEvent {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory stays bounded, however long the event gets.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        for chunk in bytes.chunks(TAIL_BYTES) {
            self.buffer.extend_from_slice(chunk);
            if self.buffer.len() > MAX_WHOLE_BYTES + HEAD_BYTES {
                self.buffer = join_ends(&self.buffer);
            }
        }
    }

    /// The event as inspected, which does not depend on the sizes of chunks.
    pub(super) fn inspected(&self) -> Cow<'_, [u8]> {
        if self.len <= MAX_WHOLE_BYTES {
            Cow::Borrowed(&self.buffer)
        } else {
            Cow::Owned(join_ends(&self.buffer))
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.buffer.capacity() > MAX_KEPT_CAPACITY {
            self.buffer = Vec::new();
        } else {
            self.buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GAP, HEAD_BYTES, MAX_WHOLE_BYTES, PartialEvent, TAIL_BYTES, without_middle};

    fn event(len: usize) -> Vec<u8> {
        b"abcdefghijklmnopqrstuvwxy"
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect()
    }

    #[test]
    fn the_inspected_event_does_not_depend_on_chunk_sizes() {
        for len in [
            1,
            TAIL_BYTES,
            MAX_WHOLE_BYTES,
            MAX_WHOLE_BYTES + 1,
            MAX_WHOLE_BYTES + HEAD_BYTES + 1,
            500_000,
        ] {
            let event = event(len);
            for step in [1_000, 4_097, TAIL_BYTES, TAIL_BYTES + 1, 140_000, len] {
                let mut partial = PartialEvent::default();
                for chunk in event.chunks(step) {
                    partial.push(chunk);
                }
                assert_eq!(partial.len(), len);
                assert!(
                    partial.inspected() == without_middle(&event),
                    "{len} by {step}"
                );
            }
        }
    }

    #[test]
    fn only_the_ends_of_a_long_event_are_inspected() {
        let whole = event(MAX_WHOLE_BYTES);
        assert!(without_middle(&whole) == whole);
        let long = event(MAX_WHOLE_BYTES + 1);
        let seen = without_middle(&long);
        assert_eq!(seen.len(), HEAD_BYTES + 1 + TAIL_BYTES);
        assert!(seen.starts_with(&long[..HEAD_BYTES]) && seen[HEAD_BYTES] == GAP);
        assert!(seen.ends_with(&long[long.len() - TAIL_BYTES..]));
    }

    #[test]
    fn memory_is_bounded_and_freed() {
        let mut partial = PartialEvent::default();
        let chunk = event(50_000);
        for _ in 0..1_000 {
            partial.push(&chunk);
            assert!(partial.buffer.len() <= MAX_WHOLE_BYTES + HEAD_BYTES);
        }
        assert!(partial.buffer.capacity() < 4 * MAX_WHOLE_BYTES);
        partial.clear();
        assert!(partial.is_empty());
        assert_eq!(partial.buffer.capacity(), 0);
    }
}
