//! A JSON text in one chunk against the same text in many.

use bytes::Bytes;

use crate::wire::failure::Blame;
use crate::wire::json_relay::{JsonEnd, JsonInspector};
use crate::wire::usage::Usage;

/// What a body came to, its usage, and whose fault a failure is.
type Inspected = (JsonEnd, Option<Box<Usage>>, Option<Blame>);

fn inspect(body: &[u8], cuts: &[usize]) -> Inspected {
    let mut inspector = JsonInspector::default();
    let mut cuts = cuts.iter().copied().cycle();
    let mut rest = body;
    while !rest.is_empty() {
        let len = cuts.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, remaining) = rest.split_at(len);
        rest = remaining;
        inspector.feed(&Bytes::copy_from_slice(chunk));
    }
    let end = inspector.end();
    let usage = inspector.take_usage();
    (end, usage, inspector.blame())
}

/// Inspects a short text in one chunk, byte by byte, and in the given chunks.
///
/// # Panics
/// When the results differ.
pub fn check_json_body(body: &[u8], cuts: &[usize]) {
    let whole = inspect(body, &[]);
    assert_eq!(whole, inspect(body, &[1]));
    if cuts.iter().any(|&cut| cut > 0) {
        assert_eq!(whole, inspect(body, cuts));
    }
}
