//! Finds the model in a multipart form while the form is forwarded (RFC 7578,
//! RFC 2046 section 5.1).
//!
//! A form that parsers read differently is rejected: it could name one model to
//! the gateway and another, which its sender may not use, to the upstream.

use std::fmt;
use std::ops::Range;

use memchr::memmem::{self, Finder};

use super::scan::MAX_MODEL_BYTES;
use header::{PartKind, parse_boundary, parse_part_header};

mod header;
#[cfg(test)]
mod tests;

/// Limit of one part's header.
const MAX_HEADER_BYTES: usize = 8 * 1024;
/// The longest of the API's forms have a few dozen parts.
const MAX_PARTS: usize = 10_000;

/// Scans one form chunk by chunk.
#[derive(Debug)]
pub struct MultipartScanner {
    /// A line feed, two dashes and the boundary: the end of every part.
    delimiter: Finder<'static>,
    state: State,
    /// Bytes not scanned yet, which begin at `offset` of the form.
    buffer: Vec<u8>,
    offset: u64,
    parts: usize,
    model: Option<ModelField>,
}

/// The value of the part `model`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelField {
    /// Its bytes in the form.
    pub span: Range<u64>,
    pub name: String,
}

/// Reason why a form is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultipartError {
    /// The media type has no valid boundary.
    Boundary,
    /// A delimiter does not have a line of its own.
    Delimiter,
    /// The header of a part is malformed, ambiguous or too long.
    PartHeader,
    TooManyParts,
    Incomplete,
    /// The model is empty, too long, a file, or not UTF-8.
    InvalidModel,
    DuplicateModel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter.
    Start,
    /// After a boundary.
    Delimiter,
    Header,
    /// In the content of any part but `model`.
    Content,
    /// In the part `model`, whose value begins at this offset.
    Model(u64),
    /// After the last delimiter.
    End,
}

impl MultipartScanner {
    pub fn new(content_type: &[u8]) -> Result<Self, MultipartError> {
        let boundary = parse_boundary(content_type).ok_or(MultipartError::Boundary)?;
        let mut delimiter = b"\n--".to_vec();
        delimiter.extend_from_slice(&boundary);
        Ok(Self {
            delimiter: Finder::new(&delimiter).into_owned(),
            state: State::Start,
            buffer: Vec::new(),
            offset: 0,
            parts: 0,
            model: None,
        })
    }

    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), MultipartError> {
        if self.state == State::End {
            return Ok(());
        }
        self.buffer.extend_from_slice(chunk);
        while self.step()? {}
        Ok(())
    }

    pub fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::End => Ok(()),
            _ => Err(MultipartError::Incomplete),
        }
    }

    /// The model, as soon as its part is complete.
    #[must_use]
    pub fn model(&self) -> Option<&ModelField> {
        self.model.as_ref()
    }

    /// Returns false when more bytes are needed.
    fn step(&mut self) -> Result<bool, MultipartError> {
        match self.state {
            State::Start => self.skip_preamble(),
            State::Delimiter => self.read_delimiter(),
            State::Header => self.read_header(),
            State::Content => self.skip_content(),
            State::Model(start) => self.read_model(start),
            State::End => {
                self.buffer = Vec::new();
                Ok(false)
            }
        }
    }

    /// The first delimiter is at the start of the form, or after a preamble.
    fn skip_preamble(&mut self) -> Result<bool, MultipartError> {
        // At the start, no line end precedes it.
        let first = self.delimiter.needle().get(1..).unwrap_or_default();
        if self.offset == 0 {
            if self.buffer.len() < first.len() && first.starts_with(&self.buffer) {
                return Ok(false);
            }
            if self.buffer.starts_with(first) {
                let length = first.len();
                self.advance(State::Delimiter, length);
                return Ok(true);
            }
        }
        self.skip_content()
    }

    fn read_delimiter(&mut self) -> Result<bool, MultipartError> {
        let mut rest = &self.buffer[..];
        if rest.len() < 2 {
            return Ok(false);
        }
        if rest.starts_with(b"--") {
            self.advance(State::End, 2);
            return Ok(true);
        }
        // Padding may follow (RFC 2046, section 5.1.1, "transport-padding").
        while let [b' ' | b'\t', more @ ..] = rest {
            rest = more;
        }
        let padding = self.buffer.len() - rest.len();
        match rest {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] if padding <= MAX_HEADER_BYTES => return Ok(false),
            _ => return Err(MultipartError::Delimiter),
        }
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(MultipartError::TooManyParts);
        }
        // The line end stays in the buffer, so that an empty header ends like any other.
        self.advance(State::Header, padding);
        Ok(true)
    }

    fn read_header(&mut self) -> Result<bool, MultipartError> {
        let Some(length) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > MAX_HEADER_BYTES {
                Err(MultipartError::PartHeader)
            } else {
                Ok(false)
            };
        };
        let fields = self.buffer.get(..length).unwrap_or_default();
        if length > MAX_HEADER_BYTES {
            return Err(MultipartError::PartHeader);
        }
        let part = parse_part_header(fields)?;
        // The last line end stays in the buffer: it ends a part without content.
        let length = length + 3;
        let state = match part {
            PartKind::Model if self.model.is_some() => return Err(MultipartError::DuplicateModel),
            PartKind::Model => State::Model(self.offset + length as u64 + 1),
            PartKind::Other => State::Content,
        };
        self.advance(state, length);
        Ok(true)
    }

    fn skip_content(&mut self) -> Result<bool, MultipartError> {
        let needle = self.delimiter.needle().len();
        let Some(at) = self.delimiter.find(&self.buffer) else {
            // Keep what may be the start of the needle, and the byte before it.
            let scanned = self.buffer.len().saturating_sub(needle);
            self.advance(self.state, scanned);
            return Ok(false);
        };
        self.check_line_end(at)?;
        self.advance(State::Delimiter, at + needle);
        Ok(true)
    }

    fn read_model(&mut self, start: u64) -> Result<bool, MultipartError> {
        let needle = self.delimiter.needle().len();
        let Some(at) = self.delimiter.find(&self.buffer) else {
            return if self.buffer.len() > MAX_MODEL_BYTES + needle {
                Err(MultipartError::InvalidModel)
            } else {
                Ok(false)
            };
        };
        self.check_line_end(at)?;
        // A line feed precedes the value, a carriage return follows it.
        let value = at.checked_sub(1).and_then(|end| self.buffer.get(1..end));
        let name = value.and_then(|value| std::str::from_utf8(value).ok());
        let name = name.filter(|name| (1..=MAX_MODEL_BYTES).contains(&name.len()));
        let name = name.ok_or(MultipartError::InvalidModel)?.to_owned();
        self.model = Some(ModelField {
            span: start..start + name.len() as u64,
            name,
        });
        self.advance(State::Delimiter, at + needle);
        Ok(true)
    }

    /// A delimiter needs a whole line end before it; some parsers accept half of one.
    fn check_line_end(&self, at: usize) -> Result<(), MultipartError> {
        let before = at.checked_sub(1).and_then(|before| self.buffer.get(before));
        match before {
            Some(b'\r') => Ok(()),
            // Only the line end of the header, which stays in the buffer.
            None if self.state != State::Start => Ok(()),
            _ => Err(MultipartError::Delimiter),
        }
    }

    fn advance(&mut self, state: State, length: usize) {
        self.buffer.drain(..length);
        self.offset += length as u64;
        self.state = state;
    }
}

impl fmt::Display for MultipartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Boundary => "no valid `boundary` in `content-type`",
            Self::Delimiter => "a delimiter has no line of its own",
            Self::PartHeader => "the header of a part is malformed or too long",
            Self::TooManyParts => "too many parts",
            Self::Incomplete => "no final delimiter",
            Self::InvalidModel => "`model` is empty, too long, or not plain text",
            Self::DuplicateModel => "duplicate `model`",
        })
    }
}

impl std::error::Error for MultipartError {}
