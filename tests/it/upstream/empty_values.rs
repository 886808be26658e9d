//! An empty value stands for none: neither a finish nor an error.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::routing::failover::{gateway_over, healthy_upstream};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

const EMPTY: [&str; 5] = ["null", "\"\"", "{}", "[]", "false"];

fn chunk(delta: &Value, finish_reason: &str) -> String {
    response::event(&format!(
        r#"{{"id":"c1","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish_reason}}}]}}"#
    ))
}

/// The stream of the case: the finish is in its fourth event.
fn tool_call(empty: &str) -> Vec<String> {
    let call = |call: Value| json!({"tool_calls":[call]});
    let begin = json!({"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":"}});
    let mut last = call(json!({"index":0,"function":{"arguments":"1}"}}));
    last["function_call"] = json!({"name":"","arguments":""});
    vec![
        chunk(&json!({"role":"assistant","content":"A"}), empty),
        chunk(&json!({"content":"B"}), empty),
        chunk(&call(begin), empty),
        chunk(&last, "\"tool_calls\""),
        response::DONE.to_owned(),
    ]
}

#[test]
fn wu01_an_empty_finish_reason_does_not_end_a_stream() {
    for empty in EMPTY {
        let events = tool_call(empty);
        let upstream = Upstream::with_response(response::stream(&events));
        let gateway = Setup::with_upstream(&upstream).start();
        let response = gateway.send(&Request::stream("m"));
        assert_eq!(
            (response.text(), response.complete),
            (events.concat(), true)
        );
        assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "ok");
        let cut = Upstream::with_response(response::stream(&events[..2]));
        let gateway = Setup::with_upstream(&cut).start();
        let response = gateway.send(&Request::stream("m"));
        let before = assert_response::stream_error(&response, "upstream_incomplete");
        assert_eq!(before, events[..2].concat().as_bytes(), "{empty}");
        assert_eq!(
            text(&gateway.access_lines(1)[0], "outcome"),
            "upstream_error"
        );
    }
}

#[test]
fn wu01_legacy_completions_are_treated_alike() {
    let half = response::event(r#"{"choices":[{"text":"A","index":0,"finish_reason":""}]}"#);
    let upstream = Upstream::with_response(response::stream(&[half]));
    let gateway = Setup::with_upstream(&upstream).start();
    let body = r#"{"model":"m","stream":true,"prompt":"hi"}"#;
    let response = gateway.send(&Request::post("/v1/completions", body));
    assert_response::stream_error(&response, "upstream_incomplete");
}

#[test]
fn wu01_nothing_is_held_back_before_the_finish() {
    let events = tool_call("\"\"");
    let (half, rest) = events[1].split_at(30);
    let parts = [
        events[0].clone() + half,
        rest.to_owned() + &events[2],
        events[3].clone() + &response::usage(3, 4) + response::DONE,
    ];
    let gate = Arc::new(Semaphore::default());
    let (passed, script) = (Arc::clone(&gate), parts.clone());
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for part in &script {
            exchange.send(response::chunk(part));
            passed.acquire();
        }
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    for part in &parts[..2] {
        assert_eq!(client.read_exact(part.len()), part.as_bytes());
        gate.release();
    }
    gate.release_all();
    let (body, complete) = client.read_body();
    let expected = events[3].clone() + response::DONE;
    assert_eq!(
        (String::from_utf8_lossy(&body), complete),
        (expected.into(), true)
    );
}

#[test]
fn wu01_an_empty_error_is_none() {
    for empty in EMPTY {
        let chunk = |delta: &str, finish: &str| {
            response::event(&format!(
                r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}],"error":{empty}}}"#
            ))
        };
        let events = [
            chunk(r#"{"content":"A"}"#, "null"),
            chunk("{}", "\"stop\""),
            response::DONE.to_owned(),
        ];
        let whole = format!(r#"{{"choices":[{{"message":{{"content":"A"}}}}],"error":{empty}}}"#);
        for (request, bytes, body) in [
            (
                Request::stream("m"),
                response::stream(&events),
                events.concat(),
            ),
            (
                Request::chat("m"),
                response::json("200 OK", &whole),
                whole.clone(),
            ),
        ] {
            let (good, spare) = (Upstream::with_response(bytes), healthy_upstream());
            let gateway = gateway_over(&[&good, &spare], "");
            let response = gateway.send(&request);
            assert_eq!(
                (response.text(), response.complete),
                (body, true),
                "{empty}"
            );
            assert_eq!(
                text(&gateway.access_lines(1)[0], "outcome"),
                "ok",
                "{empty}"
            );
            assert!(spare.requests().is_empty());
        }
    }
}
