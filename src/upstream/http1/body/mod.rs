//! The body of an answer: where it ends, and what of it is content (RFC 9112,
//! sections 6 and 7).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// Most bytes of a line with a chunk's size and its extensions, and of one
/// trailer field.
const LONGEST_LINE: usize = 4 * 1024;
/// Most bytes of all trailer fields.
const MOST_TRAILERS: usize = 16 * 1024;
/// Digits of the largest size there can be.
const MOST_DIGITS: usize = 16;

/// Finds the content in what arrives, and the end of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes are to come.
    Length(u64),
    /// In chunks, each with its size before it.
    Chunked(Place),
    /// Until the connection ends.
    UntilClose,
    /// All of it is here.
    Ended,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the line with a chunk's size.
    Size,
    /// In a chunk, so many bytes before its end.
    Chunk(u64),
    /// Behind a chunk, before its line end.
    AfterChunk,
    /// Behind the last chunk, so many bytes into the trailer fields.
    Trailers(usize),
}

/// The body breaks the rules; where it ends cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The content found in one go: a range of what had arrived.
#[derive(Default)]
struct Found {
    start: usize,
    end: usize,
}

impl Body {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Place::Size)
    }

    pub(super) fn of_length(length: u64) -> Self {
        if length == 0 {
            Self::Ended
        } else {
            Self::Length(length)
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        *self == Self::Ended
    }

    /// Whether all of it has come, as far as that is known beforehand.
    pub(super) fn is_in(&self, arrived: &[u8]) -> bool {
        match self {
            Self::Ended => true,
            Self::Length(left) => *left <= arrived.len() as u64,
            Self::Chunked(_) | Self::UntilClose => false,
        }
    }

    /// Takes all content out of `arrived`, in one piece: chunks that came
    /// together go on together. Empty when there is none yet. What came before
    /// a fault goes on as well; the fault is found again by the next call.
    pub(super) fn take(&mut self, arrived: &mut BytesMut) -> Result<Bytes, Malformed> {
        match self {
            Self::Ended => Ok(Bytes::new()),
            Self::UntilClose => Ok(arrived.split().freeze()),
            Self::Length(left) => {
                let count = shorter(*left, arrived.len());
                *left -= count as u64;
                let ended = *left == 0;
                let content = arrived.split_to(count).freeze();
                if ended {
                    *self = Self::Ended;
                }
                Ok(content)
            }
            Self::Chunked(place) => {
                let (content, ended) = take_chunks(place, arrived)?;
                if ended {
                    *self = Self::Ended;
                }
                Ok(content)
            }
        }
    }

    /// The connection has ended; true when that is where the body may end.
    pub(super) fn ends_here(&mut self) -> bool {
        if *self == Self::UntilClose {
            *self = Self::Ended;
        }
        self.has_ended()
    }
}

/// The content of all chunks in `arrived`, and whether the body ends with them.
fn take_chunks(place: &mut Place, arrived: &mut BytesMut) -> Result<(Bytes, bool), Malformed> {
    let mut found = Found::default();
    let mut at = 0;
    let scanned = scan(place, arrived, &mut at, &mut found);
    let ended = match scanned {
        Err(_) if found.start < found.end => false,
        scanned => scanned?,
    };
    let mut taken = arrived.split_to(at);
    taken.truncate(found.end);
    taken.advance(found.start);
    Ok((taken.freeze(), ended))
}

/// Goes through what arrived, and leaves `at` behind the last part that was in
/// order. True at the end of the body.
fn scan(
    place: &mut Place,
    arrived: &mut BytesMut,
    at: &mut usize,
    found: &mut Found,
) -> Result<bool, Malformed> {
    loop {
        let rest = arrived.get(*at..).unwrap_or_default();
        match place {
            Place::Chunk(left) => {
                let count = shorter(*left, rest.len());
                found.add(arrived, *at, count);
                *at += count;
                *left -= count as u64;
                if *left > 0 {
                    return Ok(false);
                }
                *place = Place::AfterChunk;
            }
            Place::AfterChunk => match rest {
                [b'\r', b'\n', ..] => {
                    *at += 2;
                    *place = Place::Size;
                }
                [] | [b'\r'] => return Ok(false),
                _ => return Err(Malformed("a chunk is longer than its size")),
            },
            Place::Size => {
                let Some(line) = line(rest)? else {
                    return Ok(false);
                };
                *place = match size(line)? {
                    0 => Place::Trailers(0),
                    size => Place::Chunk(size),
                };
                *at += line.len() + 2;
            }
            Place::Trailers(before) => {
                let Some(line) = line(rest)? else {
                    return Ok(false);
                };
                if *before + line.len() > MOST_TRAILERS {
                    return Err(Malformed("the trailers are too long"));
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

impl Found {
    /// Adds `count` bytes that stand at `at`. What was found before is never
    /// moved, so content in one chunk is not copied.
    fn add(&mut self, arrived: &mut BytesMut, at: usize, count: usize) {
        if self.end == self.start {
            self.start = at;
            self.end = at;
        } else if at > self.end {
            arrived.copy_within(at..at + count, self.end);
        }
        self.end += count;
    }
}

/// The line at the start of `rest`, without its end; none when it is not whole.
fn line(rest: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let Some(end) = memchr(b'\n', rest) else {
        return if rest.len() > LONGEST_LINE {
            Err(Malformed("a line between chunks is too long"))
        } else {
            Ok(None)
        };
    };
    let line = rest.get(..end).unwrap_or_default();
    // A bare LF, or a CR within the line, may be read differently by the next
    // reader.
    match line.split_last() {
        Some((b'\r', line)) if !line.contains(&b'\r') && line.len() <= LONGEST_LINE => {
            Ok(Some(line))
        }
        _ => Err(Malformed("a line between chunks does not end as it must")),
    }
}

/// The size in a chunk's first line. Extensions are passed over (RFC 9112,
/// section 7.1.1).
fn size(line: &[u8]) -> Result<u64, Malformed> {
    const BAD: Malformed = Malformed("a chunk has no valid size");
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, behind) = line.split_at(digits);
    if !matches!(behind.trim_ascii_start(), [] | [b';', ..]) || digits.len() > MOST_DIGITS {
        return Err(BAD);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BAD)?;
    u64::from_str_radix(digits, 16).map_err(|_| BAD)
}

fn shorter(left: u64, here: usize) -> usize {
    usize::try_from(left).map_or(here, |left| left.min(here))
}

#[cfg(test)]
mod tests;
