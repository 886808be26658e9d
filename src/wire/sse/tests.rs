//! The ends of events, and their fields.

use std::borrow::Cow;

use super::{EventSplitter, SseEvent};

/// The ends of all events in a stream, fed in chunks of `step` bytes.
fn ends(stream: &[u8], step: usize) -> Vec<usize> {
    let mut splitter = EventSplitter::default();
    let (mut ends, mut offset) = (Vec::new(), 0);
    for chunk in stream.chunks(step) {
        let mut from = splitter.start_chunk(chunk);
        if from == 1 && chunk[0] == b'\n' {
            // The other half of the line end of the last event.
            *ends.last_mut().unwrap() += 1;
        }
        while let Some(end) = splitter.next_event_end(&chunk[from..]) {
            from += end.event;
            ends.push(offset + from);
        }
        offset += chunk.len();
    }
    ends
}

#[track_caller]
fn splits(stream: &str, expected: &[usize]) {
    for step in 1..=stream.len() {
        let found = ends(stream.as_bytes(), step);
        assert_eq!(found, expected, "{stream:?} in steps of {step}");
    }
}

#[test]
fn all_line_ends_are_supported() {
    splits("data: a\n\ndata: b\n\n", &[9, 18]);
    splits("data: a\r\n\r\ndata: b\r\n\r\n", &[11, 22]);
    splits("data: a\r\rdata: b\r\r", &[9, 18]);
    splits("data: a\n\rdata: b\r\n\n", &[9, 19]);
    splits("data: a\r\n\ndata: b\n\r\n", &[10, 20]);
    splits("a\r\n\r\n\r\n", &[5, 7]);
    splits("a\n\n\n", &[3, 4]);
    splits("\n\r\n\r", &[1, 3, 4]);
}

#[test]
fn an_open_event_has_no_end() {
    splits("data: a", &[]);
    splits("data: a\n", &[]);
    splits("data: a\r\n", &[]);
    splits("data: a\r\ndata: b\r\n", &[]);
    splits(": ping\n\n: pi", &[8]);
}

#[test]
fn a_byte_order_mark_is_not_text() {
    splits("\u{feff}\ndata: a\n\n", &[4, 13]);
    splits("\u{feff}data: a\n\n", &[12]);
    // Only the first one is a mark.
    splits("\u{feff}\u{feff}\n\n", &[8]);
    splits("a\u{feff}\n\n", &[6]);
    // Half a mark is text.
    for step in 1..5 {
        assert_eq!(ends(b"\xEF\xBB\n\n", step), [4], "steps of {step}");
    }
}

#[test]
fn the_content_excludes_the_empty_line() {
    let mut splitter = EventSplitter::default();
    let chunk = b"data: a\r\n\r\nrest";
    assert_eq!(splitter.start_chunk(chunk), 0);
    let end = splitter.next_event_end(chunk).unwrap();
    assert_eq!((end.content, end.event), (9, 11));
}

#[track_caller]
fn parses(content: &str, kind: Option<&str>, data: &str) {
    let event = SseEvent::parse(content.as_bytes());
    assert_eq!(event.event_type, kind.map(str::as_bytes));
    assert_eq!(event.data, data.as_bytes());
}

#[test]
fn parses_fields() {
    parses("data: a\n", None, "a");
    parses("data:a", None, "a");
    parses("data:  a \r\n", None, " a ");
    parses("event: x\nid: 1\ndata: {}\nretry: 3\n", Some("x"), "{}");
    parses("event: x\revent:y\r", Some("y"), "");
    parses(": data: no\n", None, "");
    parses("data\n", None, "");
    parses("datax: a\n", None, "");
    parses(" data: a\n", None, "");
    parses("Data: a\n", None, "");
    parses("", None, "");
}

#[test]
fn data_lines_are_joined() {
    parses("data: a\ndata: b\r\ndata:\ndata: c", None, "a\nb\n\nc");
    let one = SseEvent::parse(b"event: x\ndata: a\n");
    assert!(matches!(one.data, Cow::Borrowed(_)));
}
