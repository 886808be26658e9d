//! A stream in one chunk against the same stream in many.

use bytes::Bytes;

use crate::wire::sse_relay::{FinishRule, StreamInspector};
use crate::wire::usage::Usage;

/// The output and all results of a [`StreamInspector`].
#[derive(Debug, PartialEq)]
pub struct Inspected {
    /// All bytes passed on, those of `end` included.
    pub out: Vec<u8>,
    /// `at_boundary` before and after `end`.
    pub at_boundary: [bool; 2],
    /// `is_complete`, `is_done`, `has_error`, `has_data`
    pub flags: [bool; 4],
    pub usage: Option<Usage>,
    pub event_count: u64,
}

/// Feeds a stream in chunks whose lengths are those of `cuts` in turn, or in one
/// chunk if there are none.
///
/// # Panics
/// When bytes are held back although usage is not hidden.
#[must_use]
pub fn inspect(rule: FinishRule, hide: bool, stream: &[u8], cuts: &[usize]) -> Inspected {
    let mut inspector = StreamInspector::new(rule, hide);
    let mut cuts = cuts.iter().copied().cycle();
    let (mut out, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let len = cuts.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, remaining) = rest.split_at(len);
        rest = remaining;
        let passed = inspector.feed(Bytes::copy_from_slice(chunk));
        assert!(passed.as_ref().is_none_or(|bytes| !bytes.is_empty()));
        out.extend(passed.into_iter().flatten());
        assert!(hide || out.len() + rest.len() == stream.len(), "held back");
    }
    let before = inspector.at_boundary();
    out.extend(inspector.end().into_iter().flatten());
    Inspected {
        out,
        at_boundary: [before, inspector.at_boundary()],
        flags: [
            inspector.is_complete(),
            inspector.is_done(),
            inspector.has_error(),
            inspector.has_data(),
        ],
        usage: inspector.usage(),
        event_count: inspector.event_count(),
    }
}

/// Inspects a stream in one chunk, byte by byte, and in the given chunks.
///
/// # Panics
/// When the results differ, or when bytes change although usage is not hidden.
pub fn check_inspector(stream: &[u8], cuts: &[usize]) {
    for rule in [
        FinishRule::Chat,
        FinishRule::Responses,
        FinishRule::Messages,
        FinishRule::EndOfBody,
    ] {
        for hide in [false, true] {
            let whole = inspect(rule, hide, stream, &[]);
            assert!(hide || whole.out == stream, "bytes were changed");
            assert_eq!(whole, inspect(rule, hide, stream, &[1]));
            if cuts.iter().any(|&cut| cut > 0) {
                assert_eq!(whole, inspect(rule, hide, stream, cuts));
            }
        }
    }
}
