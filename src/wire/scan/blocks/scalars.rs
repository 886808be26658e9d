//! The numbers and literals in a block.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use fearless_simd::Simd;

use super::masks::{BLOCK, Block};
use super::{Carry, LAST_BIT};
use crate::wire::scan::scalar::Scalar;

pub(super) struct Scalars {
    /// 1 if the one that was carried into the block ended before it.
    pub(super) carried_end: u64,
    pub(super) starts: u64,
    /// Last bytes.
    pub(super) ends: u64,
    /// Goes on in the next block.
    pub(super) open: Option<Scalar>,
}

impl Carry {
    /// Checks the numbers and literals, which are made of `others`.
    #[inline(always)]
    pub(super) fn scalars<S: Simd>(
        &self,
        block: Block<S>,
        bytes: &[u8; BLOCK],
        others: u64,
    ) -> Option<Scalars> {
        let (carried, carried_end) = match self.scalar {
            Some(scalar) if others & 1 == 0 && scalar.is_complete() => (None, 1),
            Some(_) if others & 1 == 0 => return None,
            carried => (carried, 0),
        };
        let goes_on = u64::from(carried.is_some());
        let starts = others & !((others << 1) | goes_on);
        let ends = others & !(others >> 1);
        let (ends, last) = (ends & !LAST_BIT, ends & LAST_BIT);
        let mut found = Scalars {
            carried_end,
            starts,
            ends,
            open: None,
        };
        // Integers without a sign, the most frequent numbers, need no look at each.
        let leading_zeros = starts & block.find(b'0');
        let are_integers = others & !block.digits() == 0
            && (leading_zeros << 1) & others == 0
            && leading_zeros & last == 0
            && matches!(carried, None | Some(Scalar::Integer));
        if are_integers {
            found.open = (last != 0).then_some(Scalar::Integer);
        } else {
            found.step(carried, bytes, others, starts | goes_on)?;
        }
        Some(found)
    }
}

impl Scalars {
    pub(super) const NONE: Self = Self {
        carried_end: 0,
        starts: 0,
        ends: 0,
        open: None,
    };

    /// Checks scalars byte by byte, each of which begins at one of `starts`, and the first
    /// maybe in the block before.
    #[inline]
    fn step(
        &mut self,
        mut carried: Option<Scalar>,
        bytes: &[u8; BLOCK],
        others: u64,
        mut starts: u64,
    ) -> Option<()> {
        while starts != 0 {
            let start = starts.trailing_zeros();
            starts &= starts - 1;
            let end = start + (!(others >> start)).trailing_zeros();
            let mut run = bytes.get(start as usize..end as usize)?.iter();
            let scalar = match carried.take() {
                Some(scalar) => scalar,
                None => Scalar::start(*run.next()?)?,
            };
            let scalar = run.try_fold(scalar, |scalar, byte| scalar.step(*byte))?;
            if end as usize == BLOCK {
                self.open = Some(scalar);
            } else if !scalar.is_complete() {
                return None;
            }
        }
        Some(())
    }
}
