//! A body is what its first bytes show, where its type does not say.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};
use crate::upstream::failure_bodies::{messages, setup};

const UNLABELLED: [Option<&str>; 4] = [
    None,
    Some("text/plain; charset=utf-8"),
    Some("application/octet-stream"),
    Some("application/json"),
];

/// A chunked response of this type.
fn chunked(kind: Option<&str>, chunks: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let kind = kind.map(|kind| format!("Content-Type: {kind}"));
    let headers: Vec<&str> = kind
        .iter()
        .map(String::as_str)
        .chain(["Transfer-Encoding: chunked"])
        .collect();
    let mut bytes = response::head("200 OK", &headers).into_bytes();
    for chunk in chunks {
        bytes.extend(response::chunk(chunk));
    }
    bytes.extend(response::LAST_CHUNK);
    bytes
}

fn good_events() -> Vec<String> {
    vec![
        response::delta("one"),
        response::finish(),
        response::usage(3, 4),
        response::DONE.to_owned(),
    ]
}

#[track_caller]
fn send(gateway: &Gateway, request: &Request) -> (Response, Value) {
    let response = gateway.send(request);
    let line = gateway.access_line(&response.request_id());
    (response, line)
}

#[test]
fn an_unlabelled_stream_is_one() {
    let events = good_events();
    let bytes: Vec<[u8; 1]> = events.concat().bytes().map(|byte| [byte]).collect();
    for kind in UNLABELLED {
        for body in [
            chunked(kind, &events),
            chunked(kind, &[": hi\n\n", &events.concat()]),
            chunked(kind, &["\u{feff}", &events.concat()]),
            chunked(kind, &["\n", &events.concat()]),
            chunked(kind, &bytes),
        ] {
            let upstream = Upstream::with_response(&body);
            let (response, line) = send(&setup(&upstream).start(), &Request::stream("m"));
            assert_eq!(response.header("content-type"), kind);
            assert!(response.text().ends_with(&events.concat()), "{kind:?}");
            assert!(response.complete);
            assert_eq!(text(&line, "outcome"), "ok", "{kind:?}");
            assert_eq!(value(&line, "input_tokens"), json!(3), "{kind:?}");
        }
    }
}

#[test]
fn an_unlabelled_stream_that_ends_too_early_gets_an_error_event() {
    for kind in UNLABELLED {
        let upstream = Upstream::with_response(chunked(kind, &[response::delta("one")]));
        let (response, line) = send(&setup(&upstream).start(), &Request::stream("m"));
        let before = assert_response::stream_error(&response, "upstream_incomplete");
        assert_eq!(before, response::delta("one").as_bytes());
        assert_eq!(text(&line, "outcome"), "upstream_error");
    }
}

#[test]
fn usage_is_hidden_in_an_unlabelled_stream_with_a_length() {
    let kind = ["Content-Type: text/plain"];
    let body = response::with_body("200 OK", &kind, good_events().concat());
    let upstream = Upstream::with_response(body);
    let gateway = Setup::injecting_usage(&upstream).start();
    let (response, line) = send(&gateway, &Request::stream("m"));
    let events = good_events();
    assert_eq!(
        response.text(),
        [&*events[0], &events[1], &events[3]].concat()
    );
    assert!(response.complete && response.header("content-length").is_none());
    assert_eq!(value(&line, "input_tokens"), json!(3));
}

#[test]
fn an_unlabelled_stream_is_translated() {
    for kind in UNLABELLED {
        for start in ["", "\n", ": hi\n\n"] {
            let chunks = [start.to_owned(), good_events().concat()];
            let chunks: Vec<_> = chunks.iter().filter(|it| !it.is_empty()).collect();
            let upstream = Upstream::with_response(chunked(kind, &chunks));
            let (response, line) = send(&setup(&upstream).start(), &messages("m", true));
            assert_eq!(response.header("content-type"), Some("text/event-stream"));
            assert!(response.text().contains("event: message_stop"), "{kind:?}");
            assert_eq!(value(&line, "input_tokens"), json!(3));
        }
    }
}

#[test]
fn unlabelled_json_is_json() {
    let completion = String::from_utf8(response::completion("hi")).unwrap();
    let body = completion.split_once("\r\n\r\n").unwrap().1.to_owned();
    for kind in [
        None,
        Some("text/plain"),
        Some("text/html"),
        Some("application/octet-stream"),
        Some("text/event-stream"),
    ] {
        let bytes: Vec<[u8; 1]> = body.bytes().map(|byte| [byte]).collect();
        let upstreams = [
            Upstream::with_response(chunked(kind, &[&body])),
            Upstream::with_response(chunked(kind, &bytes)),
        ];
        for upstream in upstreams {
            let gateway = setup(&upstream).start();
            for request in [Request::chat("m"), Request::stream("m")] {
                let (response, line) = send(&gateway, &request);
                assert_eq!(response.header("content-type"), kind);
                assert_eq!((response.text(), response.complete), (body.clone(), true));
                assert_eq!(text(&line, "outcome"), "ok", "{kind:?}");
                assert_eq!(value(&line, "input_tokens"), json!(11), "{kind:?}");
            }
            if kind != Some("text/event-stream") {
                let (response, _) = send(&gateway, &messages("m", false));
                assert_eq!(response.header("content-type"), Some("application/json"));
                assert_eq!(response.json()["content"][0]["text"], "hi", "{kind:?}");
            }
        }
    }
}

#[test]
fn a_page_is_no_result_whatever_its_type() {
    for kind in [None, Some("text/html"), Some("text/plain")] {
        for page in ["<html>login</html>", "\n<!DOCTYPE html><html></html>"] {
            if page.starts_with('\n') && kind != Some("text/html") {
                continue;
            }
            let upstream = Upstream::with_response(chunked(kind, &[page]));
            let gateway = setup(&upstream).start();
            for request in [Request::chat("m"), Request::stream("m")] {
                let (response, _) = send(&gateway, &request);
                assert_response::error(&response, 502, "upstream_bad_content_type", None);
            }
        }
    }
}

#[test]
fn an_error_is_forwarded_if_it_is_json_by_its_bytes() {
    let error = r#"{"error":{"message":"Bad temperature","type":"invalid_request_error","param":null,"code":null}}"#;
    for kind in [
        &[][..],
        &["Content-Type: text/plain"],
        &["Content-Type: text/html"],
        &["Content-Type: application/json"],
    ] {
        let upstream = Upstream::with_response(response::with_body("400 Bad Request", kind, error));
        let gateway = setup(&upstream).start();
        let (response, _) = send(&gateway, &Request::chat("m"));
        assert_eq!(
            (response.status, &*response.text()),
            (400, error),
            "{kind:?}"
        );
        let (response, _) = send(&gateway, &messages("m", false));
        assert_eq!(response.json()["error"]["message"], "Bad temperature");
        // Words that are not JSON are replaced.
        let words = response::with_body("400 Bad Request", kind, "Bad temperature");
        let upstream = Upstream::with_response(words);
        let (response, _) = send(&setup(&upstream).start(), &Request::chat("m"));
        let is_json = kind.first().is_some_and(|kind| kind.ends_with("json"));
        assert_eq!(response.text() == "Bad temperature", is_json, "{kind:?}");
        assert_eq!(response.status, 400);
    }
}

/// Its bytes show nothing.
#[test]
fn a_compressed_body_is_not_classified() {
    let headers = ["Content-Type: application/json", "Content-Encoding: gzip"];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, b"\x1f\x8b??"));
    let gateway = setup(&upstream).start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let (response, line) = send(&gateway, &request);
        assert_eq!(
            (response.status, &response.body[..]),
            (200, &b"\x1f\x8b??"[..])
        );
        assert_eq!(text(&line, "outcome"), "ok");
    }
}

#[test]
fn files_and_sound_may_be_anything() {
    let kind = ["Content-Type: text/plain"];
    let upstream = Upstream::with_response(response::with_body("200 OK", &kind, "data: half"));
    let gateway = setup(&upstream)
        .top_level("default_provider = \"up\"")
        .start();
    let speech = Request::post(
        "/v1/audio/speech",
        r#"{"model":"m","input":"","voice":"v"}"#,
    );
    for request in [Request::get("/v1/files/file-1/content"), speech] {
        let (response, line) = send(&gateway, &request);
        assert_eq!((response.status, &*response.text()), (200, "data: half"));
        assert_eq!(text(&line, "outcome"), "ok");
    }
}

#[test]
fn the_words_of_an_error_event_are_translated() {
    let event = response::event(r#"{"error":{"message":"Bad temperature","type":"x"}}"#);
    let kind = ["Content-Type: text/event-stream"];
    let body = response::with_body("422 Unprocessable Content", &kind, event);
    let upstream = Upstream::with_response(body);
    let (response, _) = send(&setup(&upstream).start(), &messages("m", true));
    assert_eq!(response.status, 422);
    assert_eq!(response.json()["error"]["message"], "Bad temperature");
}

#[test]
fn sound_that_is_an_error_is_no_success() {
    let error = r#"{"error":{"message":"busy"}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", error));
    let gateway = setup(&upstream).start();
    let speech = Request::post(
        "/v1/audio/speech",
        r#"{"model":"m","input":"","voice":"v"}"#,
    );
    let (response, line) = send(&gateway, &speech);
    assert_eq!((response.status, &*response.text()), (200, error));
    assert_eq!(text(&line, "outcome"), "upstream_error");
}
