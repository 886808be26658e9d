//! Checks a block of 64 bytes at once, by bit masks (Langdale and Lemire, "Parsing
//! Gigabytes of JSON per Second", 2019, section 3.1).
//!
//! The grammar is checked by what may follow what: each token follows one of a kind that
//! must be followed by its kind, so the masks of both must be equal. Only literals,
//! numbers other than plain integers, and brackets, unless they are those of objects in
//! objects or in one array, are looked at one by one.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

mod masks;
mod run;
mod scalars;
mod strings;
mod tokens;

use fearless_simd::Simd;

pub(super) use self::masks::{BLOCK, Block, StringMasks};
pub(super) use self::strings::Escapes;
use self::strings::Strings;
use super::machine::{Escape, Machine, ScanPhase};
use super::nesting::Nesting;
use super::partial_char::PartialChar;
use super::scalar::Scalar;

/// The state between two blocks: that of the machine, in the form that masks need.
#[derive(Clone, Copy)]
pub(super) struct Carry {
    /// All bits set within a string.
    in_string: u64,
    /// 1 within a key.
    in_key: u64,
    /// 1 if the first byte is escaped.
    escaped: u64,
    /// The bits of the hexadecimal digits that an escape lacks.
    digits: u64,
    partial: PartialChar,
    open: Nesting,
    after: After,
    scalar: Option<Scalar>,
    /// The last block has white space outside of strings.
    is_spaced: bool,
}

/// 1 for the kind of token that the first one in the block follows.
#[derive(Clone, Copy, Default)]
struct After {
    open: u64,
    comma: u64,
    colon: u64,
    key: u64,
    value: u64,
}

const LAST_BIT: u64 = 1 << (BLOCK - 1);

pub(super) const fn repeat(bit: bool) -> u64 {
    0_u64.wrapping_sub(bit as u64)
}

/// Sets the bits from each odd set bit to before the next set one.
pub(super) const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

// === impl Carry ===

impl Carry {
    #[inline]
    pub(super) fn of(machine: &Machine) -> Self {
        let mut carry = Self {
            in_string: 0,
            in_key: 0,
            escaped: 0,
            digits: 0,
            partial: machine.partial,
            open: machine.open,
            after: After::default(),
            scalar: None,
            is_spaced: false,
        };
        match machine.escape {
            Escape::None => {}
            Escape::Letter => carry.escaped = 1,
            Escape::Digits(missing) => carry.digits = (1 << missing) - 1,
        }
        let after = &mut carry.after;
        match machine.phase {
            ScanPhase::FirstItem | ScanPhase::FirstKey => after.open = 1,
            ScanPhase::Value if machine.open.in_object() => after.colon = 1,
            ScanPhase::Value | ScanPhase::Key => after.comma = 1,
            ScanPhase::Colon => after.key = 1,
            ScanPhase::AfterValue => after.value = 1,
            ScanPhase::String { is_key } => {
                carry.in_string = u64::MAX;
                carry.in_key = u64::from(is_key);
            }
            ScanPhase::Scalar(scalar) => carry.scalar = Some(scalar),
        }
        carry
    }

    #[inline]
    pub(super) fn restore(&self, machine: &mut Machine) {
        machine.escape = if self.escaped != 0 {
            Escape::Letter
        } else if self.digits != 0 {
            Escape::Digits(self.digits.count_ones())
        } else {
            Escape::None
        };
        machine.partial = self.partial;
        machine.open = self.open;
        let in_object = self.open.in_object();
        machine.phase = if self.in_string != 0 {
            ScanPhase::String {
                is_key: self.in_key == 1,
            }
        } else if let Some(scalar) = self.scalar {
            ScanPhase::Scalar(scalar)
        } else if self.after.open == 1 {
            if in_object {
                ScanPhase::FirstKey
            } else {
                ScanPhase::FirstItem
            }
        } else if self.after.comma == 1 {
            if in_object {
                ScanPhase::Key
            } else {
                ScanPhase::Value
            }
        } else if self.after.colon == 1 {
            ScanPhase::Value
        } else if self.after.key == 1 {
            ScanPhase::Colon
        } else {
            ScanPhase::AfterValue
        };
    }

    /// Takes a block, if it is valid, and either within a string or nowhere less deep than
    /// `min_depth`; otherwise nothing changes. `at` is its offset in the body.
    #[inline(always)]
    pub(super) fn take<S: Simd>(
        &mut self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        masks: StringMasks,
        min_depth: u32,
        at: usize,
    ) -> Option<()> {
        let escapes = Escapes::new(masks, self.escaped);
        let strings = Strings::new(escapes.quotes, self.in_string);
        let pending = self.digits | u64::from(self.partial.missing);
        let (mut digits, mut partial) = (0, self.partial);
        if escapes.others | masks.unusual | pending != 0 {
            digits = escapes.check_others(block, self.digits)?;
            let high = block.high();
            if masks.unusual & !high & strings.inside != 0 {
                return None;
            }
            partial = self.characters(block, bytes, at)?;
        }
        if strings.inside == u64::MAX && strings.opening == 0 {
            self.is_spaced = false;
        } else {
            if self.open.depth() < min_depth {
                return None;
            }
            self.outside(block, bytes, &strings, min_depth)?;
        }
        self.escaped = escapes.next;
        self.digits = digits;
        self.partial = partial;
        Some(())
    }
}
