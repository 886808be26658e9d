//! Where events end, and what they hold.

use std::borrow::Cow;

use super::{Event, Splitter};

/// The ends of all events in a stream, fed in pieces of a given length.
fn ends(stream: &[u8], step: usize) -> Vec<usize> {
    let mut splitter = Splitter::default();
    let (mut ends, mut offset) = (Vec::new(), 0);
    for piece in stream.chunks(step) {
        let mut from = splitter.begin(piece);
        if from == 1 && piece[0] == b'\n' {
            // The other half of the line end of the last event.
            *ends.last_mut().unwrap() += 1;
        }
        while let Some(end) = splitter.next_end(&piece[from..]) {
            from += end.event;
            ends.push(offset + from);
        }
        offset += piece.len();
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
fn every_kind_of_line_end() {
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
fn what_is_open_has_no_end() {
    splits("data: a", &[]);
    splits("data: a\n", &[]);
    splits("data: a\r\n", &[]);
    splits("data: a\r\ndata: b\r\n", &[]);
    splits(": ping\n\n: pi", &[8]);
}

#[test]
fn a_byte_order_mark_is_no_text() {
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
fn the_content_goes_without_the_empty_line() {
    let mut splitter = Splitter::default();
    let piece = b"data: a\r\n\r\nrest";
    assert_eq!(splitter.begin(piece), 0);
    let end = splitter.next_end(piece).unwrap();
    assert_eq!((end.content, end.event), (9, 11));
}

#[track_caller]
fn reads(content: &str, kind: Option<&str>, data: &str) {
    let event = Event::read(content.as_bytes());
    assert_eq!(event.kind, kind.map(str::as_bytes));
    assert_eq!(event.data, data.as_bytes());
}

#[test]
fn fields() {
    reads("data: a\n", None, "a");
    reads("data:a", None, "a");
    reads("data:  a \r\n", None, " a ");
    reads("event: x\nid: 1\ndata: {}\nretry: 3\n", Some("x"), "{}");
    reads("event: x\revent:y\r", Some("y"), "");
    reads(": data: no\n", None, "");
    reads("data\n", None, "");
    reads("datax: a\n", None, "");
    reads(" data: a\n", None, "");
    reads("Data: a\n", None, "");
    reads("", None, "");
}

#[test]
fn data_lines_are_joined() {
    reads("data: a\ndata: b\r\ndata:\ndata: c", None, "a\nb\n\nc");
    let one = Event::read(b"event: x\ndata: a\n");
    assert!(matches!(one.data, Cow::Borrowed(_)));
}
