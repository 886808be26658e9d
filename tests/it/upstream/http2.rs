//! HTTP/2 upstreams, by ALPN or by prior knowledge.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, UPSTREAM_KEY};
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, response};

const JSON: &str = "application/json";
const BODY: &str = r#"{"a":1,"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;

fn check_request(upstream: &Http2Upstream, count: usize) {
    let seen = upstream.requests();
    assert_eq!(seen.len(), count);
    for request in seen {
        assert!(
            request.target.ends_with("/v1/chat/completions"),
            "{}",
            request.target
        );
        assert_eq!(
            request.headers["authorization"],
            format!("Bearer {UPSTREAM_KEY}")
        );
        assert!(
            String::from_utf8(request.body)
                .unwrap()
                .contains("\"real-model\"")
        );
        for name in ["connection", "transfer-encoding", "keep-alive", "host"] {
            assert!(!request.headers.contains_key(name), "{name} in HTTP/2");
        }
    }
}

#[test]
fn http2_is_used_where_alpn_negotiates_it() {
    let authority = CertificateAuthority::new();
    let upstream = Http2Upstream::start(
        Some(authority.server(Flaw::None, &["h2", "http/1.1"])),
        JSON,
        BODY,
    );
    let setup = Setup::new();
    let ca = setup.file("ca.pem", authority.pem().as_bytes());
    let gateway = setup
        .provider(
            "up",
            &upstream.base_url(),
            &format!("ca_file = \"{}\"", ca.display()),
        )
        .model("m", "up", "real-model")
        .start();
    for _ in 0..3 {
        let response = gateway.send(&Request::chat("m").header("Connection", "keep-alive"));
        assert_eq!((response.status, response.text().as_str()), (200, BODY));
    }
    check_request(&upstream, 3);
    gateway.wait_until_idle();
}

#[test]
fn http2_is_used_in_cleartext_where_configured() {
    let upstream = Http2Upstream::start(None, JSON, BODY);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    for _ in 0..3 {
        let response = gateway.send(&Request::chat("m"));
        assert_eq!((response.status, response.text().as_str()), (200, BODY));
    }
    check_request(&upstream, 3);
    gateway.wait_until_idle();
}

#[test]
fn a_stream_over_http2_is_forwarded() {
    const STREAM: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let upstream = Http2Upstream::start(None, "text/event-stream", STREAM);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    assert_eq!(response.text(), STREAM);
}

#[test]
fn only_http1_is_offered_where_configured() {
    let authority = CertificateAuthority::new();
    let upstream = Upstream::start_tls(
        authority.server(Flaw::None, &["h2", "http/1.1"]),
        |exchange| {
            exchange.read_body();
            exchange.send(response::completion("hi"));
        },
    );
    let setup = Setup::new();
    let ca = setup.file("ca.pem", authority.pem().as_bytes());
    let gateway = setup
        .provider(
            "up",
            &upstream.base_url(),
            &format!("ca_file = \"{}\"\nhttp = \"http1\"", ca.display()),
        )
        .model("m", "up", "real-model")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(upstream.only_request().method, "POST");
}

#[test]
fn an_upstream_without_http2_is_an_error() {
    let upstream = Upstream::raw("http", |mut socket| {
        use std::io::{Read, Write};
        let mut preface = [0; 24];
        let _ = socket.read(&mut preface);
        let _ = socket.write_all(&response::completion("hi"));
    });
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 502);
    let code = response.json()["error"]["code"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        ["upstream_protocol_error", "upstream_disconnected"].contains(&code.as_str()),
        "{code}"
    );
    assert_response::error(&response, 502, &code, None);
}

#[test]
fn a_burst_of_requests_opens_one_connection() {
    let upstream = Http2Upstream::start(None, JSON, BODY);
    let gateway = Setup::new()
        .server("workers = 1")
        .provider(
            "up",
            &upstream.base_url(),
            "http = \"http2\"\npool.idle_timeout = \"10ms\"",
        )
        .model("m", "up", "real-model")
        .start();
    let up = [("provider", "up")];
    let made = [("provider", "up"), ("result", "ok")];
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    // The pool now has a connection for many streams; let it expire.
    gateway.await_metric("trunkline_upstream_connections", &up, 0.0);
    let mut clients: Vec<_> = (0..30).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    gateway.await_metric("trunkline_upstream_connects_total", &made, 2.0);
}
