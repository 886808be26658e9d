//! Clients that disconnect or stall: the upstream request ends at once, and no
//! other client is affected (docs/faults.md, C rows).

use std::sync::Arc;

use crate::support::client::{BodyFrame, Client, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

/// An upstream that reads the request and then waits for the disconnect.
fn silent() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        assert!(
            exchange.wait_for_disconnect(),
            "the request outlived its client"
        );
    })
}

fn endless() -> Upstream {
    Upstream::start(|exchange: &mut Exchange<'_>| {
        exchange.read_body();
        exchange.send(response::stream_head());
        let event = response::chunk(response::delta(&"x".repeat(1000)));
        while exchange.send(&event) {}
    })
}

#[track_caller]
fn cancelled(gateway: &Gateway, count: usize) {
    for line in gateway.access_lines(count) {
        assert_eq!(text(&line, "outcome"), "cancelled", "{line}");
    }
    gateway.wait_until_idle();
    let labels = [("outcome", "cancelled")];
    gateway.await_metric("trunkline_requests_total", &labels, count as f64);
}

#[test]
fn c01_a_client_that_disconnects_within_its_body_starts_no_upstream_request() {
    let upstream = silent();
    let gateway = Setup::with_upstream(&upstream).start();
    let bytes = Request::chat("m").bytes();
    for reset in [false, true] {
        let mut client = gateway.client();
        client.send(&bytes[..bytes.len() - 5]);
        gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        gateway.wait_until_idle();
    }
    assert!(upstream.requests().is_empty());
    cancelled(&gateway, 2);
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
    gateway.finish_without_errors();
}

#[test]
fn c02_a_client_that_disconnects_before_the_response_ends_the_upstream_request() {
    for request in [Request::chat("m"), Request::stream("m")] {
        for reset in [false, true] {
            let upstream = silent();
            let gateway = Setup::with_upstream(&upstream).start();
            let mut client = gateway.client();
            client.send(&request.bytes());
            upstream.wait_for_requests(1);
            if reset {
                client.reset();
            } else {
                drop(client);
            }
            upstream.wait_for_closed(1);
            cancelled(&gateway, 1);
            gateway.finish_without_errors();
        }
    }
}

#[test]
fn c03_a_client_that_disconnects_within_a_stream_ends_it() {
    for reset in [false, true] {
        let upstream = endless();
        let gateway = Setup::with_upstream(&upstream).start();
        let mut client = gateway.client();
        client.send(&Request::stream("m").bytes());
        assert_eq!(client.head().status, 200);
        client.next_frame();
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        upstream.wait_for_closed(1);
        cancelled(&gateway, 1);
    }
}

#[test]
fn c03_a_client_that_disconnects_from_a_silent_stream_ends_it() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        assert!(
            exchange.wait_for_disconnect(),
            "the stream outlived its client"
        );
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.read_exact(response::delta("one").len());
    drop(client);
    upstream.wait_for_closed(1);
    cancelled(&gateway, 1);
}

#[test]
fn c05_a_slow_reader_slows_only_its_own_upstream() {
    const EVENTS: usize = 100_000;
    let sent = Arc::new(wait::Watched::new(0_usize));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::start(move |exchange| {
        let body = exchange.read_body();
        if !String::from_utf8(body).unwrap().contains("\"stream\":true") {
            exchange.send(response::completion("hi"));
            return;
        }
        exchange.send(response::stream_head());
        let event = response::chunk(response::delta(&"x".repeat(1000)));
        for _ in 0..EVENTS {
            if !exchange.send(&event) {
                return;
            }
            counter.with(|sent| *sent += 1);
        }
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut slow = gateway.client();
    socket2::SockRef::from(slow.socket())
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    slow.send(&Request::stream("m").bytes());
    assert_eq!(slow.head().status, 200);
    // The upstream is blocked: the same count, twenty times in a row.
    let mut last = (0, 0);
    wait::until("the upstream to be slowed", || {
        let now = sent.with(|sent| *sent);
        last = if now == last.0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        (last.1 == 20 && now > 0).then_some(())
    });
    assert!(
        last.0 < EVENTS / 4,
        "{} MB were read for a client that reads nothing",
        last.0 / 1000
    );
    for _ in 0..20 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    // All of these bytes can be read now, and the upstream must then get to send
    // more.
    while sent.with(|sent| *sent) <= last.0 {
        assert!(
            matches!(slow.next_frame(), BodyFrame::Data(_)),
            "the stream ended"
        );
    }
    drop(slow);
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
}

#[test]
fn c07_two_hundred_clients_that_disconnect_at_once() {
    const CLIENTS: usize = 200;
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.wait_until_idle();
    let descriptors = || {
        std::fs::read_dir(gateway.proc_dir().join("fd"))
            .unwrap()
            .count()
    };
    let before = descriptors();
    for round in 1..=3 {
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| gateway.client()).collect();
        for client in &mut clients {
            client.send(&Request::stream("m").bytes());
        }
        for client in &mut clients {
            assert_eq!(client.head().status, 200);
        }
        assert!(
            descriptors() >= before + CLIENTS,
            "fewer descriptors than clients: the count is wrong"
        );
        drop(clients);
        upstream.wait_for_closed(CLIENTS * round);
        gateway.wait_until_idle();
    }
    cancelled(&gateway, CLIENTS * 3);
    wait::until("all descriptors to be closed", || {
        (descriptors() <= before + 8).then_some(())
    });
}

#[test]
fn a_client_that_shuts_down_its_sending_side_counts_as_disconnected() {
    let upstream = silent();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    client.shutdown_write();
    upstream.wait_for_closed(1);
    cancelled(&gateway, 1);
}

#[test]
fn a_client_that_disconnects_does_not_affect_other_requests() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        passed.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut clients: Vec<Client> = (0..20).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::stream("m").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.head().status, 200);
    }
    let stay = clients.split_off(10);
    drop(clients);
    gateway.await_metric(
        "trunkline_requests_total",
        &[("outcome", "cancelled")],
        10.0,
    );
    gate.release_all();
    for mut client in stay {
        let (body, complete) = client.read_body();
        assert!(complete);
        assert!(body.ends_with(response::DONE.as_bytes()));
    }
    gateway.wait_until_idle();
}

#[test]
fn a_rejected_client_that_sends_its_body_later_can_reuse_the_connection() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("mine", "key-mine", "")
        .start();
    let mut client = gateway.client();
    let wrong = Request::chat("m").key("key-wrong");
    let body = wrong.body.clone().unwrap();
    for _ in 0..3 {
        client.send(&wrong.head(&format!("Content-Length: {}\r\n", body.len())));
        std::thread::sleep(std::time::Duration::from_millis(30));
        client.send(&body);
        let response = client.response();
        crate::support::assert_response::error(&response, 401, "invalid_api_key", None);
        assert_eq!(response.header("connection"), None);
    }
    // A body too long to discard ends the connection, and the response announces it.
    let mut client = gateway.client();
    client.send(&wrong.head("Content-Length: 10000000\r\n"));
    let _ = client.try_send(&vec![b'x'; 1_000_000]);
    let response = client.response();
    crate::support::assert_response::error(&response, 401, "invalid_api_key", None);
    assert_eq!(response.header("connection"), Some("close"));
}
