//! Upstreams that speak HTTP/2: by ALPN behind TLS, or by prior knowledge.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, UPSTREAM_KEY};
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Upstream, reply};

const JSON: &str = "application/json";
const ANSWER: &str = r#"{"a":1,"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;

fn check_request(upstream: &Http2Upstream, count: usize) {
    let seen = upstream.seen();
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
fn http2_is_spoken_where_tls_negotiates_it() {
    let authority = Authority::new();
    let upstream = Http2Upstream::start(
        Some(authority.server(Flaw::None, &["h2", "http/1.1"])),
        JSON,
        ANSWER,
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
        let answer = gateway.ask(&Request::chat("m").header("Connection", "keep-alive"));
        assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
    }
    check_request(&upstream, 3);
    gateway.settle();
}

#[test]
fn http2_is_spoken_in_the_clear_where_the_config_says_so() {
    let upstream = Http2Upstream::start(None, JSON, ANSWER);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    for _ in 0..3 {
        let answer = gateway.ask(&Request::chat("m"));
        assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
    }
    check_request(&upstream, 3);
    gateway.settle();
}

#[test]
fn a_stream_over_http2_comes_through() {
    const STREAM: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let upstream = Http2Upstream::start(None, "text/event-stream", STREAM);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    let answer = gateway.ask(&Request::stream("m"));
    assert!(answer.complete);
    assert_eq!(answer.text(), STREAM);
}

#[test]
fn http1_alone_is_offered_where_the_config_says_so() {
    let authority = Authority::new();
    let upstream = Upstream::start_tls(
        authority.server(Flaw::None, &["h2", "http/1.1"]),
        |exchange| {
            exchange.read_body();
            exchange.send(reply::completion("hi"));
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
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(upstream.only().method, "POST");
}

#[test]
fn an_upstream_that_does_not_speak_http2_is_in_error() {
    let upstream = Upstream::raw("http", |mut socket| {
        use std::io::{Read, Write};
        let mut preface = [0; 24];
        let _ = socket.read(&mut preface);
        let _ = socket.write_all(&reply::completion("hi"));
    });
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .model("m", "up", "real-model")
        .start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 502);
    let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
    assert!(
        ["upstream_protocol_error", "upstream_disconnected"].contains(&code.as_str()),
        "{code}"
    );
    assert_response::error(&answer, 502, &code, None);
}

#[test]
fn a_burst_of_requests_makes_one_connection() {
    let upstream = Http2Upstream::start(None, JSON, ANSWER);
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
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    // It is known now that one connection can carry many; let it grow old.
    gateway.await_metric("trunkline_upstream_connections", &up, 0.0);
    let mut clients: Vec<_> = (0..30).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    gateway.await_metric("trunkline_upstream_connects_total", &made, 2.0);
}
