//! Edits the model and the usage option of a body; all other bytes stay.

use std::mem;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::frames::Frames;
use super::scan::{ByteSpan, Scan, StreamOptions};

/// Two edits split a body of one frame into three parts and add two new ones.
const USUAL_SEGMENTS: usize = 5;

/// Whether to request usage in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// Change nothing, and read usage where it is reported.
    Observe,
    /// Request it where the client left it open ([`Scan::should_inject_usage`]).
    Inject,
}

/// A body in consecutive parts, mostly a few. A clone copies no bytes, so that every
/// attempt can have its own.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    parts: SmallVec<[Bytes; USUAL_SEGMENTS]>,
    /// How many of them are already taken.
    taken: usize,
}

/// A text, and the span that it replaces.
struct Edit {
    span: ByteSpan,
    text: Bytes,
}

/// Encodes a model name as a JSON string.
#[must_use]
pub fn encode_model(name: &str) -> Bytes {
    serde_json::Value::from(name).to_string().into()
}

/// Replaces the model by one from [`encode_model`], and requests usage where
/// configured. `scan` must be that of this very `body`.
#[must_use]
pub fn splice(body: &Frames, scan: &Scan, model: &[u8], usage: StreamUsage) -> Segments {
    let rename = scan
        .model
        .map(|span| Edit {
            span,
            // A copy of a few bytes: a clone would touch a reference count that
            // all workers share.
            text: Bytes::copy_from_slice(model),
        })
        // An unchanged model leaves the body as it is.
        .filter(|edit| !body.has_at(edit.span.start..edit.span.end, &edit.text));
    let inject = match usage {
        StreamUsage::Inject if scan.should_inject_usage() => usage_edit(scan),
        _ => None,
    };
    let mut edits = [rename, inject];
    // The spans differ and never overlap.
    edits.sort_unstable_by_key(|edit| edit.as_ref().map(|edit| edit.span.end));
    let mut segments = Segments::default();
    let mut from = 0;
    for edit in edits.into_iter().flatten() {
        segments.push_range(body, from..edit.span.start);
        segments.push(edit.text);
        from = edit.span.end;
    }
    segments.push_range(body, from..usize::MAX);
    segments
}

fn usage_edit(scan: &Scan) -> Option<Edit> {
    let model = scan.model?;
    let (range, text): (ByteSpan, &'static str) = match scan.stream_options {
        // An inserted model ends with its own comma.
        StreamOptions::Absent if model.start == model.end => {
            (model, r#""stream_options":{"include_usage":true},"#)
        }
        StreamOptions::Absent => (
            ByteSpan::empty(model.end),
            r#","stream_options":{"include_usage":true}"#,
        ),
        StreamOptions::Null(null) => (null, r#"{"include_usage":true}"#),
        StreamOptions::Object {
            object_start,
            empty: true,
            ..
        } => (ByteSpan::empty(object_start), r#""include_usage":true"#),
        StreamOptions::Object { object_start, .. } => {
            (ByteSpan::empty(object_start), r#""include_usage":true,"#)
        }
        StreamOptions::Other => return None,
    };
    Some(Edit {
        span: range,
        text: Bytes::from_static(text.as_bytes()),
    })
}

// === impl Segments ===

impl Segments {
    fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.parts.push(part);
        }
    }

    fn push_range(&mut self, body: &Frames, range: Range<usize>) {
        body.slices(range).for_each(|part| self.push(part));
    }

    #[must_use]
    pub fn single(body: Bytes) -> Self {
        let mut segments = Self::default();
        segments.push(body);
        segments
    }

    /// The bytes in all parts not taken yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().map(Bytes::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.parts.len()
    }

    /// The parts not taken yet, in order; none is empty.
    pub fn iter(&self) -> std::slice::Iter<'_, Bytes> {
        self.parts.get(self.taken..).unwrap_or_default().iter()
    }

    /// Takes the next part.
    pub fn pop_front(&mut self) -> Option<Bytes> {
        let part = mem::take(self.parts.get_mut(self.taken)?);
        self.taken += 1;
        Some(part)
    }
}

impl<'s> IntoIterator for &'s Segments {
    type Item = &'s Bytes;
    type IntoIter = std::slice::Iter<'s, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
