//! Bodies that are not held: they pass as they come, as fast as the upstream
//! takes them, however long they are.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;

const MIB: usize = 1024 * 1024;

fn binary(target: &str) -> Request {
    Request::new("POST", target).header("Content-Type", "application/octet-stream")
}

#[test]
fn a_piece_passes_before_the_next_has_come() {
    let upstream = Upstream::answering(reply::json("200 OK", r#"{"id":"file-1"}"#));
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&binary("/v1/uploads/u/parts").head("Content-Length: 10\r\n"));
    client.send(b"12345");
    let seen = upstream.arrived(1);
    assert_eq!(seen[0].all("content-length"), ["10"]);
    client.send(b"67890");
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.only().body, b"1234567890");
}

#[test]
fn three_hundred_megabytes_pass_in_little_memory() {
    const TOTAL: usize = 300 * MIB;
    let upstream = Upstream::raw("http", |socket| {
        let _ = pour(socket, TOTAL);
    });
    let gateway = Setup::over(&upstream).start();
    let resident = || gateway.resident_kib() * 1024;
    let before = resident();
    let mut client = gateway.client();
    let piece = vec![b'x'; MIB];
    client.send(&binary("/v1/files").head(&format!("Content-Length: {TOTAL}\r\n")));
    let mut most = before;
    for _ in 0..TOTAL / MIB {
        client.send(&piece);
        most = most.max(resident());
    }
    let mut socket = client.socket();
    let (mut came, mut buffer) = (0, vec![0; MIB]);
    while came < TOTAL {
        came += socket.read(&mut buffer).unwrap();
        most = most.max(resident());
    }
    assert!(buffer.ends_with(b"xxxx"), "not what was sent back");
    let grown = most.saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes more than {before}");
}

/// Reads a request with so many bytes and sends as many back.
fn pour(mut socket: std::net::TcpStream, total: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; MIB];
    let mut seen = Vec::new();
    let body = loop {
        let count = socket.read(&mut buffer)?;
        seen.extend_from_slice(&buffer[..count]);
        if let Some(end) = crate::support::client::find(&seen, b"\r\n\r\n") {
            break seen.len() - end - 4;
        }
    };
    let mut left = total - body;
    while left > 0 {
        left -= socket.read(&mut buffer)?;
    }
    let length = format!("content-length: {total}");
    let head = reply::head("200 OK", &["content-type: audio/wav", &length]);
    socket.write_all(head.as_bytes())?;
    for _ in 0..total / MIB {
        socket.write_all(&buffer)?;
    }
    // The other side reads it all.
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}

#[test]
fn a_slow_upstream_slows_its_caller_and_is_no_fault() {
    let gate = Arc::new(Gate::default());
    let passes = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        passes.pass();
        exchange.read_body();
        exchange.forget();
        exchange.send(reply::json("200 OK", "{}"));
    });
    let gateway = Setup::over(&upstream)
        .server("body_gap = \"200ms\"")
        .start();
    let mut client = gateway.client();
    let total = 64 * MIB;
    let taken = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&taken);
    let head = binary("/v1/files").head(&format!("Content-Length: {total}\r\n"));
    let sender = std::thread::spawn(move || {
        client.send(&head);
        for _ in 0..total / MIB {
            client.send(&[b'x'; MIB]);
            counts.fetch_add(MIB, Ordering::Relaxed);
        }
        client.answer()
    });
    upstream.arrived(1);
    // Longer than the caller's own silence may last.
    let mut last = (usize::MAX, 0);
    wait::until("the caller to be slowed", || {
        std::thread::sleep(Duration::from_millis(100));
        let now = taken.load(Ordering::Relaxed);
        last = (now, if last.0 == now { last.1 + 1 } else { 0 });
        (last.1 >= 5).then_some(())
    });
    assert!(last.0 < 40 * MIB, "{} bytes were taken", last.0);
    gate.open();
    assert_eq!(sender.join().unwrap().status, 200);
}

#[test]
fn a_caller_that_stalls_or_leaves_ends_the_upload() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
    });
    let gateway = Setup::over(&upstream)
        .server("body_gap = \"300ms\"")
        .start();
    let mut stalls = gateway.client();
    stalls.send(&binary("/v1/files").head("Content-Length: 10\r\n"));
    stalls.send(b"12345");
    assert_response::error(&stalls.answer(), 408, "request_timeout", None);
    upstream.ended(1);
    let mut leaves = gateway.client();
    leaves.send(&binary("/v1/files").head("Transfer-Encoding: chunked\r\n"));
    leaves.send(b"5\r\n12345\r\n");
    upstream.arrived(2);
    leaves.reset();
    upstream.ended(2);
    assert!(upstream.requests().iter().all(|seen| !seen.complete));
    let lines = gateway.access_lines(2);
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| crate::support::gateway::text(line, "outcome"))
        .collect();
    assert_eq!(outcomes, ["timeout", "cancelled"]);
}

#[test]
fn an_early_answer_is_passed_on() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(reply::json(
            "413 Too Large",
            r#"{"error":{"message":"too large"}}"#,
        ));
        exchange.close();
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&binary("/v1/files").head("Content-Length: 1000000\r\n"));
    client.send(&[b'x'; 1000]);
    let head = client.head();
    assert_eq!(head.status, 413);
}

#[test]
fn the_time_for_an_answer_begins_behind_the_body() {
    let upstream = Upstream::answering(reply::json("200 OK", "{}"));
    let gateway = Setup::over(&upstream)
        .section("[timeouts]\nhead = \"400ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&binary("/v1/files").head("Content-Length: 6\r\n"));
    for byte in b"123456" {
        std::thread::sleep(Duration::from_millis(150));
        client.send(&[*byte]);
    }
    assert_eq!(client.answer().status, 200);
    let late = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.gateway_left();
    });
    let gateway = Setup::over(&late)
        .section("[timeouts]\nhead = \"400ms\"")
        .start();
    let answer = gateway.ask(&binary("/v1/files").body("123456"));
    assert_response::error(&answer, 504, "upstream_timeout", None);
}

#[test]
fn an_upload_passes_to_an_upstream_that_speaks_http2() {
    let upstream = Http2Upstream::start(None, "application/json", r#"{"id":"file-1"}"#);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .start();
    let body: Vec<u8> = (0..=250).cycle().take(3 * MIB).collect();
    let request = binary("/v1/files").body(&body);
    for bytes in [request.bytes(), request.chunked(&[1, 70_000])] {
        let mut client = gateway.client();
        client.send(&bytes);
        assert_eq!(client.answer().status, 200);
        let seen = upstream.seen().pop().unwrap();
        assert!(seen.body == body, "{} bytes", seen.body.len());
    }
    let mut leaves = gateway.client();
    leaves.send(&binary("/v1/files").head("Content-Length: 100\r\n"));
    leaves.send(b"12345");
    leaves.reset();
    // The connection goes on for others.
    assert_eq!(gateway.ask(&request).status, 200);
}
