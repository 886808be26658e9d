//! Assembles the events of a stream whose chunks are split anywhere.

use super::EventSplitter;

/// A longer event ends the stream with an error. Most events have some hundred
/// bytes; the longest contain all arguments of a tool call.
pub const EVENT_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// Buffers an incomplete event.
#[derive(Debug, Default)]
pub struct EventBuffer {
    splitter: EventSplitter,
    partial: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct EventTooLong;

impl EventBuffer {
    /// Calls `on_event` with the lines of each event that this chunk completes,
    /// until it returns false.
    pub fn push(
        &mut self,
        chunk: &[u8],
        mut on_event: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), EventTooLong> {
        let mut rest = chunk
            .get(self.splitter.start_chunk(chunk)..)
            .unwrap_or_default();
        while let Some(end) = self.splitter.next_event_end(rest) {
            let content = rest.get(..end.content).unwrap_or_default();
            let proceed = if self.partial.is_empty() {
                on_event(content)
            } else {
                self.append(content)?;
                let proceed = on_event(&self.partial);
                self.partial = Vec::new();
                proceed
            };
            if !proceed {
                return Ok(());
            }
            rest = rest.get(end.event..).unwrap_or_default();
        }
        self.append(rest)
    }

    /// What follows the last empty line, at the end of the stream.
    pub fn remainder(&self) -> &[u8] {
        &self.partial
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), EventTooLong> {
        if self.partial.len() + bytes.len() > EVENT_LIMIT_BYTES {
            self.partial = Vec::new();
            return Err(EventTooLong);
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT_LIMIT_BYTES, EventBuffer, EventTooLong};

    fn push(buffer: &mut EventBuffer, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        let pushed = buffer.push(chunk, |content| {
            events.push(content.to_vec());
            true
        });
        assert_eq!(pushed, Ok(()));
        events
    }

    #[test]
    fn events_are_complete() {
        let mut buffer = EventBuffer::default();
        assert_eq!(
            push(&mut buffer, b"data: 1\n\ndata: 2\r\n\r\nda"),
            [b"data: 1\n".to_vec(), b"data: 2\r\n".to_vec()]
        );
        assert_eq!(buffer.remainder(), b"da");
        assert_eq!(push(&mut buffer, b"ta: 3\r\n\r"), [b"data: 3\r\n"]);
        assert!(buffer.remainder().is_empty());
        assert_eq!(push(&mut buffer, b"\ndata: 4\n\n"), [b"data: 4\n"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut buffer = EventBuffer::default();
        let chunk = vec![b'x'; EVENT_LIMIT_BYTES];
        assert_eq!(push(&mut buffer, &chunk), Vec::<Vec<u8>>::new());
        assert_eq!(buffer.push(b"x", |_| true), Err(EventTooLong));
        assert_eq!(buffer.partial.capacity(), 0);
    }
}
