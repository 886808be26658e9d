//! The top-level members that the scan reads.

use super::cursor::Cursor;
use super::string::{Decoder, JsonString};
use super::{ScanError, ScanField, StreamOptions};

/// The longest name, in characters.
const MAX_NAME: usize = "stream_options".len();

pub(super) enum ScanMember {
    Field(ScanField),
    DataSources,
    ServiceTier,
}

impl ScanMember {
    /// The member of this key, if it is one of those: a branch by length for most keys.
    pub(super) fn of(cursor: &Cursor<'_>, key: JsonString) -> Option<Self> {
        let name = cursor.content(key);
        if !key.escaped {
            return Self::named(name);
        }
        // One more than a name has shows that it is none. The key may be huge.
        let decoder = Decoder::from_bytes(name).map(Result::ok);
        let name: Option<String> = decoder.take(MAX_NAME + 1).collect();
        Self::named(name?.as_bytes())
    }

    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Field(ScanField::Model),
            b"stream" => Self::Field(ScanField::Stream),
            b"stream_options" => Self::Field(ScanField::StreamOptions),
            b"data_sources" => Self::DataSources,
            b"service_tier" => Self::ServiceTier,
            _ => return None,
        })
    }
}

/// Consumes any value; true for the literal `true`.
pub(super) fn read_true(cursor: &mut Cursor<'_>) -> Result<bool, ScanError> {
    // No other JSON value begins with `t`, and a misspelt `true` is an error.
    let is_true = cursor.peek() == Some(b't');
    cursor.skip_value()?;
    Ok(is_true)
}

pub(super) fn read_options(cursor: &mut Cursor<'_>) -> Result<StreamOptions, ScanError> {
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
