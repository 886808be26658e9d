//! Clients of Chat Completions and of Messages, before an upstream of Responses.

use serde_json::{Value, json};

use super::{RESPONSE, RESPONSES, chat, messages, text};
use crate::support::assert_response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

fn gateway(upstream: &Upstream) -> Gateway {
    Setup::new()
        .provider("up", &upstream.base_url(), RESPONSES)
        .model("m", "up", "real-model")
        .start()
}

fn messages_stream() -> Request {
    let body = json!({"model":"m","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]});
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

/// A stream of the text "hello", event by event.
fn stream() -> Vec<String> {
    let item = |status: &str, content: Value| json!({"id":"msg_1","type":"message","role":"assistant","status":status,"content":content});
    let part = |text: &str| json!({"type":"output_text","text":text,"annotations":[]});
    let response: Value = serde_json::from_str(RESPONSE).unwrap();
    let begun = json!({"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"x","output":[],"usage":null});
    let data = [
        json!({"type":"response.created","response":begun}),
        json!({"type":"response.output_item.added","output_index":0,"item":item("in_progress", json!([]))}),
        json!({"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":0,"part":part("")}),
        json!({"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"hello"}),
        json!({"type":"response.output_text.done","item_id":"msg_1","output_index":0,"content_index":0,"text":"hello"}),
        json!({"type":"response.content_part.done","item_id":"msg_1","output_index":0,"content_index":0,"part":part("hello")}),
        json!({"type":"response.output_item.done","output_index":0,"item":item("completed", json!([part("hello")]))}),
        json!({"type":"response.completed","response":response}),
    ];
    let mut number = 0;
    let event = |mut data: Value| {
        data["sequence_number"] = json!(number);
        number += 1;
        let kind = data["type"].as_str().unwrap().to_owned();
        format!("event: {kind}\ndata: {data}\n\n")
    };
    data.into_iter().map(event).collect()
}

#[test]
fn ca3_requests_go_to_the_call_of_responses() {
    let upstream = Upstream::with_response(response::json("200 OK", RESPONSE));
    let gateway = gateway(&upstream);
    for request in [chat(), messages()] {
        assert_eq!(text(&gateway.send(&request).json()), "hello");
    }
    for seen in upstream.requests() {
        assert_eq!(seen.target, "/v1/responses");
        let sent: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(sent["model"], "real-model");
        assert!(sent.get("messages").is_none(), "{sent}");
        assert!(seen.header("anthropic-version").is_none());
    }
}

#[test]
fn ca3_streams_are_translated_and_metered() {
    let upstream = Upstream::with_response(response::stream(&stream()));
    let gateway = gateway(&upstream);
    let chat = gateway.send(&Request::stream("m")).text();
    assert!(chat.contains("\"content\":\"hello\""), "{chat}");
    assert!(chat.ends_with(response::DONE), "{chat}");
    let messages = gateway.send(&messages_stream()).text();
    assert!(messages.contains("\"text\":\"hello\""), "{messages}");
    assert!(
        messages.trim_end().ends_with("{\"type\":\"message_stop\"}"),
        "{messages}"
    );
    gateway.wait_until_idle();
    for (kind, count) in [("input", 22.0), ("output", 14.0)] {
        let labels = [("model", "m"), ("kind", kind)];
        gateway.await_metric("trunkline_tokens_total", &labels, count);
    }
}

#[test]
fn ca3_a_cut_stream_does_not_look_complete() {
    let events = stream();
    for count in 1..events.len() {
        let sent = events[..count].to_vec();
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send(response::stream_head());
            exchange.send(response::chunk(sent.concat()));
            exchange.close();
        });
        let gateway = gateway(&upstream);
        let response = gateway.send(&Request::stream("m"));
        assert_response::stream_error(&response, "upstream_disconnected");
        let text = gateway.send(&messages_stream()).text();
        assert!(!text.contains("message_stop"), "{count} {text}");
        assert!(text.contains("event: error\n"), "{count} {text}");
    }
}

#[test]
fn ca3_errors_have_the_clients_format() {
    let failed = r#"{"id":"resp_1","object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow down"},"output":[]}"#;
    let upstream = Upstream::with_response(response::json("200 OK", failed));
    let gateway = gateway(&upstream);
    let response = gateway.send(&chat());
    assert_eq!(response.status, 429, "{}", response.text());
    let response = gateway.send(&messages());
    assert_eq!(response.status, 429, "{}", response.text());
    assert_eq!(response.json()["error"]["type"], "rate_limit_error");
    let too_long = r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#;
    let upstream = Upstream::with_response(response::json("400 Bad Request", too_long));
    let gateway = self::gateway(&upstream);
    let body = gateway.send(&messages()).json();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("prompt is too long: "), "{message}");
}
