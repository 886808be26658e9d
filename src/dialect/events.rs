//! Puts the events of a stream together that comes in arbitrary pieces.

use crate::wire::sse::Splitter;

/// A longer event is not put together; the stream is then broken off. Most have
/// some hundred bytes; the longest hold the whole arguments of a tool call.
pub const EVENT_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// Keeps what came of an event that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    splitter: Splitter,
    partial: Vec<u8>,
}

/// An event was too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Events {
    /// Takes a piece, and shows the lines of each event that is complete with
    /// it for as long as `each` says to go on.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), TooLong> {
        let mut rest = piece.get(self.splitter.begin(piece)..).unwrap_or_default();
        while let Some(end) = self.splitter.next_end(rest) {
            let content = rest.get(..end.content).unwrap_or_default();
            let on = if self.partial.is_empty() {
                each(content)
            } else {
                self.keep(content)?;
                let on = each(&self.partial);
                self.partial = Vec::new();
                on
            };
            if !on {
                return Ok(());
            }
            rest = rest.get(end.event..).unwrap_or_default();
        }
        self.keep(rest)
    }

    /// What came behind the last empty line, at the end of the stream.
    pub(super) fn rest(&self) -> &[u8] {
        &self.partial
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.partial.len() + bytes.len() > EVENT_LIMIT_BYTES {
            self.partial = Vec::new();
            return Err(TooLong);
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT_LIMIT_BYTES, Events, TooLong};

    fn all(events: &mut Events, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        let pushed = events.push(piece, |content| {
            seen.push(content.to_vec());
            true
        });
        assert_eq!(pushed, Ok(()));
        seen
    }

    #[test]
    fn events_are_whole() {
        let mut events = Events::default();
        assert_eq!(
            all(&mut events, b"data: 1\n\ndata: 2\r\n\r\nda"),
            [b"data: 1\n".to_vec(), b"data: 2\r\n".to_vec()]
        );
        assert_eq!(events.rest(), b"da");
        assert_eq!(all(&mut events, b"ta: 3\r\n\r"), [b"data: 3\r\n"]);
        assert!(events.rest().is_empty());
        assert_eq!(all(&mut events, b"\ndata: 4\n\n"), [b"data: 4\n"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut events = Events::default();
        let piece = vec![b'x'; EVENT_LIMIT_BYTES];
        assert_eq!(all(&mut events, &piece), Vec::<Vec<u8>>::new());
        assert_eq!(events.push(b"x", |_| true), Err(TooLong));
        assert_eq!(events.partial.capacity(), 0);
    }
}
