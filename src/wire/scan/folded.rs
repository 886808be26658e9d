//! Names that equal those of the scan but for case. Parsers that ignore case, such as
//! Go's `encoding/json`, read them in place of the right ones.

use super::string::StringContent;
use super::{ScanBuilder, ScanError, ScanErrorKind, ScanField};

/// The error for a `Model` without a `model` where no model is needed: one that is
/// inserted would be beside it.
pub(super) const LONE_MODEL: ScanErrorKind = ScanErrorKind::Duplicate(ScanField::Model);

const FIELDS: [ScanField; 3] = [
    ScanField::Model,
    ScanField::Stream,
    ScanField::StreamOptions,
];

/// Offsets of the first such name for each of [`FIELDS`].
#[derive(Debug, Default)]
pub(super) struct FoldedNames([Option<usize>; 3]);

impl FoldedNames {
    /// `start` is the offset of the key.
    pub(super) fn record(&mut self, key: StringContent<'_>, start: usize) {
        for (field, found) in FIELDS.into_iter().zip(&mut self.0) {
            if key.folds_to(field.as_str()) {
                found.get_or_insert(start);
            }
        }
    }
}

impl ScanBuilder {
    /// `lone` is the error for a `Model` without a `model`.
    pub(super) fn folded_error(&self, lone: ScanErrorKind) -> Option<ScanError> {
        let mut found = FIELDS.into_iter().zip(self.folded.0);
        found.find_map(|(field, offset)| {
            let is_present = match field {
                ScanField::Model => self.model.is_some(),
                ScanField::Stream => self.stream.is_some(),
                ScanField::StreamOptions => self.stream_options.is_some(),
            };
            let kind = match field {
                _ if is_present => ScanErrorKind::Duplicate(field),
                ScanField::Model => lone,
                _ => return None,
            };
            offset.map(|offset| ScanError { kind, offset })
        })
    }
}
