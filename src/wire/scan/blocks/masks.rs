//! Bit masks of the bytes in a block: bit `i` stands for byte `i`.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use fearless_simd::prelude::*;
use fearless_simd::{Simd, i8x64, u8x64};

pub const BLOCK: usize = 64;

/// The bytes that strings and their content are found by.
#[derive(Clone, Copy)]
pub struct StringMasks {
    pub quotes: u64,
    pub backslashes: u64,
    /// `n` and `t`, the letters of most escapes.
    pub letters: u64,
    /// Below U+0020, or not ASCII.
    pub unusual: u64,
}

/// The bytes that matter outside of strings, but for white space, numbers and literals.
#[derive(Clone, Copy)]
pub struct TokenMasks {
    pub colons: u64,
    pub commas: u64,
    /// `{`
    pub opening: u64,
    /// `}`
    pub closing: u64,
}

/// The bytes that characters of several bytes are checked by (RFC 3629, 4).
#[derive(Clone, Copy)]
pub struct CharMasks {
    /// 0x80 to 0xBF.
    pub continuations: u64,
    /// From 0xC0: the first of several bytes.
    pub from_c0: u64,
    /// From 0xE0: the first of at least three bytes.
    pub from_e0: u64,
    /// From 0xF0: the first of four bytes.
    pub from_f0: u64,
    /// Those that are invalid, or limit the byte after them.
    pub limited: u64,
}

#[derive(Clone, Copy)]
pub struct Block<S: Simd>(u8x64<S>);

impl<S: Simd> Block<S> {
    #[inline(always)]
    pub fn new(simd: S, bytes: &[u8; BLOCK]) -> Self {
        Self(u8x64::load_array_ref(simd, bytes))
    }

    #[inline(always)]
    pub fn find(self, byte: u8) -> u64 {
        self.0.simd_eq(byte).to_bitmask()
    }

    #[inline(always)]
    pub fn string_masks(self) -> StringMasks {
        // Bytes that are not ASCII are negative.
        let signed: i8x64<S> = self.0.bitcast();
        StringMasks {
            quotes: self.find(b'"'),
            backslashes: self.find(b'\\'),
            letters: (self.0.simd_eq(b'n') | self.0.simd_eq(b't')).to_bitmask(),
            unusual: signed.simd_lt(0x20).to_bitmask(),
        }
    }

    /// Not ASCII.
    #[inline(always)]
    pub fn high(self) -> u64 {
        self.0.simd_ge(0x80).to_bitmask()
    }

    #[inline(always)]
    pub fn token_masks(self) -> TokenMasks {
        TokenMasks {
            colons: self.find(b':'),
            commas: self.find(b','),
            opening: self.find(b'{'),
            closing: self.find(b'}'),
        }
    }

    /// Spaces, line feeds, carriage returns and tabs.
    #[inline(always)]
    pub fn spaces(self) -> u64 {
        self.find(b' ') | self.white_controls()
    }

    /// Line feeds, carriage returns and tabs.
    #[inline(always)]
    fn white_controls(self) -> u64 {
        self.find(b'\n') | self.find(b'\r') | self.find(b'\t')
    }

    /// The letters that may follow a backslash, without `n` and `t`; and `u`.
    #[inline(always)]
    pub fn escape_letters(self) -> (u64, u64) {
        let bytes = self.0;
        let letters =
            bytes.simd_eq(b'r') | bytes.simd_eq(b'/') | bytes.simd_eq(b'b') | bytes.simd_eq(b'f');
        (letters.to_bitmask(), self.find(b'u'))
    }

    #[inline(always)]
    pub fn hex_digits(self) -> u64 {
        let letters = ((self.0 | 0x20) - b'a').simd_lt(6);
        letters.to_bitmask() | self.digits()
    }

    #[inline(always)]
    pub fn digits(self) -> u64 {
        (self.0 - b'0').simd_lt(10).to_bitmask()
    }

    #[inline(always)]
    pub fn char_masks(self) -> CharMasks {
        let bytes = self.0;
        let limited = bytes.simd_eq(0xE0)
            | bytes.simd_eq(0xED)
            | bytes.simd_eq(0xF0)
            | bytes.simd_ge(0xF4)
            | (bytes & 0xFE).simd_eq(0xC0);
        let high = bytes.simd_ge(0x80).to_bitmask();
        let from_c0 = bytes.simd_ge(0xC0).to_bitmask();
        CharMasks {
            continuations: high & !from_c0,
            from_c0,
            from_e0: bytes.simd_ge(0xE0).to_bitmask(),
            from_f0: bytes.simd_ge(0xF0).to_bitmask(),
            limited: limited.to_bitmask(),
        }
    }

    /// True if a byte of [`CharMasks::limited`] is invalid, or the byte after it.
    #[inline(always)]
    pub fn has_invalid_pair(self) -> bool {
        let bytes = self.0;
        let invalid = bytes.simd_ge(0xF5) | (bytes & 0xFE).simd_eq(0xC0);
        let after = |byte| self.find(byte) << 1;
        let at_least = |byte| bytes.simd_ge(byte).to_bitmask();
        let invalid = invalid.to_bitmask()
            | (after(0xE0) & !at_least(0xA0))
            | (after(0xED) & at_least(0xA0))
            | (after(0xF0) & !at_least(0x90))
            | (after(0xF4) & at_least(0x90));
        invalid != 0
    }
}
