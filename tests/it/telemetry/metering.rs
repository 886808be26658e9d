//! What a request cost: usage from the answer, times, and one line in the log.

use serde_json::Value;

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, reply};

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

fn counted(gateway: &Gateway, kind: &str, count: f64) {
    gateway.await_metric("trunkline_tokens_total", &[("kind", kind)], count);
}

#[test]
fn usage_of_a_unary_answer_is_counted() {
    let upstream = Upstream::answering(reply::json("200 OK", UNARY));
    let gateway = Setup::over(&upstream).start();
    for _ in 0..2 {
        assert_eq!(gateway.ask(&Request::chat("m")).text(), UNARY);
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
        counted(&gateway, kind, count);
    }
}

#[test]
fn usage_of_embeddings_is_counted() {
    let body = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"x","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let upstream = Upstream::answering(reply::json("200 OK", body));
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::post(
        "/v1/embeddings",
        r#"{"model":"m","input":"x"}"#,
    ));
    assert_eq!(answer.text(), body);
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "input_tokens"), 5);
    assert_eq!(text(line, "endpoint"), "embeddings");
}

#[test]
fn injected_usage_is_counted_and_kept_from_the_caller() {
    let shown = [reply::delta("one"), reply::delta("two"), reply::finish()];
    let events = [shown.concat(), reply::usage(30, 12), reply::DONE.to_owned()];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::injecting(&upstream).start();
    let answer = gateway.ask(&Request::stream("m"));
    assert!(answer.complete);
    assert_eq!(answer.text(), shown.concat() + reply::DONE);
    assert!(upstream.only().text().contains("\"include_usage\":true"));
    let line = &gateway.access_lines(1)[0];
    assert_eq!(tokens(line)[..2], [30, 12]);
    counted(&gateway, "output", 12.0);
}

#[test]
fn injected_usage_is_kept_from_the_caller_however_it_is_cut() {
    let shown = reply::delta("one") + &reply::finish();
    let text = shown.clone() + &reply::usage(3, 1) + reply::DONE;
    for size in [1, 2, 3, 7, 50, 10_000] {
        let mut bytes = reply::stream_head().into_bytes();
        bytes.extend(text.as_bytes().chunks(size).flat_map(reply::chunk));
        bytes.extend(reply::LAST_CHUNK);
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send_pieces(bytes.chunks(11));
        });
        let gateway = Setup::injecting(&upstream).start();
        let answer = gateway.ask(&Request::stream("m"));
        assert!(answer.complete, "chunks of {size}");
        assert_eq!(
            answer.text(),
            shown.clone() + reply::DONE,
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
fn usage_that_the_caller_asked_for_stays() {
    let events = [
        reply::delta("one"),
        reply::finish(),
        reply::usage(30, 12),
        reply::DONE.to_owned(),
    ];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::injecting(&upstream).start();
    let body =
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let answer = gateway.ask(&Request::post("/v1/chat/completions", body));
    assert_eq!(answer.text(), events.concat());
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [30, 12]);
}

#[test]
fn usage_of_a_stream_that_is_only_observed_stays_too() {
    let events = [
        reply::delta("one"),
        reply::finish(),
        reply::usage(30, 12),
        reply::DONE.to_owned(),
    ];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::over(&upstream).start();
    assert_eq!(gateway.ask(&Request::stream("m")).text(), events.concat());
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [30, 12]);
    assert!(!upstream.only().text().contains("stream_options"));
}

/// A chunk with a choice that carries usage as well.
fn delta_with(usage: &str) -> String {
    reply::event(&format!(
        r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"x"}},"finish_reason":null}}],{usage}}}"#
    ))
}

#[test]
fn the_last_usage_wins_and_is_never_a_sum() {
    let events = [
        delta_with(r#""usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}"#),
        delta_with(r#""usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#),
        delta_with(r#""usage":null"#),
        reply::finish(),
        delta_with(r#""usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}"#),
        reply::DONE.to_owned(),
    ];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::injecting(&upstream).start();
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(
        answer.text(),
        events.concat(),
        "usage on a chunk with choices is the caller's"
    );
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [10, 3]);
    counted(&gateway, "input", 10.0);
    counted(&gateway, "output", 3.0);
}

#[test]
fn usage_in_the_groq_way_is_understood() {
    let events = [
        reply::delta("one"),
        reply::event(
            r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.01,"prompt_tokens":17,"completion_tokens":6,"total_tokens":23}}}"#,
        ),
        reply::DONE.to_owned(),
    ];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::over(&upstream).start();
    assert_eq!(gateway.ask(&Request::stream("m")).text(), events.concat());
    assert_eq!(tokens(&gateway.access_lines(1)[0])[..2], [17, 6]);
}

#[test]
fn an_answer_without_usage_counts_no_tokens() {
    let upstream = Upstream::answering(reply::good_stream());
    let gateway = Setup::over(&upstream).start();
    assert!(gateway.ask(&Request::stream("m")).complete);
    assert_eq!(
        tokens(&gateway.access_lines(1)[0]),
        [Value::Null, Value::Null, Value::Null, Value::Null]
    );
    gateway.settle();
    assert!(
        gateway
            .metrics()
            .sum("trunkline_tokens_total", &[])
            .is_none_or(|sum| sum == 0.0)
    );
}

#[test]
fn broken_json_in_an_answer_costs_nothing_but_the_count() {
    let body = r#"{"choices":[],"usage":{"prompt_tokens":1,"#;
    let upstream = Upstream::answering(reply::json("200 OK", body));
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!((answer.status, answer.text().as_str()), (200, body));
    gateway.settle();
}

#[test]
fn the_access_line_says_who_what_where_and_how_long() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .key("alice", "tk-alice-1", "")
        .start();
    let request = Request::chat("m").key("tk-alice-1");
    let answer = gateway.ask(&request);
    let line = gateway.access_line(&answer.request_id());
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
    assert_eq!(value(&line, "response_bytes"), answer.body.len());
    let duration = value(&line, "duration_ms").as_f64().expect("a duration");
    let first = value(&line, "first_byte_ms")
        .as_f64()
        .expect("a time to first byte");
    assert!(first <= duration && duration < 30_000.0, "{line}");
}

#[test]
fn every_request_is_counted_once_by_where_it_went_and_how_it_ended() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let good = !body.contains("fail");
        exchange.send(if good {
            reply::completion("hi")
        } else {
            reply::json("500 X", "{\"error\":{}}")
        });
    });
    let gateway = Setup::over(&upstream).model("fail", "up", "fail").start();
    for model in ["m", "m", "m", "fail", "fail", "nobody"] {
        gateway.ask(&Request::chat(model));
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
        reply::delta("a"),
        reply::delta("b"),
        reply::finish(),
        reply::DONE.to_owned(),
    ];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::over(&upstream).start();
    assert!(gateway.ask(&Request::stream("m")).complete);
    for name in ["time_to_first_byte", "time_to_first_token", "overhead"] {
        gateway.await_metric(&format!("trunkline_{name}_seconds_count"), &[], 1.0);
    }
    gateway.settle();
    // The gaps themselves depend on how the bytes arrive; the name must not.
    assert!(!gateway.ask_admin("/metrics").text().contains("NaN"));
}
