//! Counts the events of a stream and reads the timestamp in each.

use memchr::memmem::{Finder, find};

use crate::protocol::{DONE, STAMP_DIGITS, STAMP_MARK};

#[derive(Debug, Default)]
pub struct Events {
    /// The beginning of an incomplete event.
    partial: Vec<u8>,
    /// Events with a timestamp.
    pub count: u32,
    /// All events.
    pub total: u64,
    /// Whether `[DONE]` has arrived.
    pub ended: bool,
}

/// Splits a stream into events and finds their timestamps.
#[derive(Debug)]
pub struct Scanner {
    end: Finder<'static>,
    mark: Finder<'static>,
}

impl Scanner {
    pub fn new() -> Self {
        Self {
            end: Finder::new(b"\n\n"),
            mark: Finder::new(STAMP_MARK.as_bytes()),
        }
    }

    fn stamp(&self, event: &[u8]) -> Option<u64> {
        let at = self.mark.find(event)? + STAMP_MARK.len();
        let digits = event.get(at..at + STAMP_DIGITS)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

impl Events {
    /// Reads a part of the stream; `seen` gets the timestamp of each event that it
    /// completes.
    pub fn feed(
        &mut self,
        scanner: &Scanner,
        mut part: &[u8],
        on_stamp: &mut impl FnMut(u64),
    ) -> Result<(), String> {
        if !self.partial.is_empty() {
            // The blank line itself may be split.
            let known = self.partial.len();
            self.partial.extend_from_slice(part);
            let Some(at) = scanner.end.find(&self.partial[known - 1..]) else {
                return Ok(());
            };
            let end = known - 1 + at + 2;
            let mut partial = std::mem::take(&mut self.partial);
            self.on_event(scanner, &partial[..end], on_stamp)?;
            part = &part[end - known..];
            partial.clear();
            self.partial = partial;
        }
        while let Some(at) = scanner.end.find(part) {
            self.on_event(scanner, &part[..at + 2], on_stamp)?;
            part = &part[at + 2..];
        }
        self.partial.extend_from_slice(part);
        Ok(())
    }

    /// Whether the stream has ended with `[DONE]`.
    pub fn is_complete(&self) -> bool {
        self.ended && self.partial.is_empty()
    }

    fn on_event(
        &mut self,
        scanner: &Scanner,
        event: &[u8],
        on_stamp: &mut impl FnMut(u64),
    ) -> Result<(), String> {
        if self.ended {
            return Err("an event after [DONE]".to_owned());
        }
        self.total += 1;
        if event == DONE.as_bytes() {
            self.ended = true;
        } else if let Some(stamp) = scanner.stamp(event) {
            self.count += 1;
            on_stamp(stamp);
        } else if find(event, b"\"error\"").is_some() {
            return Err(String::from_utf8_lossy(event).into_owned());
        }
        // Other events (comments, a role, usage) are up to the gateway; where responses
        // must be exact, the byte count covers them.
        Ok(())
    }
}
