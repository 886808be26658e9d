//! Conversations that go on: ids of tool calls, histories that began with another
//! model, and what one of both APIs rejects.

mod codex;
mod coding_agents;
mod combinations;
mod failures;
mod histories;
mod tool_ids;

use serde_json::{Value, json};

use crate::support::client::Response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::Upstream;

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":4}}"#;

/// The model `m` at a chat upstream.
fn chat_gateway(upstream: &Upstream) -> Gateway {
    Setup::with_upstream(upstream).start()
}

/// The model `c` at a Messages upstream.
fn claude_gateway(upstream: &Upstream) -> Gateway {
    Setup::new()
        .provider("ant", &upstream.base_url(), "dialects = [\"messages\"]")
        .model("c", "ant", "claude-sonnet-4-5")
        .start()
}

/// A Messages request with more members.
fn messages(model: &str, members: Value) -> Request {
    let mut body =
        json!({"model": model, "max_tokens": 64, "messages": [{"role":"user","content":"hi"}]});
    merge(&mut body, members);
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

/// A chat request with more members.
fn chat(model: &str, members: Value) -> Request {
    let mut body = json!({"model": model, "messages": [{"role":"user","content":"hi"}]});
    merge(&mut body, members);
    Request::post("/v1/chat/completions", body.to_string())
}

fn merge(body: &mut Value, members: Value) {
    let Value::Object(members) = members else {
        panic!("not an object: {members}");
    };
    body.as_object_mut().unwrap().extend(members);
}

/// A history in which these calls ran.
fn history(ids: &[&str]) -> Value {
    let calls = ids
        .iter()
        .map(|id| json!({"type":"tool_use","id":id,"name":"f","input":{}}));
    let results = ids
        .iter()
        .map(|id| json!({"type":"tool_result","tool_use_id":id,"content":id}));
    json!({"messages": [
        {"role":"user","content":"hi"},
        {"role":"assistant","content":calls.collect::<Vec<_>>()},
        {"role":"user","content":results.collect::<Vec<_>>()},
    ]})
}

/// The bodies that the upstream got.
fn sent(upstream: &Upstream) -> Vec<Value> {
    let requests = upstream.requests();
    let bodies = requests
        .iter()
        .map(|seen| serde_json::from_slice(&seen.body).unwrap());
    bodies.collect()
}

/// The ids of the calls, and those that results name, in a chat request.
fn chat_ids(body: &Value) -> (Vec<String>, Vec<String>) {
    let messages = body["messages"].as_array().unwrap();
    let calls = messages
        .iter()
        .flat_map(|message| message["tool_calls"].as_array().into_iter().flatten());
    let text = |id: &Value| id.as_str().map(str::to_owned);
    (
        calls.filter_map(|call| text(&call["id"])).collect(),
        messages
            .iter()
            .filter_map(|message| text(&message["tool_call_id"]))
            .collect(),
    )
}

#[track_caller]
fn assert_ok(response: &Response) {
    assert_eq!(response.status, 200, "{}", response.text());
}

/// An error in Anthropic's format; returns its message.
#[track_caller]
fn messages_error(response: &Response, status: u16, kind: &str) -> String {
    let body = response.json();
    assert_eq!(response.status, status, "{body}");
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!(kind)),
        "{body}"
    );
    body["error"]["message"].as_str().unwrap().to_owned()
}
