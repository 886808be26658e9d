//! How a translated stream ends whose upstream ends it oddly.

use serde_json::json;

use super::{check, gateway, golden, message_of, messages};
use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

const MESSAGES: &str = "dialects = [\"messages\"]";

#[test]
fn wu01_a_reason_without_a_call_announces_none() {
    let text = json!(["A"]);
    check("wu01_tool_calls_without_a_call", &text, "end_turn", [0, 0]);
    let events = golden("stream_for_chat/wu01_tool_use_without_a_call");
    let (_upstream, gateway) = gateway(events, MESSAGES);
    let text = gateway.send(&Request::stream("m")).text();
    assert!(text.contains(r#""finish_reason":"stop""#), "{text}");
    assert!(!text.contains("tool_calls"), "{text}");
}

#[test]
fn wu01_a_response_that_was_interrupted_does_not_look_complete() {
    check(
        "wu01_reason_in_capitals",
        &json!(["A"]),
        "max_tokens",
        [0, 0],
    );
    let (message, outcome) = message_of("failed_finish_reason_interrupted");
    let error = message.error.unwrap();
    assert_eq!(
        error["message"],
        "The model's provider ended the response: insufficient_system_resource."
    );
    assert_eq!(outcome, "upstream_error");
    // The bytes are the provider's; the target is blamed all the same.
    let events = golden("stream_for_messages/failed_finish_reason_interrupted");
    let (_upstream, gateway) = gateway(events.clone(), "");
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.text(), events.concat());
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(line["outcome"], "upstream_error");
}

#[test]
fn wu12_done_does_not_end_a_messages_stream() {
    let mut events = golden("stream_for_chat/text");
    let stop = events.pop().unwrap();
    assert!(stop.contains("message_stop"), "{stop}");
    events.push("data: [DONE]\n\n".to_owned());
    let (_upstream, gateway) = gateway(events, MESSAGES);
    let response = gateway.send(&Request::stream("m"));
    assert_response::stream_error(&response, "upstream_incomplete");
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(line["outcome"], "upstream_error");
}

#[test]
fn u25_the_last_empty_line_may_be_missing() {
    let mut events = golden("stream_for_chat/text");
    let last = events.last_mut().unwrap();
    last.truncate(last.len() - 2);
    let (_upstream, gateway) = gateway(events.clone(), MESSAGES);
    let native = gateway.send(&messages());
    assert!(native.complete && native.text() == events.concat());
    let translated = gateway.send(&Request::stream("m"));
    assert!(translated.text().ends_with("data: [DONE]\n\n"));
    for line in gateway.access_lines(2) {
        assert_eq!(line["outcome"], "ok");
    }

    let mut events = golden("stream_for_messages/wu01_tool_calls_without_a_call");
    assert_eq!(events.pop().unwrap(), "data: [DONE]\n\n");
    let last = events.last_mut().unwrap();
    last.truncate(last.len() - 2);
    let (_upstream, gateway) = super::gateway(events.clone(), "");
    let native = gateway.send(&Request::stream("m"));
    assert!(native.complete && native.text() == events.concat());
    let translated = gateway.send(&messages());
    assert!(
        translated
            .text()
            .ends_with("data: {\"type\":\"message_stop\"}\n\n")
    );
    for line in gateway.access_lines(2) {
        assert_eq!(line["outcome"], "ok");
    }
}

#[test]
fn wu13_a_cut_behind_the_usage_leaves_the_response_complete() {
    let mut events = golden("stream_for_messages/wu11_chunks_behind_the_finish");
    assert_eq!(events.pop().unwrap(), response::DONE);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(events.concat()));
        exchange.close();
    });
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .model("m", "up", "real-model")
        .start();
    let body = r#"{"model":"m","input":"hi","stream":true}"#;
    for request in [messages(), Request::post("/v1/responses", body)] {
        let response = gateway.send(&request);
        let text = response.text();
        assert!(response.complete, "{text}");
        let last = text
            .lines()
            .filter_map(|line| line.strip_prefix("event: "))
            .next_back();
        let ends = ["message_stop", "response.completed"].map(Some);
        assert!(ends.contains(&last), "{text}");
    }
    for line in gateway.access_lines(2) {
        assert_eq!(line["outcome"], "ok", "{line}");
    }
}
