//! Callers who are slow to ask, or many, harm themselves alone (FAULTS, L).

use std::sync::Arc;
use std::time::Duration;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, reply};
use crate::support::wait::Gate;

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
        assert_response::error(&answer, 503, "overloaded", None);
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
        assert_response::error(&client.answer(), 408, "request_timeout", None);
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
    assert_response::error(&client.answer(), 408, "request_timeout", None);
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
