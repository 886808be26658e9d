//! The strings in a block, and what is in them (RFC 8259, 7).

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use fearless_simd::Simd;

use super::masks::{BLOCK, Block, StringMasks};
use super::{Carry, LAST_BIT, prefix_xor};
use crate::wire::scan::machine::Escape;
use crate::wire::scan::partial_char::PartialChar;

/// The masks of the strings in a block.
pub(super) struct Strings {
    /// From the first quote of each to before its last.
    pub(super) inside: u64,
    pub(super) opening: u64,
    pub(super) closing: u64,
    /// What the last escape lacks.
    pub(super) escape: Escape,
}

/// The bytes that are escaped by one of `backslashes`, and whether the last byte escapes
/// the first of the next block. `first` is 1 if the first byte is escaped. Odd runs of
/// backslashes are found by the carry of a subtraction.
const fn escaped(backslashes: u64, first: u64) -> (u64, bool) {
    const ODD_BITS: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    let starts = backslashes & !first;
    let after_starts = (starts << 1) | ODD_BITS;
    let escapes_and_ends = after_starts.wrapping_sub(starts) ^ ODD_BITS;
    let last_escapes = escapes_and_ends & backslashes & LAST_BIT != 0;
    (escapes_and_ends ^ (backslashes | first), last_escapes)
}

impl Carry {
    #[inline(always)]
    pub(super) fn strings<S: Simd>(&self, block: Block<S>, masks: StringMasks) -> Option<Strings> {
        let mut quotes = masks.quotes;
        let mut escape = Escape::None;
        if masks.backslashes != 0 || !self.escape.is_none() {
            let first = u64::from(self.escape == Escape::Letter);
            let (escaped, is_open) = escaped(masks.backslashes, first);
            quotes &= !escaped;
            escape = self.escapes(block, masks, escaped)?;
            if is_open {
                escape = Escape::Letter;
            }
        }
        let inside = prefix_xor(quotes) ^ self.in_string;
        Some(Strings {
            inside,
            opening: quotes & inside,
            closing: quotes & !inside,
            escape,
        })
    }

    /// Checks what follows backslashes. Returns what the last escape lacks.
    #[inline(always)]
    fn escapes<S: Simd>(
        &self,
        block: Block<S>,
        masks: StringMasks,
        escaped: u64,
    ) -> Option<Escape> {
        let carried = match self.escape {
            Escape::Digits(missing) => (1 << missing) - 1,
            Escape::None | Escape::Letter => 0,
        };
        let others = escaped & !(masks.quotes | masks.backslashes | block.find(b'n'));
        if others | carried == 0 {
            return Some(Escape::None);
        }
        let (letters, with_digits) = block.escape_letters();
        let with_digits = with_digits & others;
        let digits = (with_digits << 1) | (with_digits << 2) | (with_digits << 3);
        let digits = digits | (with_digits << 4) | carried;
        if others & !(letters | with_digits) != 0 || digits & !block.hex_digits() != 0 {
            return None;
        }
        // So many bytes follow the last `u`.
        let present = with_digits.leading_zeros();
        Some(if present < 4 {
            Escape::Digits(4 - present)
        } else {
            Escape::None
        })
    }

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
