//! Uploads are streamed: at the upstream's pace and with bounded memory, at any
//! size.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::http2::Http2Upstream;
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

const MIB: usize = 1024 * 1024;

fn binary(target: &str) -> Request {
    Request::new("POST", target).header("Content-Type", "application/octet-stream")
}

#[test]
fn a_chunk_is_forwarded_before_the_next_one_arrives() {
    let upstream = Upstream::with_response(response::json("200 OK", r#"{"id":"file-1"}"#));
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&binary("/v1/uploads/u/parts").head("Content-Length: 10\r\n"));
    client.send(b"12345");
    let seen = upstream.wait_for_requests(1);
    assert_eq!(seen[0].header_values("content-length"), ["10"]);
    client.send(b"67890");
    assert_eq!(client.response().status, 200);
    assert_eq!(upstream.only_request().body, b"1234567890");
}

#[test]
fn three_hundred_megabytes_are_forwarded_in_bounded_memory() {
    const TOTAL: usize = 300 * MIB;
    let upstream = Upstream::raw("http", |socket| {
        let _ = echo_body(socket, TOTAL);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let resident = || gateway.resident_kib() * 1024;
    let before = resident();
    let mut client = gateway.client();
    let chunk = vec![b'x'; MIB];
    client.send(&binary("/v1/files").head(&format!("Content-Length: {TOTAL}\r\n")));
    let mut most = before;
    for _ in 0..TOTAL / MIB {
        client.send(&chunk);
        most = most.max(resident());
    }
    let mut socket = client.socket();
    let (mut received, mut buffer) = (0, vec![0; MIB]);
    while received < TOTAL {
        received += socket.read(&mut buffer).unwrap();
        most = most.max(resident());
    }
    assert!(buffer.ends_with(b"xxxx"), "not what was sent back");
    let grown = most.saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes more than {before}");
}

/// Reads a request with `total` body bytes and sends as many back.
fn echo_body(mut socket: std::net::TcpStream, total: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; MIB];
    let mut seen = Vec::new();
    let body = loop {
        let count = socket.read(&mut buffer)?;
        seen.extend_from_slice(&buffer[..count]);
        if let Some(end) = crate::support::client::find(&seen, b"\r\n\r\n") {
            break seen.len() - end - 4;
        }
    };
    let mut remaining = total - body;
    while remaining > 0 {
        remaining -= socket.read(&mut buffer)?;
    }
    let length = format!("content-length: {total}");
    let head = response::head("200 OK", &["content-type: audio/wav", &length]);
    socket.write_all(head.as_bytes())?;
    for _ in 0..total / MIB {
        socket.write_all(&buffer)?;
    }
    // The peer reads to the end.
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}

#[test]
fn a_slow_upstream_slows_its_client_and_is_not_an_error() {
    let gate = Arc::new(Semaphore::default());
    let passes = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        passes.acquire();
        exchange.read_body();
        exchange.discard_record();
        exchange.send(response::json("200 OK", "{}"));
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("body_idle_timeout = \"200ms\"")
        .start();
    let mut client = gateway.client();
    let total = 64 * MIB;
    let accepted = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&accepted);
    let head = binary("/v1/files").head(&format!("Content-Length: {total}\r\n"));
    let sender = std::thread::spawn(move || {
        client.send(&head);
        for _ in 0..total / MIB {
            client.send(&[b'x'; MIB]);
            counts.fetch_add(MIB, Ordering::Relaxed);
        }
        client.response()
    });
    upstream.wait_for_requests(1);
    // Longer than the client's own idle timeout.
    let mut last = (usize::MAX, 0);
    wait::until("the client to be blocked", || {
        std::thread::sleep(Duration::from_millis(100));
        let now = accepted.load(Ordering::Relaxed);
        last = (now, if last.0 == now { last.1 + 1 } else { 0 });
        (last.1 >= 5).then_some(())
    });
    assert!(last.0 < 40 * MIB, "{} bytes were accepted", last.0);
    gate.release();
    assert_eq!(sender.join().unwrap().status, 200);
}

#[test]
fn a_client_that_stalls_or_disconnects_ends_the_upload() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("body_idle_timeout = \"300ms\"")
        .start();
    let mut stalls = gateway.client();
    stalls.send(&binary("/v1/files").head("Content-Length: 10\r\n"));
    stalls.send(b"12345");
    assert_response::error(&stalls.response(), 408, "request_timeout", None);
    upstream.wait_for_closed(1);
    let mut disconnecting = gateway.client();
    disconnecting.send(&binary("/v1/files").head("Transfer-Encoding: chunked\r\n"));
    disconnecting.send(b"5\r\n12345\r\n");
    upstream.wait_for_requests(2);
    disconnecting.reset();
    upstream.wait_for_closed(2);
    assert!(upstream.requests().iter().all(|seen| !seen.complete));
    let lines = gateway.access_lines(2);
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| crate::support::gateway::text(line, "outcome"))
        .collect();
    assert_eq!(outcomes, ["timeout", "cancelled"]);
}

#[test]
fn an_early_response_is_forwarded() {
    let upstream = Upstream::start(|exchange| {
        exchange.send(response::json(
            "413 Too Large",
            r#"{"error":{"message":"too large"}}"#,
        ));
        exchange.close();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&binary("/v1/files").head("Content-Length: 1000000\r\n"));
    client.send(&[b'x'; 1000]);
    let head = client.head();
    assert_eq!(head.status, 413);
}

#[test]
fn the_response_timeout_starts_after_the_body() {
    let upstream = Upstream::with_response(response::json("200 OK", "{}"));
    let gateway = Setup::with_upstream(&upstream)
        .section("[timeouts]\nresponse_header = \"400ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&binary("/v1/files").head("Content-Length: 6\r\n"));
    for byte in b"123456" {
        std::thread::sleep(Duration::from_millis(150));
        client.send(&[*byte]);
    }
    assert_eq!(client.response().status, 200);
    let late = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&late)
        .section("[timeouts]\nresponse_header = \"400ms\"")
        .start();
    let response = gateway.send(&binary("/v1/files").body("123456"));
    assert_response::error(&response, 504, "upstream_timeout", None);
}

#[test]
fn an_upload_is_forwarded_over_http2() {
    let upstream = Http2Upstream::start(None, "application/json", r#"{"id":"file-1"}"#);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "http = \"http2\"")
        .start();
    let body: Vec<u8> = (0..=250).cycle().take(3 * MIB).collect();
    let request = binary("/v1/files").body(&body);
    for bytes in [request.bytes(), request.chunked(&[1, 70_000])] {
        let mut client = gateway.client();
        client.send(&bytes);
        assert_eq!(client.response().status, 200);
        let seen = upstream.requests().pop().unwrap();
        assert!(seen.body == body, "{} bytes", seen.body.len());
    }
    let mut disconnecting = gateway.client();
    disconnecting.send(&binary("/v1/files").head("Content-Length: 100\r\n"));
    disconnecting.send(b"12345");
    disconnecting.reset();
    // The connection stays usable for other requests.
    assert_eq!(gateway.send(&request).status, 200);
}

#[test]
fn a13_an_upload_over_its_limit_is_rejected() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::json("200 OK", "{}"));
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("max_body = \"1KiB\"\nmax_buffered = \"2MiB\"\nmax_upload = \"100KiB\"")
        .start();
    let limit = 100 * 1024;
    let of_size = |size: usize| binary("/v1/files").body(vec![b'x'; size]);
    assert_eq!(gateway.send(&of_size(limit)).status, 200);
    let mut client = gateway.client();
    client.send(&of_size(limit).chunked(&[5000]));
    assert_eq!(client.response().status, 200);
    // Before the body, where its length is known.
    let mut client = gateway.client();
    let length = format!("Content-Length: {}\r\n", limit + 1);
    client.send(&binary("/v1/files").head(&length));
    let response = client.response();
    let message = assert_response::error(&response, 413, "request_too_large", None);
    assert!(message.contains("server.max_upload"), "{message}");
    client.assert_closed();
    assert_eq!(upstream.requests().len(), 2);
    let mut client = gateway.client();
    let _ = client.try_send(&of_size(limit + 1).chunked(&[5000]));
    assert_response::error(&client.response(), 413, "request_too_large", None);
    let form = Request::new("POST", "/v1/audio/transcriptions")
        .header("Content-Type", "multipart/form-data; boundary=b");
    let mut client = gateway.client();
    client.send(&form.head(&length));
    assert_response::error(&client.response(), 413, "request_too_large", None);
    let part = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let mut body = part.as_bytes().to_vec();
    body.resize(limit + 1, b'x');
    let mut client = gateway.client();
    let _ = client.try_send(&form.body(body).chunked(&[5000]));
    assert_response::error(&client.response(), 413, "request_too_large", None);
    let complete = upstream.requests().iter().filter(|it| it.complete).count();
    assert_eq!(complete, 2);
    gateway.wait_until_idle();
}

#[test]
fn an_upload_in_tiny_chunks_is_forwarded_in_larger_ones() {
    const SIZE: usize = 5000;
    let received = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&received);
    let upstream = Upstream::raw("http", move |mut socket| {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(b"\r\n0\r\n\r\n") {
            match socket.read(&mut buffer) {
                Ok(count @ 1..) => seen.extend_from_slice(&buffer[..count]),
                _ => return,
            }
        }
        counts.store(seen.len(), Ordering::Relaxed);
        let _ = socket.write_all(response::json("200 OK", "{}").as_ref());
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let request = binary("/v1/files").body(vec![b'x'; SIZE]);
    let mut client = gateway.client();
    client.send(&request.chunked(&[1]));
    assert_eq!(client.response().status, 200);
    // Framed one by one, they would take six times their size.
    let received = received.load(Ordering::Relaxed);
    assert!((SIZE..2 * SIZE).contains(&received), "{received} bytes");
}
