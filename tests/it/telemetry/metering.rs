//! Metering: usage from responses, times, and one access-log line per request.

use serde_json::Value;

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};

const UNARY: &str = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"\"usage\":{\"prompt_tokens\":999}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":8,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":4}}}"#;

fn tokens(line: &Value) -> [Value; 4] {
    [
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "reasoning_tokens",
    ]
    .map(|field| value(line, field))
}

fn await_tokens(gateway: &Gateway, kind: &str, count: f64) {
    gateway.await_metric("trunkline_tokens_total", &[("kind", kind)], count);
}

#[test]
fn usage_of_a_unary_response_is_counted() {
    let upstream = Upstream::with_response(response::json("200 OK", UNARY));
    let gateway = Setup::with_upstream(&upstream).start();
    for _ in 0..2 {
        assert_eq!(gateway.send(&Request::chat("m")).text(), UNARY);
    }
    for line in gateway.access_lines(2) {
        assert_eq!(tokens(&line), [20, 8, 6, 4]);
    }
    for (kind, count) in [
        ("input", 40.0),
        ("output", 16.0),
        ("cached", 12.0),
        ("reasoning", 8.0),
    ] {
        await_tokens(&gateway, kind, count);
    }
}

#[test]
fn usage_of_embeddings_is_counted() {
    let body = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"x","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", body));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::post(
        "/v1/embeddings",
        r#"{"model":"m","input":"x"}"#,
    ));
    assert_eq!(response.text(), body);
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "input_tokens"), 5);
    assert_eq!(text(line, "endpoint"), "embeddings");
}

#[test]
fn injected_usage_is_counted_and_hidden_from_the_client() {
    let shown = [
        response::delta("one"),
        response::delta("two"),
        response::finish(),
    ];
    let events = [
        shown.concat(),
        response::usage(30, 12),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::injecting_usage(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    assert_eq!(response.text(), shown.concat() + response::DONE);
    assert!(
        upstream
            .only_request()
            .text()
            .contains("\"include_usage\":true")
    );
    let line = &gateway.access_lines(1)[0];
    assert_eq!(tokens(line)[..2], [30, 12]);
    await_tokens(&gateway, "output", 12.0);
}

#[test]
fn injected_usage_is_hidden_from_the_client_however_it_is_segmented() {
    let shown = response::delta("one") + &response::finish();
    let text = shown.clone() + &response::usage(3, 1) + response::DONE;
    for size in [1, 2, 3, 7, 50, 10_000] {
        let mut bytes = response::stream_head().into_bytes();
        bytes.extend(text.as_bytes().chunks(size).flat_map(response::chunk));
        bytes.extend(response::LAST_CHUNK);
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send_segments(bytes.chunks(11));
        });
        let gateway = Setup::injecting_usage(&upstream).start();
        let response = gateway.send(&Request::stream("m"));
        assert!(response.complete, "chunks of {size}");
        assert_eq!(
            response.text(),
            shown.clone() + response::DONE,
            "chunks of {size}"
        );
        assert_eq!(
            tokens(&gateway.access_lines(1)[0])[..2],
            [3, 1],
            "chunks of {size}"
        );
    }
}

#[test]
fn usage_that_the_client_requested_is_kept() {
    let events = [
        response::delta("one"),
        response::finish(),
        response::usage(30, 12),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::injecting_usage(&upstream).start();
    let body =
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let response = gateway.send(&Request::post("/v1/chat/completions", body));
    assert_eq!(response.text(), events.concat());
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [30, 12]);
}

#[test]
fn usage_of_a_stream_without_injection_is_kept() {
    let events = [
        response::delta("one"),
        response::finish(),
        response::usage(30, 12),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::with_upstream(&upstream).start();
    assert_eq!(gateway.send(&Request::stream("m")).text(), events.concat());
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [30, 12]);
    assert!(!upstream.only_request().text().contains("stream_options"));
}

/// A chunk with a choice and usage.
fn delta_with(usage: &str) -> String {
    response::event(&format!(
        r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"x"}},"finish_reason":null}}],{usage}}}"#
    ))
}

#[test]
fn the_last_usage_wins_and_is_never_a_sum() {
    let events = [
        delta_with(r#""usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}"#),
        delta_with(r#""usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#),
        delta_with(r#""usage":null"#),
        response::finish(),
        delta_with(r#""usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}"#),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::injecting_usage(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(
        response.text(),
        events.concat(),
        "usage on a chunk with choices belongs to the client"
    );
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [10, 3]);
    await_tokens(&gateway, "input", 10.0);
    await_tokens(&gateway, "output", 3.0);
}

#[test]
fn usage_in_groqs_format_is_counted() {
    let events = [
        response::delta("one"),
        response::event(
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.01,"prompt_tokens":17,"completion_tokens":6,"total_tokens":23}}}"#,
        ),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::with_upstream(&upstream).start();
    assert_eq!(gateway.send(&Request::stream("m")).text(), events.concat());
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [17, 6]);
}

#[test]
fn a_response_without_usage_counts_no_tokens() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = Setup::with_upstream(&upstream).start();
    assert!(gateway.send(&Request::stream("m")).complete);
    assert_eq!(
        tokens(&gateway.access_lines(1)[0]),
        [Value::Null, Value::Null, Value::Null, Value::Null]
    );
    gateway.wait_until_idle();
    assert!(
        gateway
            .metrics()
            .sum("trunkline_tokens_total", &[])
            .is_none_or(|sum| sum == 0.0)
    );
}

#[test]
fn invalid_json_in_a_response_only_loses_its_usage() {
    let body = r#"{"choices":[],"usage":{"prompt_tokens":1,"#;
    let upstream = Upstream::with_response(response::json("200 OK", body));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::chat("m"));
    assert_eq!((response.status, response.text().as_str()), (200, body));
    gateway.wait_until_idle();
}

#[test]
fn the_access_log_has_client_model_target_and_times() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice-1", "")
        .start();
    let request = Request::chat("m").key("tk-alice-1");
    let response = gateway.send(&request);
    let line = gateway.access_line(&response.request_id());
    let expected = [
        ("key", "alice"),
        ("endpoint", "chat_completions"),
        ("model", "m"),
        ("provider", "up"),
        ("outcome", "ok"),
    ];
    for (field, wanted) in expected {
        assert_eq!(text(&line, field), wanted, "{line}");
    }
    assert_eq!(value(&line, "status"), 200);
    assert_eq!(value(&line, "request_bytes"), request.body.unwrap().len());
    assert_eq!(value(&line, "response_bytes"), response.body.len());
    let duration = value(&line, "duration_ms").as_f64().expect("a duration");
    let first = value(&line, "first_byte_ms")
        .as_f64()
        .expect("a time to first byte");
    assert!(first <= duration && duration < 30_000.0, "{line}");
}

#[test]
fn every_request_is_counted_once_by_target_and_outcome() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let good = !body.contains("fail");
        exchange.send(if good {
            response::completion("hi")
        } else {
            response::json("500 X", "{\"error\":{}}")
        });
    });
    let gateway = Setup::with_upstream(&upstream)
        .model("fail", "up", "fail")
        .start();
    for model in ["m", "m", "m", "fail", "fail", "no-such-model"] {
        gateway.send(&Request::chat(model));
    }
    gateway.access_lines(6);
    let total = "trunkline_requests_total";
    let chat = ("endpoint", "chat_completions");
    let up = ("provider", "up");
    let good = [
        chat,
        ("model", "m"),
        up,
        ("status", "2xx"),
        ("outcome", "ok"),
    ];
    gateway.await_metric(total, &good, 3.0);
    let bad = [
        chat,
        ("model", "fail"),
        up,
        ("status", "5xx"),
        ("outcome", "upstream_error"),
    ];
    gateway.await_metric(total, &bad, 2.0);
    let unknown = [
        chat,
        ("model", "unknown"),
        ("status", "4xx"),
        ("outcome", "client_error"),
    ];
    gateway.await_metric(total, &unknown, 1.0);
    gateway.await_metric(total, &[], 6.0);
    gateway.await_metric("trunkline_request_duration_seconds_count", &[], 6.0);
}

#[test]
fn a_stream_is_timed_to_its_first_token_and_between_its_events() {
    let events = [
        ": waiting\n\n".to_owned(),
        response::delta("a"),
        response::delta("b"),
        response::finish(),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::with_upstream(&upstream).start();
    assert!(gateway.send(&Request::stream("m")).complete);
    for name in ["time_to_first_byte", "time_to_first_token", "overhead"] {
        gateway.await_metric(&format!("trunkline_{name}_seconds_count"), &[], 1.0);
    }
    gateway.wait_until_idle();
    // The gaps themselves depend on how the bytes arrive; the name must not.
    assert!(!gateway.get_admin("/metrics").text().contains("NaN"));
}
