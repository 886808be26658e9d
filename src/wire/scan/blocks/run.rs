//! Runs of blocks that have nothing but strings, colons, commas and the braces of
//! objects, without white space: most blocks of conversations. All of a block is computed
//! before one branch, since which of its conditions fails cannot be predicted.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use std::mem;

use fearless_simd::Simd;

use super::masks::{BLOCK, Block, StringMasks};
use super::strings::{Escapes, Strings};
use super::tokens::Tokens;
use super::{Carry, repeat};
use crate::wire::scan::partial_char::PartialChar;

/// The blocks that were taken, and the backslashes in them.
#[derive(Clone, Copy, Default)]
pub(in super::super) struct BlockRun {
    pub(in super::super) count: usize,
    pub(in super::super) backslashes: u64,
}

impl Carry {
    /// Takes blocks until one needs more than this, or is invalid.
    #[inline(always)]
    pub(in super::super) fn take_run<S: Simd>(
        &mut self,
        simd: S,
        blocks: &[[u8; BLOCK]],
        min_depth: u32,
        at: usize,
    ) -> BlockRun {
        if self.digits != 0 || self.scalar.is_some() || self.is_spaced {
            return BlockRun::default();
        }
        let (closable, openable) = self.open.room_in_objects(min_depth);
        if closable != 0 {
            self.run::<S, false>(simd, blocks, at, (closable, openable))
        } else {
            // Elsewhere, only text is taken.
            let taken = u32::from(self.open.is_in_objects_of_array(min_depth));
            self.run::<S, true>(simd, blocks, at, (taken, taken))
        }
    }

    /// Either all brackets around are those of objects, of which so many can be closed and
    /// opened, or the brackets are those of objects `IN_ARRAY`.
    #[inline(always)]
    #[allow(
        clippy::needless_bitwise_bool,
        reason = "one branch for all conditions of a block"
    )]
    fn run<S: Simd, const IN_ARRAY: bool>(
        &mut self,
        simd: S,
        blocks: &[[u8; BLOCK]],
        at: usize,
        (mut closable, mut openable): (u32, u32),
    ) -> BlockRun {
        let (mut run, before) = (BlockRun::default(), closable);
        let (mut in_string, mut in_key, mut first) = (self.in_string, self.in_key, self.escaped);
        let mut after = self.after;
        let mut is_in_object = u64::from(self.open.in_object());
        let (mut partial, mut missing) = (self.partial, u64::from(self.partial.missing));
        for bytes in blocks {
            let block = Block::new(simd, bytes);
            let masks = block.string_masks();
            let escapes = Escapes::new(masks, first);
            let has_characters = masks.unusual | missing != 0;
            if has_characters {
                let at = at + run.count * BLOCK;
                let Some(before) = self.take_characters(block, bytes, masks, at) else {
                    break;
                };
                partial = before;
                missing = u64::from(self.partial.missing);
            }
            let is_text = escapes.quotes | escapes.others | !in_string == 0;
            if !is_text {
                let strings = Strings::new(escapes.quotes, in_string);
                let tokens = Tokens::new(block.token_masks(), &strings);
                let (opening, closing) = (tokens.opening, tokens.closing);
                let (opened, closed) = (opening.count_ones(), closing.count_ones());
                let (in_object, next_in_object, is_other) = if IN_ARRAY {
                    // From each opening to before the next closing, by borrows.
                    let within = closing.wrapping_sub(opening).wrapping_sub(is_in_object);
                    let in_object = (within << 1) + is_in_object;
                    let misplaced = (opening & in_object) | (closing & !in_object);
                    let is_other = misplaced != 0 || openable == 0;
                    (in_object, within >> (BLOCK - 1), is_other)
                } else {
                    let is_other = opened > openable || closed > closable;
                    (u64::MAX, 1, is_other)
                };
                let order = after.order(in_key, &tokens, 0, &strings, in_object);
                if order.is_invalid | is_other | (tokens.others | escapes.others != 0) {
                    if has_characters {
                        self.partial = partial;
                    }
                    break;
                }
                if !IN_ARRAY {
                    closable = closable + opened - closed;
                    openable = openable + closed - opened;
                }
                in_string = repeat(strings.inside >> (BLOCK - 1) != 0);
                (in_key, after, is_in_object) = (order.in_key, order.after, next_in_object);
            }
            first = escapes.next;
            run.backslashes |= masks.backslashes;
            run.count += 1;
        }
        if IN_ARRAY {
            self.open.set_in_object(is_in_object != 0);
        } else {
            self.open.set_objects(before, closable);
        }
        (self.in_string, self.in_key) = (in_string, in_key);
        (self.escaped, self.after) = (first, after);
        run
    }

    /// Takes the characters of a block that are not ASCII, if it has no control
    /// characters. Returns the incomplete one before it.
    #[inline(always)]
    fn take_characters<S: Simd>(
        &mut self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        masks: StringMasks,
        at: usize,
    ) -> Option<PartialChar> {
        if masks.unusual & !block.high() != 0 {
            return None;
        }
        let partial = self.characters(block, bytes, at)?;
        Some(mem::replace(&mut self.partial, partial))
    }
}
