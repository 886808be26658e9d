//! The top-level members that the scan reads.

use super::ScanField;
use super::cursor::Cursor;
use super::string::{Decoder, JsonString};

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
