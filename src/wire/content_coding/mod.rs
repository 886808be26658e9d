//! Content codings of request bodies (RFC 9110, section 8.4).

use std::error::Error;
use std::fmt;

use super::token_list::tokens;

mod decoder;
mod layer;
#[cfg(test)]
mod tests;

pub use decoder::BodyDecoder;

/// The codings that are decoded, as a field value.
pub const ACCEPTED_CODINGS: &str = "zstd, gzip, deflate, br";
/// Codings of one body. One coding has no use for another; each costs a window.
const MAX_CODINGS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCoding {
    /// RFC 8878
    Zstd,
    /// RFC 1952
    Gzip,
    /// RFC 1950, or RFC 1951 as many clients send it (RFC 9110, section 8.4.1.2)
    Deflate,
    /// RFC 7932
    Brotli,
}

/// The codings of a body, in the order in which they were applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodingList(Vec<ContentCoding>);

/// A coding that is not known, or too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnsupportedCoding;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The decoded body is larger than the limit.
    TooLarge,
    /// The body is not in the format of its coding, or ends early.
    Invalid,
}

// === impl CodingList ===

impl CodingList {
    /// Adds the codings of one field value. `identity` and empty elements stand for no
    /// coding.
    pub fn add(&mut self, value: &[u8]) -> Result<(), UnsupportedCoding> {
        for token in tokens(value).filter(|token| !is_identity(token)) {
            let coding = ContentCoding::from_token(token).ok_or(UnsupportedCoding)?;
            if self.0.len() == MAX_CODINGS {
                return Err(UnsupportedCoding);
            }
            self.0.push(coding);
        }
        Ok(())
    }

    /// Whether the body is sent as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_identity(token: &[u8]) -> bool {
    token.is_empty() || token.eq_ignore_ascii_case(b"identity")
}

// === impl ContentCoding ===

impl ContentCoding {
    fn from_token(token: &[u8]) -> Option<Self> {
        match &*token.to_ascii_lowercase() {
            b"zstd" => Some(Self::Zstd),
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            b"br" => Some(Self::Brotli),
            _ => None,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLarge => "the decoded body is larger than the limit",
            Self::Invalid => "the body does not match its content coding",
        })
    }
}

impl Error for DecodeError {}
