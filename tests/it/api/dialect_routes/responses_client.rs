//! A client of Responses, before upstreams of Chat Completions and of Messages.

use serde_json::Value;

use super::{CHAT, MESSAGE, MESSAGES, RESPONSE, responses, text};
use crate::support::client::Response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

fn gateway(upstream: &Upstream, lines: &str) -> Gateway {
    Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start()
}

fn streamed() -> Request {
    let body = r#"{"model":"m","input":"hi","store":false,"stream":true}"#;
    Request::post("/v1/responses", body)
}

/// Streams of the text "hello", event by event, of chat and of Messages.
fn streams() -> [(&'static str, Vec<String>); 2] {
    let event =
        |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{rest}}}\n\n");
    let chat = vec![
        response::delta("hel"),
        response::delta("lo"),
        response::finish(),
        response::usage(11, 7),
        response::DONE.to_owned(),
    ];
    let messages = vec![
        event(
            "message_start",
            r#""message":{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"usage":{"input_tokens":11,"output_tokens":1}}"#,
        ),
        event(
            "content_block_start",
            r#""index":0,"content_block":{"type":"text","text":""}"#,
        ),
        event(
            "content_block_delta",
            r#""index":0,"delta":{"type":"text_delta","text":"hello"}"#,
        ),
        event("content_block_stop", r#""index":0"#),
        event(
            "message_delta",
            r#""delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}"#,
        ),
        event("message_stop", r#""x":0"#),
    ];
    [(CHAT, chat), (MESSAGES, messages)]
}

/// The data of the events of a stream.
#[track_caller]
fn events(response: &Response) -> Vec<Value> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.complete, "{}", response.text());
    let text = response.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|it| it["type"].as_str()).collect()
}

#[test]
fn ca3_a_stream_is_translated_and_metered() {
    for (lines, sent) in streams() {
        let upstream = Upstream::with_response(response::stream(&sent));
        let gateway = gateway(&upstream, lines);
        let events = events(&gateway.send(&streamed()));
        let kinds = kinds(&events);
        assert_eq!(kinds.first(), Some(&"response.created"), "{lines}");
        assert_eq!(kinds.last(), Some(&"response.completed"), "{lines}");
        let last = &events[events.len() - 1]["response"];
        assert_eq!(text(last), "hello");
        assert_eq!(last["usage"]["total_tokens"], 18);
        let line = gateway.access_lines(1).remove(0);
        let value = |name| crate::support::gateway::value(&line, name);
        assert_eq!(
            (value("input_tokens"), value("output_tokens")),
            (11.into(), 7.into())
        );
        assert_eq!(value("outcome"), "ok");
        assert!(value("first_token_ms").is_number(), "{line}");
    }
}

#[test]
fn ca3_a_stream_that_was_cut_is_never_completed() {
    for (lines, sent) in streams() {
        for count in 1..sent.len() - 2 {
            for is_ended in [false, true] {
                let sent = sent[..count].to_vec();
                let upstream = Upstream::start(move |exchange| {
                    exchange.read_body();
                    if is_ended {
                        exchange.send(response::stream(&sent));
                    } else {
                        exchange.send(response::stream_head());
                        exchange.send(response::chunk(sent.concat()));
                        exchange.close();
                    }
                });
                let gateway = gateway(&upstream, lines);
                let response = gateway.send(&streamed());
                let text = response.text();
                assert!(
                    !text.contains("response.completed"),
                    "{lines} {count} {text}"
                );
                assert!(!text.contains("[DONE]"), "{text}");
                assert!(
                    kinds(&events(&response)).contains(&"response.failed"),
                    "{text}"
                );
                let line = gateway.access_lines(1).remove(0);
                let outcome = crate::support::gateway::text(&line, "outcome");
                assert_eq!(outcome, "upstream_error", "{lines} {count}");
            }
        }
    }
}

#[test]
fn ca3_errors_have_the_statuses_and_words_of_the_api() {
    let too_long = r#"{"error":{"message":"This model's maximum context length is 10 tokens.","type":"BadRequestError","code":400}}"#;
    let busy = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let denied = r#"{"error":{"message":"denied","type":"x"}}"#;
    for (lines, status, body, expected, code) in [
        (
            CHAT,
            "400 Bad Request",
            too_long,
            400,
            "context_length_exceeded",
        ),
        (MESSAGES, "529 Overloaded", busy, 503, "overloaded"),
        (
            CHAT,
            "401 Unauthorized",
            denied,
            502,
            "upstream_auth_failed",
        ),
        (CHAT, "403 Forbidden", denied, 403, "upstream_forbidden"),
    ] {
        let upstream = Upstream::with_response(response::json(status, body));
        let gateway = gateway(&upstream, lines);
        for request in [responses(), streamed()] {
            let response = gateway.send(&request);
            let body = response.json();
            assert_eq!(response.status, expected, "{body}");
            assert_eq!(body["error"]["code"], code, "{body}");
            let is_final = (400..500).contains(&expected) || expected == 502;
            let should_retry = is_final.then_some("false");
            assert_eq!(response.header("x-should-retry"), should_retry, "{body}");
        }
    }
}

#[test]
fn ca3_a_failure_under_a_good_status_is_an_error() {
    let failure = r#"{"error":{"message":"out of memory","type":"server_error","code":null}}"#;
    let upstream = Upstream::with_response(response::json("200 OK", failure));
    let gateway = gateway(&upstream, CHAT);
    let response = gateway.send(&responses());
    assert_eq!(response.status, 502, "{}", response.text());
    assert_eq!(response.json()["error"]["message"], "out of memory");
    let upstream = Upstream::with_response(response::stream(&[response::event(failure)]));
    let gateway = self::gateway(&upstream, CHAT);
    let text = gateway.send(&streamed()).text();
    assert!(text.contains("response.failed"), "{text}");
    assert!(!text.contains("response.completed"), "{text}");
}

#[test]
fn ca3_what_has_no_counterpart_is_refused_by_name() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = gateway(&upstream, CHAT);
    for member in ["previous_response_id", "conversation", "background"] {
        let value = if member == "background" {
            "true"
        } else {
            "\"x\""
        };
        let body = format!(r#"{{"model":"m","input":"hi","{member}":{value}}}"#);
        let response = gateway.send(&Request::post("/v1/responses", body));
        assert_eq!(response.status, 400, "{}", response.text());
        assert_eq!(response.json()["error"]["param"], member);
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    let response = gateway.send(&Request::post("/v1/responses", r#"{"input":"hi"}"#));
    assert_eq!(response.status, 400, "{}", response.text());
    assert_eq!(response.json()["error"]["param"], "model");
    assert!(upstream.requests().is_empty());
}

#[test]
fn ca3_a_failover_leads_from_one_dialect_to_another() {
    let down = r#"{"error":{"message":"down","type":"server_error","param":null,"code":null}}"#;
    let good = |lines: &str| match lines {
        CHAT => response::completion("hello"),
        MESSAGES => response::json("200 OK", MESSAGE),
        _ => response::json("200 OK", RESPONSE),
    };
    for (first, second) in [
        (super::RESPONSES, CHAT),
        (CHAT, super::RESPONSES),
        (MESSAGES, CHAT),
        (super::RESPONSES, MESSAGES),
    ] {
        let failing = Upstream::with_response(response::json("500 Oops", down));
        let fine = Upstream::with_response(good(second));
        let gateway = Setup::new()
            .provider("one", &failing.base_url(), first)
            .provider("two", &fine.base_url(), second)
            .section("[models.m]\ntargets = [{ provider = \"one\", model = \"x\", priority = 0 }, { provider = \"two\", model = \"x\", priority = 1 }]")
            .start();
        for request in [responses(), super::chat(), super::messages()] {
            let response = gateway.send(&request);
            assert_eq!(response.status, 200, "{first} {second} {}", response.text());
            assert_eq!(text(&response.json()), "hello", "{first} {second}");
        }
        gateway.wait_until_idle();
        let labels = [("model", "m"), ("kind", "output")];
        gateway.await_metric("trunkline_tokens_total", &labels, 21.0);
    }
}

/// The first event decides: until then another target can be tried.
#[test]
fn ca3_a_stream_that_fails_at_once_goes_to_the_next_target() {
    let failure = r#"{"error":{"message":"out of memory","type":"server_error","code":null}}"#;
    let failing = Upstream::with_response(response::stream(&[response::event(failure)]));
    let [(_, chat), _] = streams();
    let fine = Upstream::with_response(response::stream(&chat));
    let gateway = Setup::new()
        .provider("one", &failing.base_url(), CHAT)
        .provider("two", &fine.base_url(), CHAT)
        .section("[models.m]\ntargets = [{ provider = \"one\", model = \"x\", priority = 0 }, { provider = \"two\", model = \"x\", priority = 1 }]")
        .start();
    let events = events(&gateway.send(&streamed()));
    assert_eq!(kinds(&events).last(), Some(&"response.completed"));
    assert_eq!(failing.requests().len(), 1);
}
