//! Server-sent events, as the WHATWG HTML standard, section 9.2, reads them.
//!
//! Only what a relay needs: where an event ends, and what its data is. The
//! bytes themselves are passed on as they are.

use std::borrow::Cow;

use memchr::memchr2_iter;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Finds the ends of events in a stream that comes in arbitrary pieces.
///
/// An event ends with an empty line. A line ends with LF, CR or CRLF, and the
/// two halves of a CRLF may come apart.
#[derive(Debug)]
pub struct Splitter {
    /// Bytes of a byte order mark matched so far; full once the start is past.
    mark: usize,
    /// Whether nothing stands on the current line yet.
    line_empty: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Nothing came since the last event ended.
    between: bool,
}

/// Where an event ended within a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The end of the event's lines, which is where the empty line begins.
    pub content: usize,
    /// One past the empty line.
    pub event: usize,
}

/// The fields of one event that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event<'e> {
    /// The last `event` field.
    pub kind: Option<&'e [u8]>,
    /// The `data` fields, joined by line feeds if there are several.
    pub data: Cow<'e, [u8]>,
}

// === impl Splitter ===

impl Default for Splitter {
    fn default() -> Self {
        Self {
            mark: 0,
            line_empty: true,
            after_cr: false,
            between: true,
        }
    }
}

impl Splitter {
    /// Call this once with each new piece: the length of what precedes any
    /// event in it, which is a byte order mark at the very start (or a part of
    /// one), or the LF of a CRLF whose CR ended the last piece.
    pub fn begin(&mut self, piece: &[u8]) -> usize {
        if self.between && self.after_cr && piece.first() == Some(&b'\n') {
            self.after_cr = false;
            return 1;
        }
        let expected = BYTE_ORDER_MARK.get(self.mark..).unwrap_or_default();
        let matched = expected.iter().zip(piece).take_while(|(a, b)| a == b);
        let len = matched.count();
        if len < expected.len() && len < piece.len() {
            // Something else came: what looked like a mark is text.
            self.line_empty &= self.mark == 0 && len == 0;
            self.mark = BYTE_ORDER_MARK.len();
        } else {
            self.mark += len;
        }
        len
    }

    /// Whether an event may begin here: none is open, and no line end or byte
    /// order mark has come in part.
    #[must_use]
    pub fn is_between(&self) -> bool {
        let whole_mark = self.is_at_start() || self.mark == BYTE_ORDER_MARK.len();
        self.between && !self.after_cr && whole_mark
    }

    /// Whether nothing has come at all.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.mark == 0
    }

    /// The end of the event that is open where `piece` begins, or `None` when it
    /// goes on in the next piece. Go on with the bytes behind the end.
    pub fn next_end(&mut self, piece: &[u8]) -> Option<End> {
        self.between &= piece.is_empty();
        let mut line_start = 0;
        for at in memchr2_iter(b'\n', b'\r', piece) {
            let is_lf = piece.get(at) == Some(&b'\n');
            let next = at + 1;
            if is_lf && self.after_cr && at == line_start {
                self.after_cr = false;
                line_start = next;
                continue;
            }
            let blank = at == line_start && self.line_empty;
            self.line_empty = true;
            self.after_cr = !is_lf;
            line_start = next;
            if blank {
                let whole = self.after_cr && piece.get(next) == Some(&b'\n');
                self.after_cr &= !whole;
                self.between = true;
                return Some(End {
                    content: at,
                    event: next + usize::from(whole),
                });
            }
        }
        if line_start < piece.len() {
            self.line_empty = false;
            self.after_cr = false;
        }
        None
    }
}

// === impl Event ===

impl<'e> Event<'e> {
    /// Reads the lines of one event.
    #[must_use]
    pub fn read(content: &'e [u8]) -> Self {
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
                event.kind = Some(kind);
            }
        }
        event
    }
}

/// The value of a line that holds the field `name`: what follows the colon,
/// without one leading space.
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
