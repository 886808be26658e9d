//! A conversation keeps its text, calls and results through a second dialect and back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::responses_requests::to_chat;
use super::{CONTEXT, RESPONSES_VIA_CHAT, chat_upstream};
use crate::dialect::{
    Dialect, DialectPair, ResponseContext, ResponsesUpstream, SystemPosition, UpstreamApi,
    translate_request, translate_response,
};

#[derive(Clone, Debug)]
struct Turn {
    user: String,
    text: Option<String>,
    /// Arguments and results.
    calls: Vec<(String, String)>,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let text = "[a-z\u{e9} \\\\\"\n<>]{1,12}";
    let arguments = prop::sample::select(vec!["{}", r#"{"a":[1,"\\"]}"#, r#"{ "b" : "é" }"#]);
    let calls = prop::collection::vec((arguments.prop_map(ToOwned::to_owned), text), 0..3);
    let turn = (text, prop::option::of(text), calls).prop_map(|(user, text, calls)| Turn {
        user,
        text,
        calls,
    });
    prop::collection::vec(turn, 1..4)
}

fn chat_messages(turns: &[Turn]) -> Vec<Value> {
    let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
    for (index, turn) in turns.iter().enumerate() {
        messages.push(json!({"role": "user", "content": turn.user}));
        let id = |number: usize| format!("call_{index}_{number}");
        let calls = turn.calls.iter().enumerate();
        let calls: Vec<_> = calls
            .map(|(number, (arguments, _))| {
                let function = json!({"name": "f", "arguments": arguments});
                json!({"id": id(number), "type": "function", "function": function})
            })
            .collect();
        let text = turn.text.as_deref();
        let mut message = json!({"role": "assistant", "content": text});
        if calls.is_empty() {
            message["content"] = text.unwrap_or("-").into();
        } else {
            message["tool_calls"] = calls.into();
        }
        messages.push(message);
        for (number, (_, result)) in turn.calls.iter().enumerate() {
            messages.push(json!({"role": "tool", "tool_call_id": id(number), "content": result}));
        }
    }
    messages
}

proptest! {
    #[test]
    fn a_chat_conversation_comes_back_from_responses(turns in turns()) {
        let messages = chat_messages(&turns);
        let body = json!({
            "messages": messages,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "max_completion_tokens": 90,
        });
        let upstream = UpstreamApi::Responses(ResponsesUpstream {
            model: "m",
            reasoning: true,
            system: SystemPosition::Anywhere,
            provider: "up",
        });
        let responses = translate_request(Dialect::Chat, body.to_string().as_bytes(), &upstream);
        let chat = to_chat(&responses.unwrap().body, &super::ChatUpstream {
            reasoning_history: false,
            ..chat_upstream()
        });
        let chat: Value = serde_json::from_slice(&chat.unwrap().body).unwrap();
        prop_assert_eq!(&chat["messages"], &Value::Array(messages));
        prop_assert_eq!(&chat["tools"], &body["tools"]);
        prop_assert_eq!(&chat["max_completion_tokens"], 90);
    }
}

const TOOLS: &str = r#"[
    {"type":"function","name":"f","parameters":{"type":"object"},"strict":false},
    {"type":"custom","name":"apply_patch"},
    {"type":"tool_search","execution":"client","parameters":{"type":"object"}},
    {"type":"namespace","name":"functions","description":"","tools":[{"type":"custom","name":"exec"}]},
    {"type":"namespace","name":"n","description":"","tools":[{"type":"function","name":"g"}]}]"#;

/// What the model said is what it reads in the next request.
#[test]
fn a_response_comes_back_as_the_message_that_it_was() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let message = json!({
        "role": "assistant",
        "content": "I will \"look\".",
        "reasoning_content": "Let me think.\nHard.",
        "tool_calls": [
            call("call_1", "f", r#"{"a":1}"#),
            call("call_2", "apply_patch", r#"{"input":"*** Begin Patch\n\"\\u00e9\""}"#),
            call("call_3", "tool_search", r#"{"query":"x"}"#),
            call("call_4", "exec", r#"{"input":"text('hi')"}"#),
            call("call_5", "n__g", "{}"),
        ],
    });
    let first = format!(r#"{{"input":"Go.","tools":{TOOLS}}}"#);
    let request = to_chat(first.as_bytes(), &chat_upstream()).unwrap();
    let completion = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]});
    let context = ResponseContext {
        echo: request.echo.as_deref(),
        ..CONTEXT
    };
    let response = translate_response(
        RESPONSES_VIA_CHAT,
        completion.to_string().as_bytes(),
        &context,
    );
    let response: Value = serde_json::from_slice(&response.unwrap()).unwrap();
    assert_eq!(response["store"], false);
    assert_eq!(
        response["tools"],
        serde_json::from_str::<Value>(TOOLS).unwrap()
    );
    let mut input = vec![json!({"role": "user", "content": "Go."})];
    input.extend(response["output"].as_array().unwrap().iter().cloned());
    let body = json!({"input": input, "tools": response["tools"]});
    let next = to_chat(body.to_string().as_bytes(), &chat_upstream()).unwrap();
    let chat: Value = serde_json::from_slice(&next.body).unwrap();
    let found = &chat["messages"][1];
    for member in ["content", "reasoning_content"] {
        assert_eq!(found[member], message[member]);
    }
    let calls = |message: &Value| -> Vec<(String, String, Value)> {
        let calls = message["tool_calls"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        calls
            .map(|call| {
                let arguments = text(&call["function"]["arguments"]);
                (
                    text(&call["id"]),
                    text(&call["function"]["name"]),
                    serde_json::from_str(&arguments).unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(calls(found), calls(&message));
}

/// Claude has to get its thinking back as it was.
#[test]
fn signed_thinking_comes_back_to_a_messages_upstream() {
    let pair = DialectPair {
        client: Dialect::Responses,
        upstream: Dialect::Messages,
    };
    let blocks = json!([
        {"type": "thinking", "thinking": "Hm \"\u{e9}\".", "signature": "EqQB+/="},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
    ]);
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": blocks, "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}});
    let first = super::responses_requests::to_messages(br#"{"input":"Go."}"#).unwrap();
    let context = ResponseContext {
        echo: first.echo.as_deref(),
        ..CONTEXT
    };
    let response = translate_response(pair, message.to_string().as_bytes(), &context).unwrap();
    let response: Value = serde_json::from_slice(&response).unwrap();
    let mut input = vec![json!({"role": "user", "content": "Go."})];
    input.extend(response["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "1"}));
    let body = json!({"input": input, "reasoning": {"effort": "low"}});
    let next = super::responses_requests::to_messages(body.to_string().as_bytes()).unwrap();
    let next: Value = serde_json::from_slice(&next.body).unwrap();
    assert_eq!(next["messages"][1]["content"], blocks);
    assert_eq!(next["thinking"]["type"], "enabled");
}
