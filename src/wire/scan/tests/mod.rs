//! What the scan accepts and rejects, and the offsets of errors.

mod affinity;
mod folded;
mod frames;
mod grammar;
mod random;

use std::borrow::Cow;

use super::{ByteSpan, Scan, ScanError, ScanErrorKind, ScanField, StreamOptions, scan};

fn scanned(body: &str) -> Scan {
    scan(body.as_bytes()).unwrap_or_else(|error| panic!("{error} in {body}"))
}

#[track_caller]
fn rejected(body: impl AsRef<[u8]>, kind: ScanErrorKind, offset: usize) {
    assert_eq!(scan(body.as_ref()), Err(ScanError { kind, offset }));
}

fn name(body: &str) -> String {
    scanned(body)
        .model_name(body.as_bytes())
        .unwrap()
        .into_owned()
}

#[test]
fn finds_the_members() {
    let body =
        r#" {"a":[1,{"model":"no"}], "model" : "gpt-4o" ,"stream":true,"stream_options":{} } "#;
    let scan = scanned(body);
    let model = scan.model.unwrap();
    assert_eq!(&body[model.start..model.end], r#""gpt-4o""#);
    assert!(scan.stream);
    let object_start = body.find("{}").unwrap() + 1;
    assert_eq!(
        scan.stream_options,
        StreamOptions::Object {
            object_start,
            empty: true,
            include_usage: None
        }
    );
    assert!(matches!(
        scan.model_name(body.as_bytes()),
        Ok(Cow::Borrowed("gpt-4o"))
    ));
}

#[test]
fn keys_may_contain_escapes() {
    assert_eq!(name(r#"{"\u006d\u006Fdel":"a"}"#), "a");
    assert!(scanned(r#"{"model":"a","strea\u006d":true}"#).stream);
    assert!(matches!(
        scanned(r#"{"model":"a","stream\u005foptions":{"\u0069nclude_usage":true}}"#)
            .stream_options,
        StreamOptions::Object {
            empty: false,
            include_usage: Some(true),
            ..
        }
    ));
    // A different key once the escapes are resolved.
    rejected(r#"{"\u006dodels":"a"}"#, ScanErrorKind::ModelMissing, 18);
    rejected(r#"{"mode\n":"a"}"#, ScanErrorKind::ModelMissing, 13);
}

#[test]
fn keys_are_exact() {
    let body = r#"{"models":1,"MODE":2,"model ":3,"model":"a","Stream":true}"#;
    assert_eq!(name(body), "a");
    assert!(!scanned(body).stream);
}

#[test]
fn names_are_decoded() {
    assert_eq!(
        name(r#"{"model":"a\/b\t\u00e9\ud83d\ude00é"}"#),
        "a/b\té😀é"
    );
    assert_eq!(name(r#"{"model":"\"\\\b\f\n\r"}"#), "\"\\\u{8}\u{c}\n\r");
    let body = r#"{"model":"\u0061"}"#;
    assert!(matches!(
        scanned(body).model_name(body.as_bytes()),
        Ok(Cow::Owned(_))
    ));
}

#[test]
fn a_name_from_another_body_is_an_error() {
    let scan = scanned(r#"{"model":"abc"}"#);
    assert!(scan.model_name(b"{}").is_err());
}

#[test]
fn only_true_streams() {
    assert!(scanned(r#"{"stream":true,"model":"m"}"#).stream);
    for value in ["false", "null", "1", r#""true""#, "[true]", "{}"] {
        assert!(!scanned(&format!(r#"{{"model":"m","stream":{value}}}"#)).stream);
    }
}

#[test]
fn distinguishes_stream_options() {
    let options = |value: &str| {
        scanned(&format!(r#"{{"model":"m","stream_options":{value}}}"#)).stream_options
    };
    assert_eq!(
        options("null"),
        StreamOptions::Null(ByteSpan { start: 30, end: 34 })
    );
    for other in ["true", "1", r#""x""#, "[]", "[{}]"] {
        assert_eq!(options(other), StreamOptions::Other, "{other}");
    }
    let include = |value: &str| match options(value) {
        StreamOptions::Object {
            object_start,
            empty,
            include_usage,
        } => {
            assert_eq!(object_start, 31);
            (empty, include_usage)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(include("{ }"), (true, None));
    assert_eq!(include(r#"{"a":{"include_usage":true}}"#), (false, None));
    assert_eq!(include(r#"{"include_usage":true}"#), (false, Some(true)));
    assert_eq!(include(r#"{"include_usage":null}"#), (false, Some(false)));
    let twice = r#"{"include_usage":true,"include_usag\u0065":false}"#;
    assert_eq!(include(twice), (false, Some(false)));
}

#[test]
fn requests_usage_only_where_left_open() {
    let injects = |body| scanned(body).should_inject_usage();
    assert!(injects(r#"{"model":"m","stream":true}"#));
    assert!(injects(
        r#"{"model":"m","stream":true,"stream_options":null}"#
    ));
    assert!(injects(
        r#"{"model":"m","stream":true,"stream_options":{"x":1}}"#
    ));
    assert!(!injects(r#"{"model":"m"}"#));
    assert!(!injects(
        r#"{"data\u005fsources":[],"model":"m","stream":true}"#
    ));
    assert!(injects(
        r#"{"data_sources":null,"model":"m","stream":true,"x":{"data_sources":[]}}"#
    ));
    assert!(!injects(
        r#"{"model":"m","stream":true,"stream_options":[]}"#
    ));
    assert!(!injects(
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":false}}"#
    ));
}

#[test]
fn semantic_errors_have_offsets() {
    rejected("", ScanErrorKind::EmptyBody, 0);
    rejected("{}", ScanErrorKind::ModelMissing, 1);
    rejected(r#"{"x":{"model":"m"}} "#, ScanErrorKind::ModelMissing, 18);
    rejected(r#"{"model":null}"#, ScanErrorKind::ModelNotAString, 9);
    rejected(r#"{"model":["m"]}"#, ScanErrorKind::ModelNotAString, 9);
    rejected(r#"{"model":""}"#, ScanErrorKind::ModelEmpty, 9);
    rejected(r#" ["model"] "#, ScanErrorKind::NotAnObject, 1);
    rejected("12", ScanErrorKind::NotAnObject, 0);
    let twice = r#"{"model":"a","\u006dodel":"b"}"#;
    rejected(twice, ScanErrorKind::Duplicate(ScanField::Model), 13);
    let twice = r#"{"stream":true,"model":"a","stream":true}"#;
    rejected(twice, ScanErrorKind::Duplicate(ScanField::Stream), 27);
    let twice = r#"{"model":"a","stream_options":1,"stream_options":2}"#;
    rejected(
        twice,
        ScanErrorKind::Duplicate(ScanField::StreamOptions),
        32,
    );
    // The first of several is reported.
    rejected(
        r#"{"model":1,"model":""}"#,
        ScanErrorKind::ModelNotAString,
        9,
    );
}

#[test]
fn syntax_errors_take_precedence() {
    rejected(r#"{"model":1,"x":}"#, ScanErrorKind::InvalidJson, 15);
    rejected(
        r#"{"model":"a","model":"b"} x"#,
        ScanErrorKind::TrailingData,
        26,
    );
    rejected("[1", ScanErrorKind::InvalidJson, 2);
    rejected("[1] []", ScanErrorKind::TrailingData, 4);
    rejected(b"{\"x\":\"\xff\"}", ScanErrorKind::InvalidEncoding, 6);
}

#[test]
fn names_have_a_limit_in_decoded_bytes() {
    let body = |name: &str| format!(r#"{{"model":"{name}"}}"#);
    assert_eq!(name(&body(&"x".repeat(256))).len(), 256);
    assert_eq!(name(&body(&"\\u0078".repeat(256))).len(), 256);
    rejected(body(&"x".repeat(257)), ScanErrorKind::ModelTooLong, 9);
    rejected(body(&"\\u0078".repeat(257)), ScanErrorKind::ModelTooLong, 9);
    rejected(body(&"\\u00e9".repeat(129)), ScanErrorKind::ModelTooLong, 9);
    rejected(body(&"é".repeat(129)), ScanErrorKind::ModelTooLong, 9);
}

#[test]
fn half_surrogate_pairs_are_rejected_in_the_name_only() {
    for name in [
        r"\ud800",
        r"x\udc00",
        r"\ud800\u0041",
        r"\ud800x",
        r"\udc00\ud800",
    ] {
        let offset = 10 + usize::from(name.starts_with('x'));
        let body = format!(r#"{{"model":"{name}"}}"#);
        rejected(&body, ScanErrorKind::InvalidJson, offset);
        name_is_m(&format!(r#"{{"model":"m","x":"{name}","{name}":1}}"#));
    }
    rejected(
        r#"{"model":"\ud83d\ud83d\ude00"}"#,
        ScanErrorKind::InvalidJson,
        10,
    );
}

fn name_is_m(body: &str) {
    assert_eq!(name(body), "m");
}

#[test]
fn syntax_errors_have_offsets() {
    rejected("  ", ScanErrorKind::InvalidJson, 2);
    rejected("{", ScanErrorKind::InvalidJson, 1);
    rejected(r#"{"model""#, ScanErrorKind::InvalidJson, 8);
    rejected(r#"{"model":"m""#, ScanErrorKind::InvalidJson, 12);
    rejected(r#"{"model":"m",}"#, ScanErrorKind::InvalidJson, 13);
    rejected(r#"{model:"m"}"#, ScanErrorKind::InvalidJson, 1);
    rejected(r#"{"model":"m","x":tru}"#, ScanErrorKind::InvalidJson, 20);
    rejected(r#"{"model":"m","x":01}"#, ScanErrorKind::InvalidJson, 18);
    rejected(r#"{"model":"m","x":1.}"#, ScanErrorKind::InvalidJson, 19);
    rejected(r#"{"model":"m","x":"\q"}"#, ScanErrorKind::InvalidJson, 19);
    rejected(
        r#"{"model":"m","x":"\u12x4"}"#,
        ScanErrorKind::InvalidJson,
        22,
    );
    rejected(
        "{\"model\":\"m\",\"x\":\"a\nb\"}",
        ScanErrorKind::InvalidJson,
        19,
    );
    rejected("{\"model\":\"m\",\"x\":[1}", ScanErrorKind::InvalidJson, 19);
    rejected(r#"{"model":"m"}}"#, ScanErrorKind::TrailingData, 13);
    rejected("{\"model\":\"m\"}\0", ScanErrorKind::TrailingData, 13);
}

#[test]
fn encoding_errors_have_offsets() {
    rejected(
        b"\xEF\xBB\xBF{\"model\":\"m\"}",
        ScanErrorKind::InvalidEncoding,
        0,
    );
    rejected(b"\xFF\xFE{\0", ScanErrorKind::InvalidEncoding, 0);
    let tail = "\",\"y\":\"a long plain text that fills whole blocks of the scan\"}";
    for (bad, at) in [
        (&b"\xC0\xAF"[..], 0),
        (b"ok\xED\xA0\x80", 2),
        (b"\xF4\x90\x80\x80", 0),
        (b"\xC3", 0),
        (b"\xC3\xA9\xC3", 2),
    ] {
        for pad in [0, 7, 8, 31, 32, 100] {
            let mut body = format!(r#"{{"model":"m","x":"{}"#, "p".repeat(pad)).into_bytes();
            body.extend_from_slice(bad);
            body.extend_from_slice(tail.as_bytes());
            rejected(body, ScanErrorKind::InvalidEncoding, 18 + pad + at);
        }
    }
    rejected(b"{\"model\":\"m\"}\xFF", ScanErrorKind::InvalidEncoding, 13);
    rejected("{\"model\":\"m\",é}", ScanErrorKind::InvalidJson, 13);
    rejected(
        b"{\"model\":\"m\",\"x\":\"\\\xFF\"}",
        ScanErrorKind::InvalidEncoding,
        19,
    );
}

#[test]
fn stops_at_the_depth_where_serde_json_stops() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        let deepest = (1..=200)
            .take_while(|&count| {
                let value = format!("{}1{}", open.repeat(count), close.repeat(count));
                let body = format!(r#"{{"model":"m","x":{value}}}"#);
                let parsed = serde_json::from_str::<serde_json::Value>(&body).is_ok();
                let scanned = scan(body.as_bytes());
                assert_eq!(scanned.is_ok(), parsed, "{body}");
                if let Err(error) = scanned {
                    assert_eq!(error.kind, ScanErrorKind::TooDeep);
                }
                parsed
            })
            .count();
        assert_eq!(deepest, 126 / open.matches(['[', '{']).count());
    }
}

#[test]
fn depth_costs_no_stack() {
    let body = "[".repeat(10_000_000);
    rejected(body, ScanErrorKind::TooDeep, 127);
    let wide = format!(r#"{{"model":"m","x":[{}1]}}"#, "[[],{}],".repeat(100_000));
    assert!(scan(wide.as_bytes()).is_ok());
}

#[test]
fn the_end_of_a_run_is_found_at_every_position() {
    // Blocks, words and the tail of a run have separate code paths.
    for len in 0..100 {
        for at in 0..len {
            for bad in [b'\n', b'\x1f', b'\0'] {
                let mut text = vec![b'a'; len];
                text[at] = bad;
                let body = [&b"{\"model\":\"m\",\"x\":\""[..], &text, b"\"}"].concat();
                rejected(body, ScanErrorKind::InvalidJson, 18 + at);
            }
            let mut text = "a".repeat(len);
            text.replace_range(at..=at, "\u{7f}\u{80}");
            name_is_m(&format!(r#"{{"x":"{text}","model":"m"}}"#));
            let bad = text.into_bytes().into_iter().filter(|&byte| byte != 0xC2);
            let body = [
                &b"{\"model\":\"m\",\"x\":\""[..],
                &bad.collect::<Vec<_>>(),
                b"\"}",
            ]
            .concat();
            rejected(body, ScanErrorKind::InvalidEncoding, 19 + at);
        }
    }
}
