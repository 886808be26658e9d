use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use proptest::prelude::*;

use super::super::oracle::check_response;
use super::{Body, MAX_HEAD, Malformed, ParsedHead, encode, take_head};
use crate::request_body::Framing;

fn try_parse(text: &[u8]) -> Result<Option<ParsedHead>, Malformed> {
    take_head(&mut BytesMut::from(text), &mut 0)
}

fn parse(text: &str) -> ParsedHead {
    try_parse(text.as_bytes()).unwrap().unwrap()
}

fn is_rejected(text: &str) -> bool {
    try_parse(text.as_bytes()).is_err()
}

#[test]
fn encodes_a_request_head() {
    let fields = [("content-type", "application/json"), ("x-twice", "1")];
    let fields = fields.map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    let fields = fields.iter().map(|(name, value)| (name, value));
    let host = HeaderValue::from_static("host:1");
    let target = "/v1/chat/completions?a=b";
    let head = encode(&Method::POST, target, &host, Framing::Length(14), fields);
    let expected = "POST /v1/chat/completions?a=b HTTP/1.1\r\nhost: host:1\r\n\
                    content-length: 14\r\ncontent-type: application/json\r\n\
                    x-twice: 1\r\n\r\n";
    assert_eq!(head, expected);
}

#[test]
fn parses_a_head_however_it_is_split() {
    let text = b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 2\r\n\r\nhi";
    let end = text.len() - 2;
    for split in 0..end {
        let mut buffer = BytesMut::from(&text[..split]);
        let mut searched = 0;
        assert!(take_head(&mut buffer, &mut searched).unwrap().is_none());
        for byte in &text[split..end - 1] {
            buffer.extend_from_slice(&[*byte]);
            assert!(take_head(&mut buffer, &mut searched).unwrap().is_none());
        }
        buffer.extend_from_slice(&text[end - 1..]);
        let head = take_head(&mut buffer, &mut searched).unwrap().unwrap();
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.headers["x-a"], "1");
        assert_eq!(head.body, Body::Length(2));
        assert_eq!(buffer, "hi");
    }
}

#[test]
fn hop_by_hop_fields_are_removed() {
    let head = parse(
        "HTTP/1.1 200 OK\r\nconnection: close, X-Hop, bad name\r\nx-hop: 1\r\n\
         keep-alive: timeout=5\r\ntransfer-encoding: Chunked\r\nset-cookie: a=b\r\n\
         x-request-id: r\r\nx-request-id: s\r\n\r\n",
    );
    let names: Vec<_> = head.headers.iter().collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|(name, _)| *name == "x-request-id"));
    assert_eq!(head.body, Body::chunked());
    assert!(!head.keep_alive);
    assert_eq!(head.keep_alive_hint, Some(Duration::from_secs(4)));
}

#[test]
fn version_and_connection_field_decide_keep_alive() {
    for (text, keep_alive) in [
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nconnection: Close\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\nconnection: close\r\n\r\n",
            false,
        ),
    ] {
        assert_eq!(parse(text).keep_alive, keep_alive, "{text}");
    }
}

#[test]
fn ambiguous_framing_is_rejected() {
    for (text, body) in [
        ("200 OK\r\ncontent-length: 3", Body::Length(3)),
        ("200 OK\r\ncontent-length: 0", Body::Ended),
        ("200 OK\r\ntransfer-encoding: chunked", Body::chunked()),
        ("200 OK", Body::UntilClose),
        ("204 No Content\r\ncontent-length: 3", Body::Ended),
        ("304 Not Modified\r\ncontent-length: 3", Body::Ended),
        ("103 Early Hints", Body::Ended),
    ] {
        let head = parse(&format!("HTTP/1.1 {text}\r\n\r\n"));
        assert_eq!(head.body, body, "{text}");
    }
    for fields in [
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 2\r\ncontent-length: 2",
        "content-length: 2, 2",
        "content-length: +2",
        "content-length: -2",
        "content-length: 0x2",
        "content-length: ",
        "content-length: 99999999999999999999999",
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    ] {
        assert!(
            is_rejected(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")),
            "{fields}"
        );
    }
    assert!(is_rejected(
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
}

#[test]
fn rejects_malformed_heads() {
    for text in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname : x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nna me: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname: x\0y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname: x\ry\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname: x\r\n folded\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert!(is_rejected(text), "{text:?}");
    }
}

#[test]
fn a_head_has_limits() {
    let many = "x: y\r\n".repeat(super::MAX_FIELDS);
    assert!(!is_rejected(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")));
    assert!(is_rejected(&format!(
        "HTTP/1.1 200 OK\r\n{many}x: y\r\n\r\n"
    )));
    let long = "y".repeat(MAX_HEAD);
    assert!(is_rejected(&format!("HTTP/1.1 200 OK\r\nx: {long}")));
    assert!(is_rejected(&format!(
        "HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n"
    )));
}

proptest! {
    #[test]
    fn parses_the_same_however_it_is_split(
        lines in prop::collection::vec(prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 No\n", "content-length: 5\r\n",
            "transfer-encoding: chunked\r\n", "connection: close, x\r\n", "x: y\r\n", "x:\n",
            "\r\n", "\n", "3\r\n", "abc\r\n", "0\r\n", "5;a=b\r\nabcde\r\n", "\r", "z",
        ]), 0..14),
        lengths in prop::collection::vec(1_usize..12, 0..60),
    ) {
        check_response(["HTTP/1.1 200 OK\r\n", &lines.concat()].concat().as_bytes(), &lengths);
        check_response(lines.concat().as_bytes(), &lengths);
    }
}
