//! What the scan accepts, what it refuses, and where it points.

mod affinity;
mod grammar;
mod random;

use std::borrow::Cow;

use super::{Fault, Field, Scan, ScanError, Span, StreamOptions, scan};

fn sound(body: &str) -> Scan {
    scan(body.as_bytes()).unwrap_or_else(|error| panic!("{error} in {body}"))
}

#[track_caller]
fn refused(body: impl AsRef<[u8]>, fault: Fault, offset: usize) {
    assert_eq!(scan(body.as_ref()), Err(ScanError { fault, offset }));
}

fn name(body: &str) -> String {
    sound(body)
        .model_name(body.as_bytes())
        .unwrap()
        .into_owned()
}

#[test]
fn finds_the_members() {
    let body =
        r#" {"a":[1,{"model":"no"}], "model" : "gpt-4o" ,"stream":true,"stream_options":{} } "#;
    let scan = sound(body);
    let model = scan.model.unwrap();
    assert_eq!(&body[model.start..model.end], r#""gpt-4o""#);
    assert!(scan.stream);
    let open = body.find("{}").unwrap() + 1;
    assert_eq!(
        scan.stream_options,
        StreamOptions::Object {
            open,
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
fn keys_may_be_spelled_with_escapes() {
    assert_eq!(name(r#"{"\u006d\u006Fdel":"a"}"#), "a");
    assert!(sound(r#"{"model":"a","strea\u006d":true}"#).stream);
    assert!(matches!(
        sound(r#"{"model":"a","stream\u005foptions":{"\u0069nclude_usage":true}}"#).stream_options,
        StreamOptions::Object {
            empty: false,
            include_usage: Some(true),
            ..
        }
    ));
    // Not the same after the escapes are resolved.
    refused(r#"{"\u006dodels":"a"}"#, Fault::ModelMissing, 18);
    refused(r#"{"mode\n":"a"}"#, Fault::ModelMissing, 13);
}

#[test]
fn keys_are_case_sensitive_and_exact() {
    let body = r#"{"Model":1,"MODEL":2,"model ":3,"model":"a","Stream":true}"#;
    assert_eq!(name(body), "a");
    assert!(!sound(body).stream);
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
        sound(body).model_name(body.as_bytes()),
        Ok(Cow::Owned(_))
    ));
}

#[test]
fn a_name_from_another_body_is_an_error() {
    let scan = sound(r#"{"model":"abc"}"#);
    assert!(scan.model_name(b"{}").is_err());
}

#[test]
fn only_true_streams() {
    assert!(sound(r#"{"stream":true,"model":"m"}"#).stream);
    for value in ["false", "null", "1", r#""true""#, "[true]", "{}"] {
        assert!(!sound(&format!(r#"{{"model":"m","stream":{value}}}"#)).stream);
    }
}

#[test]
fn tells_the_stream_options_apart() {
    let options =
        |value: &str| sound(&format!(r#"{{"model":"m","stream_options":{value}}}"#)).stream_options;
    assert_eq!(
        options("null"),
        StreamOptions::Null(Span { start: 30, end: 34 })
    );
    for other in ["true", "1", r#""x""#, "[]", "[{}]"] {
        assert_eq!(options(other), StreamOptions::Other, "{other}");
    }
    let include = |value: &str| match options(value) {
        StreamOptions::Object {
            open,
            empty,
            include_usage,
        } => {
            assert_eq!(open, 31);
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
fn asks_for_usage_only_where_there_is_room() {
    let asks = |body| sound(body).would_inject();
    assert!(asks(r#"{"model":"m","stream":true}"#));
    assert!(asks(r#"{"model":"m","stream":true,"stream_options":null}"#));
    assert!(asks(
        r#"{"model":"m","stream":true,"stream_options":{"x":1}}"#
    ));
    assert!(!asks(r#"{"model":"m"}"#));
    assert!(!asks(r#"{"model":"m","stream":true,"stream_options":[]}"#));
    assert!(!asks(
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":false}}"#
    ));
}

#[test]
fn points_at_faults_of_meaning() {
    refused("", Fault::EmptyBody, 0);
    refused("{}", Fault::ModelMissing, 1);
    refused(r#"{"x":{"model":"m"}} "#, Fault::ModelMissing, 18);
    refused(r#"{"model":null}"#, Fault::ModelNotAString, 9);
    refused(r#"{"model":["m"]}"#, Fault::ModelNotAString, 9);
    refused(r#"{"model":""}"#, Fault::ModelEmpty, 9);
    refused(r#" ["model"] "#, Fault::NotAnObject, 1);
    refused("12", Fault::NotAnObject, 0);
    let twice = r#"{"model":"a","\u006dodel":"b"}"#;
    refused(twice, Fault::Duplicate(Field::Model), 13);
    let twice = r#"{"stream":true,"model":"a","stream":true}"#;
    refused(twice, Fault::Duplicate(Field::Stream), 27);
    let twice = r#"{"model":"a","stream_options":1,"stream_options":2}"#;
    refused(twice, Fault::Duplicate(Field::StreamOptions), 32);
    // The first of several counts.
    refused(r#"{"model":1,"model":""}"#, Fault::ModelNotAString, 9);
}

#[test]
fn faults_of_syntax_win() {
    refused(r#"{"model":1,"x":}"#, Fault::InvalidJson, 15);
    refused(r#"{"model":"a","model":"b"} x"#, Fault::TrailingData, 26);
    refused("[1", Fault::InvalidJson, 2);
    refused("[1] []", Fault::TrailingData, 4);
    refused(b"{\"x\":\"\xff\"}", Fault::InvalidEncoding, 6);
}

#[test]
fn names_have_a_limit_in_decoded_bytes() {
    let body = |name: &str| format!(r#"{{"model":"{name}"}}"#);
    assert_eq!(name(&body(&"x".repeat(256))).len(), 256);
    assert_eq!(name(&body(&"\\u0078".repeat(256))).len(), 256);
    refused(body(&"x".repeat(257)), Fault::ModelTooLong, 9);
    refused(body(&"\\u0078".repeat(257)), Fault::ModelTooLong, 9);
    refused(body(&"\\u00e9".repeat(129)), Fault::ModelTooLong, 9);
    refused(body(&"é".repeat(129)), Fault::ModelTooLong, 9);
}

#[test]
fn halves_of_surrogate_pairs_are_refused_in_the_name_only() {
    for name in [
        r"\ud800",
        r"x\udc00",
        r"\ud800\u0041",
        r"\ud800x",
        r"\udc00\ud800",
    ] {
        let offset = 10 + usize::from(name.starts_with('x'));
        let body = format!(r#"{{"model":"{name}"}}"#);
        refused(&body, Fault::InvalidJson, offset);
        name_beside(&format!(r#"{{"model":"m","x":"{name}","{name}":1}}"#));
    }
    refused(r#"{"model":"\ud83d\ud83d\ude00"}"#, Fault::InvalidJson, 10);
}

fn name_beside(body: &str) {
    assert_eq!(name(body), "m");
}

#[test]
fn points_at_faults_of_syntax() {
    refused("  ", Fault::InvalidJson, 2);
    refused("{", Fault::InvalidJson, 1);
    refused(r#"{"model""#, Fault::InvalidJson, 8);
    refused(r#"{"model":"m""#, Fault::InvalidJson, 12);
    refused(r#"{"model":"m",}"#, Fault::InvalidJson, 13);
    refused(r#"{model:"m"}"#, Fault::InvalidJson, 1);
    refused(r#"{"model":"m","x":tru}"#, Fault::InvalidJson, 20);
    refused(r#"{"model":"m","x":01}"#, Fault::InvalidJson, 18);
    refused(r#"{"model":"m","x":1.}"#, Fault::InvalidJson, 19);
    refused(r#"{"model":"m","x":"\q"}"#, Fault::InvalidJson, 19);
    refused(r#"{"model":"m","x":"\u12x4"}"#, Fault::InvalidJson, 22);
    refused("{\"model\":\"m\",\"x\":\"a\nb\"}", Fault::InvalidJson, 19);
    refused("{\"model\":\"m\",\"x\":[1}", Fault::InvalidJson, 19);
    refused(r#"{"model":"m"}}"#, Fault::TrailingData, 13);
    refused("{\"model\":\"m\"}\0", Fault::TrailingData, 13);
}

#[test]
fn points_at_faults_of_encoding() {
    refused(b"\xEF\xBB\xBF{\"model\":\"m\"}", Fault::InvalidEncoding, 0);
    refused(b"\xFF\xFE{\0", Fault::InvalidEncoding, 0);
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
            refused(body, Fault::InvalidEncoding, 18 + pad + at);
        }
    }
    refused(b"{\"model\":\"m\"}\xFF", Fault::InvalidEncoding, 13);
    refused("{\"model\":\"m\",é}", Fault::InvalidJson, 13);
    refused(
        b"{\"model\":\"m\",\"x\":\"\\\xFF\"}",
        Fault::InvalidEncoding,
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
                    assert_eq!(error.fault, Fault::TooDeep);
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
    refused(body, Fault::TooDeep, 127);
    let wide = format!(r#"{{"model":"m","x":[{}1]}}"#, "[[],{}],".repeat(100_000));
    assert!(scan(wide.as_bytes()).is_ok());
}

#[test]
fn every_stop_is_found_at_every_place() {
    // Blocks, words and the tail of a run each have a path of their own.
    for len in 0..100 {
        for at in 0..len {
            for bad in [b'\n', b'\x1f', b'\0'] {
                let mut text = vec![b'a'; len];
                text[at] = bad;
                let body = [&b"{\"model\":\"m\",\"x\":\""[..], &text, b"\"}"].concat();
                refused(body, Fault::InvalidJson, 18 + at);
            }
            let mut text = "a".repeat(len);
            text.replace_range(at..=at, "\u{7f}\u{80}");
            name_beside(&format!(r#"{{"x":"{text}","model":"m"}}"#));
            let bad = text.into_bytes().into_iter().filter(|&byte| byte != 0xC2);
            let body = [
                &b"{\"model\":\"m\",\"x\":\""[..],
                &bad.collect::<Vec<_>>(),
                b"\"}",
            ]
            .concat();
            refused(body, Fault::InvalidEncoding, 19 + at);
        }
    }
}
