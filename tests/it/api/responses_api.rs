//! The Responses API, whose streams have their own events.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Setup, text, value};
use crate::support::upstream::{Upstream, response};

const REQUEST: &str = r#"{"model":"m","input":"hi","stream":true}"#;
const CREATED: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"usage\":null}}\n\n";
const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n";

fn last_event(kind: &str) -> String {
    format!(
        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"id\":\"r1\",\"usage\":{{\"input_tokens\":21,\"input_tokens_details\":{{\"cached_tokens\":5}},\"output_tokens\":9,\"output_tokens_details\":{{\"reasoning_tokens\":3}},\"total_tokens\":30}}}}}}\n\n"
    )
}

#[test]
fn a_unary_response_is_forwarded_and_metered() {
    let body = r#"{"id":"r1","object":"response","output":[],"usage":{"input_tokens":21,"input_tokens_details":{"cached_tokens":5},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":30}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", body));
    let gateway = Setup::injecting_usage(&upstream).start();
    let response = gateway.send(&Request::post(
        "/v1/responses",
        r#"{"model":"m","input":"hi"}"#,
    ));
    assert_eq!(response.text(), body);
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
        let events = [CREATED.to_owned(), DELTA.to_owned(), last_event(kind)];
        let upstream = Upstream::with_response(response::stream(&events));
        let gateway = Setup::injecting_usage(&upstream).start();
        let response = gateway.send(&Request::post("/v1/responses", REQUEST));
        assert!(response.complete, "{kind}");
        assert_eq!(response.text(), events.concat(), "{kind}");
        assert_eq!(
            upstream.only_request().text(),
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
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::post("/v1/responses", REQUEST));
    assert_eq!(
        assert_response::responses_stream_error(&response, "upstream_incomplete"),
        events.concat().as_bytes()
    );
}

#[test]
fn a_break_after_completed_is_a_success() {
    let events = [
        CREATED.to_owned(),
        DELTA.to_owned(),
        last_event("response.completed"),
    ];
    let sent = events.clone();
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for event in &sent {
            exchange.send(response::chunk(event));
        }
        exchange.close();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::post("/v1/responses", REQUEST));
    assert!(response.complete);
    assert_eq!(response.text(), events.concat());
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "ok");
}
