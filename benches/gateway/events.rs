//! Counts the events of a stream and reads the time stamped into each.

use memchr::memmem::{Finder, find};

use crate::protocol::{DONE, STAMP_DIGITS, STAMP_MARK};

/// The events of one stream.
#[derive(Debug, Default)]
pub struct Events {
    /// The beginning of an event whose end is still to come.
    begun: Vec<u8>,
    /// Events with a stamp.
    pub count: u32,
    /// Events of any kind.
    pub pieces: u64,
    /// `[DONE]` has come.
    pub ended: bool,
}

/// What cuts a stream into events and finds their stamps; made once.
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
    /// Takes in a part of the stream; `seen` gets the stamp of each event that
    /// it brings to its end.
    pub fn feed(
        &mut self,
        scanner: &Scanner,
        mut part: &[u8],
        seen: &mut impl FnMut(u64),
    ) -> Result<(), String> {
        if !self.begun.is_empty() {
            // The blank line may itself be cut in two.
            let known = self.begun.len();
            self.begun.extend_from_slice(part);
            let Some(at) = scanner.end.find(&self.begun[known - 1..]) else {
                return Ok(());
            };
            let end = known - 1 + at + 2;
            let mut begun = std::mem::take(&mut self.begun);
            self.take(scanner, &begun[..end], seen)?;
            part = &part[end - known..];
            begun.clear();
            self.begun = begun;
        }
        while let Some(at) = scanner.end.find(part) {
            self.take(scanner, &part[..at + 2], seen)?;
            part = &part[at + 2..];
        }
        self.begun.extend_from_slice(part);
        Ok(())
    }

    /// The stream is over: whether that was its proper end.
    pub fn is_whole(&self) -> bool {
        self.ended && self.begun.is_empty()
    }

    fn take(
        &mut self,
        scanner: &Scanner,
        event: &[u8],
        seen: &mut impl FnMut(u64),
    ) -> Result<(), String> {
        if self.ended {
            return Err("an event behind [DONE]".to_owned());
        }
        self.pieces += 1;
        if event == DONE.as_bytes() {
            self.ended = true;
        } else if let Some(stamp) = scanner.stamp(event) {
            self.count += 1;
            seen(stamp);
        } else if find(event, b"\"error\"").is_some() {
            return Err(String::from_utf8_lossy(event).into_owned());
        }
        // Others (comments, a role, usage) are a gateway's own affair; where
        // answers must be exact, the count of bytes tells of them.
        Ok(())
    }
}
