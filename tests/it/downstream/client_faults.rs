//! Promise 7, cancel is cancel: what clients do to themselves ends the
//! upstream's work at once and harms nobody else (FAULTS, C rows).

use std::sync::Arc;

use crate::support::client::{Client, Piece, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;

/// An upstream that reads and then only waits for the gateway to leave.
fn silent() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        assert!(exchange.gateway_left(), "the request outlived its client");
    })
}

/// An upstream that streams until nobody takes it any more.
fn endless() -> Upstream {
    Upstream::start(|exchange: &mut Exchange<'_>| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        let event = reply::chunk(reply::delta(&"x".repeat(1000)));
        while exchange.send(&event) {}
    })
}

#[track_caller]
fn cancelled(gateway: &Gateway, count: usize) {
    for line in gateway.access_lines(count) {
        assert_eq!(text(&line, "outcome"), "cancelled", "{line}");
    }
    gateway.settle();
    let labels = [("outcome", "cancelled")];
    gateway.await_metric("trunkline_requests_total", &labels, count as f64);
}

#[test]
fn c01_a_client_that_leaves_inside_its_body_starts_nothing() {
    let upstream = silent();
    let gateway = Setup::over(&upstream).start();
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
        gateway.settle();
    }
    assert!(upstream.requests().is_empty());
    cancelled(&gateway, 2);
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
    assert_eq!(gateway.lines_at("ERROR"), Vec::<String>::new());
}

#[test]
fn c02_a_client_that_leaves_before_the_answer_ends_it() {
    for (name, request) in [
        ("unary", Request::chat("m")),
        ("stream", Request::stream("m")),
    ] {
        for reset in [false, true] {
            let upstream = silent();
            let gateway = Setup::over(&upstream).start();
            let mut client = gateway.client();
            client.send(&request.bytes());
            upstream.arrived(1);
            if reset {
                client.reset();
            } else {
                drop(client);
            }
            upstream.ended(1);
            cancelled(&gateway, 1);
            assert_eq!(gateway.lines_at("ERROR"), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn c03_a_client_that_leaves_inside_a_stream_ends_it() {
    for reset in [false, true] {
        let upstream = endless();
        let gateway = Setup::over(&upstream).start();
        let mut client = gateway.client();
        client.send(&Request::stream("m").bytes());
        assert_eq!(client.head().status, 200);
        client.piece();
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        upstream.ended(1);
        cancelled(&gateway, 1);
    }
}

#[test]
fn c03_a_client_that_leaves_a_quiet_stream_ends_it() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        assert!(exchange.gateway_left(), "the stream outlived its client");
    });
    let gateway = Setup::injecting(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.take(reply::delta("one").len());
    drop(client);
    upstream.ended(1);
    cancelled(&gateway, 1);
}

#[test]
fn c05_a_slow_reader_slows_its_own_upstream_and_nobody_else() {
    const EVENTS: usize = 100_000;
    let sent = Arc::new(wait::Watched::new(0_usize));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::start(move |exchange| {
        let body = exchange.read_body();
        if !String::from_utf8(body).unwrap().contains("\"stream\":true") {
            exchange.send(reply::completion("hi"));
            return;
        }
        exchange.send(reply::stream_head());
        let event = reply::chunk(reply::delta(&"x".repeat(1000)));
        for _ in 0..EVENTS {
            if !exchange.send(&event) {
                return;
            }
            counter.with(|sent| *sent += 1);
        }
    });
    let gateway = Setup::over(&upstream).start();
    let mut slow = gateway.client();
    socket2::SockRef::from(slow.socket())
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    slow.send(&Request::stream("m").bytes());
    assert_eq!(slow.head().status, 200);
    // The upstream comes to a stand: the same count, twenty times in a row.
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
        "{} MB were taken from a reader who reads nothing",
        last.0 / 1000
    );
    for _ in 0..20 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    // All of these bytes are there to be read, and more than the upstream has
    // sent must come of it.
    while sent.with(|sent| *sent) <= last.0 {
        assert!(matches!(slow.piece(), Piece::Data(_)), "the stream ended");
    }
    drop(slow);
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn c07_two_hundred_clients_that_leave_at_once() {
    const CLIENTS: usize = 200;
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        exchange.gateway_left();
    });
    let gateway = Setup::over(&upstream).start();
    gateway.settle();
    let descriptors = || {
        std::fs::read_dir(gateway.process().join("fd"))
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
            "the count of descriptors is not what it seems"
        );
        drop(clients);
        upstream.ended(CLIENTS * round);
        gateway.settle();
    }
    cancelled(&gateway, CLIENTS * 3);
    wait::until("all descriptors to be given back", || {
        (descriptors() <= before + 8).then_some(())
    });
}

#[test]
fn a_client_that_ends_only_its_sending_side_is_seen_to_leave() {
    let upstream = silent();
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.arrived(1);
    client.finish_sending();
    upstream.ended(1);
    cancelled(&gateway, 1);
}

#[test]
fn a_client_that_leaves_does_not_end_its_neighbours() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        passed.pass();
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let gateway = Setup::over(&upstream).start();
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
    gate.open_for_good();
    for mut client in stay {
        let (body, complete) = client.rest();
        assert!(complete);
        assert!(body.ends_with(reply::DONE.as_bytes()));
    }
    gateway.settle();
}

#[test]
fn a_refused_caller_that_sends_head_and_body_apart_can_go_on() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).key("mine", "key-mine", "").start();
    let mut client = gateway.client();
    let wrong = Request::chat("m").key("key-wrong");
    let body = wrong.body.clone().unwrap();
    for _ in 0..3 {
        client.send(&wrong.head(&format!("Content-Length: {}\r\n", body.len())));
        std::thread::sleep(std::time::Duration::from_millis(30));
        client.send(&body);
        let answer = client.answer();
        crate::support::assert_response::error(&answer, 401, "invalid_api_key", None);
        assert_eq!(answer.header("connection"), None);
    }
    // What is too long to be read is the end, and that is said.
    let mut client = gateway.client();
    client.send(&wrong.head("Content-Length: 10000000\r\n"));
    let _ = client.try_send(&vec![b'x'; 1_000_000]);
    let answer = client.answer();
    crate::support::assert_response::error(&answer, 401, "invalid_api_key", None);
    assert_eq!(answer.header("connection"), Some("close"));
}
