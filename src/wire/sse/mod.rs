//! Server-sent events (WHATWG HTML, section 9.2).
//!
//! A relay needs only the end of an event, and its type and data. The bytes
//! themselves are forwarded unchanged.

use std::borrow::Cow;

use memchr::memchr2_iter;

mod event_buffer;

pub use event_buffer::{EVENT_LIMIT_BYTES, EventBuffer};

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Finds the ends of events in a stream that arrives in arbitrary chunks.
///
/// An event ends with an empty line. A line ends with LF, CR or CRLF, and a chunk
/// may end within a CRLF.
#[derive(Debug)]
pub struct EventSplitter {
    /// Bytes of a byte order mark matched so far; all of them once past the start.
    bom_len: usize,
    /// No byte of the current line has arrived.
    line_empty: bool,
    /// The last byte was a CR: an LF after it belongs to the same line end.
    after_cr: bool,
    /// Nothing has arrived since the last event ended.
    between_events: bool,
}

/// The end of an event within a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventEnd {
    /// The end of the event's lines, and the start of the empty line.
    pub content: usize,
    /// One past the empty line.
    pub event: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct SseEvent<'e> {
    /// The last `event` field.
    pub event_type: Option<&'e [u8]>,
    /// The `data` fields, joined by line feeds.
    pub data: Cow<'e, [u8]>,
}

// === impl EventSplitter ===

impl Default for EventSplitter {
    fn default() -> Self {
        Self {
            bom_len: 0,
            line_empty: true,
            after_cr: false,
            between_events: true,
        }
    }
}

impl EventSplitter {
    /// Must be called once per chunk. Returns the length of what precedes any event
    /// in it: a byte order mark (or a part of one) at the start of the stream, or
    /// the LF of a CRLF whose CR ended the last chunk.
    pub fn start_chunk(&mut self, chunk: &[u8]) -> usize {
        if self.between_events && self.after_cr && chunk.first() == Some(&b'\n') {
            self.after_cr = false;
            return 1;
        }
        let expected = BOM.get(self.bom_len..).unwrap_or_default();
        let matched = expected.iter().zip(chunk).take_while(|(a, b)| a == b);
        let len = matched.count();
        if len < expected.len() && len < chunk.len() {
            // Not a byte order mark: the bytes matched so far are text.
            self.line_empty &= self.bom_len == 0 && len == 0;
            self.bom_len = BOM.len();
        } else {
            self.bom_len += len;
        }
        len
    }

    /// True if an event may begin here: no event, line end or byte order mark is
    /// incomplete.
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        let bom_complete = self.is_at_start() || self.bom_len == BOM.len();
        self.between_events && !self.after_cr && bom_complete
    }

    /// True if nothing has arrived.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.bom_len == 0
    }

    /// The end of the event that is open at the start of `chunk`, or `None` if the
    /// event continues in the next chunk. Call again with the bytes after the end.
    pub fn next_event_end(&mut self, chunk: &[u8]) -> Option<EventEnd> {
        self.between_events &= chunk.is_empty();
        let mut line_start = 0;
        for at in memchr2_iter(b'\n', b'\r', chunk) {
            let is_lf = chunk.get(at) == Some(&b'\n');
            let next = at + 1;
            if is_lf && self.after_cr && at == line_start {
                self.after_cr = false;
                line_start = next;
                continue;
            }
            let is_blank = at == line_start && self.line_empty;
            self.line_empty = true;
            self.after_cr = !is_lf;
            line_start = next;
            if is_blank {
                let is_crlf = self.after_cr && chunk.get(next) == Some(&b'\n');
                self.after_cr &= !is_crlf;
                self.between_events = true;
                return Some(EventEnd {
                    content: at,
                    event: next + usize::from(is_crlf),
                });
            }
        }
        if line_start < chunk.len() {
            self.line_empty = false;
            self.after_cr = false;
        }
        None
    }
}

// === impl SseEvent ===

impl<'e> SseEvent<'e> {
    /// Parses the lines of one event.
    #[must_use]
    pub fn parse(content: &'e [u8]) -> Self {
        let mut event = Self::default();
        let mut has_data = false;
        let mut start = 0;
        let ends = memchr2_iter(b'\n', b'\r', content).chain([content.len()]);
        for end in ends {
            let line = content.get(start..end).unwrap_or_default();
            start = end + 1;
            if let Some(data) = field(line, b"data") {
                if has_data {
                    let joined = event.data.to_mut();
                    joined.push(b'\n');
                    joined.extend_from_slice(data);
                } else {
                    event.data = Cow::Borrowed(data);
                    has_data = true;
                }
            } else if let Some(kind) = field(line, b"event") {
                event.event_type = Some(kind);
            }
        }
        event
    }
}

/// The value of the field `name`: the text after the colon, without one leading
/// space.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let rest = line.strip_prefix(name)?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
