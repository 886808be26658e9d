//! Streams that are no plain chat: legacy completions, images, speech, coded
//! ones, and the events that only some upstreams send.

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, reply};

/// Streams these events for one request, usage being injected where it can be.
#[track_caller]
fn streamed(request: &Request, events: &[String]) -> (Answer, Gateway) {
    let upstream = Upstream::answering(reply::stream(events));
    let gateway = Setup::injecting(&upstream).start();
    let answer = gateway.ask(request);
    gateway.settle();
    (answer, gateway)
}

#[track_caller]
fn passes(request: &Request, events: &[String]) {
    let (answer, gateway) = streamed(request, events);
    assert!(answer.complete, "cut: {}", answer.text());
    assert_eq!(answer.text(), events.concat());
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), "ok");
}

fn typed(kind: &str, more: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{more}}}\n\n")
}

fn legacy(text: &str, finish: &str) -> String {
    reply::event(&format!(
        r#"{{"id":"c","object":"text_completion","choices":[{{"index":0,"text":"{text}","logprobs":null,"finish_reason":{finish}}}]}}"#
    ))
}

#[test]
fn legacy_completions_end_with_their_finish_reason() {
    let body = r#"{"model":"m","stream":true,"prompt":"x"}"#;
    let request = Request::post("/v1/completions", body);
    let whole = [legacy("one", "null"), legacy("two", "\"stop\"")];
    passes(&request, &whole);
    let (answer, _gateway) = streamed(&request, &whole[..1]);
    assert_eq!(
        assert_response::stream_error(&answer, "upstream_incomplete"),
        whole[0].as_bytes()
    );
}

#[test]
fn usage_injected_into_legacy_completions_is_hidden() {
    let usage = r#"{"id":"c","object":"text_completion","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}"#;
    let shown = legacy("one", "\"stop\"");
    let events = [shown.clone(), reply::event(usage), reply::DONE.to_owned()];
    let body = r#"{"model":"m","stream":true,"prompt":"x"}"#;
    let (answer, gateway) = streamed(&Request::post("/v1/completions", body), &events);
    assert_eq!(answer.text(), shown + reply::DONE);
    assert_eq!(value(&gateway.access_lines(1)[0], "output_tokens"), 2);
}

#[test]
fn images_and_speech_have_streams_without_a_mark_at_their_end() {
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
    passes(&request, &images);
    let speech = [
        typed("speech.audio.delta", ",\"audio\":\"eA==\""),
        typed("speech.audio.done", ""),
    ];
    let request = Request::post(
        "/v1/audio/speech",
        r#"{"model":"m","stream_format":"sse","input":"x"}"#,
    );
    passes(&request, &speech);
}

#[test]
fn only_the_usage_event_is_hidden() {
    // Azure begins with a chunk that has no choices either.
    let filters = reply::event(
        r#"{"id":"","object":"chat.completion.chunk","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
    );
    let null =
        reply::event(r#"{"id":"c","object":"chat.completion.chunk","choices":[],"usage":null}"#);
    let shown = [
        filters,
        null,
        ": comment\n\n".to_owned(),
        reply::delta("\\\"usage\\\":{}"),
        reply::finish(),
    ];
    let events = [shown.concat(), reply::usage(3, 1), reply::DONE.to_owned()];
    let (answer, _gateway) = streamed(&Request::stream("m"), &events);
    assert!(answer.complete);
    assert_eq!(answer.text(), shown.concat() + reply::DONE);
}

#[test]
fn a_caller_that_wants_no_usage_sees_none() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let mut events = vec![reply::delta("one"), reply::finish()];
        if body.contains("\"include_usage\":true") {
            events.push(reply::usage(3, 1));
        }
        events.push(reply::DONE.to_owned());
        exchange.send(reply::stream(&events));
    });
    let gateway = Setup::injecting(&upstream).start();
    for options in [
        "null",
        "{}",
        r#"{"include_usage":false}"#,
        r#"{"include_usage":null}"#,
    ] {
        let body =
            format!(r#"{{"model":"m","stream":true,"stream_options":{options},"messages":[]}}"#);
        let answer = gateway.ask(&Request::post("/v1/chat/completions", body));
        assert!(answer.complete, "{options}");
        assert_eq!(
            answer.text(),
            reply::delta("one") + &reply::finish() + reply::DONE,
            "{options}"
        );
    }
    for seen in upstream.requests() {
        let sent: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(sent["model"], "real-model");
    }
}

#[test]
fn a_coded_stream_is_passed_on_as_it_is() {
    // Bytes that gzip could have made: no line of them is an event.
    let coded = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\n\n\x01data: {\"err\n\nmore \xff\xfe";
    let headers = ["Content-Type: text/event-stream", "Content-Encoding: gzip"];
    let upstream = Upstream::answering(reply::whole("200 OK", &headers, coded));
    let gateway = Setup::injecting(&upstream).start();
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.text(), String::from_utf8_lossy(coded));
    assert!(answer.complete);
}

#[test]
fn an_event_stream_nobody_asked_for_is_relayed_as_one() {
    let events = [reply::delta("one"), reply::finish(), reply::DONE.to_owned()];
    passes(&Request::chat("m"), &events);
}

#[test]
fn many_choices_and_tool_calls_pass() {
    let choice = |index: usize, finish: &str| {
        reply::event(&format!(
            r#"{{"id":"c","choices":[{{"index":{index},"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{{\"a\":"}}}}]}},"finish_reason":{finish}}}]}}"#
        ))
    };
    let events = [
        choice(0, "null"),
        choice(1, "null"),
        choice(1, "\"tool_calls\""),
        choice(0, "\"length\""),
        reply::DONE.to_owned(),
    ];
    passes(&Request::stream("m"), &events);
}

#[test]
fn words_in_a_text_are_no_marks() {
    let talk = r#"\"finish_reason\":\"stop\" \"error\":{\"code\":1} \"usage\":{\"prompt_tokens\":9} data: [DONE] \\"#;
    let sent = [reply::delta(talk), reply::delta("[DONE]")];
    let (answer, gateway) = streamed(&Request::stream("m"), &sent);
    assert_eq!(
        assert_response::stream_error(&answer_without_talk(&answer), "upstream_incomplete"),
        b""
    );
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "input_tokens"), serde_json::Value::Null);
    let whole = [reply::delta(talk), reply::finish(), reply::DONE.to_owned()];
    passes(&Request::stream("m"), &whole);
}

/// The answer from its last event on, its talk of `[DONE]` left out.
fn answer_without_talk(answer: &Answer) -> Answer {
    let body = answer.text();
    let at = body.rfind("data: {").unwrap();
    Answer {
        status: answer.status,
        head: answer.head.clone(),
        interim: Vec::new(),
        body: body.as_bytes()[at..].to_vec(),
        complete: answer.complete,
    }
}

#[test]
fn an_error_deep_inside_an_event_is_not_the_streams() {
    let deep = reply::event(
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"x","tool":{"error":{"message":"tool failed"}}},"finish_reason":null}]}"#,
    );
    let null = reply::event(
        r#"{"id":"c","error":null,"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#,
    );
    passes(
        &Request::stream("m"),
        &[deep, null, reply::finish(), reply::DONE.to_owned()],
    );
}
