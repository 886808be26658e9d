//! Joins small chunks of a body in the chunked transfer coding (RFC 9112, section 7.1).
//!
//! A size line that is not plain hexadecimal digits, and whatever follows it, stays as it
//! is: extensions, trailers, errors, the next request.

use std::cmp::min;

/// The longest chunk that is joined with others. Above that, copying it costs as much as
/// it saves.
const SMALL: usize = 1024;
/// Digits of a size that is understood: as many as `u32` holds.
const SIZE_DIGITS: u8 = 8;
/// The size line of joined chunks, with leading zeros, which the grammar allows: it is
/// written once their length is known.
const JOINED_LINE: usize = 4 + CRLF.len();
const JOINED_MAX: usize = 0xFFFF;
const CRLF: &[u8; 2] = b"\r\n";
/// Four chunks of one byte.
const ONE_BYTE_CHUNKS: usize = 4 * b"1\r\nx\r\n".len();

/// Where in a chunked body the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Size {
        digits: u8,
        size: u32,
    },
    SizeLf {
        size: u32,
    },
    Data {
        left: u32,
    },
    DataCr,
    DataLf,
    /// Behind the last chunk's size line, or after something that is not understood.
    Unknown,
}

/// Follows the framing of one body, in any number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkMerger(Position);

impl ChunkMerger {
    const START: Position = Position::Size { digits: 0, size: 0 };

    /// At the first byte of a body.
    pub fn at_body() -> Self {
        Self(Self::START)
    }

    /// Leaves everything as it is.
    pub fn inactive() -> Self {
        Self(Position::Unknown)
    }

    pub fn is_active(self) -> bool {
        self.0 != Position::Unknown
    }

    /// Passes over what stays as it is; returns where chunks to join begin, or the length.
    pub fn pass(&mut self, raw: &[u8]) -> usize {
        let mut rest = raw;
        while !rest.is_empty() {
            if self.0 == Self::START && two_small_chunks(rest).is_some() {
                break;
            }
            rest = rest.get(self.step(rest)..).unwrap_or_default();
        }
        raw.len() - rest.len()
    }

    /// Copies `raw` with its small chunks joined, as far as there is room for: room for as
    /// many bytes is always enough. Returns how much was taken, and how much written.
    pub fn merge(&mut self, raw: &[u8], out: &mut [u8]) -> (usize, usize) {
        let (mut rest, mut room) = (raw, &mut *out);
        let mut written = 0;
        while !rest.is_empty() && !room.is_empty() {
            let joined = if self.0 == Self::START {
                join(rest, room)
            } else {
                None
            };
            let (taken, count) = joined.unwrap_or_else(|| self.copy(rest, room));
            written += count;
            rest = rest.get(taken..).unwrap_or_default();
            room = room.get_mut(count..).unwrap_or_default();
        }
        (raw.len() - rest.len(), written)
    }

    fn copy(&mut self, raw: &[u8], out: &mut [u8]) -> (usize, usize) {
        let fitting = raw.get(..min(raw.len(), out.len())).unwrap_or(raw);
        let count = self.step(fitting);
        for (to, from) in out.iter_mut().zip(fitting).take(count) {
            *to = *from;
        }
        (count, count)
    }

    /// Passes over a byte of framing, or over data; returns how many bytes.
    fn step(&mut self, raw: &[u8]) -> usize {
        let Some(&byte) = raw.first() else {
            return 0;
        };
        let mut count = 1;
        self.0 = match (self.0, byte) {
            (Position::Size { digits, size }, b'\r') if digits > 0 => Position::SizeLf { size },
            (Position::Size { digits, size }, _) => match hex_digit(byte) {
                Some(digit) if digits < SIZE_DIGITS => Position::Size {
                    digits: digits + 1,
                    size: size << 4 | digit,
                },
                _ => Position::Unknown,
            },
            (Position::SizeLf { size: left @ 1.. }, b'\n') => Position::Data { left },
            (Position::Data { left }, _) => {
                let length = u32::try_from(raw.len()).unwrap_or(u32::MAX).min(left);
                count = length as usize;
                match left - length {
                    0 => Position::DataCr,
                    left => Position::Data { left },
                }
            }
            (Position::DataCr, b'\r') => Position::DataLf,
            (Position::DataLf, b'\n') => Self::START,
            _ => {
                count = raw.len();
                Position::Unknown
            }
        };
        count
    }
}

/// Joins the small chunks that `raw` begins with, if there are several and they fit.
fn join(raw: &[u8], out: &mut [u8]) -> Option<(usize, usize)> {
    let least = two_small_chunks(raw)?;
    let (line, data) = out.split_at_mut_checked(JOINED_LINE)?;
    let room = data.len().checked_sub(CRLF.len())?.min(JOINED_MAX);
    let data = data.get_mut(..room + CRLF.len())?;
    if least > room {
        return None;
    }
    let (mut rest, mut length) = (raw, 0);
    loop {
        while let Some((chunks, after)) = rest.split_first_chunk()
            && let Some(bytes) = one_byte_chunks(chunks)
            && length + bytes.len() <= room
            && let Some(to) = data.get_mut(length..length + bytes.len())
        {
            to.copy_from_slice(&bytes);
            length += bytes.len();
            rest = after;
        }
        let Some((chunk, after)) = small_chunk(rest) else {
            break;
        };
        if length + chunk.len() > room {
            break;
        }
        data.get_mut(length..)?
            .get_mut(..chunk.len())?
            .copy_from_slice(chunk);
        length += chunk.len();
        rest = after;
    }
    for (index, byte) in line.iter_mut().enumerate() {
        *byte = match index {
            0..4 => *b"0123456789abcdef".get(length >> (12 - 4 * index) & 0xF)?,
            4 => b'\r',
            _ => b'\n',
        };
    }
    data.get_mut(length..)?
        .get_mut(..CRLF.len())?
        .copy_from_slice(CRLF);
    Some((raw.len() - rest.len(), JOINED_LINE + length + CRLF.len()))
}

/// The length of the data of the first two chunks, if both are complete and small.
fn two_small_chunks(raw: &[u8]) -> Option<usize> {
    let (first, rest) = small_chunk(raw)?;
    let (second, _) = small_chunk(rest)?;
    Some(first.len() + second.len())
}

/// The data of a complete, small chunk, and what follows it.
fn small_chunk(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = small_size(raw)?;
    let (data, rest) = rest.split_at_checked(size)?;
    Some((data, rest.strip_prefix(CRLF)?))
}

/// The size of a small chunk that is not the last, and what follows its line.
fn small_size(raw: &[u8]) -> Option<(usize, &[u8])> {
    let mut size = 0;
    for (index, &byte) in raw.iter().enumerate().take(usize::from(SIZE_DIGITS) + 1) {
        if let Some(digit) = hex_digit(byte) {
            size = size << 4 | digit as usize;
        } else {
            let rest = raw.get(index..)?.strip_prefix(CRLF)?;
            return (1..=SMALL).contains(&size).then_some((size, rest));
        }
    }
    None
}

fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

/// The data of four chunks of one byte, the smallest and most expensive.
fn one_byte_chunks(chunks: &[u8; ONE_BYTE_CHUNKS]) -> Option<[u8; 4]> {
    const MASK: [u8; ONE_BYTE_CHUNKS] = pattern(0xFF, 0xFF, 0xFF);
    const FRAMING: [u8; ONE_BYTE_CHUNKS] = pattern(b'1', b'\r', b'\n');
    let is_framing = (0..3).all(|index| {
        let word = |bytes: &[u8; ONE_BYTE_CHUNKS]| {
            let (words, _) = bytes.as_chunks::<8>();
            words.get(index).map(|word| u64::from_ne_bytes(*word))
        };
        match (word(chunks), word(&MASK), word(&FRAMING)) {
            (Some(word), Some(mask), Some(framing)) => word & mask == framing,
            _ => false,
        }
    });
    is_framing.then(|| [chunks[3], chunks[9], chunks[15], chunks[21]])
}

/// The framing of [`one_byte_chunks`] in these bytes; 0 for the data.
const fn pattern(size: u8, cr: u8, lf: u8) -> [u8; ONE_BYTE_CHUNKS] {
    [
        size, cr, lf, 0, cr, lf, size, cr, lf, 0, cr, lf, //
        size, cr, lf, 0, cr, lf, size, cr, lf, 0, cr, lf,
    ]
}
