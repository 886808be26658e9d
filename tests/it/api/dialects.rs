//! Two protocols: chat and Messages, each passed through where the provider
//! speaks it and translated where it does not.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::Answer;
use crate::support::request::Request;
use crate::support::setup::{Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, reply};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"cache_read_input_tokens":2,"output_tokens":4}}"#;

/// A stream of Messages that begins to call a tool, event by event.
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

/// A provider that speaks Messages, and its model `m`.
fn anthropic(upstream: &Upstream) -> Setup {
    let lines = "dialect = \"anthropic\"\nauth = \"x-api-key\"";
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

/// Checks an error in Anthropic's shape and yields its message.
#[track_caller]
fn fault(answer: &Answer, status: u16, kind: &str) -> String {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn chat_reaches_a_provider_that_speaks_messages() {
    let upstream = Upstream::answering(reply::json("200 OK", MESSAGE));
    let gateway = anthropic(&upstream).start();
    let answer = gateway.ask(&Request::chat("m"));
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion", "{body}");
    assert_eq!(body["model"], "m");
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens"], 11);
    let seen = upstream.only();
    assert_eq!(seen.target, "/v1/messages");
    assert_eq!(seen.all("x-api-key"), [UPSTREAM_KEY]);
    assert_eq!(seen.all("anthropic-version"), ["2023-06-01"]);
    assert!(seen.all("authorization").is_empty());
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(sent["model"], "claude-opus-4-1");
    assert_eq!(sent["max_tokens"], 8192);
    gateway.settle();
    let tokens = |direction| {
        let labels = [("model", "m"), ("kind", direction)];
        gateway.metrics().sum("trunkline_tokens_total", &labels)
    };
    assert_eq!((tokens("input"), tokens("output")), (Some(11.0), Some(4.0)));
}

#[test]
fn a_stream_of_messages_is_told_as_chat_event_by_event() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for event in events() {
            // Cut anywhere.
            let (one, other) = event.split_at(event.len() / 2);
            exchange.send(reply::chunk(one));
            exchange.send(reply::chunk(other));
        }
        exchange.finish();
    });
    let gateway = anthropic(&upstream).start();
    let answer = gateway.ask(&Request::stream("m"));
    assert!(answer.complete);
    let text = answer.text();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(text.contains(r#""name":"weather""#), "{text}");
    assert!(text.contains(r#""finish_reason":"tool_calls""#), "{text}");
    assert!(!text.contains("usage\":{"), "nobody asked: {text}");
    gateway.settle();
    let labels = [("model", "m"), ("kind", "output")];
    assert_eq!(
        gateway.metrics().sum("trunkline_tokens_total", &labels),
        Some(7.0)
    );
}

#[test]
fn a_translated_stream_that_was_cut_does_not_look_complete() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for event in &events()[..3] {
            exchange.send(reply::chunk(event));
        }
        exchange.close();
    });
    let gateway = anthropic(&upstream).start();
    assert_response::stream_error(&gateway.ask(&Request::stream("m")), "upstream_disconnected");
    let ended = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream(&events()[..3]));
    });
    let gateway = anthropic(&ended).start();
    assert_response::stream_error(&gateway.ask(&Request::stream("m")), "upstream_incomplete");
    let broken = Upstream::start(|exchange| {
        exchange.read_body();
        let mut events = events();
        events[2] = "event: content_block_delta\ndata: {\"type\":\n\n".to_owned();
        exchange.send(reply::stream(&events));
    });
    let gateway = anthropic(&broken).start();
    assert_response::stream_error(
        &gateway.ask(&Request::stream("m")),
        "upstream_protocol_error",
    );
}

#[test]
fn what_cannot_be_told_is_refused_by_name_and_errors_change_their_shape() {
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let upstream = Upstream::answering(reply::json("529 Overloaded", overloaded));
    let gateway = anthropic(&upstream).start();
    let many = r#"{"model":"m","n":2,"messages":[{"role":"user","content":"hi"}]}"#;
    let answer = gateway.ask(&Request::post("/v1/chat/completions", many));
    assert_response::error(&answer, 400, "unsupported_parameter", Some("n"));
    let embedding = Request::post("/v1/embeddings", r#"{"model":"m","input":"x"}"#);
    assert_response::error(&gateway.ask(&embedding), 400, "unsupported_endpoint", None);
    assert!(upstream.requests().is_empty());
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"]["message"], "Overloaded");
    let page = Upstream::answering(reply::json("200 OK", "[]"));
    let gateway = anthropic(&page).start();
    assert_response::error(
        &gateway.ask(&Request::chat("m")),
        502,
        "upstream_protocol_error",
        None,
    );
}

#[test]
fn messages_reach_a_provider_that_speaks_chat() {
    let upstream = Upstream::answering(reply::completion("hello"));
    let gateway = Setup::over(&upstream).key("mine", "key-mine", "").start();
    let request = messages(&hello()).header("x-api-key", "key-mine");
    let answer = gateway.ask(&request.header("anthropic-beta", "x"));
    let body = answer.json();
    assert_eq!(body["type"], "message", "{body}");
    assert_eq!(body["model"], "m");
    assert_eq!(body["content"][0]["text"], "hello");
    assert_eq!(body["stop_reason"], "end_turn");
    let seen = upstream.only();
    assert_eq!(seen.target, "/v1/chat/completions");
    assert_eq!(
        seen.all("authorization"),
        [format!("Bearer {UPSTREAM_KEY}")]
    );
    for name in ["x-api-key", "anthropic-version", "anthropic-beta"] {
        assert!(seen.all(name).is_empty(), "{name}");
    }
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(
        (&sent["model"], &sent["max_tokens"]),
        (&json!("real-model"), &json!(64))
    );
    gateway.settle();
    let labels = [("endpoint", "messages"), ("model", "m"), ("outcome", "ok")];
    assert_eq!(
        gateway.metrics().sum("trunkline_requests_total", &labels),
        Some(1.0)
    );
}

#[test]
fn a_stream_of_chat_is_told_as_messages() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream(&[
            reply::delta("hel"),
            reply::delta("lo"),
            reply::finish(),
            reply::usage(5, 2),
            reply::event("[DONE]"),
        ]));
    });
    let gateway = Setup::over(&upstream).start();
    let mut body = hello();
    body["stream"] = json!(true);
    let answer = gateway.ask(&messages(&body));
    let text = answer.text();
    assert!(
        answer.complete && text.starts_with("event: message_start\n"),
        "{text}"
    );
    assert!(
        text.trim_end().ends_with("{\"type\":\"message_stop\"}"),
        "{text}"
    );
    let sent: Value = serde_json::from_slice(&upstream.only().body).unwrap();
    assert_eq!(sent["stream_options"]["include_usage"], true);
    gateway.settle();
    let labels = [("model", "m"), ("kind", "output")];
    assert_eq!(
        gateway.metrics().sum("trunkline_tokens_total", &labels),
        Some(2.0)
    );
    let gone = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("hel")));
        exchange.close();
    });
    let gateway = Setup::over(&gone).start();
    let answer = gateway.ask(&messages(&body));
    let text = answer.text();
    assert!(text.contains("event: error\n"), "{text}");
    assert!(!text.contains("message_stop"), "{text}");
}

#[test]
fn messages_pass_untouched_where_the_provider_speaks_them() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let streams = memchr::memmem::find(&exchange.request().body, b"true").is_some();
        exchange.send(if streams {
            reply::stream(&events())
        } else {
            reply::json("200 OK", MESSAGE)
        });
    });
    let gateway = anthropic(&upstream).start();
    let body = "{ \"model\" : \"m\",\n \"max_tokens\":1e1, \"unknown\":[true] }";
    let request = Request::post("/v1/messages?beta=true", body)
        .header("anthropic-version", "2024-01-01")
        .header("anthropic-beta", "next");
    let answer = gateway.ask(&request);
    assert_eq!(answer.text(), events().concat());
    let seen = upstream.only();
    assert_eq!(seen.target, "/v1/messages?beta=true");
    let sent = String::from_utf8(seen.body.clone()).unwrap();
    assert_eq!(sent, body.replace("\"m\"", "\"claude-opus-4-1\""));
    assert_eq!(seen.all("anthropic-version"), ["2024-01-01"]);
    assert_eq!(seen.all("anthropic-beta"), ["next"]);
    let whole = gateway.ask(&messages(&hello()));
    assert_eq!(whole.text(), MESSAGE);
    gateway.settle();
    let tokens = |direction| {
        let labels = [("model", "m"), ("kind", direction)];
        gateway.metrics().sum("trunkline_tokens_total", &labels)
    };
    assert_eq!(
        (tokens("input"), tokens("output")),
        (Some(22.0), Some(11.0))
    );
    let count = Request::post("/v1/messages/count_tokens", hello().to_string());
    assert_eq!(gateway.ask(&count).status, 200);
    assert_eq!(
        gateway
            .ask(&Request::get("/v1/messages/batches?limit=1"))
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
fn errors_of_ours_have_the_shape_that_the_caller_knows() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).key("mine", "key-mine", "").start();
    let ask = |request: Request| gateway.ask(&request.header("x-api-key", "key-mine"));
    fault(
        &gateway.ask(&messages(&hello())),
        401,
        "authentication_error",
    );
    let mut unknown = hello();
    unknown["model"] = json!("nobody");
    fault(&ask(messages(&unknown)), 404, "not_found_error");
    let mut odd = hello();
    odd["top_k"] = json!(3);
    let message = fault(&ask(messages(&odd)), 400, "invalid_request_error");
    assert!(message.contains("top_k"), "{message}");
    let broken = Request::post("/v1/messages", "{");
    fault(&ask(broken), 400, "invalid_request_error");
    let count = Request::post("/v1/messages/count_tokens", hello().to_string());
    fault(&ask(count), 400, "invalid_request_error");
    assert!(upstream.requests().is_empty());
}

#[test]
fn what_one_provider_does_not_answer_another_does_in_its_own_protocol() {
    let gone = Upstream::answering(reply::json("500 Oops", "{}"));
    let good = Upstream::answering(reply::completion("hello"));
    let gateway = Setup::new()
        .provider("gone", &gone.base_url(), "dialect = \"anthropic\"")
        .provider("good", &good.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"gone\", model = \"x\" }]\nfallbacks = [\"n\"]",
        )
        .model("n", "good", "y")
        .start();
    let chat = gateway.ask(&Request::chat("m"));
    assert_eq!(chat.json()["choices"][0]["message"]["content"], "hello");
    assert_eq!(gone.requests()[0].target, "/v1/messages");
    let told = gateway.ask(&messages(&hello()));
    assert_eq!(
        told.json()["content"][0]["text"],
        "hello",
        "{}",
        told.text()
    );
}

#[test]
fn azures_older_way_has_the_model_in_the_path() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let base = upstream.base_url().replace("/v1", "/openai");
    let lines = "auth = \"api-key\"\napi_version = \"2024-10-21\"";
    let gateway = Setup::new()
        .provider("azure", &base, lines)
        .model("m", "azure", "my deployment")
        .start();
    let target = "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21";
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let mut deployed = Request::chat("m");
    deployed.target = "/openai/deployments/m/chat/completions?api-version=2023-05-15".to_owned();
    assert_eq!(gateway.ask(&deployed).status, 200);
    let moderation = Request::post("/v1/moderations", r#"{"model":"m","input":"x"}"#);
    assert_eq!(gateway.ask(&moderation).status, 200);
    let files = Request::get("/v1/files?limit=3");
    assert_eq!(gateway.ask(&files).status, 200);
    let seen = upstream.requests();
    let targets: Vec<_> = seen.iter().map(|seen| &*seen.target).collect();
    let version = "api-version=2024-10-21";
    let moderations = format!("/openai/moderations?{version}");
    let files = format!("/openai/files?limit=3&{version}");
    assert_eq!(targets, [target, target, &moderations, &files]);
    assert_eq!(seen[0].all("api-key"), [UPSTREAM_KEY]);
}
