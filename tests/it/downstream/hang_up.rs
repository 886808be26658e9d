//! Clients that leave while their connection holds unread bytes (docs/faults.md#c-10).

use std::sync::Arc;
use std::time::Duration;

use crate::downstream::tls::with_tls;
use crate::support::client::{BodyFrame, Client, Request, find};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

/// What may follow a request on its connection.
fn leftovers() -> Vec<(&'static str, Vec<u8>)> {
    let next = Request::chat("m").bytes();
    vec![
        ("a line end", b"\r\n".to_vec()),
        ("half a head", b"GET /health HTTP/1.1\r\nHo".to_vec()),
        ("a next request", next.clone()),
        ("a next request and a half", [&*next, &next[..20]].concat()),
        // Beyond what the kernel takes, no end reaches the gateway before it reads.
        ("more than is read ahead", next.repeat(200)),
    ]
}

/// An upstream that never ends: silent, or after the first event of a stream.
fn silent() -> Upstream {
    Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"stream\":true") {
            exchange.send(response::stream_head());
            exchange.send(response::chunk(response::delta("one")));
        }
        assert!(exchange.wait_for_disconnect(), "it outlived its client");
    })
}

/// Sends a request, waits until the gateway serves it, sends what follows, and leaves.
fn leave(gateway: &Gateway, request: &Request, leftover: &[u8], reset: bool) {
    let mut client = gateway.client();
    client.send(&request.bytes());
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    client.send(leftover);
    if reset {
        client.reset();
    }
}

#[test]
fn c10_a_client_that_leaves_behind_unread_bytes_is_noticed() {
    let upstream = silent();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut count = 0;
    for (name, leftover) in leftovers() {
        for request in [Request::chat("m"), Request::stream("m")] {
            for reset in [false, true] {
                leave(&gateway, &request, &leftover, reset);
                count += 1;
                upstream.wait_for_closed(count);
                gateway.wait_until_idle();
                let lines = gateway.access_lines(count);
                assert_eq!(lines.len(), count, "{name}: the next request was served");
                assert_eq!(text(&lines[count - 1], "outcome"), "cancelled", "{name}");
            }
        }
    }
}

#[test]
fn c10_it_is_noticed_over_tls_unix_sockets_and_after_a_half_close() {
    let (authority, upstream) = (CertificateAuthority::new(), silent());
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let tls = with_tls(Setup::with_upstream(&upstream), &issued, "").start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listen = format!("unix:{}", path.display());
    let unix = Setup::with_upstream(&upstream)
        .env("TRUNKLINE_SERVER__LISTEN", &listen)
        .start();
    let plain = Setup::with_upstream(&upstream).start();
    let config = authority.client(&[], None);
    let mut count = 0;
    for (_, rest) in leftovers() {
        for (gateway, mut client) in [
            (&tls, Client::connect_tls(tls.listen, &config)),
            (&unix, Client::connect_unix(&path)),
            (&plain, plain.client()),
        ] {
            client.send(&Request::stream("m").bytes());
            assert_eq!(client.head().status, 200);
            client.send(&rest);
            // A client that ends its own direction has left too, as without these bytes.
            let half_closed = (gateway.listen == plain.listen).then(|| {
                client.shutdown_write();
                client
            });
            count += 1;
            upstream.wait_for_closed(count);
            gateway.wait_until_idle();
            drop(half_closed);
        }
    }
}

#[test]
fn c10_bytes_that_came_with_the_request_hide_no_end() {
    let upstream = silent();
    let gateway = Setup::with_upstream(&upstream).start();
    for (count, (name, rest)) in (1..).zip(leftovers().into_iter().take(3)) {
        let mut client = gateway.client();
        client.send(&[Request::chat("m").bytes(), rest].concat());
        upstream.wait_for_requests(count);
        drop(client);
        upstream.wait_for_closed(count);
        gateway.wait_until_idle();
        assert_eq!(upstream.requests().len(), count, "{name}");
    }
}

#[test]
fn c10_an_upload_that_its_upstream_does_not_read_ends_with_its_client() {
    let gate = Arc::new(Semaphore::default());
    let held = Arc::clone(&gate);
    // Reads nothing, so that the gateway stops reading too.
    let upstream = Upstream::start(move |exchange| {
        exchange.close();
        held.acquire();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    let upload = "POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n\
                Content-Type: application/octet-stream\r\n\r\n";
    client.send(upload.as_bytes());
    upstream.wait_for_requests(1);
    // Until the gateway reads no more.
    let limit = Some(Duration::from_millis(300));
    client.socket().set_write_timeout(limit).unwrap();
    let block = vec![b'x'; 1 << 16];
    while client.try_send(&block).is_ok() {}
    client.reset();
    let line = &gateway.access_lines(1)[0];
    assert_eq!(text(line, "outcome"), "cancelled", "{line}");
    gateway.wait_until_idle();
    gate.release_all();
}

#[test]
fn c10_a_client_that_stays_is_served_to_the_end() {
    let gate = Arc::new(Semaphore::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        held.acquire();
        exchange.send(response::completion("hi"));
    });
    let gateway = Setup::with_upstream(&upstream).start();
    // The first request opens the connection to the upstream.
    gate.release();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    assert_eq!(client.response().status, 200);
    gateway.wait_until_idle();
    let before = gateway.open_descriptors();
    let request = Request::chat("m").bytes();
    client.send(&request.repeat(3));
    for count in 2..=4 {
        upstream.wait_for_requests(count);
        // More bytes wake the gateway, which must not take them for an end.
        client.send(b"\r\n");
        gate.release();
        assert_eq!(client.response().status, 200);
    }
    // It was watched for no longer than it took.
    gateway.wait_until_idle();
    crate::support::wait::until("closed descriptors", || {
        (gateway.open_descriptors() <= before).then_some(())
    });
    client.send(&Request::get("/health").bytes());
    assert_eq!(client.response().status, 200);
}

/// A stream of chat whose body does not end.
fn unended() -> Upstream {
    let events = [response::delta("one"), response::finish()].concat() + response::DONE;
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(&events));
        assert!(exchange.wait_for_disconnect(), "it outlived its client");
    })
}

/// Codex does so.
#[test]
fn ag07_a_client_that_leaves_behind_the_last_event_has_its_response() {
    let upstream = unended();
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .model("m", "up", "real-model")
        .start();
    let responses = r#"{"model":"m","input":"hi","store":false,"stream":true}"#;
    let messages =
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    let requests = [
        (Request::stream("m"), "[DONE]"),
        (
            Request::post("/v1/responses", responses),
            "response.completed",
        ),
        (Request::post("/v1/messages", messages), "message_stop"),
    ];
    for (count, (request, last)) in requests.into_iter().enumerate() {
        let mut client = gateway.client();
        client.send(&request.bytes());
        assert_eq!(client.head().status, 200);
        let mut received = Vec::new();
        while find(&received, last.as_bytes()).is_none() {
            match client.next_frame() {
                BodyFrame::Data(data) => received.extend(data),
                end => panic!("{end:?} after {:?}", String::from_utf8_lossy(&received)),
            }
        }
        drop(client);
        let lines = gateway.access_lines(count + 1);
        assert_eq!(text(&lines[count], "outcome"), "ok", "{last}");
        upstream.wait_for_closed(count + 1);
    }
}
