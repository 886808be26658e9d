use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use proptest::prelude::*;

use super::super::oracle::check_answer;
use super::{Body, Head, LONGEST, Malformed, encode, take};
use crate::request_body::Extent;

fn read(text: &[u8]) -> Result<Option<Head>, Malformed> {
    take(&mut BytesMut::from(text), &mut 0)
}

fn whole(text: &str) -> Head {
    read(text.as_bytes()).unwrap().unwrap()
}

fn is_refused(text: &str) -> bool {
    read(text.as_bytes()).is_err()
}

#[test]
fn writes_a_request() {
    let fields = [("content-type", "application/json"), ("x-twice", "1")];
    let fields = fields.map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    let fields = fields.iter().map(|(name, value)| (name, value));
    let host = HeaderValue::from_static("host:1");
    let target = "/v1/chat/completions?a=b";
    let head = encode(&Method::POST, target, &host, Extent::Length(14), fields);
    let expected = "POST /v1/chat/completions?a=b HTTP/1.1\r\nhost: host:1\r\n\
                    content-length: 14\r\ncontent-type: application/json\r\n\
                    x-twice: 1\r\n\r\n";
    assert_eq!(head, expected);
}

#[test]
fn reads_a_head_however_it_is_cut() {
    let text = b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 2\r\n\r\nhi";
    let end = text.len() - 2;
    for cut in 0..end {
        let mut arrived = BytesMut::from(&text[..cut]);
        let mut looked_at = 0;
        assert!(take(&mut arrived, &mut looked_at).unwrap().is_none());
        for byte in &text[cut..end - 1] {
            arrived.extend_from_slice(&[*byte]);
            assert!(take(&mut arrived, &mut looked_at).unwrap().is_none());
        }
        arrived.extend_from_slice(&text[end - 1..]);
        let head = take(&mut arrived, &mut looked_at).unwrap().unwrap();
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.headers["x-a"], "1");
        assert_eq!(head.body, Body::Length(2));
        assert_eq!(arrived, "hi");
    }
}

#[test]
fn fields_of_the_connection_go_no_further() {
    let head = whole(
        "HTTP/1.1 200 OK\r\nconnection: close, X-Hop, bad name\r\nx-hop: 1\r\n\
         keep-alive: timeout=5\r\ntransfer-encoding: Chunked\r\nset-cookie: a=b\r\n\
         x-request-id: r\r\nx-request-id: s\r\n\r\n",
    );
    let names: Vec<_> = head.headers.iter().collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|(name, _)| *name == "x-request-id"));
    assert_eq!(head.body, Body::chunked());
    assert!(!head.persists);
    assert_eq!(head.rests_for, Some(Duration::from_secs(4)));
}

#[test]
fn a_connection_persists_unless_it_says_otherwise() {
    for (text, persists) in [
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nconnection: Close\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", true),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\nconnection: close\r\n\r\n",
            false,
        ),
    ] {
        assert_eq!(whole(text).persists, persists, "{text}");
    }
}

#[test]
fn a_body_is_framed_in_one_way() {
    for (text, body) in [
        ("200 OK\r\ncontent-length: 3", Body::Length(3)),
        ("200 OK\r\ncontent-length: 0", Body::Ended),
        ("200 OK\r\ntransfer-encoding: chunked", Body::chunked()),
        ("200 OK", Body::UntilClose),
        ("204 No Content\r\ncontent-length: 3", Body::Ended),
        ("304 Not Modified\r\ncontent-length: 3", Body::Ended),
        ("103 Early Hints", Body::Ended),
    ] {
        let head = whole(&format!("HTTP/1.1 {text}\r\n\r\n"));
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
            is_refused(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")),
            "{fields}"
        );
    }
    assert!(is_refused(
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
}

#[test]
fn refuses_what_is_not_http() {
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
        assert!(is_refused(text), "{text:?}");
    }
}

#[test]
fn a_head_has_limits() {
    let many = "x: y\r\n".repeat(super::MOST_FIELDS);
    assert!(!is_refused(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")));
    assert!(is_refused(&format!(
        "HTTP/1.1 200 OK\r\n{many}x: y\r\n\r\n"
    )));
    let long = "y".repeat(LONGEST);
    assert!(is_refused(&format!("HTTP/1.1 200 OK\r\nx: {long}")));
    assert!(is_refused(&format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n")));
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        lines in prop::collection::vec(prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 No\n", "content-length: 5\r\n",
            "transfer-encoding: chunked\r\n", "connection: close, x\r\n", "x: y\r\n", "x:\n",
            "\r\n", "\n", "3\r\n", "abc\r\n", "0\r\n", "5;a=b\r\nabcde\r\n", "\r", "z",
        ]), 0..14),
        cuts in prop::collection::vec(1_usize..12, 0..60),
    ) {
        check_answer(["HTTP/1.1 200 OK\r\n", &lines.concat()].concat().as_bytes(), &cuts);
        check_answer(lines.concat().as_bytes(), &cuts);
    }
}
