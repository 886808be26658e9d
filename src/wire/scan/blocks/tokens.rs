//! What is outside of strings in a block, and which token may follow which.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use std::hint::black_box;

use fearless_simd::Simd;

use super::masks::{BLOCK, Block, TokenMasks};
use super::scalars::Scalars;
use super::strings::Strings;
use super::{After, Carry, LAST_BIT, prefix_xor, repeat};
use crate::wire::scan::nesting::Nesting;

/// What stands outside of the strings in a block.
pub(super) struct Tokens {
    colons: u64,
    commas: u64,
    /// Any of `{[`.
    pub(super) opening: u64,
    /// Any of `}]`.
    pub(super) closing: u64,
    /// Any of `[]`.
    square: u64,
    spaces: u64,
    scalars: Scalars,
    /// What is none of these.
    pub(super) others: u64,
}

/// What follows a block, and whether its tokens stand in order.
pub(super) struct TokenOrder {
    pub(super) after: After,
    pub(super) in_key: u64,
    pub(super) is_invalid: bool,
}

/// The first byte after each of `tokens` that is not white space, and 1 if that of the
/// last one is in the next block. `first` is what was carried from the block before.
#[inline(always)]
const fn following(tokens: u64, first: u64, spaces: u64) -> (u64, u64) {
    let next = (tokens << 1) + first;
    // Carries through the white space after a token.
    let (behind, overflow) = (next & spaces).overflowing_add(spaces);
    let carried = (tokens >> (BLOCK - 1)) | overflow as u64;
    ((next | behind) & !spaces, carried)
}

impl Carry {
    /// Takes what stands outside of strings.
    #[inline(always)]
    pub(super) fn outside<S: Simd>(
        &mut self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        strings: &Strings,
        min_depth: u32,
    ) -> Option<()> {
        let tokens = self.find_tokens(block, bytes, strings)?;
        let brackets = tokens.opening | tokens.closing;
        let mut open = self.open;
        let in_object = if tokens.square == 0
            && open.step_in_objects(tokens.opening, tokens.closing, min_depth)
        {
            u64::MAX
        } else if tokens.square == 0 && open.is_in_objects_of_array(min_depth) {
            let was_in_object = repeat(open.in_object());
            let in_object = prefix_xor(brackets) ^ was_in_object;
            open.set_in_object(in_object >> (BLOCK - 1) != 0);
            let in_object = (in_object << 1) | (was_in_object & 1);
            if (tokens.opening & in_object) | (tokens.closing & !in_object) == 0 {
                in_object
            } else {
                open = self.open;
                open.step(&tokens, min_depth)?
            }
        } else {
            open.step(&tokens, min_depth)?
        };
        let order = if tokens.spaces == 0 {
            self.after
                .order(self.in_key, &tokens, 0, strings, in_object)
        } else {
            let spaces = tokens.spaces;
            self.after
                .order(self.in_key, &tokens, spaces, strings, in_object)
        };
        if order.is_invalid {
            return None;
        }
        self.in_string = repeat(strings.inside & LAST_BIT != 0);
        self.in_key = order.in_key;
        self.after = order.after;
        self.scalar = tokens.scalars.open;
        self.open = open;
        self.is_spaced = tokens.spaces != 0;
        Some(())
    }

    #[inline(always)]
    fn find_tokens<S: Simd>(
        &self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        strings: &Strings,
    ) -> Option<Tokens> {
        // The compiler moves parts of these to where they are needed, and a comparison by
        // lanes from one basic block to another in 64 registers.
        let mut tokens = Tokens::new(black_box(block.token_masks()), strings);
        let others = tokens.others;
        if others == 0 && self.scalar.is_none() {
            return Some(tokens);
        }
        let (opening, closing) = (block.find(b'[') & others, block.find(b']') & others);
        tokens.opening |= opening;
        tokens.closing |= closing;
        tokens.square = opening | closing;
        tokens.spaces = block.spaces() & others;
        let others = others & !(tokens.square | tokens.spaces);
        if others != 0 || self.scalar.is_some() {
            tokens.scalars = self.scalars(block, bytes, others)?;
        }
        Some(tokens)
    }
}

impl Tokens {
    /// Those that one byte tells.
    #[inline(always)]
    pub(super) const fn new(masks: TokenMasks, strings: &Strings) -> Self {
        let outside = !(strings.inside | strings.closing);
        let known = masks.colons | masks.commas | masks.opening | masks.closing;
        Self {
            colons: masks.colons & outside,
            commas: masks.commas & outside,
            opening: masks.opening & outside,
            closing: masks.closing & outside,
            square: 0,
            spaces: 0,
            scalars: Scalars::NONE,
            others: outside & !known,
        }
    }
}

impl After {
    /// Checks what follows what. `in_object` has the bytes whose innermost bracket is that
    /// of an object; `in_key` is 1 if the block begins within a key.
    #[inline(always)]
    pub(super) const fn order(
        self,
        in_key: u64,
        tokens: &Tokens,
        spaces: u64,
        strings: &Strings,
        in_object: u64,
    ) -> TokenOrder {
        let (opening, closing) = (tokens.opening, tokens.closing);
        let scalars = &tokens.scalars;
        let (after_open, open) = following(opening, self.open, spaces);
        let (after_comma, comma) = following(tokens.commas, self.comma, spaces);
        let (after_colon, colon) = following(tokens.colons, self.colon, spaces);
        let key_starts = (after_open | after_comma) & in_object;
        let keys = key_starts & strings.opening;
        let (key_ends, key_is_open) = strings.inside.overflowing_add(keys | in_key);
        let key_ends = key_ends & strings.closing;
        let (after_key, key) = following(key_ends, self.key, spaces);
        let value_ends = (strings.closing & !key_ends) | scalars.ends | closing;
        let before = self.value | scalars.carried_end;
        let (after_value, value) = following(value_ends, before, spaces);

        // Each token but those of an empty object or array follows one of a kind that must
        // be followed by its kind.
        let values = strings.opening | scalars.starts | opening;
        let no_keys = values & !strings.opening & key_starts;
        let unexpected = values ^ (after_open | after_comma | after_colon);
        let not_ended = (tokens.commas | closing) ^ after_value;
        let empty = after_open & closing;
        let invalid = no_keys | ((unexpected | not_ended) & !empty) | (tokens.colons ^ after_key);
        TokenOrder {
            after: Self {
                open,
                comma,
                colon,
                key,
                value,
            },
            in_key: key_is_open as u64,
            is_invalid: invalid != 0,
        }
    }
}

impl Nesting {
    /// Opens and closes brackets one by one. Returns the bytes whose innermost bracket is
    /// that of an object.
    #[inline]
    fn step(&mut self, tokens: &Tokens, min_depth: u32) -> Option<u64> {
        let mut in_object = repeat(self.in_object());
        let mut found = tokens.opening | tokens.closing;
        while found != 0 {
            let bit = found & found.wrapping_neg();
            found ^= bit;
            let was_object = self.in_object();
            let is_curly = tokens.square & bit == 0;
            if tokens.opening & bit != 0 {
                if !self.enter(is_curly) {
                    return None;
                }
            } else {
                if was_object != is_curly || self.depth() == min_depth {
                    return None;
                }
                self.leave();
            }
            // What follows the bracket.
            let behind = !(bit | (bit - 1));
            in_object ^= repeat(was_object != self.in_object()) & behind;
        }
        Some(in_object)
    }
}
