//! The grammar of JSON (RFC 8259) as a machine that takes one byte at a time. It knows
//! the exact offset of every error; most bytes are checked in blocks instead
//! ([`super::blocks`]).

use super::members::{Frame, Members};
use super::nesting::Nesting;
use super::partial_char::PartialChar;
use super::scalar::Scalar;
use super::{Scan, ScanError, ScanErrorKind, ScanMode};

/// Between two bytes outside of strings, or within a string or scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanPhase {
    /// Before a value.
    Value,
    /// Before the first item or the end of an array.
    FirstItem,
    /// Before a key.
    Key,
    /// Before the first key or the end of an object.
    FirstKey,
    Colon,
    AfterValue,
    String {
        is_key: bool,
    },
    Scalar(Scalar),
}

/// What an escape in a string lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    /// The byte after the backslash.
    Letter,
    /// So many hexadecimal digits.
    Digits(u32),
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) phase: ScanPhase,
    pub(super) escape: Escape,
    pub(super) partial: PartialChar,
    pub(super) open: Nesting,
    pub(super) members: Members,
    /// The offset of the last byte of the body's value.
    last: usize,
    mode: ScanMode,
    /// The first error, after which the machine is not used. Its kind may be wrong at a
    /// byte that is not ASCII: it depends on the bytes that follow.
    pub(super) error: Option<ScanError>,
}

// === impl Escape ===

impl Escape {
    /// `None` if the byte is not allowed. `\u` needs four digits; whether surrogates are
    /// paired is not part of the grammar (RFC 8259, 8.2).
    pub(super) const fn step(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Letter, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Self::None,
            (Self::Letter, b'u') => Self::Digits(4),
            (Self::Digits(1), _) if byte.is_ascii_hexdigit() => Self::None,
            (Self::Digits(missing), _) if byte.is_ascii_hexdigit() => Self::Digits(missing - 1),
            _ => return None,
        })
    }

    pub(super) const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }
}

// === impl Machine ===

impl Machine {
    pub(super) fn new(mode: ScanMode, keeps_model_name: bool) -> Self {
        Self {
            phase: ScanPhase::Value,
            escape: Escape::None,
            partial: PartialChar::default(),
            open: Nesting::default(),
            members: Members::new(keeps_model_name),
            last: 0,
            mode,
            error: None,
        }
    }

    /// The lowest depth at which nothing but the syntax matters.
    pub(super) const fn unwatched_depth(&self) -> u32 {
        self.members.watched() + 1
    }

    /// True unless within a character or an escape.
    pub(super) const fn is_between_characters(&self) -> bool {
        self.partial.is_none() && self.escape.is_none()
    }

    const fn is_watched(&self) -> bool {
        self.open.depth() == self.members.watched()
    }

    #[cold]
    fn fail(&mut self, kind: ScanErrorKind, offset: usize) -> Option<()> {
        self.error = Some(ScanError { kind, offset });
        None
    }

    /// Takes the byte of a frame at the offset `at` of the body; `None` at an error.
    #[inline]
    pub(super) fn step(&mut self, byte: u8, at: usize, frame: Frame<'_>) -> Option<()> {
        match self.phase {
            ScanPhase::String { is_key } => self.step_string(byte, at, is_key, frame),
            ScanPhase::Scalar(scalar) => {
                if let Some(next) = scalar.step(byte) {
                    self.phase = ScanPhase::Scalar(next);
                    return Some(());
                }
                if !scalar.is_complete() {
                    return self.fail(ScanErrorKind::InvalidJson, at);
                }
                self.end_value(at);
                self.step_outside(byte, at)
            }
            _ => self.step_outside(byte, at),
        }
    }

    /// Outside of strings and scalars.
    #[inline]
    fn step_outside(&mut self, byte: u8, at: usize) -> Option<()> {
        match (self.phase, byte) {
            (ScanPhase::Key | ScanPhase::FirstKey, b'"') => {
                if self.is_watched() {
                    self.members.on_key(at);
                }
                self.phase = ScanPhase::String { is_key: true };
            }
            (ScanPhase::Colon, b':') => self.phase = ScanPhase::Value,
            (ScanPhase::AfterValue, b',') if self.open.in_object() => self.phase = ScanPhase::Key,
            (ScanPhase::AfterValue, b',') if self.open.depth() > 0 => self.phase = ScanPhase::Value,
            (ScanPhase::AfterValue | ScanPhase::FirstKey, b'}') if self.open.in_object() => {
                self.close(at);
            }
            (ScanPhase::AfterValue | ScanPhase::FirstItem, b']')
                if self.open.depth() > 0 && !self.open.in_object() =>
            {
                self.close(at);
            }
            (_, b' ' | b'\n' | b'\r' | b'\t') => {}
            (ScanPhase::Value | ScanPhase::FirstItem, _) => return self.begin_value(byte, at),
            (ScanPhase::AfterValue, _) if self.open.depth() == 0 => {
                return self.fail(ScanErrorKind::TrailingData, at);
            }
            _ => return self.fail(ScanErrorKind::InvalidJson, at),
        }
        Some(())
    }

    fn begin_value(&mut self, first: u8, at: usize) -> Option<()> {
        if self.open.depth() == 0 {
            self.members.on_root(first, at, self.mode);
        } else if self.is_watched() {
            self.members.on_value(first, at);
        }
        self.phase = match first {
            b'"' => ScanPhase::String { is_key: false },
            b'{' | b'[' => {
                let is_object = first == b'{';
                if !self.open.enter(is_object) {
                    return self.fail(ScanErrorKind::TooDeep, at);
                }
                if is_object {
                    ScanPhase::FirstKey
                } else {
                    ScanPhase::FirstItem
                }
            }
            _ => match Scalar::start(first) {
                Some(scalar) => ScanPhase::Scalar(scalar),
                None => return self.fail(ScanErrorKind::InvalidJson, at),
            },
        };
        Some(())
    }

    fn close(&mut self, at: usize) {
        self.open.leave();
        self.members.on_close(self.open.depth());
        self.end_value(at + 1);
    }

    /// A value that is no string ends before the offset `end`.
    fn end_value(&mut self, end: usize) {
        self.phase = ScanPhase::AfterValue;
        if self.is_watched() {
            self.members.on_value_end(end);
        }
        if self.open.depth() == 0 {
            self.last = end - 1;
        }
    }

    #[inline]
    fn step_string(&mut self, byte: u8, at: usize, is_key: bool, frame: Frame<'_>) -> Option<()> {
        if !self.is_between_characters() {
            return self.step_character(byte, at);
        }
        match byte {
            b'"' => {
                self.phase = if is_key {
                    ScanPhase::Colon
                } else {
                    ScanPhase::AfterValue
                };
                if self.is_watched()
                    && let Err(error) = self.members.on_string_end(is_key, frame, at)
                {
                    return self.fail(error.kind, error.offset);
                }
            }
            b'\\' => {
                self.escape = Escape::Letter;
                self.members.on_escape();
            }
            0..0x20 => return self.fail(ScanErrorKind::InvalidJson, at),
            0x80.. => match PartialChar::start(byte, at) {
                Some(partial) => self.partial = partial,
                None => return self.fail(ScanErrorKind::InvalidEncoding, at),
            },
            _ => {}
        }
        Some(())
    }

    /// Within a character of several bytes, or an escape.
    fn step_character(&mut self, byte: u8, at: usize) -> Option<()> {
        if !self.partial.is_none() {
            return match self.partial.step(byte) {
                Some(partial) => {
                    self.partial = partial;
                    Some(())
                }
                None => self.fail(ScanErrorKind::InvalidEncoding, self.partial.start),
            };
        }
        match self.escape.step(byte) {
            Some(escape) => {
                self.escape = escape;
                Some(())
            }
            None => self.fail(ScanErrorKind::InvalidJson, at),
        }
    }

    /// Ends a body of `len` bytes; `None` if it is incomplete.
    pub(super) fn finish(&mut self, len: usize) -> Option<()> {
        match self.phase {
            _ if len == 0 => self.fail(ScanErrorKind::EmptyBody, 0),
            ScanPhase::AfterValue if self.open.depth() == 0 => Some(()),
            ScanPhase::Scalar(scalar) if self.open.depth() == 0 && scalar.is_complete() => Some(()),
            ScanPhase::String { .. } if !self.partial.is_none() => {
                self.fail(ScanErrorKind::InvalidEncoding, self.partial.start)
            }
            _ => self.fail(ScanErrorKind::InvalidJson, len),
        }
    }

    /// The result for a body without an error.
    pub(super) fn scan(&self) -> Result<Scan, ScanError> {
        self.members.builder.finish(self.mode, self.last)
    }
}
