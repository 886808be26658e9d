//! The chat and Messages protocols: forwarded where the provider's API is the
//! client's, translated otherwise.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::Response;
use crate::support::request::Request;
use crate::support::setup::{Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, response};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"cache_read_input_tokens":2,"output_tokens":4}}"#;

/// A Messages stream that begins a tool call, event by event.
fn events() -> Vec<String> {
    let event = |data: Value| {
        let kind = data["type"].as_str().unwrap().to_owned();
        format!("event: {kind}\ndata: {data}\n\n")
    };
    vec![
        event(
            json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":11,"output_tokens":1}}}),
        ),
        event(
            json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}),
        ),
        event(
            json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}}),
        ),
        event(
            json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"Rome\"}"}}),
        ),
        event(json!({"type":"content_block_stop","index":0})),
        event(
            json!({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":7}}),
        ),
        event(json!({"type":"message_stop"})),
    ]
}

/// A provider with the Messages API, and its model `m`.
fn anthropic(upstream: &Upstream) -> Setup {
    let lines = "dialects = [\"messages\"]\nauth = \"x-api-key\"";
    Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "claude-opus-4-1")
}

fn messages(body: &Value) -> Request {
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

fn hello() -> Value {
    json!({"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}]})
}

/// Asserts an error in Anthropic's format and returns its message.
#[track_caller]
fn assert_anthropic_error(response: &Response, status: u16, kind: &str) -> String {
    let body = response.json();
    assert_eq!(response.status, status, "{body}");
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn chat_is_translated_for_a_messages_provider() {
    let upstream = Upstream::with_response(response::json("200 OK", MESSAGE));
    let gateway = anthropic(&upstream).start();
    let response = gateway.send(&Request::chat("m"));
    let body = response.json();
    assert_eq!(body["object"], "chat.completion", "{body}");
    assert_eq!(body["model"], "m");
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens"], 11);
    let seen = upstream.only_request();
    assert_eq!(seen.target, "/v1/messages");
    assert_eq!(seen.header_values("x-api-key"), [UPSTREAM_KEY]);
    assert_eq!(seen.header_values("anthropic-version"), ["2023-06-01"]);
    assert!(seen.header_values("authorization").is_empty());
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(sent["model"], "claude-opus-4-1");
    assert_eq!(sent["max_tokens"], 8192);
    gateway.wait_until_idle();
    let tokens = |direction| {
        let labels = [("model", "m"), ("kind", direction)];
        gateway.metrics().sum("trunkline_tokens_total", &labels)
    };
    assert_eq!((tokens("input"), tokens("output")), (Some(11.0), Some(4.0)));
}

#[test]
fn a_messages_stream_is_translated_to_chat_event_by_event() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for event in events() {
            // Split in the middle of events.
            let (one, other) = event.split_at(event.len() / 2);
            exchange.send(response::chunk(one));
            exchange.send(response::chunk(other));
        }
        exchange.shutdown_write();
    });
    let gateway = anthropic(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    let text = response.text();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(text.contains(r#""name":"weather""#), "{text}");
    assert!(text.contains(r#""finish_reason":"tool_calls""#), "{text}");
    assert!(
        !text.contains("usage\":{"),
        "usage was not requested: {text}"
    );
    gateway.wait_until_idle();
    let labels = [("model", "m"), ("kind", "output")];
    assert_eq!(
        gateway.metrics().sum("trunkline_tokens_total", &labels),
        Some(7.0)
    );
}

#[test]
fn a_translated_stream_that_was_truncated_does_not_look_complete() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for event in &events()[..3] {
            exchange.send(response::chunk(event));
        }
        exchange.close();
    });
    let gateway = anthropic(&upstream).start();
    assert_response::stream_error(
        &gateway.send(&Request::stream("m")),
        "upstream_disconnected",
    );
    let ended = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream(&events()[..3]));
    });
    let gateway = anthropic(&ended).start();
    assert_response::stream_error(&gateway.send(&Request::stream("m")), "upstream_incomplete");
    let broken = Upstream::start(|exchange| {
        exchange.read_body();
        let mut events = events();
        events[2] = "event: content_block_delta\ndata: {\"type\":\n\n".to_owned();
        exchange.send(response::stream(&events));
    });
    let gateway = anthropic(&broken).start();
    assert_response::stream_error(
        &gateway.send(&Request::stream("m")),
        "upstream_protocol_error",
    );
}

#[test]
fn untranslatable_parameters_are_rejected_by_name_and_errors_are_translated() {
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let upstream = Upstream::with_response(response::json("529 Overloaded", overloaded));
    let gateway = anthropic(&upstream).start();
    let two_choices = r#"{"model":"m","n":2,"messages":[{"role":"user","content":"hi"}]}"#;
    let response = gateway.send(&Request::post("/v1/chat/completions", two_choices));
    assert_response::error(&response, 400, "unsupported_parameter", Some("n"));
    let embedding = Request::post("/v1/embeddings", r#"{"model":"m","input":"x"}"#);
    assert_response::error(&gateway.send(&embedding), 400, "unsupported_endpoint", None);
    assert!(upstream.requests().is_empty());
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 503);
    assert_eq!(response.json()["error"]["message"], "Overloaded");
    let page = Upstream::with_response(response::json("200 OK", "[]"));
    let gateway = anthropic(&page).start();
    assert_response::error(
        &gateway.send(&Request::chat("m")),
        502,
        "upstream_protocol_error",
        None,
    );
}

#[test]
fn messages_are_translated_for_a_chat_provider() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = Setup::with_upstream(&upstream)
        .key("mine", "key-mine", "")
        .start();
    let request = messages(&hello()).header("x-api-key", "key-mine");
    let response = gateway.send(&request.header("anthropic-beta", "x"));
    let body = response.json();
    assert_eq!(body["type"], "message", "{body}");
    assert_eq!(body["model"], "m");
    assert_eq!(body["content"][0]["text"], "hello");
    assert_eq!(body["stop_reason"], "end_turn");
    let seen = upstream.only_request();
    assert_eq!(seen.target, "/v1/chat/completions");
    assert_eq!(
        seen.header_values("authorization"),
        [format!("Bearer {UPSTREAM_KEY}")]
    );
    for name in ["x-api-key", "anthropic-version", "anthropic-beta"] {
        assert!(seen.header_values(name).is_empty(), "{name}");
    }
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(
        (&sent["model"], &sent["max_tokens"]),
        (&json!("real-model"), &json!(64))
    );
    gateway.wait_until_idle();
    let labels = [("endpoint", "messages"), ("model", "m"), ("outcome", "ok")];
    assert_eq!(
        gateway.metrics().sum("trunkline_requests_total", &labels),
        Some(1.0)
    );
}

#[test]
fn a_chat_stream_is_translated_to_messages() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream(&[
            response::delta("hel"),
            response::delta("lo"),
            response::finish(),
            response::usage(5, 2),
            response::event("[DONE]"),
        ]));
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut body = hello();
    body["stream"] = json!(true);
    let response = gateway.send(&messages(&body));
    let text = response.text();
    assert!(
        response.complete && text.starts_with("event: message_start\n"),
        "{text}"
    );
    assert!(
        text.trim_end().ends_with("{\"type\":\"message_stop\"}"),
        "{text}"
    );
    let sent: Value = serde_json::from_slice(&upstream.only_request().body).unwrap();
    assert_eq!(sent["stream_options"]["include_usage"], true);
    gateway.wait_until_idle();
    let labels = [("model", "m"), ("kind", "output")];
    assert_eq!(
        gateway.metrics().sum("trunkline_tokens_total", &labels),
        Some(2.0)
    );
    let failing = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("hel")));
        exchange.close();
    });
    let gateway = Setup::with_upstream(&failing).start();
    let response = gateway.send(&messages(&body));
    let text = response.text();
    assert!(text.contains("event: error\n"), "{text}");
    assert!(!text.contains("message_stop"), "{text}");
}

#[test]
fn messages_are_forwarded_unchanged_to_a_messages_provider() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let streams = memchr::memmem::find(&exchange.request().body, b"true").is_some();
        exchange.send(if streams {
            response::stream(&events())
        } else {
            response::json("200 OK", MESSAGE)
        });
    });
    let gateway = anthropic(&upstream).start();
    let body = "{ \"model\" : \"m\",\n \"max_tokens\":1e1, \"unknown\":[true] }";
    let request = Request::post("/v1/messages?beta=true", body)
        .header("anthropic-version", "2024-01-01")
        .header("anthropic-beta", "next");
    let response = gateway.send(&request);
    assert_eq!(response.text(), events().concat());
    let seen = upstream.only_request();
    assert_eq!(seen.target, "/v1/messages?beta=true");
    let sent = String::from_utf8(seen.body.clone()).unwrap();
    assert_eq!(sent, body.replace("\"m\"", "\"claude-opus-4-1\""));
    assert_eq!(seen.header_values("anthropic-version"), ["2024-01-01"]);
    assert_eq!(seen.header_values("anthropic-beta"), ["next"]);
    let unary = gateway.send(&messages(&hello()));
    assert_eq!(unary.text(), MESSAGE);
    gateway.wait_until_idle();
    let tokens = |direction| {
        let labels = [("model", "m"), ("kind", direction)];
        gateway.metrics().sum("trunkline_tokens_total", &labels)
    };
    assert_eq!(
        (tokens("input"), tokens("output")),
        (Some(22.0), Some(11.0))
    );
    let count = Request::post("/v1/messages/count_tokens", hello().to_string());
    assert_eq!(gateway.send(&count).status, 200);
    assert_eq!(
        gateway
            .send(&Request::get("/v1/messages/batches?limit=1"))
            .status,
        200
    );
    let targets: Vec<_> = upstream
        .requests()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(
        targets[2..],
        ["/v1/messages/count_tokens", "/v1/messages/batches?limit=1"]
    );
}

#[test]
fn gateway_errors_have_the_format_of_the_clients_protocol() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("mine", "key-mine", "")
        .start();
    let send = |request: Request| gateway.send(&request.header("x-api-key", "key-mine"));
    assert_anthropic_error(
        &gateway.send(&messages(&hello())),
        401,
        "authentication_error",
    );
    let mut unknown = hello();
    unknown["model"] = json!("no-such-model");
    assert_anthropic_error(&send(messages(&unknown)), 404, "not_found_error");
    let mut odd = hello();
    odd["top_k"] = json!(3);
    let message = assert_anthropic_error(&send(messages(&odd)), 400, "invalid_request_error");
    assert!(message.contains("top_k"), "{message}");
    let broken = Request::post("/v1/messages", "{");
    assert_anthropic_error(&send(broken), 400, "invalid_request_error");
    let count = Request::post("/v1/messages/count_tokens", hello().to_string());
    assert_anthropic_error(&send(count), 400, "invalid_request_error");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_fallback_gets_the_request_in_its_own_protocol() {
    let failing = Upstream::with_response(response::json("500 Oops", "{}"));
    let good = Upstream::with_response(response::completion("hello"));
    let gateway = Setup::new()
        .provider("gone", &failing.base_url(), "dialects = [\"messages\"]")
        .provider("good", &good.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"gone\", model = \"x\" }]\nfallbacks = [\"n\"]",
        )
        .model("n", "good", "y")
        .start();
    let chat = gateway.send(&Request::chat("m"));
    assert_eq!(chat.json()["choices"][0]["message"]["content"], "hello");
    assert_eq!(failing.requests()[0].target, "/v1/messages");
    let response = gateway.send(&messages(&hello()));
    assert_eq!(
        response.json()["content"][0]["text"],
        "hello",
        "{}",
        response.text()
    );
}

#[test]
fn azures_older_urls_have_the_model_in_the_path() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let base = upstream.base_url().replace("/v1", "/openai");
    let lines = "auth = \"api-key\"\napi_version = \"2024-10-21\"";
    let gateway = Setup::new()
        .provider("azure", &base, lines)
        .model("m", "azure", "my deployment")
        .start();
    let target = "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21";
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let mut deployed = Request::chat("m");
    deployed.target = "/openai/deployments/m/chat/completions?api-version=2023-05-15".to_owned();
    assert_eq!(gateway.send(&deployed).status, 200);
    let moderation = Request::post("/v1/moderations", r#"{"model":"m","input":"x"}"#);
    assert_eq!(gateway.send(&moderation).status, 200);
    let files = Request::get("/v1/files?limit=3");
    assert_eq!(gateway.send(&files).status, 200);
    let seen = upstream.requests();
    let targets: Vec<_> = seen.iter().map(|seen| &*seen.target).collect();
    let version = "api-version=2024-10-21";
    let moderations = format!("/openai/moderations?{version}");
    let files = format!("/openai/files?limit=3&{version}");
    assert_eq!(targets, [target, target, &moderations, &files]);
    assert_eq!(seen[0].header_values("api-key"), [UPSTREAM_KEY]);
}
