//! Timeouts of an attempt, set per provider and per model.

use std::sync::Arc;
use std::time::Duration;

use crate::routing::failover::{healthy_upstream, in_order};
use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

/// Longer than any test waits.
const LONG: &str = "10m";

fn silent() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        assert!(
            exchange.wait_for_disconnect(),
            "the attempt outlived its limit"
        );
    })
}

/// Sends a head, then comments until the connection ends.
fn send_comments_only(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    exchange.send(response::stream_head());
    while exchange.send(response::chunk(": working\n\n")) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn assert_timed_out(gateway: &Gateway, response: &Response) {
    let line = gateway.access_line(&response.request_id());
    assert_eq!(text(&line, "outcome"), "timeout");
}

/// The model `m` of the provider `up`, with its own timeouts.
fn with_timeouts(upstream: &Upstream, provider_timeouts: &str, model_timeouts: &str) -> Setup {
    Setup::new()
        .provider(
            "up",
            &upstream.base_url(),
            &format!("timeouts = {{ {provider_timeouts} }}"),
        )
        .section(&format!(
            "[models.m]\nprovider = \"up\"\ntimeouts = {{ {model_timeouts} }}\n\
             [models.patient]\nprovider = \"up\""
        ))
}

#[test]
fn a_models_timeouts_override_its_providers() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"patient\"") {
            std::thread::sleep(Duration::from_millis(600));
            exchange.send(response::completion("late"));
        } else {
            assert!(exchange.wait_for_disconnect());
        }
    });
    let provider_timeouts = format!("response_header = \"{LONG}\"");
    let gateway =
        with_timeouts(&upstream, &provider_timeouts, "response_header = \"200ms\"").start();
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 504, "upstream_timeout", None);
    assert_timed_out(&gateway, &response);
    assert_eq!(gateway.send(&Request::chat("patient")).status, 200);
    assert_eq!(gateway.send(&Request::chat("up/patient")).status, 200);
    gateway.wait_until_idle();
}

#[test]
fn a_model_can_disable_a_timeout_of_its_provider() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        std::thread::sleep(Duration::from_millis(600));
        exchange.send(response::completion("late"));
    });
    let provider_timeouts = "total = \"200ms\", first_event = \"200ms\"";
    let gateway = with_timeouts(
        &upstream,
        provider_timeouts,
        "total = \"off\", first_event = \"off\"",
    )
    .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let response = gateway.send(&Request::chat("patient"));
    assert_response::error(&response, 504, "upstream_timeout", None);
}

#[test]
fn a_fallback_has_its_own_timeouts() {
    let (silent_upstream, slow) = (
        silent(),
        Upstream::start(|exchange| {
            exchange.read_body();
            std::thread::sleep(Duration::from_millis(600));
            exchange.send(response::completion("late"));
        }),
    );
    let gateway = Setup::with_upstream(&silent_upstream)
        .section(
            "timeouts = { response_header = \"200ms\" }\nretry = { non_idempotent = true }\nfallbacks = [\"n\"]",
        )
        .provider("slow", &slow.base_url(), "")
        .model("n", "slow", "x")
        .start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.text().contains("late"));
    silent_upstream.wait_for_closed(1);
}

#[test]
fn u05_a_missing_first_event_ends_a_stream_that_has_begun() {
    let upstream = Upstream::start(send_comments_only);
    let gateway = with_timeouts(&upstream, "first_event = \"300ms\"", "").start();
    let response = gateway.send(&Request::stream("m"));
    let before = assert_response::stream_error(&response, "upstream_stalled");
    assert!(before.starts_with(b": working\n\n"));
    assert_timed_out(&gateway, &response);
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
}

#[test]
fn u05_silence_before_the_head_counts_towards_the_first_event() {
    let upstream = silent();
    let gateway = with_timeouts(&upstream, "first_event = \"200ms\"", "").start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let response = gateway.send(&request);
        assert_response::error(&response, 504, "upstream_timeout", None);
        assert_eq!(response.header("x-should-retry"), Some("false"));
        assert_timed_out(&gateway, &response);
    }
    upstream.wait_for_closed(2);
}

#[test]
fn a_missing_first_byte_aborts_a_response() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let headers = ["Content-Type: application/json", "Content-Length: 100"];
        exchange.send(response::head("200 OK", &headers));
        assert!(exchange.wait_for_disconnect());
    });
    let gateway = with_timeouts(&upstream, "first_event = \"200ms\"", "").start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!((response.status, response.complete), (200, false));
    assert_timed_out(&gateway, &response);
    upstream.wait_for_closed(1);
}

#[test]
fn the_first_event_timeout_ends_with_the_first_event() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        std::thread::sleep(Duration::from_millis(900));
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = with_timeouts(&upstream, "first_event = \"500ms\"", "").start();
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    assert!(
        response.text().ends_with(response::DONE),
        "{}",
        response.text()
    );
}

/// Two targets, the first of which runs this script.
fn before_healthy_target(
    first: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
    lines: &str,
) -> (Upstream, Upstream, Gateway) {
    let (slow, fine) = (Upstream::start(first), healthy_upstream());
    let gateway = in_order(&[slow.base_url(), fine.base_url()], lines).start();
    (slow, fine, gateway)
}

#[test]
fn with_another_target_a_missing_first_event_fails_over_or_is_an_error() {
    let limit = "timeouts = { first_event = \"300ms\" }";
    let (slow, fine, gateway) = before_healthy_target(send_comments_only, limit);
    let response = gateway.send(&Request::stream("m"));
    assert_response::error(&response, 504, "upstream_timeout", None);
    assert_eq!(response.header("x-should-retry"), Some("false"));
    slow.wait_for_closed(1);
    assert!(fine.requests().is_empty(), "it may have been processed");

    let lines = format!("{limit}\nretry = {{ non_idempotent = true }}");
    let (slow, fine, gateway) = before_healthy_target(send_comments_only, &lines);
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(!response.text().contains("working") && response.text().ends_with(response::DONE));
    slow.wait_for_closed(1);
    assert_eq!(fine.requests().len(), 1);
}

#[test]
fn with_another_target_a_response_counts_from_its_first_byte() {
    let lines = "timeouts = { first_event = \"300ms\" }\nretry = { non_idempotent = true }";
    let headers = ["Content-Type: application/json", "Content-Length: 100"];
    let head = response::head("200 OK", &headers);
    let silent_upstream = head.clone();
    let (slow, _fine, gateway) = before_healthy_target(
        move |exchange| {
            exchange.read_body();
            exchange.send(&silent_upstream);
            assert!(exchange.wait_for_disconnect());
        },
        lines,
    );
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    slow.wait_for_closed(1);
    let (_slow, fine, gateway) = before_healthy_target(
        move |exchange| {
            exchange.read_body();
            exchange.send(&head);
            exchange.close();
        },
        "retry = { non_idempotent = true }",
    );
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(fine.requests().len(), 1);
}

#[test]
fn an_error_whose_body_does_not_arrive_delays_no_failover() {
    let headers = ["Content-Type: application/json", "Content-Length: 100"];
    let head = response::head("500 Internal Server Error", &headers);
    for limit in ["first_event", "total"] {
        let head = head.clone();
        let lines = format!("timeouts = {{ idle = \"{LONG}\", {limit} = \"300ms\" }}");
        let (slow, fine, gateway) = before_healthy_target(
            move |exchange| {
                exchange.read_body();
                exchange.send(&head);
                assert!(exchange.wait_for_disconnect());
            },
            &lines,
        );
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
        slow.wait_for_closed(1);
        assert_eq!(fine.requests().len(), 1);
    }
}

#[test]
fn u04_a_tls_handshake_has_its_own_timeout() {
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let upstream = Upstream::raw("https", move |_socket| {
        gate_of_upstream.acquire();
    });
    let limits = format!("connect = \"{LONG}\", tls = \"200ms\"");
    let gateway = with_timeouts(&upstream, &limits, "").start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let response = gateway.send(&request);
        assert_response::error(&response, 504, "upstream_connect_timeout", None);
        assert_timed_out(&gateway, &response);
    }
    gate.release_all();
}
