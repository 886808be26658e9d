//! The Responses API: its streams have events of their own.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, text, value};
use crate::support::upstream::{Upstream, reply};

const REQUEST: &str = r#"{"model":"m","input":"hi","stream":true}"#;
const CREATED: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"usage\":null}}\n\n";
const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n";

fn ended(kind: &str) -> String {
    format!(
        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"id\":\"r1\",\"usage\":{{\"input_tokens\":21,\"input_tokens_details\":{{\"cached_tokens\":5}},\"output_tokens\":9,\"output_tokens_details\":{{\"reasoning_tokens\":3}},\"total_tokens\":30}}}}}}\n\n"
    )
}

#[test]
fn a_unary_response_is_passed_and_metered() {
    let body = r#"{"id":"r1","object":"response","output":[],"usage":{"input_tokens":21,"input_tokens_details":{"cached_tokens":5},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":30}}"#;
    let upstream = Upstream::answering(reply::json("200 OK", body));
    let gateway = Setup::injecting(&upstream).start();
    let answer = gateway.ask(&Request::post(
        "/v1/responses",
        r#"{"model":"m","input":"hi"}"#,
    ));
    assert_eq!(answer.text(), body);
    let line = &gateway.access_lines(1)[0];
    let tokens = [
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "reasoning_tokens",
    ];
    assert_eq!(tokens.map(|field| value(line, field)), [21, 9, 5, 3]);
    assert_eq!(text(line, "endpoint"), "responses");
}

#[test]
fn a_stream_ends_with_its_own_last_event_and_no_done() {
    for kind in [
        "response.completed",
        "response.incomplete",
        "response.failed",
    ] {
        let events = [CREATED.to_owned(), DELTA.to_owned(), ended(kind)];
        let upstream = Upstream::answering(reply::stream(&events));
        let gateway = Setup::injecting(&upstream).start();
        let answer = gateway.ask(&Request::post("/v1/responses", REQUEST));
        assert!(answer.complete, "{kind}");
        assert_eq!(answer.text(), events.concat(), "{kind}");
        assert_eq!(
            upstream.only().text(),
            REQUEST.replace("\"m\"", "\"real-model\"")
        );
        let line = &gateway.access_lines(1)[0];
        let tokens = [
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "reasoning_tokens",
        ];
        assert_eq!(
            tokens.map(|field| value(line, field)),
            [21, 9, 5, 3],
            "{kind}"
        );
    }
}

#[test]
fn a_stream_without_its_last_event_is_incomplete() {
    let events = [CREATED, DELTA];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::post("/v1/responses", REQUEST));
    assert_eq!(
        assert_response::stream_error(&answer, "upstream_incomplete"),
        events.concat().as_bytes()
    );
}

#[test]
fn a_break_after_completed_is_a_success() {
    let events = [
        CREATED.to_owned(),
        DELTA.to_owned(),
        ended("response.completed"),
    ];
    let sent = events.clone();
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for event in &sent {
            exchange.send(reply::chunk(event));
        }
        exchange.close();
    });
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::post("/v1/responses", REQUEST));
    assert!(answer.complete);
    assert_eq!(answer.text(), events.concat());
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "ok");
}
