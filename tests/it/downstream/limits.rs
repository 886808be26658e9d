//! Limits on sizes, numbers and times, each with its own error while other clients
//! are served.

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

/// A chat body of exactly `size` bytes.
fn body_of(size: usize) -> String {
    let frame = r#"{"model":"m","fill":""}"#;
    frame.replace(":\"\"", &format!(":\"{}\"", "x".repeat(size - frame.len())))
}

fn post(size: usize) -> Request {
    Request::post("/v1/chat/completions", body_of(size))
}

#[track_caller]
fn assert_overloaded(response: &Response) {
    assert_response::error(response, 503, "overloaded", None);
    let after = response.header("retry-after").expect("a retry-after");
    assert!(after.parse::<u32>().is_ok(), "{after}");
    assert_ne!(response.header("x-should-retry"), Some("false"));
}

fn shed_requests(gateway: &Gateway) -> f64 {
    gateway
        .metrics()
        .sum("trunkline_shed_total", &[])
        .unwrap_or_default()
}

#[test]
fn j12_a_body_at_the_limit_is_accepted_and_one_byte_more_is_not() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("max_body = \"10KiB\"")
        .start();
    assert_eq!(gateway.send(&post(10 * 1024)).status, 200);
    assert_response::error(
        &gateway.send(&post(10 * 1024 + 1)),
        413,
        "request_too_large",
        None,
    );
    let mut client = gateway.client();
    client.send(&post(10 * 1024).chunked(&[1000]));
    assert_eq!(client.response().status, 200);
    let mut client = gateway.client();
    let _ = client.try_send(&post(10 * 1024 + 1).chunked(&[1000]));
    assert_response::error(&client.response(), 413, "request_too_large", None);
    assert_eq!(upstream.requests().len(), 2);
    gateway.wait_until_idle();
}

#[test]
fn j12_a_length_over_the_limit_is_rejected_before_the_body() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for length in ["10000000000", "9223372036854775807", "18446744073709551615"] {
        let mut client = gateway.client();
        let head = Request::post("/v1/chat/completions", "")
            .head(&format!("Content-Length: {length}\r\n"));
        client.send(&head);
        if let Some(head) = client.try_head() {
            // hyper itself rejects an invalid length.
            let bare = length.len() > 19 && [400, 431].contains(&head.status);
            assert!(head.status == 413 || bare, "{length}: {}", head.status);
            client.read_body();
        }
        client.assert_closed();
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_endless_chunked_body_is_cut_off() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("max_body = \"1MiB\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::post("/v1/chat/completions", "").head("Transfer-Encoding: chunked\r\n"));
    let chunk = response::chunk("x".repeat(64 * 1024));
    // After its response the gateway discards a bounded part of the body, so that
    // the response is not lost to a reset; then it closes.
    let accepted = (0..4000)
        .take_while(|_| client.try_send(&chunk).is_ok())
        .count();
    assert!(
        accepted < 4000,
        "256 MiB were accepted under a limit of 1 MiB"
    );
    assert!(upstream.requests().is_empty());
    gateway.wait_until_idle();
}

#[test]
fn l03_requests_over_the_limit_in_flight_are_shed() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .server("max_in_flight = 3")
        .start();
    let mut clients: Vec<Client> = (0..3).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    upstream.wait_for_requests(3);
    for _ in 0..5 {
        assert_overloaded(&gateway.send(&Request::chat("m")));
    }
    assert!(
        (shed_requests(&gateway) - 5.0).abs() < 1e-9,
        "{}",
        shed_requests(&gateway)
    );
    gateway.await_metric("trunkline_requests_total", &[("outcome", "shed")], 5.0);
    gate.release_all();
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    gateway.wait_until_idle();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_providers_limit_in_flight_applies_only_to_it() {
    let gate = Arc::new(Semaphore::default());
    let (slow, quick) = (
        Upstream::gated(&gate),
        Upstream::with_response(response::completion("hi")),
    );
    let gateway = Setup::with_upstream(&slow)
        .section("[providers.up.pool]\nmax_in_flight = 1\nacquire_timeout = \"100ms\"")
        .provider("quick", &quick.base_url(), "")
        .model("q", "quick", "x")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    slow.wait_for_requests(1);
    assert_overloaded(&gateway.send(&Request::chat("m")));
    assert_eq!(gateway.send(&Request::chat("q")).status, 200);
    gate.release_all();
    assert_eq!(first.response().status, 200);
    gateway.wait_until_idle();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn a_request_waits_for_a_permit_at_its_provider() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.up.pool]\nmax_in_flight = 1\nacquire_timeout = \"20s\"")
        .start();
    let mut clients = [gateway.client(), gateway.client()];
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    upstream.wait_for_requests(1);
    gateway.await_metric("trunkline_requests_in_flight", &[], 2.0);
    assert_eq!(upstream.requests().len(), 1);
    gate.release_all();
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn j19_buffered_bodies_are_bounded_in_total() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("max_body = \"64KiB\"\nmax_buffered = \"100KiB\"")
        .start();
    let mut half_sent = gateway.client();
    let bytes = post(60 * 1024).bytes();
    half_sent.send(&bytes[..bytes.len() - 1]);
    wait::until("the first body to be buffered", || {
        let held = gateway.metrics().sum("trunkline_buffered_bytes", &[])?;
        (held >= 50.0 * 1024.0).then_some(())
    });
    assert_overloaded(&gateway.send(&post(60 * 1024)));
    assert_eq!(gateway.send(&post(1024)).status, 200, "a small one fits");
    half_sent.send(&bytes[bytes.len() - 1..]);
    assert_eq!(half_sent.response().status, 200);
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
    assert_eq!(gateway.send(&post(60 * 1024)).status, 200);
}

#[test]
fn a_slow_body_is_rejected_and_not_forwarded() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("body_timeout = \"300ms\"")
        .start();
    let bytes = post(5000).bytes();
    let mut client = gateway.client();
    client.send(&bytes[..bytes.len() - 10]);
    let response = client.response();
    assert_response::error(&response, 408, "request_timeout", None);
    client.assert_closed();
    assert!(upstream.requests().is_empty());
    gateway.wait_until_idle();
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
}

#[test]
fn an_idle_connection_is_closed_eventually() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("idle_timeout = \"300ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    assert_eq!(client.response().status, 200);
    client.assert_closed();
}

#[test]
fn l02_connections_over_the_limit_do_not_affect_others() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .server("max_connections = 4\nworkers = 1")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    let mut more: Vec<Client> = (0..10).map(|_| gateway.client()).collect();
    for client in &mut more {
        let _ = client.try_send(&Request::chat("m").bytes());
    }
    gate.release_all();
    assert_eq!(
        first.response().status,
        200,
        "an established connection was affected"
    );
    drop(first);
    // Each of the others is served, rejected or closed; none hangs, and each that
    // ends makes room for one that waits.
    for mut client in more {
        if let Some(head) = client.try_head() {
            assert!([200, 503].contains(&head.status), "{}", head.status);
        }
    }
    gateway.wait_until_idle();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}
