//! Decodes response bodies: finds the content and the end (RFC 9112, sections 6 and 7).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// Of a line with a chunk's size and extensions, and of one trailer field.
const MAX_LINE: usize = 4 * 1024;
/// Of all trailer fields together.
const MAX_TRAILERS: usize = 16 * 1024;
/// Hexadecimal digits of a chunk size: those of `u64`.
const MAX_DIGITS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// Bytes left.
    Length(u64),
    Chunked(ChunkState),
    UntilClose,
    Ended,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChunkState {
    SizeLine,
    /// Bytes left of the chunk.
    Data(u64),
    /// The line end after a chunk.
    DataEnd,
    /// Bytes of trailer fields so far.
    Trailers(usize),
}

/// The end of the message cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// A range of the buffer.
#[derive(Default)]
struct ContentRange {
    start: usize,
    end: usize,
}

impl Body {
    pub(super) fn chunked() -> Self {
        Self::Chunked(ChunkState::SizeLine)
    }

    pub(super) fn with_length(length: u64) -> Self {
        if length == 0 {
            Self::Ended
        } else {
            Self::Length(length)
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        *self == Self::Ended
    }

    /// Whether all of it was received; false where that is not known in advance.
    pub(super) fn is_buffered_in(&self, buffer: &[u8]) -> bool {
        match self {
            Self::Ended => true,
            Self::Length(left) => *left <= buffer.len() as u64,
            Self::Chunked(_) | Self::UntilClose => false,
        }
    }

    /// Takes all content out of `buffer`: that of several chunks is joined. Empty if there
    /// is none yet. Content before an error is returned; the next call returns the error.
    pub(super) fn take_content(&mut self, buffer: &mut BytesMut) -> Result<Bytes, Malformed> {
        match self {
            Self::Ended => Ok(Bytes::new()),
            Self::UntilClose => Ok(buffer.split().freeze()),
            Self::Length(left) => {
                let count = min_len(*left, buffer.len());
                *left -= count as u64;
                let ended = *left == 0;
                let content = buffer.split_to(count).freeze();
                if ended {
                    *self = Self::Ended;
                }
                Ok(content)
            }
            Self::Chunked(state) => {
                let (content, ended) = take_chunks(state, buffer)?;
                if ended {
                    *self = Self::Ended;
                }
                Ok(content)
            }
        }
    }

    /// Called at end of file; true if the body may end there.
    pub(super) fn end_at_eof(&mut self) -> bool {
        if *self == Self::UntilClose {
            *self = Self::Ended;
        }
        self.has_ended()
    }
}

/// The content of all chunks in `buffer`, and whether the body ends with them.
fn take_chunks(state: &mut ChunkState, buffer: &mut BytesMut) -> Result<(Bytes, bool), Malformed> {
    let mut content = ContentRange::default();
    let mut at = 0;
    let scanned = scan(state, buffer, &mut at, &mut content);
    let ended = match scanned {
        Err(_) if content.start < content.end => false,
        scanned => scanned?,
    };
    let mut taken = buffer.split_to(at);
    taken.truncate(content.end);
    taken.advance(content.start);
    Ok((taken.freeze(), ended))
}

/// Scans `buffer` and moves `at` past the last valid part. True at the end of the body.
fn scan(
    state: &mut ChunkState,
    buffer: &mut BytesMut,
    at: &mut usize,
    content: &mut ContentRange,
) -> Result<bool, Malformed> {
    loop {
        let rest = buffer.get(*at..).unwrap_or_default();
        match state {
            ChunkState::Data(left) => {
                let count = min_len(*left, rest.len());
                content.add(buffer, *at, count);
                *at += count;
                *left -= count as u64;
                if *left > 0 {
                    return Ok(false);
                }
                *state = ChunkState::DataEnd;
            }
            ChunkState::DataEnd => match rest {
                [b'\r', b'\n', ..] => {
                    *at += 2;
                    *state = ChunkState::SizeLine;
                }
                [] | [b'\r'] => return Ok(false),
                _ => return Err(Malformed("chunk longer than its size")),
            },
            ChunkState::SizeLine => {
                let Some(line) = line(rest)? else {
                    return Ok(false);
                };
                *state = match size(line)? {
                    0 => ChunkState::Trailers(0),
                    size => ChunkState::Data(size),
                };
                *at += line.len() + 2;
            }
            ChunkState::Trailers(before) => {
                let Some(line) = line(rest)? else {
                    return Ok(false);
                };
                if *before + line.len() > MAX_TRAILERS {
                    return Err(Malformed("trailers too long"));
                }
                *before += line.len();
                *at += line.len() + 2;
                if line.is_empty() {
                    return Ok(true);
                }
            }
        }
    }
}

impl ContentRange {
    /// Adds `count` bytes at `at`. Only later chunks are moved, so the content of a single
    /// chunk is not copied.
    fn add(&mut self, buffer: &mut BytesMut, at: usize, count: usize) {
        if self.end == self.start {
            self.start = at;
            self.end = at;
        } else if at > self.end {
            buffer.copy_within(at..at + count, self.end);
        }
        self.end += count;
    }
}

/// The first line without its end; None if it is incomplete.
fn line(rest: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let Some(end) = memchr(b'\n', rest) else {
        return if rest.len() > MAX_LINE {
            Err(Malformed("line in chunked body too long"))
        } else {
            Ok(None)
        };
    };
    let line = rest.get(..end).unwrap_or_default();
    // Other parsers may treat a bare LF, or a CR within the line, differently.
    match line.split_last() {
        Some((b'\r', line)) if !line.contains(&b'\r') && line.len() <= MAX_LINE => Ok(Some(line)),
        _ => Err(Malformed("line in chunked body without CRLF")),
    }
}

/// Parses a chunk size. Extensions are ignored (RFC 9112, section 7.1.1).
fn size(line: &[u8]) -> Result<u64, Malformed> {
    const INVALID: Malformed = Malformed("invalid chunk size");
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, after) = line.split_at(digits);
    if !matches!(after.trim_ascii_start(), [] | [b';', ..]) || digits.len() > MAX_DIGITS {
        return Err(INVALID);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| INVALID)?;
    u64::from_str_radix(digits, 16).map_err(|_| INVALID)
}

fn min_len(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

#[cfg(test)]
mod tests;
