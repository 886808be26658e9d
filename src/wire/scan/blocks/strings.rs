//! The strings in a block, and what is in them (RFC 8259, 7).

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use fearless_simd::Simd;

use super::masks::{BLOCK, Block, StringMasks};
use super::{Carry, prefix_xor};
use crate::wire::scan::partial_char::PartialChar;

/// The escapes in a block.
pub(in crate::wire::scan) struct Escapes {
    /// The quotes that are not escaped.
    pub(in crate::wire::scan) quotes: u64,
    /// Escaped bytes that are no quote, backslash, `n` or `t`.
    pub(in crate::wire::scan) others: u64,
    /// 1 if the last byte escapes the first of the next block.
    pub(super) next: u64,
}

/// The masks of the strings in a block.
pub(super) struct Strings {
    /// From the first quote of each to before its last.
    pub(super) inside: u64,
    pub(super) opening: u64,
    pub(super) closing: u64,
}

impl Escapes {
    /// `first` is 1 if the first byte is escaped. Odd runs of backslashes are found by the
    /// carry of a subtraction.
    #[inline(always)]
    pub(in crate::wire::scan) const fn new(masks: StringMasks, first: u64) -> Self {
        const ODD_BITS: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let backslashes = masks.backslashes;
        let starts = backslashes & !first;
        let after_starts = (starts << 1) | ODD_BITS;
        let escapes_and_ends = after_starts.wrapping_sub(starts) ^ ODD_BITS;
        let escaped = escapes_and_ends ^ (backslashes | first);
        Self {
            quotes: masks.quotes & !escaped,
            others: escaped & !(masks.quotes | backslashes | masks.letters),
            next: (escapes_and_ends & backslashes) >> (BLOCK - 1),
        }
    }

    /// Checks the letters of the less frequent escapes, and hexadecimal digits, those that
    /// were `missing` too. Returns the bits of those that the last escape lacks.
    #[inline(always)]
    pub(super) fn check_others<S: Simd>(&self, block: Block<S>, missing: u64) -> Option<u64> {
        let (letters, with_digits) = block.escape_letters();
        let with_digits = with_digits & self.others;
        let digits = (with_digits << 1) | (with_digits << 2) | (with_digits << 3);
        let digits = digits | (with_digits << 4) | missing;
        if self.others & !(letters | with_digits) != 0 || digits & !block.hex_digits() != 0 {
            return None;
        }
        // So many bytes follow the last `u`.
        let present = with_digits.leading_zeros().min(4);
        Some((1 << (4 - present)) - 1)
    }
}

impl Strings {
    #[inline(always)]
    pub(super) const fn new(quotes: u64, in_string: u64) -> Self {
        let inside = prefix_xor(quotes) ^ in_string;
        Self {
            inside,
            opening: quotes & inside,
            closing: quotes & !inside,
        }
    }
}

impl Carry {
    /// Checks the characters that are not ASCII. Returns the one that is incomplete.
    #[inline(always)]
    pub(super) fn characters<S: Simd>(
        &self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        at: usize,
    ) -> Option<PartialChar> {
        let masks = block.char_masks();
        let first_of_two = masks.from_c0;
        let carried = (1_u64 << self.partial.missing) - 1;
        let expected = carried | (first_of_two << 1) | (masks.from_e0 << 2) | (masks.from_f0 << 3);
        if expected != masks.continuations {
            return None;
        }
        if !self.partial.is_none() {
            self.partial.step(*bytes.first()?)?;
        }
        if masks.limited != 0 && block.has_invalid_pair() {
            return None;
        }
        let is_open = (masks.from_c0 | (masks.from_e0 << 1) | (masks.from_f0 << 2)) >> (BLOCK - 1);
        if is_open == 0 {
            return Some(PartialChar::default());
        }
        let last = BLOCK - 1 - first_of_two.leading_zeros() as usize;
        let mut rest = bytes.get(last..)?.iter();
        let character = PartialChar::start(*rest.next()?, at + last)?;
        rest.try_fold(character, |character, byte| character.step(*byte))
    }
}
