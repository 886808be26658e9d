//! Sessions of Codex, which speaks Responses, before upstreams that do not.

use serde_json::{Value, json};

use super::{MESSAGE, assert_ok, claude_gateway, sent};
use crate::support::assert_response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

const PATCH: &str = "*** Begin Patch\n*** Add File: a.txt\n+hi \"é\"\n*** End Patch";

/// The model `m` at an upstream that has nothing but chat.
fn chat_gateway(upstream: &Upstream) -> Gateway {
    Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .model("m", "up", "real-model")
        .start()
}

/// A request as Codex makes it, with this conversation behind its instructions.
fn request(model: &str, conversation: &[Value]) -> Request {
    let text = |role: &str, text: &str| json!({"type":"message","id":"msg_0","role":role,"content":[{"type":"input_text","text":text}]});
    let mut input = vec![
        text("developer", "You are a coding agent."),
        text("developer", "<permissions>"),
        text("user", "<environment>"),
        text("user", "Write the file."),
    ];
    input.extend(conversation.iter().cloned());
    let function = |name: &str| json!({"type":"function","name":name,"strict":false,"parameters":{"type":"object"}});
    let grammar = json!({"type":"grammar","syntax":"lark","definition":"start: begin_patch hunk+ end_patch\n"});
    let body = json!({
        "model": model, "stream": true, "store": false, "input": input,
        "tools": [
            function("exec_command"),
            {"type":"custom","name":"apply_patch","description":"Edits files.","format":grammar},
            {"type":"namespace","name":"multi_agent_v1","description":"Agents.","tools":[function("spawn_agent")]},
            {"type":"web_search","external_web_access":false},
        ],
        "tool_choice": "auto", "parallel_tool_calls": true, "reasoning": {"summary":"auto"},
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
        "client_metadata": {"session_id":"s"},
    });
    Request::post("/v1/responses", body.to_string())
}

/// The items of the response.
#[track_caller]
fn output(gateway: &Gateway, request: &Request) -> Vec<Value> {
    let response = gateway.send(request);
    assert_ok(&response);
    let text = response.text();
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let last: Value = serde_json::from_str(data.next_back().unwrap()).unwrap();
    assert_eq!(last["type"], "response.completed", "{text}");
    last["response"]["output"].as_array().unwrap().clone()
}

/// A chat stream with these calls.
fn calls() -> Vec<String> {
    let call = |index: usize, name: &str, arguments: &str| {
        let call = json!({"index":index,"id":format!("call_{index}"),"type":"function","function":{"name":name,"arguments":arguments}});
        let choice = json!({"index":0,"delta":{"tool_calls":[call]},"finish_reason":null});
        response::event(&json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[choice]}).to_string())
    };
    vec![
        call(0, "apply_patch", &json!({"input": PATCH}).to_string()),
        call(1, "multi_agent_v1__spawn_agent", r#"{"message":"look"}"#),
        response::finish(),
        response::DONE.to_owned(),
    ]
}

#[test]
fn rq1_codex_edits_a_file_at_a_chat_upstream() {
    let upstream = Upstream::with_response(response::stream(&calls()));
    let gateway = chat_gateway(&upstream);
    let mut conversation = output(&gateway, &request("m", &[]));
    let summary: Vec<_> = conversation
        .iter()
        .map(|item| (&item["type"], &item["namespace"], &item["name"]))
        .collect();
    assert_eq!(
        summary,
        [
            (
                &json!("custom_tool_call"),
                &Value::Null,
                &json!("apply_patch")
            ),
            (
                &json!("function_call"),
                &json!("multi_agent_v1"),
                &json!("spawn_agent")
            ),
        ]
    );
    assert_eq!(conversation[0]["input"], PATCH);
    let result =
        |kind: &str, call: &Value| json!({"type":kind,"call_id":call["call_id"],"output":"ok"});
    let results = [
        result("custom_tool_call_output", &conversation[0]),
        result("function_call_output", &conversation[1]),
    ];
    conversation.extend(results);
    output(&gateway, &request("m", &conversation));
    let sent = sent(&upstream);
    let roles = |body: &Value| -> Vec<String> {
        let messages = body["messages"].as_array().unwrap().iter();
        messages
            .map(|it| it["role"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(roles(&sent[0]), ["system", "user"]);
    assert_eq!(
        roles(&sent[1]),
        ["system", "user", "assistant", "tool", "tool"]
    );
    // The prompt before is the same, so that the upstream's cache serves it.
    assert_eq!(sent[0]["messages"][0], sent[1]["messages"][0]);
    assert_eq!(sent[0]["messages"][1], sent[1]["messages"][1]);
    let calls = &sent[1]["messages"][2]["tool_calls"];
    let arguments = calls[0]["function"]["arguments"].as_str().unwrap();
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments, json!({"input": PATCH}));
    assert_eq!(calls[1]["function"]["name"], "multi_agent_v1__spawn_agent");
    assert_eq!(calls[0]["id"], "call_0");
    let tools = sent[0]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 3, "the search is not offered: {tools:?}");
    let description = tools[1]["function"]["description"].as_str().unwrap();
    assert!(description.contains("start: begin_patch hunk+ end_patch\n"));
}

#[test]
fn rq4_an_error_names_codexs_own_member_at_each_upstream() {
    let chat = Upstream::with_response(response::completion("hello"));
    let claude = Upstream::with_response(response::json("200 OK", MESSAGE));
    let gateways = [("m", chat_gateway(&chat)), ("c", claude_gateway(&claude))];
    let image = json!({"role":"user","content":[{"type":"input_image","file_id":"file-1"}]});
    for (model, gateway) in &gateways {
        let response = gateway.send(&request(model, std::slice::from_ref(&image)));
        let param = "input[4].content[0].file_id";
        assert_response::error(&response, 400, "unsupported_parameter", Some(param));
    }
    // Of the second translation.
    let image = json!({"role":"user","content":[{"type":"input_image","image_url":"ftp://x/y"}]});
    let response = gateways[1].1.send(&request("c", &[image]));
    let param = "input[4].content[0].image_url";
    assert_response::error(&response, 400, "unsupported_value", Some(param));
    assert_eq!(claude.requests().len(), 0);
}

#[test]
fn rq3_calls_about_stored_responses_name_the_cure() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = chat_gateway(&upstream);
    for (target, cure) in [
        ("/v1/responses/compact", "Let the client summarize"),
        ("/v1/responses/input_tokens", "send the whole history"),
    ] {
        let response = gateway.send(&Request::post(target, r#"{"model":"m","input":"x"}"#));
        let message = assert_response::error(&response, 400, "unsupported_endpoint", None);
        assert!(message.contains(cure), "{message}");
    }
    assert_eq!(upstream.requests().len(), 0);
}
