//! What is outside of strings in a block, and which token may follow which.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use fearless_simd::Simd;

use super::masks::{BLOCK, Block, StringMasks};
use super::scalars::Scalars;
use super::strings::Strings;
use super::{After, Carry, LAST_BIT, repeat};
use crate::wire::scan::nesting::Nesting;

/// The masks of the brackets in a block.
struct Brackets {
    opening: u64,
    closing: u64,
    /// The bytes whose innermost bracket is that of an object.
    in_object: u64,
    open: Nesting,
}

/// The first byte after each of `tokens` that is not white space, and 1 if that of the
/// last one is in the next block. `first` is what was carried from the block before.
#[inline(always)]
const fn following(tokens: u64, first: u64, spaces: u64) -> (u64, u64) {
    let next = (tokens << 1) | first;
    // Carries through the white space after a token.
    let (behind, overflow) = (next & spaces).overflowing_add(spaces);
    let carried = (tokens >> (BLOCK - 1)) | overflow as u64;
    ((next | behind) & !spaces, carried)
}

impl Carry {
    #[inline(always)]
    pub(super) fn outside<S: Simd>(
        &mut self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        masks: StringMasks,
        strings: &Strings,
        min_depth: u32,
    ) -> Option<()> {
        let outside = !(strings.inside | strings.closing);
        let tokens = block.token_masks();
        let mut spaces = tokens.spaces & outside;
        if masks.controls != 0 {
            spaces |= block.white_controls() & outside;
        }
        let colons = tokens.colons & outside;
        let commas = tokens.commas & outside;
        let others = outside & !(spaces | colons | commas | tokens.brackets);
        let scalars = if others != 0 || self.scalar.is_some() {
            self.scalars(block, bytes, others)?
        } else {
            Scalars::default()
        };
        let brackets = self.brackets(bytes, tokens.brackets & outside, min_depth)?;
        if spaces == 0 {
            self.tokens(0, colons, commas, strings, &scalars, &brackets)
        } else {
            self.tokens(spaces, colons, commas, strings, &scalars, &brackets)
        }
    }

    /// Checks what follows what.
    #[inline(always)]
    fn tokens(
        &mut self,
        spaces: u64,
        colons: u64,
        commas: u64,
        strings: &Strings,
        scalars: &Scalars,
        brackets: &Brackets,
    ) -> Option<()> {
        let in_object = brackets.in_object;
        let (after_open, open) = following(brackets.opening, self.after.open, spaces);
        let (after_comma, comma) = following(commas, self.after.comma, spaces);
        let (after_colon, colon) = following(colons, self.after.colon, spaces);
        let keys = (after_open | after_comma) & in_object & strings.opening;
        let (key_ends, in_key) = strings.inside.overflowing_add(keys | self.in_key);
        let key_ends = key_ends & strings.closing;
        let (after_key, key) = following(key_ends, self.after.key, spaces);
        let value_ends = (strings.closing & !key_ends) | scalars.ends | brackets.closing;
        let before = self.after.value | scalars.carried_end;
        let (after_value, value) = following(value_ends, before, spaces);

        let values = strings.opening | scalars.starts | brackets.opening;
        let item_or_key = (values & !in_object) | (strings.opening & in_object);
        let is_invalid = (after_open & !(item_or_key | brackets.closing))
            | (after_comma & !item_or_key)
            | (after_colon & !values)
            | (after_key & !colons)
            | (after_value & !(commas | brackets.closing));
        if is_invalid != 0 {
            return None;
        }
        self.in_string = repeat(strings.inside & LAST_BIT != 0);
        self.in_key = u64::from(in_key);
        self.open = brackets.open;
        self.scalar = scalars.open;
        self.after = After {
            open,
            comma,
            colon,
            key,
            value,
        };
        Some(())
    }

    #[inline(always)]
    fn brackets(&self, bytes: &[u8; BLOCK], mut found: u64, min_depth: u32) -> Option<Brackets> {
        let mut open = self.open;
        let (mut opening, mut closing) = (0, 0);
        let mut in_object = repeat(open.in_object());
        while found != 0 {
            let byte = *bytes.get(found.trailing_zeros() as usize)?;
            let bit = found & found.wrapping_neg();
            found ^= bit;
            let was_object = open.in_object();
            // Two bits tell `[` and `{` from `]` and `}`, and all of them from the bytes
            // that are not allowed; a third one tells `{` and `}` from `[` and `]`.
            let is_curly = byte & 0x20 != 0;
            match byte & 0x06 {
                0x02 => {
                    if !open.enter(is_curly) {
                        return None;
                    }
                    opening |= bit;
                }
                0x04 => {
                    if was_object != is_curly || open.depth() == min_depth {
                        return None;
                    }
                    open.leave();
                    closing |= bit;
                }
                _ => return None,
            }
            // What follows the bracket.
            let behind = !(bit | (bit - 1));
            in_object ^= repeat(was_object != open.in_object()) & behind;
        }
        Some(Brackets {
            opening,
            closing,
            in_object,
            open,
        })
    }
}
