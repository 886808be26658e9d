//! Promise 6, bounds: sizes, numbers and times, each refused with its own
//! answer while everyone else is served.

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Answer, Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;

/// A chat body of exactly this many bytes.
fn body_of(size: usize) -> String {
    let frame = r#"{"model":"m","fill":""}"#;
    frame.replace(":\"\"", &format!(":\"{}\"", "x".repeat(size - frame.len())))
}

fn post(size: usize) -> Request {
    Request::post("/v1/chat/completions", body_of(size))
}

/// An upstream that answers only once the gate is open.
fn held(gate: &Arc<Gate>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        exchange.read_body();
        gate.pass();
        exchange.send(reply::completion("hi"));
    })
}

#[track_caller]
fn overloaded(answer: &Answer) {
    assert_response::error(answer, 503, "overloaded", None);
    let after = answer.header("retry-after").expect("a retry-after");
    assert!(after.parse::<u32>().is_ok(), "{after}");
    assert_ne!(answer.header("x-should-retry"), Some("false"));
}

fn shed(gateway: &Gateway) -> f64 {
    gateway
        .metrics()
        .sum("trunkline_shed_total", &[])
        .unwrap_or_default()
}

#[test]
fn j12_a_body_at_its_limit_passes_and_one_byte_more_does_not() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("max_body = \"10KiB\"")
        .start();
    assert_eq!(gateway.ask(&post(10 * 1024)).status, 200);
    assert_response::error(
        &gateway.ask(&post(10 * 1024 + 1)),
        413,
        "request_too_large",
        None,
    );
    let mut client = gateway.client();
    client.send(&post(10 * 1024).chunked(&[1000]));
    assert_eq!(client.answer().status, 200);
    let mut client = gateway.client();
    let _ = client.try_send(&post(10 * 1024 + 1).chunked(&[1000]));
    assert_response::error(&client.answer(), 413, "request_too_large", None);
    assert_eq!(upstream.requests().len(), 2);
    gateway.settle();
}

#[test]
fn j12_a_length_beyond_the_limit_is_refused_before_the_body() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    for length in ["10000000000", "9223372036854775807", "18446744073709551615"] {
        let mut client = gateway.client();
        let head = Request::post("/v1/chat/completions", "")
            .head(&format!("Content-Length: {length}\r\n"));
        client.send(&head);
        if let Some(head) = client.try_head() {
            // A length that is no length hyper refuses by itself.
            let bare = length.len() > 19 && [400, 431].contains(&head.status);
            assert!(head.status == 413 || bare, "{length}: {}", head.status);
            client.rest();
        }
        client.assert_closed();
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_endless_chunked_body_is_cut() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).server("max_body = \"1MiB\"").start();
    let mut client = gateway.client();
    client.send(&Request::post("/v1/chat/completions", "").head("Transfer-Encoding: chunked\r\n"));
    let chunk = reply::chunk("x".repeat(64 * 1024));
    // After its answer the gateway reads on within bounds, so that the answer
    // is not lost; then it is over.
    let taken = (0..4000)
        .take_while(|_| client.try_send(&chunk).is_ok())
        .count();
    assert!(taken < 4000, "256 MiB went into a limit of 1 MiB");
    assert!(upstream.requests().is_empty());
    gateway.settle();
}

#[test]
fn l03_requests_beyond_the_number_in_flight_are_shed() {
    let gate = Arc::new(Gate::default());
    let upstream = held(&gate);
    let gateway = Setup::over(&upstream).server("max_in_flight = 3").start();
    let mut clients: Vec<Client> = (0..3).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    upstream.arrived(3);
    for _ in 0..5 {
        overloaded(&gateway.ask(&Request::chat("m")));
    }
    assert!((shed(&gateway) - 5.0).abs() < 1e-9, "{}", shed(&gateway));
    gateway.await_metric("trunkline_requests_total", &[("outcome", "shed")], 5.0);
    gate.open_for_good();
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    gateway.settle();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_providers_own_number_in_flight_holds_only_for_it() {
    let gate = Arc::new(Gate::default());
    let (slow, quick) = (held(&gate), Upstream::answering(reply::completion("hi")));
    let gateway = Setup::over(&slow)
        .section("[providers.up.pool]\nmax_in_flight = 1\nwait = \"100ms\"")
        .provider("quick", &quick.base_url(), "")
        .model("q", "quick", "x")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    slow.arrived(1);
    overloaded(&gateway.ask(&Request::chat("m")));
    assert_eq!(gateway.ask(&Request::chat("q")).status, 200);
    gate.open_for_good();
    assert_eq!(first.answer().status, 200);
    gateway.settle();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
}

#[test]
fn a_request_waits_for_a_place_at_its_provider() {
    let gate = Arc::new(Gate::default());
    let upstream = held(&gate);
    let gateway = Setup::over(&upstream)
        .section("[providers.up.pool]\nmax_in_flight = 1\nwait = \"20s\"")
        .start();
    let mut clients = [gateway.client(), gateway.client()];
    for client in &mut clients {
        client.send(&Request::chat("m").bytes());
    }
    upstream.arrived(1);
    gateway.await_metric("trunkline_requests_in_flight", &[], 2.0);
    assert_eq!(upstream.requests().len(), 1);
    gate.open_for_good();
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn j19_bodies_held_at_once_are_bounded_in_total() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("max_body = \"64KiB\"\nmax_buffered = \"100KiB\"")
        .start();
    let mut half_sent = gateway.client();
    let bytes = post(60 * 1024).bytes();
    half_sent.send(&bytes[..bytes.len() - 1]);
    wait::until("the first body to be held", || {
        let held = gateway.metrics().sum("trunkline_buffered_bytes", &[])?;
        (held >= 50.0 * 1024.0).then_some(())
    });
    overloaded(&gateway.ask(&post(60 * 1024)));
    assert_eq!(
        gateway.ask(&post(1024)).status,
        200,
        "a small one has its place"
    );
    half_sent.send(&bytes[bytes.len() - 1..]);
    assert_eq!(half_sent.answer().status, 200);
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
    assert_eq!(gateway.ask(&post(60 * 1024)).status, 200);
}

#[test]
fn a_slow_body_is_cut_and_goes_nowhere() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("body_timeout = \"300ms\"")
        .start();
    let bytes = post(5000).bytes();
    let mut client = gateway.client();
    client.send(&bytes[..bytes.len() - 10]);
    let answer = client.answer();
    assert_response::error(&answer, 408, "request_timeout", None);
    client.assert_closed();
    assert!(upstream.requests().is_empty());
    gateway.settle();
    gateway.await_metric("trunkline_buffered_bytes", &[], 0.0);
}

#[test]
fn a_resting_connection_is_closed_in_the_end() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("idle_timeout = \"300ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    assert_eq!(client.answer().status, 200);
    client.assert_closed();
}

#[test]
fn l02_connections_beyond_their_number_do_not_harm_the_others() {
    let gate = Arc::new(Gate::default());
    let upstream = held(&gate);
    let gateway = Setup::over(&upstream)
        .server("max_connections = 4\nworkers = 1")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    upstream.arrived(1);
    let mut more: Vec<Client> = (0..10).map(|_| gateway.client()).collect();
    for client in &mut more {
        let _ = client.try_send(&Request::chat("m").bytes());
    }
    gate.open_for_good();
    assert_eq!(first.answer().status, 200, "an established one was harmed");
    drop(first);
    // Each of the others is served, told off, or closed; none hangs, and as
    // each leaves there is room for those that wait.
    for mut client in more {
        if let Some(head) = client.try_head() {
            assert!([200, 503].contains(&head.status), "{}", head.status);
        }
    }
    gateway.settle();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
}
