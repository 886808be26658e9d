//! Streams other than plain chat: legacy completions, images, speech, compressed
//! ones, and events that only some upstreams send.

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};

/// Streams these events for one request, with usage injection where possible.
#[track_caller]
fn streamed(request: &Request, events: &[String]) -> (Response, Gateway) {
    let upstream = Upstream::with_response(response::stream(events));
    let gateway = Setup::injecting_usage(&upstream).start();
    let response = gateway.send(request);
    gateway.wait_until_idle();
    (response, gateway)
}

#[track_caller]
fn assert_forwarded(request: &Request, events: &[String]) {
    let (response, gateway) = streamed(request, events);
    assert!(response.complete, "truncated: {}", response.text());
    assert_eq!(response.text(), events.concat());
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "ok");
}

fn typed(kind: &str, more: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{more}}}\n\n")
}

fn legacy(text: &str, finish: &str) -> String {
    response::event(&format!(
        r#"{{"id":"c","object":"text_completion","choices":[{{"index":0,"text":"{text}","logprobs":null,"finish_reason":{finish}}}]}}"#
    ))
}

#[test]
fn legacy_completions_end_with_their_finish_reason() {
    let body = r#"{"model":"m","stream":true,"prompt":"x"}"#;
    let request = Request::post("/v1/completions", body);
    let events = [legacy("one", "null"), legacy("two", "\"stop\"")];
    assert_forwarded(&request, &events);
    let (response, _gateway) = streamed(&request, &events[..1]);
    assert_eq!(
        assert_response::stream_error(&response, "upstream_incomplete"),
        events[0].as_bytes()
    );
}

#[test]
fn usage_injected_into_legacy_completions_is_hidden() {
    let usage = r#"{"id":"c","object":"text_completion","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}"#;
    let shown = legacy("one", "\"stop\"");
    let events = [
        shown.clone(),
        response::event(usage),
        response::DONE.to_owned(),
    ];
    let body = r#"{"model":"m","stream":true,"prompt":"x"}"#;
    let (response, gateway) = streamed(&Request::post("/v1/completions", body), &events);
    assert_eq!(response.text(), shown + response::DONE);
    assert_eq!(value(&gateway.access_lines(1)[0], "output_tokens"), 2);
}

#[test]
fn image_and_speech_streams_have_no_end_marker() {
    let images = [
        typed("image_generation.partial_image", ",\"b64_json\":\"eA==\""),
        typed(
            "image_generation.completed",
            ",\"b64_json\":\"eA==\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}",
        ),
    ];
    let request = Request::post(
        "/v1/images/generations",
        r#"{"model":"m","stream":true,"prompt":"x"}"#,
    );
    assert_forwarded(&request, &images);
    let speech = [
        typed("speech.audio.delta", ",\"audio\":\"eA==\""),
        typed("speech.audio.done", ""),
    ];
    let request = Request::post(
        "/v1/audio/speech",
        r#"{"model":"m","stream_format":"sse","input":"x"}"#,
    );
    assert_forwarded(&request, &speech);
}

#[test]
fn only_the_usage_event_is_hidden() {
    // Azure begins with a chunk that has no choices either.
    let filters = response::event(
        r#"{"id":"","object":"chat.completion.chunk","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
    );
    let null =
        response::event(r#"{"id":"c","object":"chat.completion.chunk","choices":[],"usage":null}"#);
    let shown = [
        filters,
        null,
        ": comment\n\n".to_owned(),
        response::delta("\\\"usage\\\":{}"),
        response::finish(),
    ];
    let events = [
        shown.concat(),
        response::usage(3, 1),
        response::DONE.to_owned(),
    ];
    let (response, _gateway) = streamed(&Request::stream("m"), &events);
    assert!(response.complete);
    assert_eq!(response.text(), shown.concat() + response::DONE);
}

#[test]
fn a_client_that_declines_usage_sees_none() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let mut events = vec![response::delta("one"), response::finish()];
        if body.contains("\"include_usage\":true") {
            events.push(response::usage(3, 1));
        }
        events.push(response::DONE.to_owned());
        exchange.send(response::stream(&events));
    });
    let gateway = Setup::injecting_usage(&upstream).start();
    for options in [
        "null",
        "{}",
        r#"{"include_usage":false}"#,
        r#"{"include_usage":null}"#,
    ] {
        let body =
            format!(r#"{{"model":"m","stream":true,"stream_options":{options},"messages":[]}}"#);
        let response = gateway.send(&Request::post("/v1/chat/completions", body));
        assert!(response.complete, "{options}");
        assert_eq!(
            response.text(),
            response::delta("one") + &response::finish() + response::DONE,
            "{options}"
        );
    }
    for seen in upstream.requests() {
        let sent: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(sent["model"], "real-model");
    }
}

#[test]
fn a_compressed_stream_is_forwarded_unchanged() {
    // Bytes like those of gzip: no line of them is an event.
    let coded = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\n\n\x01data: {\"err\n\nmore \xff\xfe";
    let headers = ["Content-Type: text/event-stream", "Content-Encoding: gzip"];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, coded));
    let gateway = Setup::injecting_usage(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(response.text(), String::from_utf8_lossy(coded));
    assert!(response.complete);
}

#[test]
fn an_unrequested_event_stream_is_relayed_as_one() {
    let events = [
        response::delta("one"),
        response::finish(),
        response::DONE.to_owned(),
    ];
    assert_forwarded(&Request::chat("m"), &events);
}

#[test]
fn many_choices_and_tool_calls_are_forwarded() {
    let choice = |index: usize, finish: &str| {
        response::event(&format!(
            r#"{{"id":"c","choices":[{{"index":{index},"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{{\"a\":"}}}}]}},"finish_reason":{finish}}}]}}"#
        ))
    };
    let events = [
        choice(0, "null"),
        choice(1, "null"),
        choice(1, "\"tool_calls\""),
        choice(0, "\"length\""),
        response::DONE.to_owned(),
    ];
    assert_forwarded(&Request::stream("m"), &events);
}

#[test]
fn markers_within_text_are_ignored() {
    let talk = r#"\"finish_reason\":\"stop\" \"error\":{\"code\":1} \"usage\":{\"prompt_tokens\":9} data: [DONE] \\"#;
    let sent = [response::delta(talk), response::delta("[DONE]")];
    let (response, gateway) = streamed(&Request::stream("m"), &sent);
    assert_eq!(
        assert_response::stream_error(&last_event_without_text(&response), "upstream_incomplete"),
        b""
    );
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "input_tokens"), serde_json::Value::Null);
    let events = [
        response::delta(talk),
        response::finish(),
        response::DONE.to_owned(),
    ];
    assert_forwarded(&Request::stream("m"), &events);
}

/// The last event of the response, without the text that mentions `[DONE]`.
fn last_event_without_text(response: &Response) -> Response {
    let body = response.text();
    let at = body.rfind("data: {").unwrap();
    Response {
        status: response.status,
        head: response.head.clone(),
        interim: Vec::new(),
        body: body.as_bytes()[at..].to_vec(),
        complete: response.complete,
    }
}

#[test]
fn an_error_nested_inside_an_event_is_not_the_streams() {
    let deep = response::event(
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"x","tool":{"error":{"message":"tool failed"}}},"finish_reason":null}]}"#,
    );
    let null = response::event(
        r#"{"id":"c","error":null,"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#,
    );
    assert_forwarded(
        &Request::stream("m"),
        &[deep, null, response::finish(), response::DONE.to_owned()],
    );
}
