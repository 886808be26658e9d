//! Puts the upstream's words into a body, and leaves every other byte as it is.

use std::mem;

use bytes::Bytes;

use super::scan::{Scan, Span, StreamOptions};

/// Two edits cut a body into three parts, and bring two of their own.
const MOST_SEGMENTS: usize = 5;

/// Whether to ask the upstream for usage in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// Change nothing; read usage where it comes by itself.
    Observe,
    /// Ask for it where the caller left that open ([`Scan::would_inject`]).
    Inject,
}

/// A body in a few parts that follow each other. Cloning it copies no bytes, so
/// that every attempt can have its own.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    parts: [Bytes; MOST_SEGMENTS],
    /// How many parts were filled, and how many of them were taken.
    filled: usize,
    taken: usize,
}

/// A text, and the place that it takes.
struct Edit {
    place: Span,
    text: Bytes,
}

/// Writes a model name as a JSON string.
#[must_use]
pub fn encode_model(name: &str) -> Bytes {
    serde_json::Value::from(name).to_string().into()
}

/// Replaces the model by one from [`encode_model`], and asks for usage if that
/// is wanted and left open. `scan` must be the scan of this very `body`.
#[must_use]
pub fn splice(body: &Bytes, scan: &Scan, model: &[u8], usage: StreamUsage) -> Segments {
    let rename = scan
        .model
        .map(|place| Edit {
            place,
            // A copy of a few bytes: a clone would be counted where every worker
            // that calls this model counts.
            text: Bytes::copy_from_slice(model),
        })
        // A model that keeps its name leaves the body in one piece.
        .filter(|edit| body.get(edit.place.start..edit.place.end) != Some(&edit.text[..]));
    let ask = match usage {
        StreamUsage::Inject if scan.would_inject() => ask_for_usage(scan),
        _ => None,
    };
    let mut edits = [rename, ask];
    // Two places are never the same, and never overlap.
    edits.sort_unstable_by_key(|edit| edit.as_ref().map(|edit| edit.place.end));
    let mut segments = Segments::default();
    let mut from = 0;
    for edit in edits.into_iter().flatten() {
        segments.push(body.slice(from..edit.place.start));
        segments.push(edit.text);
        from = edit.place.end;
    }
    segments.push(body.slice(from..));
    segments
}

fn ask_for_usage(scan: &Scan) -> Option<Edit> {
    let model = scan.model?;
    let (place, text): (Span, &'static str) = match scan.stream_options {
        // A model that did not stand there brings its comma along.
        StreamOptions::Absent if model.start == model.end => {
            (model, r#""stream_options":{"include_usage":true},"#)
        }
        StreamOptions::Absent => (
            Span::empty(model.end),
            r#","stream_options":{"include_usage":true}"#,
        ),
        StreamOptions::Null(null) => (null, r#"{"include_usage":true}"#),
        StreamOptions::Object {
            open, empty: true, ..
        } => (Span::empty(open), r#""include_usage":true"#),
        StreamOptions::Object { open, .. } => (Span::empty(open), r#""include_usage":true,"#),
        StreamOptions::Other => return None,
    };
    Some(Edit {
        place,
        text: Bytes::from_static(text.as_bytes()),
    })
}

// === impl Segments ===

impl Segments {
    fn push(&mut self, part: Bytes) {
        if part.is_empty() {
            return;
        }
        if let Some(slot) = self.parts.get_mut(self.filled) {
            *slot = part;
            self.filled += 1;
        }
    }

    /// A body in one part.
    #[must_use]
    pub fn whole(body: Bytes) -> Self {
        let mut segments = Self::default();
        segments.push(body);
        segments
    }

    /// The bytes in all parts that were not taken yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().map(Bytes::len).sum()
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.filled
    }

    /// The parts that were not taken yet, in order; none is empty.
    pub fn iter(&self) -> std::slice::Iter<'_, Bytes> {
        let parts = self.parts.get(self.taken..self.filled);
        parts.unwrap_or_default().iter()
    }

    /// Hands out the next part.
    pub fn take_next(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
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
