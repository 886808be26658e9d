//! The scan of blocks and frames against that of a cursor.

use super::grammar::{INVALID, VALID};
use crate::wire::oracle::check_frames;
use crate::wire::scan::{ByteSpan, ScanMode, Scanner, scan_any};

/// The bytes before a case without padding.
const START: usize = 128;

/// `case` in a block that holds nothing but its array, as the one before: such blocks are
/// checked as a whole. It begins `pad` bytes behind the start of the block.
fn nested(case: &[u8], pad: usize) -> Vec<u8> {
    let text = "p".repeat(pad + START - 23);
    let end = "q".repeat(2 * 64);
    [
        &b"{\"model\":\"m\",\"x\":[[ \""[..],
        text.as_bytes(),
        b"\",",
        case,
        b",\"",
        end.as_bytes(),
        b"\"]]}",
    ]
    .concat()
}

#[test]
fn a_case_begins_where_it_is_said_to() {
    let body = nested(b"7", 3);
    assert_eq!(body[START + 3], b'7');
    assert_eq!(START % 64, 0);
}

#[test]
fn every_split_of_a_body_has_the_same_result() {
    let body = br#" {"model" : "a\u0062\ud83d\ude00\\","stream_options":{"include_usage":true},
        "service_tier":"fle\u0078","strea\u006d":true,"x":[[1.5e3,{"y":null}],"\"\\"],"Model\u00e9":0} "#;
    for first in 0..=body.len() {
        for length in [0, 1, 2, 3, 63, 64, 65] {
            check_frames(body, &[first, first + length]);
        }
        check_frames(&body[..first], &[first / 2]);
    }
    check_frames(body, &(0..body.len()).collect::<Vec<_>>());
}

#[test]
fn json_is_checked_alike_at_every_position_of_a_block() {
    for case in VALID.iter().chain(INVALID) {
        for pad in 0..64 {
            let body = nested(case, pad);
            check_frames(&body, &[START + pad + 1]);
        }
        check_frames(case, &[1, 2, 3]);
    }
}

#[test]
fn characters_are_checked_alike_at_every_position_of_a_block() {
    let last = [0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0];
    for first in 0x80..=0xFF {
        for second in last {
            for pad in [0, 60, 61, 62] {
                for rest in [&b""[..], b"\x80", b"\x80\xBF"] {
                    let text = [&b"\""[..], &[first, second], rest, b"\""].concat();
                    check_frames(&nested(&text, pad), &[START + pad + 2]);
                }
            }
        }
    }
}

#[test]
fn escapes_are_checked_alike_at_every_position_of_a_block() {
    for letter in 0..=0xFF_u8 {
        for backslashes in 1..5 {
            for pad in 52..64 {
                let escape = "\\".repeat(backslashes);
                let text = [&b"\""[..], escape.as_bytes(), &[letter], b"12aF\""].concat();
                check_frames(&nested(&text, pad), &[START + pad + 2]);
            }
        }
    }
    for digits in ["", "0", "00", "000", "0000", "000g", "\\u00", "\\\\\\\\"] {
        for pad in 52..64 {
            let text = format!("\"\\u{digits}\"");
            check_frames(&nested(text.as_bytes(), pad), &[START + pad + 2]);
        }
    }
    for run in 60..200 {
        let text = format!("\"{}\"", "\\".repeat(run));
        check_frames(&nested(text.as_bytes(), run % 7), &[run]);
    }
}

#[test]
fn the_model_is_known_before_the_end() {
    let mut scanner = Scanner::new(ScanMode::ModelRequired);
    scanner.feed(br#"{"model":"fa"#);
    assert_eq!(scanner.model_name(), None);
    scanner.feed(br#"st\u0031","messages":["#);
    assert_eq!(scanner.model_name(), Some("fast1"));
    assert!(!scanner.is_invalid());
    scanner.feed(b",");
    assert!(scanner.is_invalid());
    assert!(scanner.finish().is_err());
}

#[test]
fn a_missing_model_is_inserted_at_the_start() {
    for (body, expected) in [
        ("{}", Some((1, ""))),
        (" {\n} ", Some((2, ""))),
        (r#"{"a":{}}"#, Some((1, ","))),
        (r#"{ "model":"m"}"#, None),
        ("[{}]", None),
        ("7", None),
    ] {
        let mut scan = scan_any(body.as_bytes()).unwrap();
        let inserted = scan.insert_model();
        assert_eq!(inserted, expected.map(|(_, end)| end), "{body}");
        if let Some((offset, _)) = expected {
            assert_eq!(scan.model, Some(ByteSpan::empty(offset)));
        }
    }
}
