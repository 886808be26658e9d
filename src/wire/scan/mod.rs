//! One pass over a request body: is it JSON, and where are the words we need?
//!
//! The body is never turned into a tree. The scan checks the whole of it
//! against RFC 8259 and keeps the byte ranges of the few top-level members that
//! matter, so that they can be spliced in place later.

pub mod affinity;
mod cursor;
mod glance;
pub mod object_ids;
mod string;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;

use cursor::Cursor;
use string::{Decoder, Text};

/// The longest model name, in bytes after its escapes are resolved. The name
/// becomes a lookup key and part of an error message, so it must stay small.
pub const MODEL_LIMIT_BYTES: usize = 256;

/// A half-open byte range of the scanned body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// What a sound request body says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Where the value of `model` stands, quotes included; none where there is
    /// no such member, which only [`scan_any`] lets pass.
    pub model: Option<Span>,
    /// The offset just past the `{` of the object, if it is one.
    pub open: Option<NonZeroUsize>,
    /// Whether `stream` is the JSON literal `true`; nothing else counts.
    pub stream: bool,
    /// What `stream_options` holds.
    pub stream_options: StreamOptions,
}

/// The value of `stream_options`, as far as a splice has to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamOptions {
    /// There is no such member.
    #[default]
    Absent,
    /// It is `null`, which stands there.
    Null(Span),
    /// It is an object.
    Object {
        /// The offset just past its `{`.
        open: usize,
        /// Whether it has no members at all.
        empty: bool,
        /// Its `include_usage`, the last one when it is repeated; a value that
        /// is not `true` counts as `false`.
        include_usage: Option<bool>,
    },
    /// It is something that the API does not define; the upstream may judge.
    Other,
}

/// A top-level member that the gateway reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `model`
    Model,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is not one byte.
    EmptyBody,
    /// It breaks the grammar of RFC 8259.
    InvalidJson,
    /// It is JSON, but its top level is not an object.
    NotAnObject,
    /// Something follows the object.
    TrailingData,
    /// It is not UTF-8, or it begins with a byte order mark (RFC 8259, 8.1).
    InvalidEncoding,
    /// It nests deeper than common parsers accept.
    TooDeep,
    /// There is no top-level `model`.
    ModelMissing,
    /// `model` is not a string.
    ModelNotAString,
    /// `model` is the empty string.
    ModelEmpty,
    /// `model` is longer than [`MODEL_LIMIT_BYTES`].
    ModelTooLong,
    /// A member that decides the route stands there twice, so two readers of
    /// the same body could disagree about it.
    Duplicate(Field),
}

/// A fault and the place of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// What is wrong.
    pub fault: Fault,
    /// The offset of the byte that is wrong.
    pub offset: usize,
}

/// Scans a whole body.
///
/// A fault of syntax anywhere wins over a fault of meaning (a missing or
/// repeated member), so a body is called bad JSON exactly when it is.
pub fn scan(body: &[u8]) -> Result<Scan, ScanError> {
    let (scan, last) = read(body, Fault::NotAnObject)?;
    match scan.model {
        Some(_) => Ok(scan),
        None => Err(ScanError {
            fault: Fault::ModelMissing,
            offset: last,
        }),
    }
}

/// Scans a whole body that may do without a model.
pub fn scan_object(body: &[u8]) -> Result<Scan, ScanError> {
    read(body, Fault::NotAnObject).map(|(scan, _)| scan)
}

/// Scans a whole body that may do without a model, and be any JSON.
pub fn scan_any(body: &[u8]) -> Result<Scan, ScanError> {
    read(body, None).map(|(scan, _)| scan)
}

/// The scan, and the offset of the last byte of the value. `other` is what is
/// said of JSON that is no object.
fn read(body: &[u8], other: impl Into<Option<Fault>>) -> Result<(Scan, usize), ScanError> {
    let mut cursor = Cursor::new(body);
    if body.is_empty() {
        return Err(cursor.refuse(Fault::EmptyBody));
    }
    cursor.start()?;
    let start = cursor.offset();
    let mut found = Found::default();
    if cursor.peek() == Some(b'{') {
        found.open = NonZeroUsize::new(start + 1);
        cursor.object(|cursor, key| found.member(cursor, key))?;
    } else {
        cursor.skip_value()?;
        if let Some(fault) = other.into() {
            found.object_to(fault, start);
        }
    }
    let last = cursor.offset().saturating_sub(1);
    cursor.end()?;
    Ok((found.into_scan()?, last))
}

// === impl Span ===

impl Span {
    /// The place before the byte at `offset`.
    #[must_use]
    pub const fn empty(offset: usize) -> Self {
        Self {
            start: offset,
            end: offset,
        }
    }
}

// === impl Scan ===

impl Scan {
    /// The model's name with its escapes resolved, empty where there is none.
    /// `body` must be the body that was scanned.
    pub fn model_name<'b>(&self, body: &'b [u8]) -> Result<Cow<'b, str>, ScanError> {
        let Some(model) = self.model else {
            return Ok(Cow::Borrowed(""));
        };
        let span = Span {
            start: model.start + 1,
            end: model.end.saturating_sub(1),
        };
        let invalid = |offset| ScanError {
            fault: Fault::InvalidJson,
            offset,
        };
        let text = body
            .get(span.start..span.end)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| invalid(span.start))?;
        if !text.contains('\\') {
            return Ok(Cow::Borrowed(text));
        }
        Decoder::new(text)
            .collect::<Result<String, usize>>()
            .map(Cow::Owned)
            .map_err(|at| invalid(span.start + at))
    }

    /// Makes place for a model where the body has none, and says what the text
    /// put there must end with, since it is a member. None where the body is no
    /// object.
    pub fn make_place(&mut self, body: &[u8]) -> Option<&'static str> {
        let open = self.open.filter(|_| self.model.is_none())?.get();
        let mut rest = body.get(open..)?.iter();
        let next = rest.find(|byte| !byte.is_ascii_whitespace());
        self.model = Some(Span::empty(open));
        Some(if next == Some(&b'}') { "" } else { "," })
    }

    /// Whether the answer is streamed and the caller left it open if usage is
    /// to be reported, so that asking for it is ours to do.
    #[must_use]
    pub fn would_inject(&self) -> bool {
        self.stream
            && match self.stream_options {
                StreamOptions::Absent | StreamOptions::Null(_) => true,
                StreamOptions::Object { include_usage, .. } => include_usage.is_none(),
                StreamOptions::Other => false,
            }
    }
}

// === impl Field ===

impl Field {
    const ALL: [Self; 3] = [Self::Model, Self::Stream, Self::StreamOptions];

    /// The member's name in the body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
        }
    }
}

// === impl ScanError ===

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyBody => formatter.write_str("the body is empty"),
            Self::InvalidJson => formatter.write_str("the body is not valid JSON"),
            Self::NotAnObject => formatter.write_str("the body is not a JSON object"),
            Self::TrailingData => formatter.write_str("something follows the JSON object"),
            Self::InvalidEncoding => formatter.write_str("the body is not plain UTF-8"),
            Self::TooDeep => formatter.write_str("the body is nested too deeply"),
            Self::ModelMissing => formatter.write_str("`model` is missing"),
            Self::ModelNotAString => formatter.write_str("`model` is not a string"),
            Self::ModelEmpty => formatter.write_str("`model` is empty"),
            Self::ModelTooLong => {
                write!(
                    formatter,
                    "`model` is longer than {MODEL_LIMIT_BYTES} bytes"
                )
            }
            Self::Duplicate(field) => write!(formatter, "`{}` is given twice", field.as_str()),
        }
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (byte {})", self.fault, self.offset)
    }
}

impl std::error::Error for ScanError {}

// === impl Found ===

/// What the scan has met so far.
#[derive(Default)]
struct Found {
    open: Option<NonZeroUsize>,
    model: Option<Span>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// The first fault of meaning. It is kept until the syntax of the whole
    /// body is known to be sound.
    objection: Option<ScanError>,
}

impl Found {
    fn object_to(&mut self, fault: Fault, offset: usize) {
        self.objection.get_or_insert(ScanError { fault, offset });
    }

    /// Reads the value of one top-level member, whose key was just consumed.
    fn member(&mut self, cursor: &mut Cursor<'_>, key: Text) -> Result<(), ScanError> {
        let Some(field) = Field::ALL
            .into_iter()
            .find(|field| cursor.spells(key, field.as_str()))
        else {
            return cursor.skip_value();
        };
        let seen = match field {
            Field::Model => self.model.is_some(),
            Field::Stream => self.stream.is_some(),
            Field::StreamOptions => self.stream_options.is_some(),
        };
        if seen {
            self.object_to(Fault::Duplicate(field), key.span.start);
            return cursor.skip_value();
        }
        match field {
            Field::Model => self.model = Some(self.read_model(cursor)?),
            Field::Stream => self.stream = Some(read_true(cursor)?),
            Field::StreamOptions => self.stream_options = Some(read_options(cursor)?),
        }
        Ok(())
    }

    fn read_model(&mut self, cursor: &mut Cursor<'_>) -> Result<Span, ScanError> {
        let start = cursor.offset();
        if cursor.peek() != Some(b'"') {
            cursor.skip_value()?;
            self.object_to(Fault::ModelNotAString, start);
            return Ok(cursor.since(start));
        }
        let text = cursor.string()?;
        match cursor.decoded_len(text, MODEL_LIMIT_BYTES)? {
            Some(0) => self.object_to(Fault::ModelEmpty, start),
            Some(_) => {}
            None => self.object_to(Fault::ModelTooLong, start),
        }
        Ok(text.span)
    }

    fn into_scan(self) -> Result<Scan, ScanError> {
        if let Some(error) = self.objection {
            return Err(error);
        }
        Ok(Scan {
            model: self.model,
            open: self.open,
            stream: self.stream.unwrap_or(false),
            stream_options: self.stream_options.unwrap_or(StreamOptions::Absent),
        })
    }
}

/// Consumes any value; says whether it is the literal `true`.
fn read_true(cursor: &mut Cursor<'_>) -> Result<bool, ScanError> {
    // No other JSON value begins with a `t`, and a misspelt one is refused.
    let is_true = cursor.peek() == Some(b't');
    cursor.skip_value()?;
    Ok(is_true)
}

fn read_options(cursor: &mut Cursor<'_>) -> Result<StreamOptions, ScanError> {
    let start = cursor.offset();
    match cursor.peek() {
        Some(b'{') => {
            let (mut empty, mut include_usage) = (true, None);
            cursor.object(|cursor, key| {
                empty = false;
                if cursor.spells(key, "include_usage") {
                    include_usage = Some(read_true(cursor)?);
                    return Ok(());
                }
                cursor.skip_value()
            })?;
            Ok(StreamOptions::Object {
                open: start + 1,
                empty,
                include_usage,
            })
        }
        Some(b'n') => {
            cursor.skip_value()?;
            Ok(StreamOptions::Null(cursor.since(start)))
        }
        _ => {
            cursor.skip_value()?;
            Ok(StreamOptions::Other)
        }
    }
}
