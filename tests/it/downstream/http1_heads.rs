//! Request heads by attackers and odd clients (docs/faults.md, H1 rows): hosts,
//! methods, header syntax and sizes, slow heads.

use crate::downstream::http1::assert_rejected;
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    (upstream, gateway)
}

/// A chat request with only these header lines and its length.
fn with_lines(lines: &[u8]) -> Vec<u8> {
    let body = br#"{"model":"m"}"#;
    let length = format!("Content-Length: {}\r\n", body.len());
    [
        b"POST /v1/chat/completions HTTP/1.1\r\n",
        lines,
        length.as_bytes(),
        b"\r\n",
        body,
    ]
    .concat()
}

#[test]
fn h1_05_a_host_must_be_present_once_and_valid() {
    let (upstream, gateway) = start();
    for lines in [
        "",
        "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
        "Host: 127.0.0.1\r\nHost: localhost\r\n",
        "Host: a/b?c@d\r\n",
        "Host: user@127.0.0.1\r\n",
        "Host: 127.0.0.1, localhost\r\n",
        "Host: a b\r\n",
        "Host: [::1\r\n",
        "Host:\r\n",
    ] {
        let mut client = gateway.client();
        client.send(&with_lines(lines.as_bytes()));
        assert_response::error(&client.response(), 400, "invalid_host", None);
        client.assert_closed();
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_05_a_port_must_be_valid() {
    let (upstream, gateway) = start();
    for port in ["x", "99999", "-1", "80x"] {
        let mut client = gateway.client();
        client.send(&with_lines(
            format!("Host: 127.0.0.1:{port}\r\n").as_bytes(),
        ));
        assert_response::error(&client.response(), 400, "invalid_host", None);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn loopback_hosts_are_served_in_every_spelling() {
    let (upstream, gateway) = start();
    let port = gateway.listen.port();
    for host in [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "[::1]",
        "localhost:1",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("127.0.0.1:{port}"), format!("localhost:{port}")])
    {
        let request = Request::chat("m").without("Host").header("Host", &host);
        assert_eq!(gateway.send(&request).status, 200, "{host}");
    }
    assert_eq!(upstream.requests().len(), 7);
}

#[test]
fn a_target_in_absolute_form_is_served_or_rejected_but_never_misrouted() {
    let (upstream, gateway) = start();
    let mut request = Request::chat("m");
    request.target = "http://127.0.0.1/v1/chat/completions".to_owned();
    let own = gateway.send(&request);
    assert!(matches!(own.status, 200 | 400), "{}", own.status);
    request.target = "http://evil.example/v1/chat/completions".to_owned();
    let foreign = gateway.send(&request);
    assert!(
        matches!(foreign.status, 400 | 403),
        "{}: {}",
        foreign.status,
        foreign.text()
    );
    for seen in upstream.requests() {
        assert_eq!(seen.target, "/v1/chat/completions");
    }
}

#[test]
fn h1_07_no_tunnel_opens() {
    let (upstream, gateway) = start();
    let target = format!("127.0.0.1:{}", upstream.port());
    let mut client = gateway.client();
    client.send(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes());
    let response = client.response();
    assert_response::error(&response, 405, "method_not_allowed", None);
    client.assert_closed();
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn h1_08_unsupported_methods_are_rejected() {
    let (upstream, gateway) = start();
    for (method, target) in [
        ("OPTIONS", "*"),
        ("TRACE", "/"),
        ("FOO!", "/"),
        ("post", "/v1/chat/completions"),
        ("PROPFIND", "/v1/models"),
    ] {
        let response = gateway.send(&Request::new(method, target).header("Content-Length", "0"));
        assert_response::error(&response, 405, "method_not_allowed", None);
        assert!(
            response.header("allow").is_some(),
            "{method} {target}: no allow"
        );
    }
    let echoed = gateway.send(&Request::new("TRACE", "/v1/models").header("X-Private", "words"));
    assert!(!echoed.text().contains("words"));
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_09_invalid_header_lines_are_rejected() {
    let (upstream, gateway) = start();
    for line in [
        b"Bad Name: x\r\n".as_slice(),
        b"X-Space : x\r\n",
        b" X-Folded: x\r\n",
        b"X-A: x\r\n folded\r\n",
        b": empty\r\n",
        b"X-Nul: a\0b\r\n",
        b"X-Cr: a\rb\r\n",
        b"X-\x80: x\r\n",
        b"no colon at all\r\n",
        b"Content-Length : 5\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ] {
        assert_rejected(
            &gateway,
            &with_lines(&[b"Host: 127.0.0.1\r\n", line].concat()),
            &[400],
        );
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_17_heads_that_are_too_large_are_rejected() {
    let (upstream, gateway) = start();
    let many_headers: String = (0..101).map(|n| format!("X-{n}: x\r\n")).collect();
    let wide = format!("X-Wide: {}\r\n", "x".repeat(70 * 1024));
    let huge: String = (0..20)
        .map(|n| format!("X-{n}: {}\r\n", "x".repeat(25 * 1024)))
        .collect();
    for lines in [many_headers, wide, huge] {
        let bytes = with_lines(format!("Host: 127.0.0.1\r\n{lines}").as_bytes());
        assert_rejected(&gateway, &bytes, &[431]);
    }
    let target = format!("/{}", "a".repeat(70_000));
    assert_rejected(
        &gateway,
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes(),
        &[414, 431],
    );
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn the_configured_header_size_applies() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("max_header_size = \"8KiB\"")
        .start();
    let good = Request::chat("m").header("X-Wide", &"x".repeat(6 * 1024));
    assert_eq!(gateway.send(&good).status, 200);
    let bad = Request::chat("m").header("X-Wide", &"x".repeat(12 * 1024));
    assert_rejected(&gateway, &bad.bytes(), &[431]);
}

#[test]
fn h1_24_a_slow_head_times_out_the_first_byte_included() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("header_timeout = \"300ms\"")
        .start();
    let full = Request::chat("m").bytes();
    for sent in [0, 1, 10, 60] {
        let mut client = gateway.client();
        client.send(&full[..sent]);
        if let Some(head) = client.try_head() {
            assert_eq!(head.status, 408, "after {sent} bytes");
            client.read_body();
        }
        client.assert_closed();
    }
    gateway.await_metric(
        "trunkline_connection_errors_total",
        &[("kind", "header_timeout")],
        4.0,
    );
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_24_a_trickling_head_times_out() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("header_timeout = \"400ms\"")
        .start();
    let full = Request::chat("m")
        .header("X-Filler", &"x".repeat(2000))
        .bytes();
    let mut client = gateway.client();
    // One byte every 20 ms: no byte is late, but the head is.
    let sent = full.iter().take_while(|byte| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        client.try_send(&[**byte]).is_ok()
    });
    assert!(sent.count() < 1000, "a head of many seconds was accepted");
    assert!(upstream.requests().is_empty());
}

#[test]
fn h1_28_line_breaks_in_a_target_are_never_decoded() {
    let (upstream, gateway) = start();
    let response = gateway.send(&Request::get("/v1/%0d%0aX-Evil:%201%1b%5b31m"));
    assert_response::error(&response, 400, "invalid_path", None);
    assert_eq!(response.header("x-evil"), None);
    let query = "/v1/files?q=%0d%0aX-Evil:%201%1b%5b31m";
    assert_eq!(gateway.send(&Request::get(query)).header("x-evil"), None);
    let seen = upstream.only_request();
    assert_eq!(
        (&*seen.target, seen.header_values("x-evil").len()),
        (query, 0)
    );
    let outside = gateway.send(&Request::get("/%0d%0aX-Evil:%201%1b%5b31m"));
    assert_response::error(&outside, 404, "unknown_url", None);
    assert!(!gateway.finish().contains('\u{1b}'));
}

#[test]
fn r15_a_client_supplied_name_cannot_inject_log_lines() {
    let (_upstream, gateway) = start();
    let model = r#"{"model":"x\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u001b[31m"}"#;
    let response = gateway.send(
        &Request::post("/v1/chat/completions", model)
            .header("User-Agent", "x{\"message\":\"forged\"}"),
    );
    assert_response::error(&response, 404, "model_not_found", Some("model"));
    gateway.access_line(&response.request_id());
    let output = gateway.finish();
    assert!(!output.contains("forged"), "{output}");
    assert!(!output.contains('\u{1b}'), "{output}");
}

#[test]
fn r15_a_request_id_is_accepted_only_in_a_safe_spelling() {
    let (_upstream, gateway) = start();
    for id in [
        "abc-123",
        "A",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        let response = gateway.send(&Request::chat("m").header("X-Request-Id", id));
        assert_eq!(response.request_id(), id);
    }
    for id in ["a b", "a\"b", "a/b", "", "a\tb", &"x".repeat(65), "ä", "{}"] {
        let response = gateway.send(&Request::chat("m").header("X-Request-Id", id));
        assert_ne!(response.request_id(), id);
        assert!(!response.request_id().is_empty());
    }
}

#[test]
fn http_1_0_gets_a_response_and_a_close() {
    let (_upstream, gateway) = start();
    let body = r#"{"model":"m"}"#;
    let head =
        "POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json";
    let mut client = gateway.client();
    client.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let response = client.response();
    assert_eq!(response.status, 200);
    assert!(
        response.header("transfer-encoding").is_none(),
        "chunks to an HTTP/1.0 client"
    );
    assert!(response.text().contains("\"object\":\"chat.completion\""));
    client.assert_closed();
}
