//! What Claude Code sends to a chat upstream, and what it gets.

use serde_json::{Value, json};

use super::{assert_ok, messages, sent};
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

fn turn() -> Value {
    json!({
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.332.a1b; cch=0;"},
            {"type": "text", "text": "Be good"},
        ],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "Be brief"},
        ],
    })
}

/// Refuses what chat templates refuse.
fn strict() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        let body: Value = serde_json::from_slice(&exchange.request().body).unwrap();
        let mut late = body["messages"].as_array().unwrap().iter().skip(1);
        exchange.send(if late.any(|message| message["role"] == "system") {
            let error = json!({"error": {"message": "System message must be at the beginning."}});
            response::json("400 Bad Request", &error.to_string())
        } else {
            response::completion("hello")
        });
    })
}

#[test]
fn ms1_late_system_messages_are_moved_as_the_provider_or_the_model_says() {
    let upstream = strict();
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .provider(
            "first",
            &upstream.base_url(),
            "dialects = [\"chat\"]\nsystem_messages = \"first\"",
        )
        .model("m", "up", "x")
        .model("f", "first", "x")
        .section("[models.k]\nprovider = \"up\"\nmodel = \"x\"\nsystem_messages = \"keep\"")
        .start();
    for model in ["m", "f"] {
        assert_ok(&gateway.send(&messages(model, turn())));
    }
    let roles = |body: &Value| {
        let messages = body["messages"].as_array().unwrap().iter();
        let pairs = messages.map(|it| (it["role"].clone(), it["content"].clone()));
        pairs.collect::<Vec<_>>()
    };
    let reminder = "hi\n\n<system-reminder>\nBe brief\n</system-reminder>";
    let sent = sent(&upstream);
    assert_eq!(
        roles(&sent[0]),
        [
            (json!("system"), json!("Be good")),
            (json!("user"), json!(reminder))
        ]
    );
    assert_eq!(
        roles(&sent[1]),
        [
            (json!("system"), json!("Be good\n\nBe brief")),
            (json!("user"), json!("hi"))
        ]
    );
    let kept = gateway.send(&messages("k", turn()));
    assert_eq!(kept.status, 400, "{}", kept.text());
}

/// A client joins messages of one id, and finds results by the id of a call.
#[test]
fn ms2_ids_are_unique_whatever_the_upstream_and_the_client_send() {
    let call =
        json!({"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let completion = json!({"id": "chatcmpl-1", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
    let chunk = json!({"id": "chatcmpl-1", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "delta": {"tool_calls": [{"index": 0, "id": "call_0", "function": {"name": "f", "arguments": "{}"}}]}}]});
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let body: Value = serde_json::from_slice(&exchange.request().body).unwrap();
        exchange.send(if body["stream"] == true {
            response::stream(&[
                response::event(&chunk.to_string()),
                response::event("[DONE]"),
            ])
        } else {
            response::json("200 OK", &completion.to_string())
        });
    });
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .model("m", "up", "x")
        .start();
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let mut ids = Vec::new();
    let mut calls = Vec::new();
    for stream in [false, true, false, true] {
        let members = json!({"stream": stream, "tools": tools});
        // A proxy in front may send the same id with each request.
        let request: Request = messages("m", members).header("x-request-id", "same");
        let response = gateway.send(&request);
        assert_ok(&response);
        let text = response.text();
        let found = |prefix: &str| {
            let start = text
                .find(prefix)
                .unwrap_or_else(|| panic!("{prefix} in {text}"));
            let rest = &text[start + prefix.len()..];
            rest[..rest.find('"').unwrap()].to_owned()
        };
        ids.push(format!("msg_{}", found("\"id\":\"msg_")));
        calls.push(format!("tlid_{}", found("\"id\":\"tlid_")));
    }
    for all in [&mut ids, &mut calls] {
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{all:?}");
    }
    // The upstream gets its own ids back, next to each other.
    let mut history = vec![json!({"role": "user", "content": "hi"})];
    for id in &calls {
        let block = json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
        history.push(json!({"role": "assistant", "content": [block]}));
        let block = json!({"type": "tool_result", "tool_use_id": id, "content": id});
        history.push(json!({"role": "user", "content": [block]}));
    }
    assert_ok(&gateway.send(&messages("m", json!({"messages": history, "tools": tools}))));
    let body = sent(&upstream).pop().unwrap();
    for pair in body["messages"].as_array().unwrap()[1..].chunks(2) {
        assert_eq!(pair[0]["tool_calls"][0]["id"], "call_0");
        assert_eq!(pair[1]["tool_call_id"], "call_0");
    }
}
