//! Reads the members of the body's object while the machine passes them.

use std::num::NonZeroUsize;

use super::member::ScanMember;
use super::output_limit::OutputMember;
use super::string::{Decoder, StringContent};
use super::{
    ByteSpan, MAX_MODEL_BYTES, ScanBuilder, ScanError, ScanErrorKind, ScanField, ScanMode,
    StreamOptions,
};
use crate::wire::usage::ServiceTier;

/// Bytes of a body, which may be a part of it.
#[derive(Clone, Copy)]
pub(super) struct Frame<'f> {
    pub(super) bytes: &'f [u8],
    /// The offset of its first byte in the body.
    pub(super) start: usize,
}

/// What is done with a value at the watched depth.
#[derive(Clone, Copy, Debug, Default)]
enum Purpose {
    #[default]
    Skip,
    Model,
    /// A model that is no string, with its offset.
    OtherModel(usize),
    Stream,
    StreamOptions,
    /// `null`, with its offset.
    NullOptions(usize),
    IncludeUsage,
    DataSources,
    ServiceTier,
    Store,
    Output(OutputMember),
    Prompt,
}

/// A string at the watched depth.
#[derive(Debug, Default)]
struct Capture {
    /// The offset of its first quote, if it is open and of interest.
    start: Option<usize>,
    escaped: bool,
    /// What earlier frames had of its content; at most one byte more than
    /// [`StringContent::MAX_COMPARED`].
    earlier: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) builder: ScanBuilder,
    /// With escapes resolved, if it was asked for.
    pub(super) model_name: Option<String>,
    keeps_model_name: bool,
    /// The depth of the object whose members are read; zero if none is.
    watched: u32,
    purpose: Purpose,
    capture: Capture,
}

// === impl Capture ===

impl Capture {
    fn begin(&mut self, start: usize) {
        self.start = Some(start);
        self.escaped = false;
        self.earlier.clear();
    }

    /// The part of the content that is in a frame, up to `end`.
    fn part<'f>(&self, frame: Frame<'f>, end: usize) -> &'f [u8] {
        let start = self.start.map_or(end, |quote| quote + 1);
        let part = start.saturating_sub(frame.start)..end.saturating_sub(frame.start);
        frame.bytes.get(part).unwrap_or_default()
    }

    fn keep(&mut self, part: &[u8]) {
        let room = (StringContent::MAX_COMPARED + 1).saturating_sub(self.earlier.len());
        self.earlier
            .extend_from_slice(part.get(..room).unwrap_or(part));
    }

    /// The string that ends with the quote at `end`, and its offset.
    fn end<'f>(&'f mut self, frame: Frame<'f>, end: usize) -> Option<(usize, StringContent<'f>)> {
        let start = self.start?;
        let part = self.part(frame, end);
        self.start = None;
        let content = if start >= frame.start {
            part
        } else {
            self.keep(part);
            &self.earlier
        };
        let text = StringContent {
            content,
            escaped: self.escaped,
        };
        Some((start, text))
    }
}

// === impl Members ===

impl Members {
    pub(super) fn new(keeps_model_name: bool) -> Self {
        Self {
            keeps_model_name,
            ..Self::default()
        }
    }

    pub(super) const fn watched(&self) -> u32 {
        self.watched
    }

    /// Called for each backslash in a string at the watched depth.
    pub(super) const fn on_escape(&mut self) {
        self.capture.escaped = true;
    }

    /// Called at the end of a frame.
    pub(super) fn on_frame_end(&mut self, frame: Frame<'_>) {
        if self.capture.start.is_some() {
            let part = self.capture.part(frame, frame.start + frame.bytes.len());
            self.capture.keep(part);
        }
    }

    /// Called for the first byte of the body's value.
    pub(super) fn on_root(&mut self, first: u8, at: usize, mode: ScanMode) {
        if first == b'{' {
            self.builder.object_start = NonZeroUsize::new(at + 1);
            self.watched = 1;
        } else if mode != ScanMode::Any {
            self.builder.defer(ScanErrorKind::NotAnObject, at);
        }
    }

    /// Called for the first quote of a key at the watched depth.
    pub(super) fn on_key(&mut self, at: usize) {
        self.builder.has_members = true;
        self.capture.begin(at);
    }

    /// Called for the first byte of a value at the watched depth.
    pub(super) fn on_value(&mut self, first: u8, at: usize) {
        let builder = &mut self.builder;
        let purpose = match (self.purpose, first) {
            (Purpose::Model | Purpose::ServiceTier, b'"') => {
                self.capture.begin(at);
                return;
            }
            (Purpose::Model, _) => Purpose::OtherModel(at),
            (Purpose::Stream, _) => {
                // No other JSON value begins with `t`, and a misspelt `true` is an error.
                builder.stream = Some(first == b't');
                Purpose::Skip
            }
            (Purpose::StreamOptions, b'{') => {
                builder.stream_options = Some(StreamOptions::Object {
                    object_start: at + 1,
                    empty: true,
                    include_usage: None,
                });
                self.watched += 1;
                Purpose::Skip
            }
            (Purpose::StreamOptions, b'n') => Purpose::NullOptions(at),
            (Purpose::StreamOptions, _) => {
                builder.stream_options = Some(StreamOptions::Other);
                Purpose::Skip
            }
            (Purpose::IncludeUsage, _) => {
                if let Some(StreamOptions::Object { include_usage, .. }) =
                    &mut builder.stream_options
                {
                    *include_usage = Some(first == b't');
                }
                Purpose::Skip
            }
            (Purpose::DataSources, _) => {
                builder.has_data_sources |= first != b'n';
                Purpose::Skip
            }
            (Purpose::Store, _) => {
                if matches!(first, b't' | b'f') {
                    builder.store.get_or_insert(first == b't');
                }
                Purpose::Skip
            }
            (Purpose::Output(member), _) => {
                builder.output.record(member, at);
                Purpose::Skip
            }
            (Purpose::Prompt, b'[') => {
                builder.output.record_prompts();
                Purpose::Skip
            }
            _ => Purpose::Skip,
        };
        self.purpose = purpose;
    }

    /// Called for the last quote of a string at the watched depth.
    pub(super) fn on_string_end(
        &mut self,
        is_key: bool,
        frame: Frame<'_>,
        end: usize,
    ) -> Result<(), ScanError> {
        let Some((start, text)) = self.capture.end(frame, end) else {
            return Ok(());
        };
        let builder = &mut self.builder;
        if is_key {
            self.purpose = if self.watched == 1 {
                builder.purpose_of(text, start)
            } else {
                builder.purpose_of_option(text)
            };
            return Ok(());
        }
        match self.purpose {
            Purpose::Model => {
                let len = text.decoded_len(MAX_MODEL_BYTES);
                let len = len.map_err(|at| ScanError {
                    kind: ScanErrorKind::InvalidJson,
                    offset: start + 1 + at,
                })?;
                match len {
                    Some(0) => builder.defer(ScanErrorKind::ModelEmpty, start),
                    Some(_) if self.keeps_model_name => {
                        let name = Decoder::from_bytes(text.content).collect::<Result<_, _>>();
                        self.model_name = name.ok();
                    }
                    Some(_) => {}
                    None => builder.defer(ScanErrorKind::ModelTooLong, start),
                }
                builder.model = Some(ByteSpan {
                    start,
                    end: end + 1,
                });
            }
            Purpose::ServiceTier => {
                let mut standard = ServiceTier::STANDARD_NAMES.into_iter();
                builder.wants_other_tier |= !standard.any(|name| text.is(name));
            }
            _ => {}
        }
        self.purpose = Purpose::Skip;
        Ok(())
    }

    /// Called after a bracket was closed, and `depth` are left.
    pub(super) fn on_close(&mut self, depth: u32) {
        self.watched = self.watched.min(depth);
    }

    /// Called after a value at the watched depth that is no string.
    pub(super) fn on_value_end(&mut self, end: usize) {
        match self.purpose {
            Purpose::OtherModel(start) => {
                self.builder.defer(ScanErrorKind::ModelNotAString, start);
                self.builder.model = Some(ByteSpan { start, end });
            }
            Purpose::NullOptions(start) => {
                self.builder.stream_options = Some(StreamOptions::Null(ByteSpan { start, end }));
            }
            _ => return,
        }
        self.purpose = Purpose::Skip;
    }
}

// === impl ScanBuilder ===

impl ScanBuilder {
    /// Of the value of a key of the body's object.
    fn purpose_of(&mut self, key: StringContent<'_>, start: usize) -> Purpose {
        let (field, is_duplicate, purpose) = match ScanMember::of(key) {
            Some(ScanMember::Field(field)) => match field {
                ScanField::Model => (field, self.model.is_some(), Purpose::Model),
                ScanField::Stream => (field, self.stream.is_some(), Purpose::Stream),
                ScanField::StreamOptions => {
                    let is_duplicate = self.stream_options.is_some();
                    (field, is_duplicate, Purpose::StreamOptions)
                }
            },
            Some(ScanMember::DataSources) => return Purpose::DataSources,
            Some(ScanMember::ServiceTier) => return Purpose::ServiceTier,
            Some(ScanMember::Store) => return Purpose::Store,
            Some(ScanMember::Output(member)) => return Purpose::Output(member),
            Some(ScanMember::Prompt) => return Purpose::Prompt,
            None => {
                self.folded.record(key, start);
                return Purpose::Skip;
            }
        };
        if is_duplicate {
            self.defer(ScanErrorKind::Duplicate(field), start);
            return Purpose::Skip;
        }
        purpose
    }

    /// Of the value of a key in `stream_options`.
    fn purpose_of_option(&mut self, key: StringContent<'_>) -> Purpose {
        if let Some(StreamOptions::Object { empty, .. }) = &mut self.stream_options {
            *empty = false;
        }
        if key.is("include_usage") {
            Purpose::IncludeUsage
        } else {
            Purpose::Skip
        }
    }
}
