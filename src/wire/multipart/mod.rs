//! Finds the model in a multipart form while the form passes by (RFC 7578, RFC
//! 2046 section 5.1).
//!
//! What readers of forms do not agree on is refused: a form that says one thing
//! to us and another to the upstream could call a model that its sender may not
//! use.

use std::fmt;
use std::ops::Range;

use memchr::memmem::{self, Finder};

use super::scan::MODEL_LIMIT_BYTES;
use field::{Part, boundary, part};

mod field;
#[cfg(test)]
mod tests;

/// Most bytes in the head of one part.
const LONGEST_HEAD: usize = 8 * 1024;
/// Most parts. The longest of the API's forms have some dozens.
const MOST_PARTS: usize = 10_000;

/// Looks through one form, piece by piece.
#[derive(Debug)]
pub struct Form {
    /// A line feed and the dashed boundary: how every part ends.
    end: Finder<'static>,
    place: Place,
    /// What has come and was not looked at, and where in the form it begins.
    rest: Vec<u8>,
    offset: u64,
    parts: usize,
    model: Option<Model>,
}

/// The value of the part that names the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Where in the form it stands.
    pub span: Range<u64>,
    /// What it is.
    pub name: String,
}

/// Why a form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The media type has no boundary, or none that can be.
    Boundary,
    /// A delimiter is no line of its own.
    Delimiter,
    /// The head of a part is broken, ambiguous or has no end.
    Head,
    /// There are too many parts.
    TooManyParts,
    /// The form ends before its last delimiter.
    Unfinished,
    /// The model is empty, too long, a file, or no UTF-8.
    BadModel,
    /// There are two models.
    TwoModels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first delimiter.
    Start,
    /// Behind a boundary.
    Delimiter,
    /// In the head of a part.
    Head,
    /// In a part that does not matter.
    Content,
    /// In the one that names the model, which begins there.
    Model(u64),
    /// Behind the last delimiter.
    End,
}

impl Form {
    /// A form of this content type, from its first byte on.
    pub fn new(content_type: &[u8]) -> Result<Self, Fault> {
        let boundary = boundary(content_type).ok_or(Fault::Boundary)?;
        let mut end = b"\n--".to_vec();
        end.extend_from_slice(&boundary);
        Ok(Self {
            end: Finder::new(&end).into_owned(),
            place: Place::Start,
            rest: Vec::new(),
            offset: 0,
            parts: 0,
            model: None,
        })
    }

    /// Looks at the next piece.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.place == Place::End {
            return Ok(());
        }
        self.rest.extend_from_slice(piece);
        while self.step()? {}
        Ok(())
    }

    /// Says that there is no more.
    pub fn finish(&self) -> Result<(), Fault> {
        match self.place {
            Place::End => Ok(()),
            _ => Err(Fault::Unfinished),
        }
    }

    /// The model, as soon as all of its part has come.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// Goes on by one step; false when more bytes are wanted.
    fn step(&mut self) -> Result<bool, Fault> {
        match self.place {
            Place::Start => self.start(),
            Place::Delimiter => self.delimiter(),
            Place::Head => self.head(),
            Place::Content => self.content(),
            Place::Model(start) => self.value(start),
            Place::End => {
                self.rest = Vec::new();
                Ok(false)
            }
        }
    }

    /// The first delimiter stands at the very beginning, or behind words for
    /// readers that know no forms.
    fn start(&mut self) -> Result<bool, Fault> {
        // At the very beginning no line ends before it.
        let first = self.end.needle().get(1..).unwrap_or_default();
        if self.offset == 0 {
            if self.rest.len() < first.len() && first.starts_with(&self.rest) {
                return Ok(false);
            }
            if self.rest.starts_with(first) {
                let length = first.len();
                self.go_to(Place::Delimiter, length);
                return Ok(true);
            }
        }
        self.content()
    }

    fn delimiter(&mut self) -> Result<bool, Fault> {
        let mut rest = &self.rest[..];
        if rest.len() < 2 {
            return Ok(false);
        }
        if rest.starts_with(b"--") {
            self.go_to(Place::End, 2);
            return Ok(true);
        }
        // Blanks may follow (RFC 2046, section 5.1.1, "transport-padding").
        while let [b' ' | b'\t', more @ ..] = rest {
            rest = more;
        }
        let padding = self.rest.len() - rest.len();
        match rest {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] if padding <= LONGEST_HEAD => return Ok(false),
            _ => return Err(Fault::Delimiter),
        }
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(Fault::TooManyParts);
        }
        // The line end stays, so that a head without fields ends like any other.
        self.go_to(Place::Head, padding);
        Ok(true)
    }

    fn head(&mut self) -> Result<bool, Fault> {
        let Some(length) = memmem::find(&self.rest, b"\r\n\r\n") else {
            return if self.rest.len() > LONGEST_HEAD {
                Err(Fault::Head)
            } else {
                Ok(false)
            };
        };
        let fields = self.rest.get(..length).unwrap_or_default();
        if length > LONGEST_HEAD {
            return Err(Fault::Head);
        }
        let part = part(fields)?;
        // The last line end stays: it is the one that ends a part without a
        // byte.
        let length = length + 3;
        let place = match part {
            Part::Model if self.model.is_some() => return Err(Fault::TwoModels),
            Part::Model => Place::Model(self.offset + length as u64 + 1),
            Part::Other => Place::Content,
        };
        self.go_to(place, length);
        Ok(true)
    }

    fn content(&mut self) -> Result<bool, Fault> {
        let needle = self.end.needle().len();
        let Some(at) = self.end.find(&self.rest) else {
            // The needle may have begun, with the byte before it.
            let seen = self.rest.len().saturating_sub(needle);
            self.go_to(self.place, seen);
            return Ok(false);
        };
        self.check_line_end(at)?;
        self.go_to(Place::Delimiter, at + needle);
        Ok(true)
    }

    fn value(&mut self, start: u64) -> Result<bool, Fault> {
        let needle = self.end.needle().len();
        let Some(at) = self.end.find(&self.rest) else {
            return if self.rest.len() > MODEL_LIMIT_BYTES + needle {
                Err(Fault::BadModel)
            } else {
                Ok(false)
            };
        };
        self.check_line_end(at)?;
        // Before the value stands a line feed, behind it a carriage return.
        let value = at.checked_sub(1).and_then(|end| self.rest.get(1..end));
        let name = value.and_then(|value| std::str::from_utf8(value).ok());
        let name = name.filter(|name| (1..=MODEL_LIMIT_BYTES).contains(&name.len()));
        let name = name.ok_or(Fault::BadModel)?.to_owned();
        self.model = Some(Model {
            span: start..start + name.len() as u64,
            name,
        });
        self.go_to(Place::Delimiter, at + needle);
        Ok(true)
    }

    /// A delimiter's line begins behind a whole line end. Some readers make do
    /// with half of one.
    fn check_line_end(&self, at: usize) -> Result<(), Fault> {
        let before = at.checked_sub(1).and_then(|before| self.rest.get(before));
        match before {
            Some(b'\r') => Ok(()),
            // Nothing but the line end of the head, which was left standing.
            None if self.place != Place::Start => Ok(()),
            _ => Err(Fault::Delimiter),
        }
    }

    fn go_to(&mut self, place: Place, length: usize) {
        self.rest.drain(..length);
        self.offset += length as u64;
        self.place = place;
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Boundary => "the media type names no boundary",
            Self::Delimiter => "a delimiter is no line of its own",
            Self::Head => "the head of a part is broken or too long",
            Self::TooManyParts => "there are too many parts",
            Self::Unfinished => "it ends before its last delimiter",
            Self::BadModel => "\"model\" is empty, too long, or no plain text",
            Self::TwoModels => "\"model\" stands twice",
        })
    }
}

impl std::error::Error for Fault {}
