//! The scan of a body that arrives in frames.

#![allow(
    clippy::inline_always,
    reason = "vector instructions need it: `fearless_simd`, section Inlining"
)]

use std::sync::LazyLock;

use fearless_simd::{Level, Simd, dispatch};

use super::blocks::{BLOCK, Block, Carry, Escapes, StringMasks, prefix_xor, repeat};
use super::machine::{Machine, ScanPhase};
use super::members::Frame;
use super::{Scan, ScanError, ScanErrorKind, ScanMode};

/// The widest vectors of this processor.
static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// A character has at most four bytes.
const MAX_CHAR_BYTES: usize = 4;

/// Scans a body frame by frame, each while it is in the processor's cache. Frames may
/// end anywhere. All offsets are those of the whole body.
#[derive(Debug)]
pub struct Scanner {
    machine: Machine,
    /// The bytes of the frames so far.
    len: usize,
    error_context: ErrorContext,
}

/// The first bytes from the offset of an error, on which its kind may depend.
#[derive(Debug, Default)]
struct ErrorContext {
    bytes: [u8; MAX_CHAR_BYTES],
    len: usize,
    /// How many of them are wanted.
    wanted: usize,
}

impl Scanner {
    #[must_use]
    pub fn new(mode: ScanMode) -> Self {
        Self::with(Machine::new(mode, true))
    }

    /// For a body in one frame, which holds the model's name itself.
    pub(super) fn without_name(mode: ScanMode) -> Self {
        Self::with(Machine::new(mode, false))
    }

    fn with(machine: Machine) -> Self {
        Self {
            machine,
            len: 0,
            error_context: ErrorContext::default(),
        }
    }

    /// Takes the next bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) {
        let frame = Frame {
            bytes,
            start: self.len,
        };
        self.len += bytes.len();
        if self.is_invalid() {
            self.error_context.extend(bytes);
            return;
        }
        let machine = &mut self.machine;
        dispatch!(*LEVEL, simd => machine.scan_frame(simd, frame));
        match self.machine.error {
            None => self.machine.members.on_frame_end(frame),
            Some(error) => self.error_context = ErrorContext::new(error.offset, frame),
        }
    }

    /// True once the body is known to be invalid JSON, whatever follows.
    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        self.machine.error.is_some()
    }

    /// The model's name with escapes resolved, once its value was read. The rest of the
    /// body may still be found to be invalid, or to name the model twice.
    #[must_use]
    pub fn model_name(&self) -> Option<&str> {
        self.machine.members.model_name.as_deref()
    }

    /// Ends the body. Returns the model's name too, with escapes resolved; empty if there
    /// is none.
    pub fn finish(mut self) -> Result<(Scan, String), ScanError> {
        let scan = self.end()?;
        let name = self.machine.members.model_name.take();
        Ok((scan, name.unwrap_or_default()))
    }

    /// Ends the body, without its model's name.
    pub(super) fn end(&mut self) -> Result<Scan, ScanError> {
        if !self.is_invalid() {
            let _ = self.machine.finish(self.len);
        }
        match self.machine.error {
            Some(error) => Err(self.error_context.resolve(error)),
            None => self.machine.scan(),
        }
    }
}

// === impl Machine ===

impl Machine {
    /// Takes a frame, or what comes before an error.
    #[inline(always)]
    fn scan_frame<S: Simd>(&mut self, simd: S, frame: Frame<'_>) -> Option<()> {
        let (blocks, tail) = frame.bytes.as_chunks::<BLOCK>();
        let mut carry = Carry::of(self);
        let mut min_depth = self.unwatched_depth();
        let mut backslashes = 0;
        let mut at = frame.start;
        let mut rest = blocks.iter();
        loop {
            let run = carry.take_run(simd, rest.as_slice(), min_depth, at);
            backslashes |= run.backslashes;
            at += run.count * BLOCK;
            let Some(bytes) = rest.nth(run.count) else {
                break;
            };
            let block = Block::new(simd, bytes);
            let masks = block.string_masks();
            if carry.take(block, bytes, masks, min_depth, at).is_some() {
                backslashes |= masks.backslashes;
            } else {
                if backslashes != 0 {
                    self.members.on_escape();
                    backslashes = 0;
                }
                carry.restore(self);
                self.step_block(bytes, masks, at, frame)?;
                carry = Carry::of(self);
                min_depth = self.unwatched_depth();
            }
            at += BLOCK;
        }
        if backslashes != 0 {
            self.members.on_escape();
        }
        carry.restore(self);
        if tail.is_empty() {
            return Some(());
        }
        let mut padded = [b' '; BLOCK];
        padded.get_mut(..tail.len())?.copy_from_slice(tail);
        let masks = Block::new(simd, &padded).string_masks();
        self.step_block(tail, masks, at, frame)
    }

    /// Takes the bytes of a block, one by one, that these masks say may matter.
    #[inline(never)]
    fn step_block(
        &mut self,
        bytes: &[u8],
        masks: StringMasks,
        at: usize,
        frame: Frame<'_>,
    ) -> Option<()> {
        let mut relevant = self.relevant(masks);
        while let Some(&byte) = bytes.get(relevant.trailing_zeros() as usize) {
            self.step(byte, at + relevant.trailing_zeros() as usize, frame)?;
            relevant &= relevant - 1;
        }
        Some(())
    }

    /// All bytes of a block but those that are plain text.
    fn relevant(&self, masks: StringMasks) -> u64 {
        let escapes = Escapes::new(masks, 0);
        if escapes.others | masks.unusual != 0 || !self.is_between_characters() {
            return u64::MAX;
        }
        let is_in_string = matches!(self.phase, ScanPhase::String { .. });
        let inside = prefix_xor(escapes.quotes) ^ repeat(is_in_string);
        !inside | masks.quotes | masks.backslashes | (masks.backslashes << 1)
    }
}

// === impl ErrorContext ===

impl ErrorContext {
    fn new(offset: usize, frame: Frame<'_>) -> Self {
        let mut context = Self::default();
        // An error at an earlier frame is found at its end, and has its kind.
        if let Some(at) = offset.checked_sub(frame.start) {
            context.wanted = MAX_CHAR_BYTES;
            context.extend(frame.bytes.get(at..).unwrap_or_default());
        }
        context
    }

    fn extend(&mut self, bytes: &[u8]) {
        let slots = self.bytes.iter_mut().take(self.wanted).skip(self.len);
        for (slot, byte) in slots.zip(bytes) {
            *slot = *byte;
            self.len += 1;
        }
    }

    /// The encoding is at fault where no character begins, and where a byte order mark
    /// does (RFC 8259, 8.1): upstreams may or may not accept it.
    fn resolve(&self, error: ScanError) -> ScanError {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        let undecodable = std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0);
        let is_mark = error.offset == 0 && bytes.starts_with(b"\xEF\xBB\xBF");
        if undecodable || is_mark {
            let kind = ScanErrorKind::InvalidEncoding;
            ScanError { kind, ..error }
        } else {
            error
        }
    }
}
