//! Callers who are slow, or many, harm themselves alone (FAULTS, L, C-05 and
//! H2-11).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::client::{Client, Request};
use crate::gateway::{Gateway, Setup, text};
use crate::judge;
use crate::upstream::{Exchange, Upstream, reply};
use crate::wait::{self, Gate};

/// Streams without end to those who ask for it, and answers the others.
fn endless_or_not(exchange: &mut Exchange<'_>) {
    let body = String::from_utf8(exchange.read_body()).unwrap();
    if !body.contains("\"stream\":true") {
        exchange.send(reply::completion("hi"));
        return;
    }
    exchange.send(reply::stream_head());
    let event = reply::chunk(reply::delta(&"x".repeat(1000)));
    while exchange.send(&event) {}
}

/// A caller who asks for a stream and reads its head alone.
fn reader_of_nothing(gateway: &Gateway) -> Client {
    let mut client = gateway.client();
    socket2::SockRef::from(client.socket())
        .set_recv_buffer_size(4 * 1024)
        .unwrap();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client
}

#[test]
fn l07_one_upstream_that_hangs_does_not_harm_the_others() {
    const HANGING: usize = 200;
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let hanging = Upstream::start(move |exchange| {
        exchange.read_body();
        held.pass();
        exchange.send(reply::completion("late"));
    });
    let quick = Upstream::answering(reply::completion("hi"));
    let places = HANGING - 50;
    let gateway = Setup::over(&hanging)
        .server("max_in_flight = 250")
        .section(&format!(
            "[providers.up.pool]\nmax_in_flight = {places}\nwait = \"20s\""
        ))
        .provider("quick", &quick.base_url(), "")
        .model("q", "quick", "x")
        .start();
    let mut clients: Vec<Client> = (0..HANGING).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    // All workers together leave no more than these to it.
    hanging.arrived(places);
    gateway.await_metric("trunkline_requests_in_flight", &[], HANGING as f64);
    for _ in 0..50 {
        assert_eq!(gateway.ask(&Request::chat("q")).status, 200);
    }
    assert_eq!(hanging.requests().len(), places);
    gate.open_for_good();
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn a_provider_that_is_full_is_counted() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        held.pass();
        exchange.send(reply::completion("hi"));
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.pool]\nmax_in_flight = 1\nwait = \"0s\"")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    upstream.arrived(1);
    for _ in 0..3 {
        let answer = gateway.ask(&Request::chat("m"));
        judge::error(&answer, 503, "overloaded", None);
        assert!(answer.header("retry-after").is_some());
    }
    let shed = [("reason", "provider_in_flight")];
    gateway.await_metric("trunkline_shed_total", &shed, 3.0);
    gate.open_for_good();
    assert_eq!(first.answer().status, 200);
}

#[test]
fn bodies_that_stand_still_are_given_up_and_harm_nobody() {
    const HALF_SENT: usize = 500;
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("body_gap = \"1500ms\"")
        .start();
    let bytes = Request::chat("m").bytes();
    let mut clients: Vec<Client> = (0..HALF_SENT).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&bytes[..bytes.len() - 10]);
    }
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    for client in &mut clients {
        judge::error(&client.answer(), 408, "request_timeout", None);
    }
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 2);
    gateway.settle();
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
}

#[test]
fn a_body_that_trickles_in_may_not_do_so_for_ever() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("body_gap = \"10s\"\nbody_timeout = \"600ms\"")
        .start();
    let bytes = Request::chat("m").bytes();
    let head = bytes.len() - 60;
    let mut client = gateway.client();
    client.send(&bytes[..head]);
    // None of these is late by itself; the body is, and its last byte would be
    // the last to come.
    let sent = bytes[head..].iter().take_while(|byte| {
        std::thread::sleep(Duration::from_millis(50));
        client.try_send(&[**byte]).is_ok()
    });
    let _ = sent.count();
    judge::error(&client.answer(), 408, "request_timeout", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_body_that_goes_on_is_not_given_up() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).server("body_gap = \"1s\"").start();
    let bytes = Request::chat("m").bytes();
    let (most, last) = bytes.split_at(bytes.len() - 6);
    let mut client = gateway.client();
    client.send(most);
    for byte in last {
        std::thread::sleep(Duration::from_millis(300));
        client.send(&[*byte]);
    }
    assert_eq!(client.answer().status, 200);
}

#[test]
fn h1_24_a_head_gets_its_time_from_the_connection_on() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("head_timeout = \"4s\"")
        .start();
    let mut client = gateway.client();
    let begun = std::time::Instant::now();
    // The first byte, which tells the protocol, comes late.
    std::thread::sleep(Duration::from_secs(3));
    client.send(b"P");
    client.assert_closed();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn c05_slow_readers_cost_little_memory() {
    const READERS: usize = 50;
    let sent = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if !body.contains("\"stream\":true") {
            exchange.send(reply::completion("hi"));
            return;
        }
        exchange.send(reply::stream_head());
        let event = reply::chunk(reply::delta(&"x".repeat(1000)));
        while exchange.send(&event) {
            count.fetch_add(event.len(), Ordering::SeqCst);
        }
    });
    let gateway = Setup::over(&upstream)
        .server("write_timeout = \"10m\"")
        .start();
    let resident = || {
        let status = std::fs::read_to_string(gateway.process().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<usize>().unwrap()
    };
    // What is made once is not theirs.
    drop(reader_of_nothing(&gateway));
    upstream.ended(1);
    gateway.settle();
    let before = resident();
    let readers: Vec<Client> = (0..READERS).map(|_| reader_of_nothing(&gateway)).collect();
    // They stand still once all buffers on the way are full, those of the
    // system above all: megabytes for each, which on a busy machine take as
    // long as they take.
    let mut last = (0, 0);
    while last.1 < 50 {
        std::thread::sleep(wait::POLL);
        let now = sent.load(Ordering::SeqCst);
        assert!(now < READERS * (64 << 20), "the upstreams are not slowed");
        last = (now, if now == last.0 { last.1 + 1 } else { 0 });
    }
    let streams = gateway.metrics();
    let streams = streams.sum("trunkline_streams_in_flight", &[]);
    assert_eq!(streams, Some(READERS as f64));
    let each = resident().saturating_sub(before) / READERS;
    assert!(each <= 256, "{each} KiB for each");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    drop(readers);
    gateway.settle();
}

#[test]
#[cfg(target_os = "linux")]
fn a_caller_who_reads_nothing_is_ended_and_its_upstream_with_it() {
    let upstream = Upstream::start(endless_or_not);
    let gateway = Setup::over(&upstream)
        .server("write_timeout = \"1s\"")
        .start();
    let mut reader = reader_of_nothing(&gateway);
    upstream.ended(1);
    gateway.settle();
    let kind = [("kind", "write_timeout")];
    gateway.await_metric("trunkline_connection_errors_total", &kind, 1.0);
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "cancelled");
    assert!(!reader.rest().1, "a cut answer looks whole");
}

#[test]
fn a_caller_who_reads_a_little_now_and_then_is_not() {
    let upstream = Upstream::start(endless_or_not);
    let gateway = Setup::over(&upstream)
        .server("write_timeout = \"1s\"")
        .start();
    let mut reader = reader_of_nothing(&gateway);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..4 {
            let piece = reader.piece();
            assert!(matches!(piece, crate::client::Piece::Data(_)), "{piece:?}");
        }
    }
}
