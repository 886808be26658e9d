//! Slow or numerous clients affect only themselves (docs/faults.md, L rows).

use std::sync::Arc;
use std::time::Duration;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

#[test]
fn l07_one_upstream_that_hangs_does_not_affect_the_others() {
    const HANGING: usize = 200;
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let hanging = Upstream::start(move |exchange| {
        exchange.read_body();
        gate_of_upstream.acquire();
        exchange.send(response::completion("late"));
    });
    let quick = Upstream::with_response(response::completion("hi"));
    let permits = HANGING - 50;
    let gateway = Setup::with_upstream(&hanging)
        .server("max_in_flight = 250")
        .section(&format!(
            "[providers.up.pool]\nmax_in_flight = {permits}\nacquire_timeout = \"20s\""
        ))
        .provider("quick", &quick.base_url(), "")
        .model("q", "quick", "x")
        .start();
    let mut clients: Vec<Client> = (0..HANGING).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    // All workers together let this many requests through.
    hanging.wait_for_requests(permits);
    gateway.await_metric("trunkline_requests_in_flight", &[], HANGING as f64);
    for _ in 0..50 {
        assert_eq!(gateway.send(&Request::chat("q")).status, 200);
    }
    assert_eq!(hanging.requests().len(), permits);
    gate.release_all();
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn a_full_provider_is_counted() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.up.pool]\nmax_in_flight = 1\nacquire_timeout = \"0s\"")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    for _ in 0..3 {
        let response = gateway.send(&Request::chat("m"));
        assert_response::error(&response, 503, "overloaded", None);
        assert!(response.header("retry-after").is_some());
    }
    let shed = [("reason", "provider_in_flight")];
    gateway.await_metric("trunkline_shed_total", &shed, 3.0);
    gate.release_all();
    assert_eq!(first.response().status, 200);
}

#[test]
fn stalled_bodies_time_out_and_affect_no_other_request() {
    const HALF_SENT: usize = 500;
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("body_idle_timeout = \"1500ms\"")
        .start();
    let bytes = Request::chat("m").bytes();
    let mut clients: Vec<Client> = (0..HALF_SENT).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&bytes[..bytes.len() - 10]);
    }
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    for client in &mut clients {
        assert_response::error(&client.response(), 408, "request_timeout", None);
    }
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 2);
    gateway.wait_until_idle();
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
}

#[test]
fn a_trickling_body_times_out() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("body_idle_timeout = \"10s\"\nbody_timeout = \"600ms\"")
        .start();
    let bytes = Request::chat("m").bytes();
    let head = bytes.len() - 60;
    let mut client = gateway.client();
    client.send(&bytes[..head]);
    // No chunk is late by itself; the body as a whole is, and its last byte would
    // arrive last.
    let sent = bytes[head..].iter().take_while(|byte| {
        std::thread::sleep(Duration::from_millis(50));
        client.try_send(&[**byte]).is_ok()
    });
    let _ = sent.count();
    assert_response::error(&client.response(), 408, "request_timeout", None);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_body_that_makes_progress_does_not_time_out() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("body_idle_timeout = \"1s\"\nbody_min_rate = \"0B\"")
        .start();
    let bytes = Request::chat("m").bytes();
    let (most, last) = bytes.split_at(bytes.len() - 6);
    let mut client = gateway.client();
    client.send(most);
    for byte in last {
        std::thread::sleep(Duration::from_millis(300));
        client.send(&[*byte]);
    }
    assert_eq!(client.response().status, 200);
}

#[test]
fn h1_24_the_header_timeout_starts_with_the_connection() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("header_timeout = \"4s\"")
        .start();
    let mut client = gateway.client();
    let begun = std::time::Instant::now();
    // The first byte, by which the protocol is detected, arrives late.
    std::thread::sleep(Duration::from_secs(3));
    client.send(b"P");
    client.assert_closed();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
}
