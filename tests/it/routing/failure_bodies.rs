//! With another target available, a good status with no result in it fails over.

use std::sync::Arc;

use serde_json::json;

use crate::routing::failover::{gateway_over, healthy_upstream, in_order};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::text;
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;
use crate::upstream::failure_bodies::{FAILURES, messages};

/// One response for each way to have no result.
fn useless() -> Vec<Vec<u8>> {
    let kind = ["Content-Type: application/json"];
    let chunked = |kind: &str, body: &str| {
        let head = response::head("200 OK", &[kind, "Transfer-Encoding: chunked"]);
        let body = response::chunk(body);
        [head.as_bytes(), &body, response::LAST_CHUNK].concat()
    };
    let mut all: Vec<_> = FAILURES
        .iter()
        .map(|body| response::json("200 OK", body))
        .collect();
    all.extend([
        response::json("200 OK", ""),
        response::json("200 OK", "null"),
        response::json("200 OK", "Too many requests"),
        response::with_body("200 OK", &kind, ""),
        response::head("204 No Content", &[]).into_bytes(),
        chunked("Content-Type: application/json", FAILURES[0]),
        chunked("Content-Type: text/plain", FAILURES[1]),
        chunked("Content-Type: text/event-stream", FAILURES[1]),
        chunked("Content-Type: text/plain", &response::event(FAILURES[1])),
    ]);
    all
}

#[test]
fn wu04_a_failure_under_a_good_status_fails_over() {
    for bad in useless() {
        for request in [Request::chat("m"), Request::stream("m")] {
            // A gateway for each, since the first failure may eject the target.
            let (failing, fine) = (Upstream::with_response(&bad), healthy_upstream());
            let gateway = gateway_over(&[&failing, &fine], "");
            let response = gateway.send(&request);
            let bad = String::from_utf8_lossy(&bad);
            assert_eq!(response.status, 200, "{bad}");
            assert!(response.complete, "{bad}");
            let content = response.text();
            assert!(
                content.contains("\"hi\"") || content.contains("one"),
                "{bad}: {content}"
            );
            assert_eq!(response.header("x-trunkline-attempts"), Some("2"), "{bad}");
            assert_eq!((failing.requests().len(), fine.requests().len()), (1, 1));
            gateway.await_metric("trunkline_attempts_total", &[("result", "failed")], 1.0);
        }
    }
}

#[test]
fn wu04_a_translated_failure_fails_over() {
    for body in FAILURES {
        let failing = Upstream::with_response(response::json("200 OK", body));
        let fine = healthy_upstream();
        let gateway = gateway_over(&[&failing, &fine], "");
        for stream in [false, true] {
            let response = gateway.send(&messages("m", stream));
            assert_eq!(response.status, 200, "{body}: {}", response.text());
        }
        assert_eq!(failing.requests().len(), 2, "{body}");
    }
}

#[test]
fn wu04_the_last_failure_is_passed_on() {
    let [one, two] =
        [0, 1].map(|index| Upstream::with_response(response::json("200 OK", FAILURES[index])));
    let gateway = gateway_over(&[&one, &two], "");
    let response = gateway.send(&Request::chat("m"));
    assert_eq!((response.status, &*response.text()), (200, FAILURES[1]));
    let line = gateway.access_line(&response.request_id());
    assert_eq!(text(&line, "outcome"), "upstream_error");
}

#[test]
fn wu07_the_last_empty_response_is_an_error() {
    let [one, two] = [(); 2].map(|()| Upstream::with_response(response::json("200 OK", "")));
    let gateway = gateway_over(&[&one, &two], "");
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 502, "upstream_empty_response", None);
}

#[test]
fn wu07_blanks_leave_at_once() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let blank = Upstream::start(move |exchange| {
        exchange.read_body();
        let kind = "Content-Type: application/json";
        exchange.send(response::head(
            "200 OK",
            &[kind, "Transfer-Encoding: chunked"],
        ));
        exchange.send(response::chunk("\n"));
        passed.acquire();
        exchange.send(response::LAST_CHUNK);
    });
    let fine = healthy_upstream();
    let gateway = gateway_over(&[&blank, &fine], "");
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    assert_eq!(client.head().status, 200);
    assert_eq!(client.read_exact(1), b"\n");
    gate.release();
    assert!(!client.read_body().1, "looks complete");
    assert!(fine.requests().is_empty());
}

#[test]
fn a_good_response_is_passed_on_whole() {
    for len in [10, 70_000, 300_000] {
        let content = "x".repeat(len);
        let body = format!(r#"{{"choices":[{{"message":{{"content":"{content}"}}}}]}}"#);
        for sizes in [1_000, 65_536] {
            let kind = "Content-Type: application/json";
            let head = response::head("200 OK", &[kind, "Transfer-Encoding: chunked"]);
            let mut bytes = head.into_bytes();
            for part in body.as_bytes().chunks(sizes) {
                bytes.extend(response::chunk(part));
            }
            bytes.extend(response::LAST_CHUNK);
            let (one, spare) = (Upstream::with_response(bytes), healthy_upstream());
            let gateway = gateway_over(&[&one, &spare], "");
            let response = gateway.send(&Request::chat("m"));
            assert!(
                response.complete && response.text() == body,
                "{len} by {sizes}"
            );
            assert!(spare.requests().is_empty());
        }
    }
}

/// Nothing has left, but the request may have been processed.
#[test]
fn a_response_that_breaks_while_it_is_held_may_be_processed() {
    let broken = Upstream::start(|exchange| {
        exchange.read_body();
        let kind = ["Content-Type: application/json", "Content-Length: 500"];
        exchange.send(response::head("200 OK", &kind));
        exchange.send(r#"{"choices":["#);
        exchange.close();
    });
    let fine = healthy_upstream();
    let bases = [broken.base_url(), fine.base_url()];
    let response = in_order(&bases, "").start().send(&Request::chat("m"));
    assert_response::error(&response, 502, "upstream_disconnected", None);
    let gateway = in_order(&bases, "retry = { non_idempotent = true }").start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(
        response.json()["choices"][0]["message"]["content"],
        json!("hi")
    );
}
