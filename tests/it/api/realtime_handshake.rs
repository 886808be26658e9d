//! WebSocket handshakes: routing, access, and the responses when no WebSocket
//! opens.

use crate::routing::failover::in_order;
use crate::support::assert_response;
use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{RecordedRequest, Upstream, refused_base_url, response};
use crate::support::websocket::{
    Peer, TEXT, echo, echo_upstream, handshake, send_handshake, switching_protocols,
};

const KEY: &str = "tk-clients-own-key";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The error response to a handshake.
#[track_caller]
fn rejected(gateway: &Gateway, request: &Request) -> Response {
    let response = gateway.send(request);
    assert!(response.interim.is_empty(), "a tunnel opened");
    response
}

/// Opens a WebSocket; returns the handshake that the upstream received.
#[track_caller]
fn opened(gateway: &Gateway, upstream: &Upstream, request: &Request) -> (Client, RecordedRequest) {
    let before = upstream.requests().len();
    let (mut client, head) = send_handshake(gateway, request);
    assert_eq!(head.status, 101, "{}", String::from_utf8_lossy(&head.raw));
    assert!(client.send_message(TEXT, b"x"));
    assert_eq!(client.read_frame(), Some((TEXT, b"x".to_vec())));
    (
        client,
        upstream.wait_for_requests(before + 1).remove(before),
    )
}

#[test]
fn every_route_prefix_accepts_it() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    for (target, expected, endpoint) in [
        (
            "/v1/realtime?model=up%2Fother",
            "/v1/realtime?model=other",
            "realtime",
        ),
        (
            "/v1/realtime?intent=transcription",
            "/v1/realtime?intent=transcription",
            "realtime",
        ),
        (
            "/v1/realtime?call_id=rtc_1",
            "/v1/realtime?call_id=rtc_1",
            "realtime",
        ),
        ("/v1/responses", "/v1/responses", "responses"),
        (
            "/v1/responses?model=m",
            "/v1/responses?model=real-model",
            "responses",
        ),
        (
            "/v1/next/year?model=m&a",
            "/v1/next/year?model=real-model&a",
            "other",
        ),
        (
            "/providers/up/v1/realtime?model=m",
            "/v1/realtime?model=real-model",
            "realtime",
        ),
        (
            "/providers/up/v1/realtime?model=own",
            "/v1/realtime?model=own",
            "realtime",
        ),
        (
            "/openai/v1/realtime?model=m",
            "/v1/realtime?model=real-model",
            "realtime",
        ),
        (
            "/openai/realtime?api-version=2025-04-01-preview&deployment=m",
            "/v1/realtime?model=real-model",
            "realtime",
        ),
    ] {
        let (client, seen) = opened(&gateway, &upstream, &handshake(target));
        assert_eq!(seen.target, expected, "{target}");
        drop(client);
        let labels = [("endpoint", endpoint), ("status", "1xx")];
        let count = || gateway.metrics().sum("trunkline_requests_total", &labels);
        crate::support::wait::until(endpoint, || count().filter(|count| *count >= 1.0));
    }
    let named = handshake("/v1/realtime?model=m").header("x-trunkline-provider", "up");
    let (_client, seen) = opened(&gateway, &upstream, &named);
    assert_eq!(seen.header("x-trunkline-provider"), None);
}

#[test]
fn an_azure_deployment_is_named_in_the_query() {
    let upstream = echo_upstream();
    let lines = "auth = \"api-key\"\napi_version = \"2025-04-01-preview\"";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let expected = "/v1/realtime?deployment=real-model&api-version=2025-04-01-preview";
    for target in [
        "/v1/realtime?model=m",
        "/openai/realtime?api-version=2024-10-01&deployment=m",
    ] {
        let (_client, seen) = opened(&gateway, &upstream, &handshake(target));
        assert_eq!(seen.target, expected, "{target}");
        assert_eq!(seen.header_values("api-key"), [UPSTREAM_KEY]);
        assert_eq!(seen.header("authorization"), None);
    }
}

#[test]
fn handshakes_without_a_route_are_rejected() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .provider("second", &upstream.base_url(), "")
        .start();
    for (target, status, code) in [
        ("/v1/realtime?model=unknown", 404, "model_not_found"),
        ("/v1/realtime?model=m&model=m", 400, "duplicate_field"),
        ("/v1/realtime", 400, "provider_unknown"),
        (
            "/providers/third/v1/realtime?model=m",
            404,
            "provider_not_found",
        ),
    ] {
        let response = rejected(&gateway, &handshake(target));
        assert_eq!(response.status, status, "{target}: {}", response.text());
        assert_eq!(response.json()["error"]["code"], code, "{target}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_browser_sends_its_key_as_a_subprotocol() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(switching_protocols(&["Sec-WebSocket-Protocol: realtime"]));
        echo(exchange);
    });
    let gateway = Setup::with_upstream(&upstream).key("page", KEY, "").start();
    let offered = format!("realtime, openai-insecure-api-key.{KEY}, openai-project.p, x");
    let request = handshake("/v1/realtime?model=m")
        .header("Origin", "https://anywhere.example")
        .header("Cookie", "a=b")
        .header(PROTOCOL, &offered);
    let (mut client, head) = send_handshake(&gateway, &request);
    assert_eq!(head.status, 101);
    assert_eq!(head.text("sec-websocket-protocol"), Some("realtime"));
    assert!(client.send_message(TEXT, b"x"));
    assert_eq!(client.read_frame(), Some((TEXT, b"x".to_vec())));
    let seen = upstream.wait_for_requests(1).remove(0);
    assert_eq!(seen.header_values(PROTOCOL), ["realtime, x"]);
    assert_eq!(
        seen.header("authorization").unwrap(),
        format!("Bearer {UPSTREAM_KEY}")
    );
    assert_eq!(seen.header("cookie"), None);
    assert_eq!(seen.header("origin"), None);
    assert!(!String::from_utf8_lossy(&seen.head).contains(KEY));
    drop(client);
    gateway.wait_until_idle();
    assert!(!gateway.finish().contains(KEY));
}

#[test]
fn a_valid_key_opens_in_any_position_and_no_other_does() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream)
        .key("page", KEY, "models = [\"m\", \"up/*\"]")
        .start();
    let to = |target: &str| handshake(target);
    let own = format!("openai-insecure-api-key.{KEY}");
    let azure = "/openai/realtime?api-version=x&deployment=m";
    for request in [
        to("/v1/realtime?model=m").key(KEY),
        to("/v1/realtime?model=m").header("api-key", KEY),
        to("/v1/realtime?model=m").header(PROTOCOL, &own),
        to(azure).header("api-key", KEY),
        to(&format!("{azure}&api-key={KEY}")),
    ] {
        let (_client, seen) = opened(&gateway, &upstream, &request);
        assert!(
            !String::from_utf8_lossy(&seen.head).contains(KEY),
            "{}",
            request.target
        );
        assert_eq!(seen.header(PROTOCOL), None);
    }
    let before = upstream.requests().len();
    for request in [
        to("/v1/realtime?model=m"),
        to("/v1/realtime?model=m").key("wrong"),
        to("/v1/realtime?model=m").header(PROTOCOL, "openai-insecure-api-key.wrong"),
        to("/v1/realtime?model=m").header(PROTOCOL, "openai-insecure-api-key."),
        to(&format!("/v1/realtime?model=m&api-key={KEY}")),
        // A header has priority, even an invalid one.
        to("/v1/realtime?model=m")
            .header(PROTOCOL, &own)
            .key("wrong"),
    ] {
        let response = rejected(&gateway, &request);
        assert_response::error(&response, 401, "invalid_api_key", None);
    }
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn foreign_pages_open_nothing_while_access_is_open() {
    let upstream = echo_upstream();
    let allowed = "https://chat.example.com";
    let gateway = Setup::with_upstream(&upstream)
        .section(&format!("[cors]\nallow_origins = [\"{allowed}\"]"))
        .start();
    let from = |origin: &str| handshake("/v1/realtime?model=m").header("Origin", origin);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:9"] {
        let response = rejected(&gateway, &from(origin));
        assert_response::error(&response, 403, "forbidden_origin", None);
    }
    let rebound = handshake("/v1/realtime?model=m").without("host");
    let rebound = rebound
        .header("Host", "evil.example")
        .header("Origin", "http://evil.example");
    assert_response::error(&rejected(&gateway, &rebound), 403, "forbidden_origin", None);
    assert!(upstream.requests().is_empty());
    for origin in [allowed, "http://127.0.0.1"] {
        opened(&gateway, &upstream, &from(origin));
    }
}

#[test]
fn any_other_response_is_forwarded() {
    let error = r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#;
    for (status, kind, body, expected, code) in [
        ("404 Not Found", "application/json", error, 404, "c"),
        ("429 Too Many Requests", "application/json", error, 429, "c"),
        (
            "401 Unauthorized",
            "application/json",
            error,
            502,
            "upstream_auth_failed",
        ),
        (
            "403 Forbidden",
            "application/json",
            error,
            403,
            "upstream_forbidden",
        ),
        ("500 Oops", "text/html", "<html>", 500, "upstream_error"),
        (
            "200 OK",
            "text/html",
            "<html>",
            502,
            "upstream_bad_content_type",
        ),
        ("302 Found", "text/html", "<html>", 502, "upstream_redirect"),
        ("200 OK", "application/json", error, 200, "c"),
    ] {
        let response = response::with_body(status, &[&format!("Content-Type: {kind}")], body);
        let upstream = Upstream::with_response(response);
        let gateway = Setup::with_upstream(&upstream).start();
        for count in 1..3 {
            let response = rejected(&gateway, &handshake("/v1/realtime?model=m"));
            assert_eq!(response.status, expected, "{status}");
            assert_eq!(response.json()["error"]["code"], code, "{status}");
            assert_eq!(response.header("upgrade"), None);
            // The state of that upstream connection is unknown.
            assert_eq!(upstream.connections(), count);
        }
        gateway.wait_until_idle();
    }
}

#[test]
fn a_switch_to_another_protocol_opens_nothing() {
    for headers in [
        &["Connection: Upgrade", "Upgrade: h2c"][..],
        &["Upgrade: websocket"],
        &["Connection: Upgrade"],
        &[],
    ] {
        let upstream = Upstream::start(|exchange| {
            exchange.send(response::head("101 Switching Protocols", headers));
            exchange.wait_for_disconnect();
        });
        let gateway = Setup::with_upstream(&upstream).start();
        let response = rejected(&gateway, &handshake("/v1/realtime?model=m"));
        assert_response::error(&response, 502, "upstream_protocol_error", None);
        upstream.wait_for_closed(1);
    }
}

#[test]
fn the_next_target_is_tried_when_one_does_not_open() {
    let error = r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#;
    let busy = Upstream::with_response(response::json("503 Service Unavailable", error));
    let fine = echo_upstream();
    let bases = [refused_base_url(), busy.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "").start();
    let (client, head) = send_handshake(&gateway, &handshake("/v1/realtime?model=m"));
    assert_eq!(head.status, 101);
    assert_eq!(head.text("x-trunkline-provider"), Some("p2"));
    assert_eq!(head.text("x-trunkline-attempts"), Some("3"));
    let seen = fine.wait_for_requests(1).remove(0);
    assert_eq!(seen.target, "/v1/realtime?model=model-2");
    assert_eq!(seen.header("authorization"), Some("Bearer key-2"));
    drop(client);
    gateway.wait_until_idle();
}

#[test]
fn a_request_that_is_not_a_handshake_stays_a_request() {
    let upstream = Upstream::with_response(response::json("200 OK", "{}"));
    let gateway = Setup::with_upstream(&upstream).start();
    let target = "/v1/realtime?model=m";
    let upgrade = |request: Request| {
        request
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
    };
    for request in [
        upgrade(Request::new("GET", target).body("xx")),
        upgrade(Request::post(target, "{}")),
        Request::get(target).header("Upgrade", "websocket"),
        Request::get(target)
            .header("Connection", "Upgrade")
            .header("Upgrade", "h2c"),
    ] {
        assert_eq!(rejected(&gateway, &request).status, 200);
    }
    for seen in upstream.requests() {
        assert_eq!(seen.header("upgrade"), None);
    }
}
