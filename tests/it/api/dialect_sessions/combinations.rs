//! Parameters that one of both APIs rejects together.

use serde_json::{Value, json};

use super::{
    MESSAGE, assert_ok, chat, chat_gateway, claude_gateway, merge, messages, messages_error, sent,
};
use crate::support::assert_response;
use crate::support::upstream::{Upstream, response};

#[test]
fn wt04_a_choice_among_no_tools_is_left_out() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let body: Value = serde_json::from_slice(&exchange.request().body).unwrap();
        let rejected = ["tool_choice", "parallel_tool_calls", "tools"];
        exchange.send(if rejected.iter().any(|name| body.get(name).is_some()) {
            response::json("400 Bad Request", r#"{"error":{"message":"no tools"}}"#)
        } else if exchange.request().target.ends_with("/messages") {
            response::json("200 OK", MESSAGE)
        } else {
            response::completion("hello")
        });
    });
    let gateway = claude_gateway(&upstream);
    for members in [
        json!({"tools":[],"tool_choice":"auto","parallel_tool_calls":false}),
        json!({"tool_choice":"none"}),
        json!({"parallel_tool_calls":false}),
        json!({"tools":null,"tool_choice":"auto"}),
    ] {
        assert_ok(&gateway.send(&chat("c", members)));
    }
    let seen = upstream.requests().len();
    let named = json!({"type":"function","function":{"name":"f"}});
    for choice in [json!("required"), named] {
        let response = gateway.send(&chat("c", json!({"tool_choice":choice})));
        assert_response::error(&response, 400, "unsupported_value", Some("tool_choice"));
    }
    assert_eq!(upstream.requests().len(), seen);
    let gateway = chat_gateway(&upstream);
    for members in [
        json!({"tools":[],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}),
        json!({"tool_choice":{"type":"none"}}),
    ] {
        assert_ok(&gateway.send(&messages("m", members)));
    }
    let seen = upstream.requests().len();
    for choice in [json!({"type":"any"}), json!({"type":"tool","name":"f"})] {
        let response = gateway.send(&messages("m", json!({"tool_choice":choice})));
        let message = messages_error(&response, 400, "invalid_request_error");
        assert!(message.contains("tool_choice"), "{message}");
    }
    assert_eq!(upstream.requests().len(), seen);
    // Chat to chat, bytes pass.
    let response = gateway.send(&chat("m", json!({"tool_choice":"none"})));
    assert_eq!(response.status, 400);
}

#[test]
fn wt05_what_cannot_be_combined_with_thinking_is_rejected_by_name() {
    let upstream = Upstream::with_response(response::json("200 OK", MESSAGE));
    let gateway = claude_gateway(&upstream);
    let tools = json!([{"type":"function","function":{"name":"f"}}]);
    let thinking = json!({"type":"enabled","budget_tokens":2048});
    let effort = |more: Value| {
        let mut members = json!({"reasoning_effort":"high","max_tokens":8192});
        merge(&mut members, more);
        members
    };
    for (members, param) in [
        (effort(json!({"temperature":0.2})), "temperature"),
        (effort(json!({"temperature":0})), "temperature"),
        (effort(json!({"top_p":0.5})), "top_p"),
        (effort(json!({"top_k":5})), "top_k"),
        (
            effort(json!({"tools":tools,"tool_choice":"required"})),
            "tool_choice",
        ),
        (
            effort(
                json!({"tools":tools,"tool_choice":{"type":"function","function":{"name":"f"}}}),
            ),
            "tool_choice",
        ),
        (
            json!({"thinking":thinking,"max_tokens":8192,"temperature":0.2}),
            "temperature",
        ),
        (json!({"thinking":{"type":"adaptive"},"top_p":0.1}), "top_p"),
    ] {
        let response = gateway.send(&chat("c", members.clone()));
        assert_eq!(response.json()["error"]["param"], param, "{members}");
        assert_response::error(&response, 400, "unsupported_value", Some(param));
    }
    assert!(upstream.requests().is_empty());
    for members in [
        effort(json!({"temperature":1})),
        effort(json!({"temperature":1.0,"top_p":1})),
        effort(json!({"top_p":0.97})),
        effort(json!({"tools":tools,"tool_choice":"auto"})),
        json!({"reasoning_effort":"none","temperature":0.2}),
        json!({"thinking":{"type":"disabled"},"temperature":0.2}),
        json!({"temperature":0.2,"top_p":0.5}),
        json!({"thinking":{"type":"enabled","budget_tokens":9000}}),
    ] {
        assert_ok(&gateway.send(&chat("c", members)));
    }
    let sent = sent(&upstream);
    assert_eq!(sent[0]["temperature"], 1);
    assert_eq!(sent[0]["thinking"]["type"], "enabled");
    // Both together are rejected by newer models, and one is the default.
    assert_eq!(
        (sent[1].get("top_p"), &sent[1]["temperature"]),
        (None, &json!(1.0))
    );
    // Anthropic requires a limit above the budget, and the client set none.
    assert_eq!(sent[7]["max_tokens"], 8192 + 9000);
}
