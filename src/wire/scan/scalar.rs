//! Numbers and literals, byte by byte (RFC 8259, 3 and 6).

/// What was read of a number or literal. The value is not computed, so no number is too
/// large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    T,
    Tr,
    Tru,
    F,
    Fa,
    Fal,
    Fals,
    N,
    Nu,
    Nul,
    /// All of a literal.
    Literal,
}

impl Scalar {
    /// The scalar that begins with this byte.
    #[inline]
    pub(super) const fn start(byte: u8) -> Option<Self> {
        Some(match byte {
            b'-' => Self::Minus,
            b'0' => Self::Zero,
            b'1'..=b'9' => Self::Integer,
            b't' => Self::T,
            b'f' => Self::F,
            b'n' => Self::N,
            _ => return None,
        })
    }

    /// `None` if the byte does not continue the scalar.
    #[inline]
    pub(super) const fn step(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Self::ExponentDigits
            }
            (Self::T, b'r') => Self::Tr,
            (Self::Tr, b'u') => Self::Tru,
            (Self::F, b'a') => Self::Fa,
            (Self::Fa, b'l') => Self::Fal,
            (Self::Fal, b's') => Self::Fals,
            (Self::N, b'u') => Self::Nu,
            (Self::Nu, b'l') => Self::Nul,
            (Self::Tru | Self::Fals, b'e') | (Self::Nul, b'l') => Self::Literal,
            _ => return None,
        })
    }

    #[inline]
    pub(super) const fn is_complete(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits | Self::Literal
        )
    }
}
