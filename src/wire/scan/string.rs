//! The content of JSON strings (RFC 8259, 7), which is most of a body.

use std::str::Chars;

use super::{ByteSpan, MAX_MODEL_BYTES};

/// The longest escape of one byte of text: `\u00xx`.
const MAX_ESCAPE_BYTES: usize = 6;

#[derive(Clone, Copy)]
pub(super) struct JsonString {
    /// Including the quotes.
    pub(super) span: ByteSpan,
    pub(super) escaped: bool,
}

/// The content of a string in a body, which is UTF-8.
#[derive(Clone, Copy)]
pub(super) struct StringContent<'t> {
    /// Between the quotes. It may be cut off after [`StringContent::MAX_COMPARED`] bytes.
    pub(super) content: &'t [u8],
    pub(super) escaped: bool,
}

/// A run of bytes without a quote, a backslash or a control character.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) len: usize,
    /// ASCII only, so that no UTF-8 check is needed.
    pub(super) ascii: bool,
}

/// Yields the characters of a string's content with escapes resolved. An `Err` is
/// the offset of half a surrogate pair.
pub(super) struct Decoder<'t> {
    len: usize,
    rest: Chars<'t>,
}

const BLOCK: usize = 32;
/// The results of this many bytes are combined at once: the combining step is not
/// vectorised, and took longer than the rest of a small block.
const WIDE_BLOCK: usize = 128;
const WORD: usize = 8;
const HIGH_BITS: u64 = repeat(0x80);

const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// The bytes before the first quote, backslash or control character.
///
/// Whole blocks are compared without a branch per byte, which the compiler turns
/// into vector instructions on every target. The exact position within the last
/// block is found by arithmetic on words.
pub(super) fn plain_run(bytes: &[u8]) -> Run {
    let mut run = Run {
        len: 0,
        ascii: true,
    };
    // Most strings are short: they end before blocks pay off.
    if !run.extend_by_words(bytes, 2) {
        return run;
    }
    run.extend_by_blocks::<WIDE_BLOCK>(bytes);
    run.extend_by_blocks::<BLOCK>(bytes);
    if run.extend_by_words(bytes, BLOCK / WORD) {
        let rest = bytes.get(run.len..).unwrap_or_default();
        let tail = rest.iter().take_while(|&&byte| !ends_run(byte));
        let (len, bits) = tail.fold((0, 0), |(len, bits), &byte| (len + 1, bits | byte));
        run.len += len;
        run.ascii &= bits.is_ascii();
    }
    run
}

impl Run {
    /// Extends the run by whole blocks.
    fn extend_by_blocks<const SIZE: usize>(&mut self, bytes: &[u8]) {
        let (blocks, _) = bytes
            .get(self.len..)
            .unwrap_or_default()
            .as_chunks::<SIZE>();
        let mut high = 0_u8;
        for block in blocks {
            let (found, bits) = block.iter().fold((0, 0), |(found, bits), &byte| {
                (found | u8::from(ends_run(byte)), bits | byte)
            });
            if found != 0 {
                break;
            }
            high |= bits;
            self.len += SIZE;
        }
        self.ascii &= high.is_ascii();
    }

    /// Extends the run by at most `limit` words; false once its end is found.
    fn extend_by_words(&mut self, bytes: &[u8], limit: usize) -> bool {
        let (words, _) = bytes
            .get(self.len..)
            .unwrap_or_default()
            .as_chunks::<WORD>();
        for word in words.iter().take(limit) {
            let word = u64::from_le_bytes(*word);
            let found = run_ends(word);
            if found != 0 {
                let before = found.trailing_zeros() / 8;
                self.len += before as usize;
                self.ascii &= word & HIGH_BITS & !(u64::MAX << (before * 8)) == 0;
                return false;
            }
            self.ascii &= word & HIGH_BITS == 0;
            self.len += WORD;
        }
        true
    }
}

fn ends_run(byte: u8) -> bool {
    // Not `||`: a lazy operator would put a branch into every lane.
    u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20) != 0
}

/// Sets the highest bit of each byte for which [`ends_run`] holds. A borrow can
/// mark bytes above a true one falsely, never below the first.
const fn run_ends(word: u64) -> u64 {
    let quote = word ^ repeat(b'"');
    let slash = word ^ repeat(b'\\');
    let zero = repeat(0x01);
    ((quote.wrapping_sub(zero) & !quote)
        | (slash.wrapping_sub(zero) & !slash)
        | (word.wrapping_sub(repeat(0x20)) & !word))
        & HIGH_BITS
}

/// The length of the escape at the start of `bytes`, or the offset of its first
/// invalid byte. `\u` needs four digits; whether surrogates are paired is
/// not part of the grammar (RFC 8259, 8.2).
pub(super) fn escape_len(bytes: &[u8]) -> Result<usize, usize> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            let digits = bytes.iter().skip(2).take(4);
            match digits.take_while(|byte| byte.is_ascii_hexdigit()).count() {
                4 => Ok(6),
                good => Err(2 + good),
            }
        }
        _ => Err(1),
    }
}

// === impl StringContent ===

impl StringContent<'_> {
    /// Longer texts are equal to no name, and longer than any limit in decoded bytes.
    pub(super) const MAX_COMPARED: usize = MAX_MODEL_BYTES * MAX_ESCAPE_BYTES;

    /// Compares it to `name`, with escapes resolved.
    pub(super) fn is(self, name: &str) -> bool {
        if !self.escaped {
            return self.content == name.as_bytes();
        }
        // The bound keeps a huge key from being decoded.
        self.content.len() <= name.len() * MAX_ESCAPE_BYTES
            && Decoder::from_bytes(self.content)
                .map(Result::ok)
                .eq(name.chars().map(Some))
    }

    /// Compares it to `name`, in lower case, as Go's `encoding/json` does: without
    /// regard to case, with U+017F as `s` and U+212A as `k`.
    pub(super) fn folds_to(self, name: &str) -> bool {
        let content = self.content;
        if content.len() == name.len() {
            return content.eq_ignore_ascii_case(name.as_bytes());
        }
        let longest = name.len() * MAX_ESCAPE_BYTES;
        let may_be_longer = self.escaped || !content.is_ascii();
        if content.len() < name.len() || content.len() > longest || !may_be_longer {
            return false;
        }
        let folded = |letter| match letter {
            '\u{17F}' => 's',
            '\u{212A}' => 'k',
            other => other.to_ascii_lowercase(),
        };
        Decoder::from_bytes(content)
            .map(|letter| letter.ok().map(folded))
            .eq(name.chars().map(Some))
    }

    /// Its length in UTF-8 with escapes resolved; `None` above the limit. An `Err` is the
    /// offset of half a surrogate pair.
    pub(super) fn decoded_len(self, limit: usize) -> Result<Option<usize>, usize> {
        let len = if !self.escaped {
            self.content.len()
        } else if self.content.len() > limit * MAX_ESCAPE_BYTES {
            return Ok(None);
        } else {
            Decoder::from_bytes(self.content)
                .map(|next| next.map(char::len_utf8))
                .sum::<Result<usize, usize>>()?
        };
        Ok((len <= limit).then_some(len))
    }
}

// === impl Decoder ===

impl<'t> Decoder<'t> {
    pub(super) fn new(content: &'t str) -> Self {
        Self {
            len: content.len(),
            rest: content.chars(),
        }
    }

    /// For content that a cursor has passed, which is UTF-8.
    pub(super) fn from_bytes(content: &'t [u8]) -> Self {
        Self::new(std::str::from_utf8(content).unwrap_or_default())
    }

    fn hex4(&mut self) -> Option<u16> {
        let digits = self.rest.as_str().get(..4)?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.rest = self.rest.as_str().get(4..)?.chars();
        Some(unit)
    }

    /// The character of a `\u` escape, or of two that form a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if let Some(plain) = char::from_u32(u32::from(first)) {
            return Some(plain);
        }
        self.rest = self.rest.as_str().strip_prefix("\\u")?.chars();
        let second = self.hex4()?;
        char::decode_utf16([first, second]).next()?.ok()
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            itself => itself,
        })
    }
}

impl Iterator for Decoder<'_> {
    type Item = Result<char, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.len - self.rest.as_str().len();
        match self.rest.next()? {
            '\\' => Some(self.escape().ok_or(at)),
            plain => Some(Ok(plain)),
        }
    }
}
