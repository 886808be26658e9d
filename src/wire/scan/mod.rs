//! One pass over a request body: validates the JSON and finds the few top-level
//! members that matter.
//!
//! No tree is built. The scan checks the whole body against RFC 8259 and keeps
//! byte ranges, so that the members can be spliced later.

pub mod affinity;
mod blocks;
mod cursor;
mod folded;
mod machine;
mod member;
mod members;
mod nesting;
pub mod object_ids;
pub mod output_limit;
mod partial_char;
#[cfg(any(test, feature = "fuzzing"))]
pub mod reference;
pub mod references;
mod scalar;
mod scanner;
mod string;
#[cfg(test)]
mod tests;
pub mod user;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;

use folded::{FoldedNames, LONE_MODEL};
use output_limit::OutputMembers;
pub use scanner::Scanner;
use string::Decoder;

/// Limit of a model name, with escapes resolved. The name becomes a lookup key
/// and part of an error message.
pub const MAX_MODEL_BYTES: usize = 256;

/// A half-open byte range of the scanned body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSpan {
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "none depends on another")]
pub struct Scan {
    /// The value of `model`, including the quotes. Only [`scan_object`] and
    /// [`scan_any`] accept a body without it.
    pub model: Option<ByteSpan>,
    /// The offset after the `{` of the object, if the body is one.
    pub object_start: Option<NonZeroUsize>,
    /// The body is an object that is not empty.
    pub has_members: bool,
    /// True only for the JSON literal `true`.
    pub stream: bool,
    pub stream_options: StreamOptions,
    /// Azure refuses `stream_options` beside its `data_sources`
    /// (Azure/azure-sdk-for-js#30751).
    pub has_data_sources: bool,
    /// The client asks for a service tier other than the standard one.
    pub wants_other_tier: bool,
    /// The first `store`: whether the provider keeps the result, to be referred to.
    pub store: Option<bool>,
    /// What limits the output.
    pub output: OutputMembers,
}

/// The value of `stream_options`, as far as a splice depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamOptions {
    #[default]
    Absent,
    Null(ByteSpan),
    Object {
        /// The offset after its `{`.
        object_start: usize,
        /// It has no members.
        empty: bool,
        /// The last `include_usage` if repeated; any value other than `true`
        /// counts as `false`.
        include_usage: Option<bool>,
    },
    /// A type that the API does not define; left to the upstream.
    Other,
}

/// A top-level member that the gateway reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanField {
    Model,
    Stream,
    StreamOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanErrorKind {
    EmptyBody,
    InvalidJson,
    NotAnObject,
    TrailingData,
    /// Not UTF-8, or a byte order mark (RFC 8259, 8.1).
    InvalidEncoding,
    /// Deeper than common parsers accept.
    TooDeep,
    ModelMissing,
    ModelNotAString,
    ModelEmpty,
    /// Longer than [`MAX_MODEL_BYTES`].
    ModelTooLong,
    /// A repeated member that affects routing: two parsers of the body could
    /// disagree about its value.
    Duplicate(ScanField),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError {
    pub kind: ScanErrorKind,
    pub offset: usize,
}

/// What a body must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanMode {
    /// An object with a `model`.
    ModelRequired,
    /// An object.
    Object,
    /// Any JSON.
    Any,
}

/// Scans a whole body.
///
/// A syntax error anywhere takes precedence over a missing or repeated member, so
/// a body is reported as invalid JSON exactly when it is.
pub fn scan(body: &[u8]) -> Result<Scan, ScanError> {
    scan_in_mode(body, ScanMode::ModelRequired)
}

/// Scans a whole body in which `model` is optional.
pub fn scan_object(body: &[u8]) -> Result<Scan, ScanError> {
    scan_in_mode(body, ScanMode::Object)
}

/// Scans a whole body of any JSON, in which `model` is optional.
pub fn scan_any(body: &[u8]) -> Result<Scan, ScanError> {
    scan_in_mode(body, ScanMode::Any)
}

/// Scans a whole body that must be what `mode` says.
pub fn scan_in_mode(body: &[u8], mode: ScanMode) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::without_name(mode);
    scanner.feed(body);
    scanner.end()
}

// === impl ByteSpan ===

impl ByteSpan {
    /// An empty range before the byte at `offset`.
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
    /// The model's name with escapes resolved; empty if there is none. `body` must
    /// be the scanned one.
    pub fn model_name<'b>(&self, body: &'b [u8]) -> Result<Cow<'b, str>, ScanError> {
        let Some(model) = self.model else {
            return Ok(Cow::Borrowed(""));
        };
        let span = ByteSpan {
            start: model.start + 1,
            end: model.end.saturating_sub(1),
        };
        let invalid = |offset| ScanError {
            kind: ScanErrorKind::InvalidJson,
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

    /// Makes a missing model an insertion at the start of the object. Returns what
    /// the inserted member must end with; `None` if there is a model already or
    /// the body is not an object.
    pub fn insert_model(&mut self) -> Option<&'static str> {
        let start = self.object_start.filter(|_| self.model.is_none())?.get();
        self.model = Some(ByteSpan::empty(start));
        Some(if self.has_members { "," } else { "" })
    }

    /// True for a streamed request in which the client left usage reports open.
    #[must_use]
    pub fn should_inject_usage(&self) -> bool {
        self.stream
            && !self.has_data_sources
            && match self.stream_options {
                StreamOptions::Absent | StreamOptions::Null(_) => true,
                StreamOptions::Object { include_usage, .. } => include_usage.is_none(),
                StreamOptions::Other => false,
            }
    }
}

// === impl ScanField ===

impl ScanField {
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

impl fmt::Display for ScanErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyBody => formatter.write_str("the body is empty"),
            Self::InvalidJson => formatter.write_str("the body is not valid JSON"),
            Self::NotAnObject => formatter.write_str("the body is not a JSON object"),
            Self::TrailingData => formatter.write_str("data after the JSON object"),
            Self::InvalidEncoding => {
                formatter.write_str("the body is not UTF-8, or has a byte order mark")
            }
            Self::TooDeep => formatter.write_str("the body is nested too deeply"),
            Self::ModelMissing => formatter.write_str("`model` is missing"),
            Self::ModelNotAString => formatter.write_str("`model` is not a string"),
            Self::ModelEmpty => formatter.write_str("`model` is empty"),
            Self::ModelTooLong => {
                write!(formatter, "`model` is longer than {MAX_MODEL_BYTES} bytes")
            }
            Self::Duplicate(field) => write!(formatter, "duplicate `{}`", field.as_str()),
        }
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (byte {})", self.kind, self.offset)
    }
}

impl std::error::Error for ScanError {}

// === impl ScanBuilder ===

#[derive(Debug, Default)]
struct ScanBuilder {
    object_start: Option<NonZeroUsize>,
    has_members: bool,
    model: Option<ByteSpan>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    has_data_sources: bool,
    wants_other_tier: bool,
    store: Option<bool>,
    output: OutputMembers,
    folded: FoldedNames,
    /// The first error that is not one of syntax. It is reported once the syntax of
    /// the whole body is known to be valid.
    deferred: Option<ScanError>,
}

impl ScanBuilder {
    fn defer(&mut self, kind: ScanErrorKind, offset: usize) {
        self.deferred.get_or_insert(ScanError { kind, offset });
    }

    /// `last` is the offset of the last byte of the body's value.
    fn finish(&self, mode: ScanMode, last: usize) -> Result<Scan, ScanError> {
        let lone = match mode {
            ScanMode::ModelRequired => ScanErrorKind::ModelMissing,
            ScanMode::Object | ScanMode::Any => LONE_MODEL,
        };
        if let Some(error) = self.deferred.or_else(|| self.folded_error(lone)) {
            return Err(error);
        }
        if self.model.is_none() && mode == ScanMode::ModelRequired {
            return Err(ScanError {
                kind: ScanErrorKind::ModelMissing,
                offset: last,
            });
        }
        Ok(Scan {
            model: self.model,
            object_start: self.object_start,
            has_members: self.has_members,
            stream: self.stream.unwrap_or(false),
            stream_options: self.stream_options.unwrap_or(StreamOptions::Absent),
            has_data_sources: self.has_data_sources,
            wants_other_tier: self.wants_other_tier,
            store: self.store,
            output: self.output,
        })
    }
}
