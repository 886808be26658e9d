//! Headers of which one is allowed, sent twice (docs/faults.md#h1-02b).

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const KEY: &str = "client-key";

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).key("team", KEY, "").start();
    (upstream, gateway)
}

#[test]
fn h1_02b_headers_of_which_one_is_allowed_are_refused_twice() {
    let (upstream, gateway) = start();
    let bearer = format!("Bearer {KEY}");
    for (name, value, other) in [
        ("authorization", &*bearer, "Bearer other"),
        ("authorization", &bearer, &bearer),
        ("Authorization", "Bearer other", &bearer),
        ("x-api-key", KEY, "other"),
        ("api-key", KEY, KEY),
        ("content-type", "application/json", "text/plain"),
        ("content-type", "application/json", "application/json"),
        ("origin", "http://127.0.0.1", "http://evil.example"),
        ("x-trunkline-provider", "up", "down"),
    ] {
        let request = Request::chat("m").without("content-type").key(KEY);
        let repeated = request
            .without(name)
            .header(name, value)
            .header(name, other);
        let mut client = gateway.client();
        client.send(&repeated.bytes());
        let response = client.response();
        let message = assert_response::error(&response, 400, "duplicate_header", None);
        assert!(message.contains(&name.to_lowercase()), "{message}");
        assert!(!message.contains(KEY), "{message}");
        client.assert_closed();
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_02b_the_refusal_has_the_shape_of_the_api() {
    let (_upstream, gateway) = start();
    let request = Request::post("/v1/messages", r#"{"model":"m"}"#);
    // As Anthropic's SDKs do.
    let request = request.header("anthropic-version", "2023-06-01");
    let response = gateway.send(&request.header("x-api-key", KEY).header("x-api-key", KEY));
    assert_eq!(response.status, 400);
    let body: serde_json::Value = serde_json::from_str(&response.text()).unwrap();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], "invalid_request_error", "{body}");
}

#[test]
fn h1_02b_credentials_in_different_headers_are_read_in_order() {
    let (upstream, gateway) = start();
    // Clients with a token and a key send both (docs/security.md).
    for (authorization, api_key, status) in
        [(KEY, "other", 200), ("other", KEY, 401), (KEY, KEY, 200)]
    {
        let request = Request::chat("m")
            .key(authorization)
            .header("x-api-key", api_key);
        assert_eq!(
            gateway.send(&request).status,
            status,
            "{authorization} {api_key}"
        );
    }
    for seen in upstream.requests() {
        assert!(seen.header("x-api-key").is_none());
        assert_eq!(seen.header_values("authorization").len(), 1);
    }
}

#[test]
fn h1_02b_lists_may_come_in_several_headers() {
    let (upstream, gateway) = start();
    let request = Request::chat("m")
        .key(KEY)
        .header("accept", "application/json")
        .header("accept", "*/*")
        .header("anthropic-beta", "a")
        .header("anthropic-beta", "b")
        .header("content-encoding", "identity")
        .header("content-encoding", "identity");
    assert_eq!(gateway.send(&request).status, 200);
    assert_eq!(
        upstream.only_request().header_values("anthropic-beta"),
        ["a", "b"]
    );
}

#[test]
fn h1_03_chunked_twice_is_refused_in_one_header_and_in_two() {
    let (upstream, gateway) = start();
    let body = r#"{"model":"m"}"#;
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for lines in [
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let head = Request::post("/v1/chat/completions", "")
            .key(KEY)
            .head(lines);
        let mut client = gateway.client();
        client.send(&[&head, chunked.as_bytes()].concat());
        let response = client.response();
        assert_response::error(&response, 501, "unsupported_transfer_encoding", None);
        client.assert_closed();
    }
    // The end of such a body cannot be found (RFC 9112, section 6.3).
    for last in ["xchunked", "gzip", "chunked, gzip"] {
        let lines = format!("Transfer-Encoding: {last}\r\n");
        let head = Request::post("/v1/chat/completions", "")
            .key(KEY)
            .head(&lines);
        let mut client = gateway.client();
        client.send(&[&head, chunked.as_bytes()].concat());
        let response = client.response();
        assert_eq!((response.status, response.body.len()), (400, 0), "{last}");
        client.assert_closed();
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_17_a_head_has_up_to_100_headers() {
    let (_upstream, gateway) = start();
    let with_headers = |count: usize| {
        // `Host` is one of them.
        let request = Request::get("/health");
        (1..count).fold(request, |request, at| {
            request.header(&format!("x-{at}"), "")
        })
    };
    assert_eq!(gateway.send(&with_headers(100)).status, 200);
    assert_eq!(gateway.send(&with_headers(101)).status, 431);
}
