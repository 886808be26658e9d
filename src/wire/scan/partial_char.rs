//! Characters of several bytes (RFC 3629, 4).

/// The character of which only some bytes were read; none if `missing` is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PartialChar {
    /// The bytes that it lacks.
    pub(super) missing: u8,
    /// The bounds of the next byte.
    low: u8,
    high: u8,
    /// Its offset in the body.
    pub(super) start: usize,
}

impl PartialChar {
    /// `None` if no character begins with `lead`.
    pub(super) const fn start(lead: u8, start: usize) -> Option<Self> {
        let (missing, low, high) = match lead {
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return None,
        };
        Some(Self {
            missing,
            low,
            high,
            start,
        })
    }

    /// `None` if `byte` does not continue the character.
    pub(super) const fn step(self, byte: u8) -> Option<Self> {
        if byte < self.low || byte > self.high {
            return None;
        }
        Some(Self {
            missing: self.missing - 1,
            low: 0x80,
            high: 0xBF,
            start: self.start,
        })
    }

    pub(super) const fn is_none(self) -> bool {
        self.missing == 0
    }
}
