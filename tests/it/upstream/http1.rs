//! Requests as an attacker or an odd client frames them (FAULTS, H1 rows):
//! body framing, continuation, upgrade, pipelining.

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};

const BODY: &str = r#"{"model":"m","messages":[]}"#;

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    (upstream, gateway)
}

/// The head of a chat request with these lines in place of a content-length.
fn head(lines: &str) -> Vec<u8> {
    Request::post("/v1/chat/completions", "").head(lines)
}

/// Sends bytes and expects a refusal, ours or bare, and then the end.
#[track_caller]
pub fn refused(gateway: &Gateway, bytes: &[u8], statuses: &[u16]) {
    let mut client = gateway.client();
    let _ = client.try_send(bytes);
    if let Some(head) = client.try_head() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        assert!(
            statuses.contains(&head.status),
            "{} for {shown:?}",
            head.status
        );
        let (body, complete) = client.rest();
        assert!(complete);
        if !body.is_empty() {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let code = body["error"]["code"].as_str().unwrap().to_owned();
            assert_response::envelope(&body, &code, assert_response::kind_of(head.status));
        }
        client.assert_closed();
    }
}

#[test]
fn h1_01_a_length_and_chunks_together_smuggle_nothing() {
    let (upstream, gateway) = start();
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let smuggled = "GET /smug HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for lines in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n".to_owned(),
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
            chunked.len()
        ),
    ] {
        let mut client = gateway.client();
        client.send(&[&head(&lines), chunked.as_bytes(), smuggled.as_bytes()].concat());
        if let Some(head) = client.try_head() {
            assert!([200, 400].contains(&head.status), "{}", head.status);
            assert!(client.rest().1);
            client.assert_closed();
        }
    }
    for seen in upstream.requests() {
        assert_eq!(seen.text(), BODY.replace("\"m\"", "\"real-model\""));
        assert!(!seen.target.contains("smug"));
        let framings = seen.all("content-length").len() + seen.all("transfer-encoding").len();
        assert_eq!(framings, 1, "its framing is not ours: {:?}", seen.headers);
    }
}

#[test]
fn h1_02_lengths_that_are_none_are_refused() {
    let (upstream, gateway) = start();
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 5 5\r\n",
    ] {
        refused(
            &gateway,
            &[&head(lines), BODY.as_bytes()].concat(),
            &[400, 413],
        );
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_03_other_transfer_codings_are_refused() {
    let (upstream, gateway) = start();
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    for coding in [
        "gzip, chunked",
        "chunked, gzip",
        "gzip",
        "identity",
        "xchunked",
        "chunked, chunked",
        "\x0bchunked",
    ] {
        let bytes = [
            &head(&format!("Transfer-Encoding: {coding}\r\n")),
            chunked.as_bytes(),
        ]
        .concat();
        refused(&gateway, &bytes, &[400, 501]);
    }
    let mut client = gateway.client();
    client.send(
        &[
            &head("Transfer-Encoding: gzip, chunked\r\n"),
            chunked.as_bytes(),
        ]
        .concat(),
    );
    let answer = client.answer();
    assert_response::error(
        &answer,
        answer.status,
        "unsupported_transfer_encoding",
        None,
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_14_a_bad_key_is_refused_before_the_body_is_asked_for() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).key("alice", "tk-alice", "").start();
    let mut client = gateway.client();
    let request = Request::post("/v1/chat/completions", "")
        .key("wrong")
        .header("Expect", "100-continue");
    client.send(&request.head("Content-Length: 1000000\r\n"));
    let answer = client.answer();
    assert!(answer.interim.is_empty(), "a body was asked for");
    assert_response::error(&answer, 401, "invalid_api_key", None);
    client.assert_closed();
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_15_a_client_that_waits_for_leave_gets_it() {
    let (upstream, gateway) = start();
    let mut client = gateway.client();
    let request = Request::post("/v1/chat/completions", "").header("Expect", "100-continue");
    client.send(&request.head(&format!("Content-Length: {}\r\n", BODY.len())));
    assert_eq!(client.head().status, 100);
    client.send(BODY.as_bytes());
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.only().header("expect"), None);
}

#[test]
fn h1_15_other_expectations_fail() {
    let (upstream, gateway) = start();
    let answer = gateway.ask(&Request::chat("m").header("Expect", "200-maybe"));
    assert_eq!(answer.status, 417, "{}", answer.text());
    assert_response::error(
        &answer,
        417,
        answer.json()["error"]["code"].as_str().unwrap(),
        None,
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_16_upgrades_are_ignored_or_refused() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    for protocol in ["h2c", "websocket", "TLS/1.0"] {
        let request = Request::chat("m")
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", protocol)
            .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = gateway.ask(&request);
        assert!(answer.interim.is_empty(), "{protocol}: switched");
        assert!(
            [200, 400].contains(&answer.status),
            "{protocol}: {}",
            answer.status
        );
    }
    for seen in upstream.requests() {
        assert_eq!(seen.header("upgrade"), None);
    }
}

#[test]
fn h1_16_an_upstream_that_switches_protocols_is_in_error() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::head(
            "101 Switching Protocols",
            &["Connection: Upgrade", "Upgrade: websocket"],
        ));
        exchange.send("free bytes");
        exchange.gateway_left();
    });
    let gateway = Setup::over(&upstream).start();
    let request = Request::chat("m")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    let answer = gateway.ask(&request);
    assert!(answer.interim.is_empty(), "a tunnel opened");
    assert_response::error(&answer, 502, "upstream_protocol_error", None);
    upstream.ended(1);
}

#[test]
fn h1_18_broken_chunks_are_refused_and_nothing_goes_upstream() {
    let (upstream, gateway) = start();
    for chunks in [
        "-1\r\nx\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx",
        "10000000000000000\r\nx",
        "5\r\nhelloXX0\r\n\r\n",
        "5\nhello\n0\n\n",
        "g\r\n\r\n",
        "\r\n\r\n",
        "5;\n\r\nhello\r\n0\r\n\r\n",
    ] {
        let bytes = [&head("Transfer-Encoding: chunked\r\n"), chunks.as_bytes()].concat();
        refused(&gateway, &bytes, &[400]);
    }
    assert!(
        upstream.requests().iter().all(|seen| !seen.complete),
        "a broken body went upstream"
    );
    gateway.settle();
}

#[test]
fn h1_21_get_with_a_body_and_head_and_post_without() {
    let (upstream, gateway) = start();
    let mut client = gateway.client();
    client.send(&Request::get("/v1/models").body("ignored").bytes());
    assert_eq!(client.answer().status, 200);
    let mut client = gateway.client();
    client.send(&Request::new("HEAD", "/v1/models").bytes());
    let answer = client.answer();
    assert!(matches!(answer.status, 200 | 405), "{}", answer.status);
    client.send(&Request::get("/v1/models").bytes());
    assert_eq!(
        client.answer().status,
        200,
        "a body after HEAD, or a needless close"
    );
    let bare = gateway.ask(
        &Request::new("POST", "/v1/chat/completions").header("Content-Type", "application/json"),
    );
    assert_response::error(&bare, 400, "empty_body", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_22_pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(reply::json("200 OK", &body));
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    let request = |n: usize| {
        Request::post(
            "/v1/chat/completions",
            format!("{{\"model\":\"m\",\"n\":{n}}}"),
        )
    };
    let all: Vec<u8> = (0..100).flat_map(|n| request(n).bytes()).collect();
    client.send(&all);
    let mut ids = Vec::new();
    for n in 0..100 {
        let answer = client.answer();
        assert_eq!(answer.json()["n"], n);
        ids.push(answer.request_id());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100, "ids were used twice");
}

#[test]
fn h1_26_what_is_no_http_is_closed_without_noise() {
    let (upstream, mut gateway) = start();
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";
    let noise: Vec<u8> = (0..2000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for bytes in [
        hello.as_slice(),
        &noise,
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut client: Client = gateway.client();
        let _ = client.try_send(bytes);
        client.finish_sending();
        if let Some(head) = client.try_head() {
            assert!((400..=505).contains(&head.status), "{}", head.status);
            client.rest();
        }
        client.assert_closed();
    }
    assert!(gateway.is_alive());
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(gateway.lines_at("ERROR"), Vec::<String>::new());
}
