//! Limits in time on an attempt: each of a provider's, and of a model's own.

use std::sync::Arc;
use std::time::Duration;

use crate::routing::failover::{good, in_order};
use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::Gate;

/// Longer than any test waits.
const LONG: &str = "10m";

fn silent() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        assert!(exchange.gateway_left(), "the attempt outlived its limit");
    })
}

/// Sends a head, and then comments for as long as they are taken.
fn busy_without_an_event(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    exchange.send(reply::stream_head());
    while exchange.send(reply::chunk(": working\n\n")) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn timed_out(gateway: &Gateway, answer: &Answer) {
    let line = gateway.access_line(&answer.request_id());
    assert_eq!(text(&line, "outcome"), "timeout");
}

/// The model `m` of the provider `up`, with limits of its own.
fn limited(upstream: &Upstream, of_provider: &str, of_model: &str) -> Setup {
    Setup::new()
        .provider(
            "up",
            &upstream.base_url(),
            &format!("timeouts = {{ {of_provider} }}"),
        )
        .section(&format!(
            "[models.m]\nprovider = \"up\"\ntimeouts = {{ {of_model} }}\n\
             [models.patient]\nprovider = \"up\""
        ))
}

#[test]
fn a_models_own_limits_go_before_its_providers() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"patient\"") {
            std::thread::sleep(Duration::from_millis(600));
            exchange.send(reply::completion("late"));
        } else {
            assert!(exchange.gateway_left());
        }
    });
    let of_provider = format!("head = \"{LONG}\"");
    let gateway = limited(&upstream, &of_provider, "head = \"200ms\"").start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_response::error(&answer, 504, "upstream_timeout", None);
    timed_out(&gateway, &answer);
    assert_eq!(gateway.ask(&Request::chat("patient")).status, 200);
    assert_eq!(gateway.ask(&Request::chat("up/patient")).status, 200);
    gateway.settle();
}

#[test]
fn a_model_can_take_a_limit_of_its_provider_away() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        std::thread::sleep(Duration::from_millis(600));
        exchange.send(reply::completion("late"));
    });
    let of_provider = "total = \"200ms\", first_event = \"200ms\"";
    let gateway = limited(
        &upstream,
        of_provider,
        "total = \"off\", first_event = \"off\"",
    )
    .start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let answer = gateway.ask(&Request::chat("patient"));
    assert_response::error(&answer, 504, "upstream_timeout", None);
}

#[test]
fn a_fallback_keeps_its_own_limits() {
    let (stuck, slow) = (
        silent(),
        Upstream::start(|exchange| {
            exchange.read_body();
            std::thread::sleep(Duration::from_millis(600));
            exchange.send(reply::completion("late"));
        }),
    );
    let gateway = Setup::over(&stuck)
        .section(
            "timeouts = { head = \"200ms\" }\nretry = { processed = true }\nfallbacks = [\"n\"]",
        )
        .provider("slow", &slow.base_url(), "")
        .model("n", "slow", "x")
        .start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("late"));
    stuck.ended(1);
}

#[test]
fn u05_a_first_event_that_does_not_come_ends_a_stream_that_has_begun() {
    let upstream = Upstream::start(busy_without_an_event);
    let gateway = limited(&upstream, "first_event = \"300ms\"", "").start();
    let answer = gateway.ask(&Request::stream("m"));
    let before = assert_response::stream_error(&answer, "upstream_stalled");
    assert!(before.starts_with(b": working\n\n"));
    timed_out(&gateway, &answer);
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn u05_silence_before_the_head_is_no_first_event_either() {
    let upstream = silent();
    let gateway = limited(&upstream, "first_event = \"200ms\"", "").start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 504, "upstream_timeout", None);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        timed_out(&gateway, &answer);
    }
    upstream.ended(2);
}

#[test]
fn a_first_byte_that_does_not_come_breaks_an_answer_off() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let headers = ["Content-Type: application/json", "Content-Length: 100"];
        exchange.send(reply::head("200 OK", &headers));
        assert!(exchange.gateway_left());
    });
    let gateway = limited(&upstream, "first_event = \"200ms\"", "").start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!((answer.status, answer.complete), (200, false));
    timed_out(&gateway, &answer);
    upstream.ended(1);
}

#[test]
fn once_the_first_event_is_there_its_limit_is_over() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        std::thread::sleep(Duration::from_millis(900));
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let gateway = limited(&upstream, "first_event = \"500ms\"", "").start();
    let answer = gateway.ask(&Request::stream("m"));
    assert!(answer.complete);
    assert!(answer.text().ends_with(reply::DONE), "{}", answer.text());
}

/// Two targets, of which the first one answers like this.
fn before_a_good_one(
    first: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
    lines: &str,
) -> (Upstream, Upstream, Gateway) {
    let (slow, fine) = (Upstream::start(first), good());
    let gateway = in_order(&[slow.base_url(), fine.base_url()], lines).start();
    (slow, fine, gateway)
}

#[test]
fn with_another_target_left_a_missing_first_event_goes_there_or_is_an_error() {
    let limit = "timeouts = { first_event = \"300ms\" }";
    let (slow, fine, gateway) = before_a_good_one(busy_without_an_event, limit);
    let answer = gateway.ask(&Request::stream("m"));
    assert_response::error(&answer, 504, "upstream_timeout", None);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    slow.ended(1);
    assert!(fine.requests().is_empty(), "it may have been processed");

    let lines = format!("{limit}\nretry = {{ processed = true }}");
    let (slow, fine, gateway) = before_a_good_one(busy_without_an_event, &lines);
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("working") && answer.text().ends_with(reply::DONE));
    slow.ended(1);
    assert_eq!(fine.requests().len(), 1);
}

#[test]
fn with_another_target_left_an_answer_counts_from_its_first_byte() {
    let lines = "timeouts = { first_event = \"300ms\" }\nretry = { processed = true }";
    let headers = ["Content-Type: application/json", "Content-Length: 100"];
    let head = reply::head("200 OK", &headers);
    let stuck = head.clone();
    let (slow, _fine, gateway) = before_a_good_one(
        move |exchange| {
            exchange.read_body();
            exchange.send(&stuck);
            assert!(exchange.gateway_left());
        },
        lines,
    );
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    slow.ended(1);
    let (_slow, fine, gateway) = before_a_good_one(
        move |exchange| {
            exchange.read_body();
            exchange.send(&head);
            exchange.close();
        },
        "retry = { processed = true }",
    );
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(fine.requests().len(), 1);
}

#[test]
fn an_error_whose_words_do_not_come_holds_nobody_up() {
    let headers = ["Content-Type: application/json", "Content-Length: 100"];
    let head = reply::head("500 Internal Server Error", &headers);
    for limit in ["first_event", "total"] {
        let head = head.clone();
        let lines = format!("timeouts = {{ gap = \"{LONG}\", {limit} = \"300ms\" }}");
        let (slow, fine, gateway) = before_a_good_one(
            move |exchange| {
                exchange.read_body();
                exchange.send(&head);
                assert!(exchange.gateway_left());
            },
            &lines,
        );
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
        slow.ended(1);
        assert_eq!(fine.requests().len(), 1);
    }
}

#[test]
fn u04_a_tls_handshake_has_a_limit_of_its_own() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let upstream = Upstream::raw("https", move |_socket| {
        held.pass();
    });
    let limits = format!("connect = \"{LONG}\", tls = \"200ms\"");
    let gateway = limited(&upstream, &limits, "").start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 504, "upstream_connect_timeout", None);
        timed_out(&gateway, &answer);
    }
    gate.open_for_good();
}
