//! Request framing by attackers and odd clients (docs/faults.md, H1 rows): bodies,
//! `Expect`, `Upgrade`, pipelining.

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const BODY: &str = r#"{"model":"m","messages":[]}"#;

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    (upstream, gateway)
}

/// The head of a chat request with these lines instead of a Content-Length.
fn head(lines: &str) -> Vec<u8> {
    Request::post("/v1/chat/completions", "").head(lines)
}

/// Asserts that the gateway rejects the bytes, with or without a body, and closes.
#[track_caller]
pub fn assert_rejected(gateway: &Gateway, bytes: &[u8], statuses: &[u16]) {
    let mut client = gateway.client();
    let _ = client.try_send(bytes);
    if let Some(head) = client.try_head() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        assert!(
            statuses.contains(&head.status),
            "{} for {shown:?}",
            head.status
        );
        let (body, complete) = client.read_body();
        assert!(complete);
        if !body.is_empty() {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let code = body["error"]["code"].as_str().unwrap().to_owned();
            assert_response::envelope(&body, &code, assert_response::types_of_status(head.status));
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
            assert!(client.read_body().1);
            client.assert_closed();
        }
    }
    for seen in upstream.requests() {
        assert_eq!(seen.text(), BODY.replace("\"m\"", "\"real-model\""));
        assert!(!seen.target.contains("smug"));
        let framings = seen.header_values("content-length").len()
            + seen.header_values("transfer-encoding").len();
        assert_eq!(
            framings, 1,
            "the framing is not the gateway's: {:?}",
            seen.headers
        );
    }
}

#[test]
fn h1_02_invalid_lengths_are_rejected() {
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
        assert_rejected(
            &gateway,
            &[&head(lines), BODY.as_bytes()].concat(),
            &[400, 413],
        );
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_03_other_transfer_codings_are_rejected() {
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
        assert_rejected(&gateway, &bytes, &[400, 501]);
    }
    let mut client = gateway.client();
    client.send(
        &[
            &head("Transfer-Encoding: gzip, chunked\r\n"),
            chunked.as_bytes(),
        ]
        .concat(),
    );
    let response = client.response();
    assert_response::error(
        &response,
        response.status,
        "unsupported_transfer_encoding",
        None,
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_14_an_invalid_key_is_rejected_before_the_body_is_requested() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    let mut client = gateway.client();
    let request = Request::post("/v1/chat/completions", "")
        .key("wrong")
        .header("Expect", "100-continue");
    client.send(&request.head("Content-Length: 1000000\r\n"));
    let response = client.response();
    assert!(response.interim.is_empty(), "the body was requested");
    assert_response::error(&response, 401, "invalid_api_key", None);
    client.assert_closed();
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_15_a_client_that_waits_for_100_continue_gets_it() {
    let (upstream, gateway) = start();
    let mut client = gateway.client();
    let request = Request::post("/v1/chat/completions", "").header("Expect", "100-continue");
    client.send(&request.head(&format!("Content-Length: {}\r\n", BODY.len())));
    assert_eq!(client.head().status, 100);
    client.send(BODY.as_bytes());
    assert_eq!(client.response().status, 200);
    assert_eq!(upstream.only_request().header("expect"), None);
}

#[test]
fn h1_15_other_expectations_fail() {
    let (upstream, gateway) = start();
    let response = gateway.send(&Request::chat("m").header("Expect", "200-maybe"));
    assert_eq!(response.status, 417, "{}", response.text());
    assert_response::error(
        &response,
        417,
        response.json()["error"]["code"].as_str().unwrap(),
        None,
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_16_upgrades_are_ignored_or_rejected() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for protocol in ["h2c", "websocket", "TLS/1.0"] {
        let request = Request::chat("m")
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", protocol)
            .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let response = gateway.send(&request);
        assert!(response.interim.is_empty(), "{protocol}: switched");
        assert!(
            [200, 400].contains(&response.status),
            "{protocol}: {}",
            response.status
        );
    }
    for seen in upstream.requests() {
        assert_eq!(seen.header("upgrade"), None);
    }
}

#[test]
fn h1_16_an_upstream_that_switches_protocols_unasked_is_an_error() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::head(
            "101 Switching Protocols",
            &["Connection: Upgrade", "Upgrade: websocket"],
        ));
        exchange.send("free bytes");
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let request = Request::chat("m")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    let response = gateway.send(&request);
    assert!(response.interim.is_empty(), "a tunnel opened");
    assert_response::error(&response, 502, "upstream_protocol_error", None);
    upstream.wait_for_closed(1);
}

#[test]
fn h1_18_invalid_chunks_are_rejected_and_nothing_reaches_the_upstream() {
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
        assert_rejected(&gateway, &bytes, &[400]);
    }
    assert!(
        upstream.requests().iter().all(|seen| !seen.complete),
        "an invalid body reached the upstream"
    );
    gateway.wait_until_idle();
}

#[test]
fn h1_21_get_with_a_body_and_head_and_post_without() {
    let (upstream, gateway) = start();
    let mut client = gateway.client();
    client.send(&Request::get("/v1/models").body("ignored").bytes());
    assert_eq!(client.response().status, 200);
    let mut client = gateway.client();
    client.send(&Request::new("HEAD", "/v1/models").bytes());
    let response = client.response();
    assert!(matches!(response.status, 200 | 405), "{}", response.status);
    client.send(&Request::get("/v1/models").bytes());
    assert_eq!(
        client.response().status,
        200,
        "a body after HEAD, or a needless close"
    );
    let bare = gateway.send(
        &Request::new("POST", "/v1/chat/completions").header("Content-Type", "application/json"),
    );
    assert_response::error(&bare, 400, "empty_body", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_22_pipelined_requests_get_responses_in_order() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(response::json("200 OK", &body));
    });
    let gateway = Setup::with_upstream(&upstream).start();
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
        let response = client.response();
        assert_eq!(response.json()["n"], n);
        ids.push(response.request_id());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100, "ids were used twice");
}

#[test]
fn h1_26_other_protocols_are_closed_without_log_noise() {
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
        client.shutdown_write();
        if let Some(head) = client.try_head() {
            assert!((400..=505).contains(&head.status), "{}", head.status);
            client.read_body();
        }
        client.assert_closed();
    }
    assert!(gateway.is_running());
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.finish_without_errors();
}
