//! With another target available, a stream is accepted at its first event. After
//! it, or at the last target, nothing is held back, and streams are never mixed.

use std::sync::Arc;

use crate::routing::failover::{gateway_over, healthy_upstream, in_order};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

const ERROR: &str =
    r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#;

fn streaming(events: &[String]) -> Vec<u8> {
    response::stream(events)
}

fn text_of(events: &[String]) -> String {
    events.concat()
}

fn good_text() -> String {
    text_of(&[
        response::delta("one"),
        response::delta("two"),
        response::finish(),
        response::DONE.to_owned(),
    ])
}

#[test]
fn a_stream_that_begins_with_an_error_fails_over() {
    for bad in [
        streaming(&[]),
        streaming(&[": keep-alive\n\n".to_owned()]),
        streaming(&[response::DONE.to_owned()]),
        streaming(&[response::event(ERROR)]),
        streaming(&[
            ": wait\n\n".to_owned(),
            format!("event: error\n{}", response::event(ERROR)),
        ]),
        streaming(&[format!("data: {ERROR}")]),
        response::with_body("200 OK", &["Content-Type: application/json"], ""),
    ] {
        let (failing, fine) = (Upstream::with_response(&bad), healthy_upstream());
        let gateway = gateway_over(&[&failing, &fine], "");
        let response = gateway.send(&Request::stream("m"));
        let bad = String::from_utf8_lossy(&bad);
        assert_eq!(
            (response.status, response.text()),
            (200, good_text()),
            "{bad}"
        );
        assert!(response.complete);
        assert_eq!(failing.requests().len(), 1);
        gateway.wait_until_idle();
    }
}

#[test]
fn the_last_targets_response_is_forwarded() {
    let bad = streaming(&[response::event(ERROR)]);
    let [one, two] = [(); 2].map(|()| Upstream::with_response(&bad));
    let gateway = gateway_over(&[&one, &two], "");
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(
        (response.status, response.text()),
        (200, response::event(ERROR))
    );
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[test]
fn held_back_bytes_are_forwarded_in_order_and_unchanged() {
    let events = [
        ": a\n\n".to_owned(),
        ": b\r\n\r\n".to_owned(),
        response::delta("one"),
        response::finish(),
        response::DONE.to_owned(),
    ];
    let split: Vec<String> = text_of(&events).chars().map(String::from).collect();
    for parts in [events.to_vec(), split] {
        let [one, two] = [(); 2].map(|()| Upstream::with_response(streaming(&parts)));
        let gateway = gateway_over(&[&one, &two], "");
        let response = gateway.send(&Request::stream("m"));
        assert_eq!(response.text(), text_of(&events));
        assert!(response.complete && two.requests().is_empty());
    }
}

/// Streams these parts, one per permit of the gate.
fn gated_stream(gate: &Arc<Semaphore>, parts: &[String]) -> Upstream {
    let (gate, parts) = (Arc::clone(gate), parts.to_vec());
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for part in &parts {
            exchange.send(response::chunk(part));
            gate.acquire();
        }
        exchange.send(response::LAST_CHUNK);
    })
}

#[test]
fn nothing_is_held_back_after_the_first_event_or_at_the_last_target() {
    let gate = Arc::new(Semaphore::default());
    let parts = [
        ": a\n\n".to_owned(),
        response::delta("one"),
        response::delta("two"),
    ];
    let only = gated_stream(&gate, &parts);
    let gateway = gateway_over(&[&only], "");
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.read_exact(parts[0].len());
    gate.release();
    client.read_exact(parts[1].len());
    gate.release_all();
    let gate = Arc::new(Semaphore::default());
    let (first, spare) = (gated_stream(&gate, &parts), healthy_upstream());
    let gateway = gateway_over(&[&first, &spare], "");
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    gate.release();
    client.head();
    client.read_exact(parts[0].len() + parts[1].len());
    gate.release();
    client.read_exact(parts[2].len());
    gate.release_all();
    assert!(spare.requests().is_empty());
}

#[test]
fn after_the_first_event_there_is_no_failover() {
    let truncated = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        exchange.shutdown_write();
    });
    let spare = healthy_upstream();
    let gateway = gateway_over(&[&truncated, &spare], "retry = { non_idempotent = true }");
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(
        assert_response::stream_error(&response, "upstream_disconnected"),
        response::delta("one").as_bytes()
    );
    assert!(spare.requests().is_empty());
}

/// Sends a head and disconnects.
fn head_only(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    exchange.send(response::stream_head());
    exchange.close();
}

#[test]
fn a_head_without_an_event_counts_as_possibly_processed() {
    let (disconnecting, fine) = (Upstream::start(head_only), healthy_upstream());
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.wait_for_disconnect();
    });
    let bases = [disconnecting.base_url(), silent.base_url(), fine.base_url()];
    let short = "[providers.p1.timeouts]\nidle = \"200ms\"";
    let gateway = in_order(&bases, "").section(short).start();
    assert_response::error(
        &gateway.send(&Request::stream("m")),
        502,
        "upstream_disconnected",
        None,
    );
    let gateway = in_order(&bases[1..], "")
        .section("[providers.p0.timeouts]\nidle = \"200ms\"")
        .start();
    assert_response::error(
        &gateway.send(&Request::stream("m")),
        504,
        "upstream_timeout",
        None,
    );
    assert!(fine.requests().is_empty());
    let gateway = in_order(&bases, "retry = { non_idempotent = true }")
        .section(short)
        .start();
    let response = gateway.send(&Request::stream("m"));
    assert_eq!((response.status, response.text()), (200, good_text()));
}

#[test]
fn a_client_that_disconnects_before_the_first_event_ends_the_upstream_request() {
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        assert!(exchange.wait_for_disconnect());
    });
    let spare = healthy_upstream();
    let gateway = gateway_over(&[&silent, &spare], "");
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    silent.wait_for_requests(1);
    drop(client);
    silent.wait_for_closed(1);
    gateway.wait_until_idle();
    assert!(spare.requests().is_empty());
}
