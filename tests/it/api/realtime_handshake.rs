//! WebSockets: where a handshake goes, who may send one, and what is told when
//! none opens.

use crate::routing::failover::in_order;
use crate::support::assert_response;
use crate::support::client::{Answer, Client, Request};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{Recorded, Upstream, refused_base_url, reply};
use crate::support::websocket::{Peer, TEXT, echo, echoing, handshake, knock, switch};

const KEY: &str = "tk-callers-own-key";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The answer to a handshake that opens nothing.
#[track_caller]
fn refused(gateway: &Gateway, request: &Request) -> Answer {
    let answer = gateway.ask(request);
    assert!(answer.interim.is_empty(), "a tunnel opened");
    answer
}

/// What the upstream saw of the handshake, which must open.
#[track_caller]
fn opened(gateway: &Gateway, upstream: &Upstream, request: &Request) -> (Client, Recorded) {
    let before = upstream.requests().len();
    let (mut client, head) = knock(gateway, request);
    assert_eq!(head.status, 101, "{}", String::from_utf8_lossy(&head.raw));
    assert!(client.say(TEXT, b"x"));
    assert_eq!(client.hear(), Some((TEXT, b"x".to_vec())));
    (client, upstream.arrived(before + 1).remove(before))
}

#[test]
fn every_door_leads_to_it() {
    let upstream = echoing();
    let gateway = Setup::over(&upstream).start();
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
fn a_deployment_of_azures_is_named_in_the_query() {
    let upstream = echoing();
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
        assert_eq!(seen.all("api-key"), [UPSTREAM_KEY]);
        assert_eq!(seen.header("authorization"), None);
    }
}

#[test]
fn what_leads_nowhere_is_refused() {
    let upstream = echoing();
    let gateway = Setup::over(&upstream)
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
        let answer = refused(&gateway, &handshake(target));
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{target}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_page_has_its_key_among_the_subprotocols() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(switch(&["Sec-WebSocket-Protocol: realtime"]));
        echo(exchange);
    });
    let gateway = Setup::over(&upstream).key("page", KEY, "").start();
    let offered = format!("realtime, openai-insecure-api-key.{KEY}, openai-project.p, x");
    let request = handshake("/v1/realtime?model=m")
        .header("Origin", "https://anywhere.example")
        .header("Cookie", "a=b")
        .header(PROTOCOL, &offered);
    let (mut client, head) = knock(&gateway, &request);
    assert_eq!(head.status, 101);
    assert_eq!(head.text("sec-websocket-protocol"), Some("realtime"));
    assert!(client.say(TEXT, b"x"));
    assert_eq!(client.hear(), Some((TEXT, b"x".to_vec())));
    let seen = upstream.arrived(1).remove(0);
    assert_eq!(seen.all(PROTOCOL), ["realtime, x"]);
    assert_eq!(
        seen.header("authorization").unwrap(),
        format!("Bearer {UPSTREAM_KEY}")
    );
    assert_eq!(seen.header("cookie"), None);
    assert_eq!(seen.header("origin"), None);
    assert!(!String::from_utf8_lossy(&seen.head).contains(KEY));
    drop(client);
    gateway.settle();
    assert!(!gateway.said().contains(KEY));
}

#[test]
fn a_key_opens_wherever_it_is_and_no_other_does() {
    let upstream = echoing();
    let gateway = Setup::over(&upstream)
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
        // A header goes first, even one that opens nothing.
        to("/v1/realtime?model=m")
            .header(PROTOCOL, &own)
            .key("wrong"),
    ] {
        let answer = refused(&gateway, &request);
        assert_response::error(&answer, 401, "invalid_api_key", None);
    }
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn foreign_pages_open_nothing_while_access_is_open() {
    let upstream = echoing();
    let friend = "https://chat.example.com";
    let gateway = Setup::over(&upstream)
        .section(&format!("[cors]\nallow_origins = [\"{friend}\"]"))
        .start();
    let from = |origin: &str| handshake("/v1/realtime?model=m").header("Origin", origin);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:9"] {
        let answer = refused(&gateway, &from(origin));
        assert_response::error(&answer, 403, "forbidden_origin", None);
    }
    let rebound = handshake("/v1/realtime?model=m").without("host");
    let rebound = rebound
        .header("Host", "evil.example")
        .header("Origin", "http://evil.example");
    assert_response::error(&refused(&gateway, &rebound), 403, "forbidden_origin", None);
    assert!(upstream.requests().is_empty());
    for origin in [friend, "http://127.0.0.1"] {
        opened(&gateway, &upstream, &from(origin));
    }
}

#[test]
fn any_other_answer_is_an_answer() {
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
            502,
            "upstream_auth_failed",
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
        let answer = reply::whole(status, &[&format!("Content-Type: {kind}")], body);
        let upstream = Upstream::answering(answer);
        let gateway = Setup::over(&upstream).start();
        for count in 1..3 {
            let answer = refused(&gateway, &handshake("/v1/realtime?model=m"));
            assert_eq!(answer.status, expected, "{status}");
            assert_eq!(answer.json()["error"]["code"], code, "{status}");
            assert_eq!(answer.header("upgrade"), None);
            // Nobody knows what the upstream takes that connection for now.
            assert_eq!(upstream.connections(), count);
        }
        gateway.settle();
    }
}

#[test]
fn a_change_to_something_else_opens_nothing() {
    for headers in [
        &["Connection: Upgrade", "Upgrade: h2c"][..],
        &["Upgrade: websocket"],
        &["Connection: Upgrade"],
        &[],
    ] {
        let upstream = Upstream::start(|exchange| {
            exchange.send(reply::head("101 Switching Protocols", headers));
            exchange.gateway_left();
        });
        let gateway = Setup::over(&upstream).start();
        let answer = refused(&gateway, &handshake("/v1/realtime?model=m"));
        assert_response::error(&answer, 502, "upstream_protocol_error", None);
        upstream.ended(1);
    }
}

#[test]
fn the_next_target_is_asked_when_one_does_not_open() {
    let error = r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#;
    let busy = Upstream::answering(reply::json("503 Service Unavailable", error));
    let fine = echoing();
    let bases = [refused_base_url(), busy.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "").start();
    let (client, head) = knock(&gateway, &handshake("/v1/realtime?model=m"));
    assert_eq!(head.status, 101);
    assert_eq!(head.text("x-trunkline-provider"), Some("p2"));
    assert_eq!(head.text("x-trunkline-attempts"), Some("3"));
    let seen = fine.arrived(1).remove(0);
    assert_eq!(seen.target, "/v1/realtime?model=model-2");
    assert_eq!(seen.header("authorization"), Some("Bearer key-2"));
    drop(client);
    gateway.settle();
}

#[test]
fn what_is_no_handshake_stays_a_request() {
    let upstream = Upstream::answering(reply::json("200 OK", "{}"));
    let gateway = Setup::over(&upstream).start();
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
        assert_eq!(refused(&gateway, &request).status, 200);
    }
    for seen in upstream.requests() {
        assert_eq!(seen.header("upgrade"), None);
    }
}
