//! The scan as it was before blocks: a cursor that walks every byte. It is the oracle of
//! the present one.

use std::num::NonZeroUsize;

use super::cursor::Cursor;
use super::member::ScanMember;
use super::string::JsonString;
use super::{
    ByteSpan, MAX_MODEL_BYTES, Scan, ScanBuilder, ScanError, ScanErrorKind, ScanField, ScanMode,
    StreamOptions,
};
use crate::wire::usage::ServiceTier;

/// Scans a whole body.
///
/// # Errors
/// As [`super::scan()`], [`super::scan_object()`] and [`super::scan_any()`].
pub fn scan(body: &[u8], mode: ScanMode) -> Result<Scan, ScanError> {
    let mut cursor = Cursor::new(body);
    if body.is_empty() {
        return Err(cursor.error(ScanErrorKind::EmptyBody));
    }
    cursor.start()?;
    let start = cursor.offset();
    let mut builder = ScanBuilder::default();
    if cursor.peek() == Some(b'{') {
        builder.object_start = NonZeroUsize::new(start + 1);
        cursor.object(|cursor, key| {
            builder.has_members = true;
            builder.read_member(cursor, key)
        })?;
    } else {
        cursor.skip_value()?;
        if mode != ScanMode::Any {
            builder.defer(ScanErrorKind::NotAnObject, start);
        }
    }
    let last = cursor.offset().saturating_sub(1);
    cursor.skip_whitespace();
    if cursor.peek().is_some() {
        return Err(cursor.error(ScanErrorKind::TrailingData));
    }
    builder.finish(mode, last)
}

impl ScanBuilder {
    /// Reads the value of a top-level member, whose key was just consumed.
    fn read_member(&mut self, cursor: &mut Cursor<'_>, key: JsonString) -> Result<(), ScanError> {
        let field = match ScanMember::of(cursor.text(key)) {
            Some(ScanMember::Field(field)) => field,
            Some(ScanMember::ServiceTier) if cursor.peek() == Some(b'"') => {
                let tier = cursor.string()?;
                let mut standard = ServiceTier::STANDARD_NAMES.into_iter();
                self.wants_other_tier |= !standard.any(|name| cursor.text_eq(tier, name));
                return Ok(());
            }
            Some(ScanMember::ServiceTier) => return cursor.skip_value(),
            Some(ScanMember::DataSources) => {
                self.has_data_sources |= cursor.peek() != Some(b'n');
                return cursor.skip_value();
            }
            Some(ScanMember::Store) => {
                let is_bool = matches!(cursor.peek(), Some(b't' | b'f'));
                let is_true = read_true(cursor)?;
                if is_bool {
                    self.store.get_or_insert(is_true);
                }
                return Ok(());
            }
            Some(ScanMember::Output(member)) => {
                self.output.record(member, cursor.offset());
                return cursor.skip_value();
            }
            Some(ScanMember::Prompt) => {
                if cursor.peek() == Some(b'[') {
                    self.output.record_prompts();
                }
                return cursor.skip_value();
            }
            None => {
                self.folded.record(cursor.text(key), key.span.start);
                return cursor.skip_value();
            }
        };
        let is_duplicate = match field {
            ScanField::Model => self.model.is_some(),
            ScanField::Stream => self.stream.is_some(),
            ScanField::StreamOptions => self.stream_options.is_some(),
        };
        if is_duplicate {
            self.defer(ScanErrorKind::Duplicate(field), key.span.start);
            return cursor.skip_value();
        }
        match field {
            ScanField::Model => self.model = Some(self.read_model(cursor)?),
            ScanField::Stream => self.stream = Some(read_true(cursor)?),
            ScanField::StreamOptions => self.stream_options = Some(read_options(cursor)?),
        }
        Ok(())
    }

    fn read_model(&mut self, cursor: &mut Cursor<'_>) -> Result<ByteSpan, ScanError> {
        let start = cursor.offset();
        if cursor.peek() != Some(b'"') {
            cursor.skip_value()?;
            self.defer(ScanErrorKind::ModelNotAString, start);
            return Ok(cursor.span_from(start));
        }
        let text = cursor.string()?;
        let len = cursor.text(text).decoded_len(MAX_MODEL_BYTES);
        let len = len.map_err(|at| ScanError {
            kind: ScanErrorKind::InvalidJson,
            offset: start + 1 + at,
        })?;
        match len {
            Some(0) => self.defer(ScanErrorKind::ModelEmpty, start),
            Some(_) => {}
            None => self.defer(ScanErrorKind::ModelTooLong, start),
        }
        Ok(text.span)
    }
}

/// Consumes any value; true for the literal `true`.
fn read_true(cursor: &mut Cursor<'_>) -> Result<bool, ScanError> {
    // No other JSON value begins with `t`, and a misspelt `true` is an error.
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
                if cursor.text_eq(key, "include_usage") {
                    include_usage = Some(read_true(cursor)?);
                    return Ok(());
                }
                cursor.skip_value()
            })?;
            Ok(StreamOptions::Object {
                object_start: start + 1,
                empty,
                include_usage,
            })
        }
        Some(b'n') => {
            cursor.skip_value()?;
            Ok(StreamOptions::Null(cursor.span_from(start)))
        }
        _ => {
            cursor.skip_value()?;
            Ok(StreamOptions::Other)
        }
    }
}
