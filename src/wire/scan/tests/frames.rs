//! The scan of blocks and frames against that of a cursor.

use super::grammar::{INVALID, VALID};
use crate::wire::oracle::check_frames;
use crate::wire::scan::{ByteSpan, ScanMode, Scanner, scan_any};

/// The bytes before a case without padding.
const START: usize = 128;

/// What stands around the cases: arrays, the objects in an array, and objects in objects.
/// Blocks that hold nothing else are checked as a whole, as those before them are.
const AROUND: [(&str, &str); 3] = [
    (r#"{"model":"m","x":[["#, "]]}"),
    (r#"{"model":"m","x":[{"#, "}]}"),
    (r#"{"model":"m","x":{"y":{"#, "}}}"),
];

/// `case` in each of [`AROUND`], `pad` bytes behind the start of a block.
fn nested(case: &[u8], pad: usize) -> impl Iterator<Item = Vec<u8>> {
    AROUND.into_iter().map(move |(open, close)| {
        let key = if open.ends_with('[') { "" } else { "\"k\":" };
        let before = open.len() + 2 * key.len() + 3;
        let text = "p".repeat(pad + START - before);
        let end = "q".repeat(2 * 64);
        [
            open.as_bytes(),
            key.as_bytes(),
            b"\"",
            text.as_bytes(),
            b"\",",
            key.as_bytes(),
            case,
            b",",
            key.as_bytes(),
            b"\"",
            end.as_bytes(),
            b"\"",
            close.as_bytes(),
        ]
        .concat()
    })
}

fn check_nested(case: &[u8], pad: usize, length: usize) {
    for body in nested(case, pad) {
        check_frames(&body, &[START + pad + length]);
    }
}

#[test]
fn a_case_begins_where_it_is_said_to() {
    assert_eq!(START % 64, 0);
    for body in nested(b"7", 3) {
        assert_eq!(body[START + 3], b'7');
        assert!(scan_any(&body).is_ok());
    }
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
            check_nested(case, pad, 1);
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
                    check_nested(&text, pad, 2);
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
                check_nested(&text, pad, 2);
            }
        }
    }
    for digits in ["", "0", "00", "000", "0000", "000g", "\\u00", "\\\\\\\\"] {
        for pad in 52..64 {
            let text = format!("\"\\u{digits}\"");
            check_nested(text.as_bytes(), pad, 2);
        }
    }
    for run in 60..200 {
        let text = format!("\"{}\"", "\\".repeat(run));
        check_nested(text.as_bytes(), run % 7, run);
    }
}

#[test]
fn tokens_are_checked_alike_at_every_position_of_a_block() {
    let tokens = ["{", "}", "[", "]", ",", ":", "\"a\"", "1", " "];
    for first in tokens {
        for second in tokens {
            for third in tokens {
                let text = ["\"b\"", first, second, third, "\"c\""].concat();
                for pad in [0, 58, 60, 61, 62] {
                    check_nested(text.as_bytes(), pad, 3);
                }
            }
        }
    }
}

#[test]
fn messages_are_checked_alike_at_every_position_of_a_block() {
    for separator in [
        "},{",
        "}},{",
        "},",
        "{",
        "},{},{",
        "}},\"m\":{\"n\":{",
        "}],[{",
        ",",
        "} , {",
    ] {
        let member = r#""role":"user""#;
        for count in 1..12 {
            let text = format!("{{{}}}", vec![member; count].join(separator));
            for pad in (0..64).step_by(5) {
                check_nested(text.as_bytes(), pad, count);
            }
        }
    }
}

#[test]
fn the_depth_is_limited_alike_at_every_position_of_a_block() {
    for depth in [60, 64, 65, 121, 122, 123, 124, 125, 126, 127, 128] {
        for (open, close) in [("{\"a\":", "}"), ("[", "]"), ("[{\"a\":", "}]")] {
            let text = [&open.repeat(depth), "\"b\"", &close.repeat(depth)].concat();
            for pad in [0, 31] {
                check_nested(text.as_bytes(), pad, depth);
            }
            check_nested(close.repeat(depth).as_bytes(), 0, depth);
        }
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
