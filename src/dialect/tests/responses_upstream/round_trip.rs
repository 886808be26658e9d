//! What goes through two translations, and back to chat, is the same.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{CONTEXT, RESPONSES_VIA_CHAT, chat_upstream, context};
use super::{CHAT_VIA_RESPONSES, MESSAGES_VIA_RESPONSES, to_responses};
use crate::dialect::oracle::check_round_trip;
use crate::dialect::{
    ChatUpstream, Dialect, SystemPosition, UpstreamApi, translate_request, translate_response,
};

fn text() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n😀 {}]{1,12}".prop_filter("not blank", |text| !text.trim().is_empty())
}

/// The calls of one turn, with their results.
fn calls() -> impl Strategy<Value = Vec<(String, String, bool)>> {
    prop::collection::vec((text(), text(), any::<bool>()), 0..4)
}

type Turn = (String, Option<String>, Vec<(String, String, bool)>);

/// A user's text, the response to it with its calls, and the results of those.
fn messages(turns: &[Turn]) -> Vec<Value> {
    let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
    for (turn, (question, response, calls)) in turns.iter().enumerate() {
        messages.push(json!({"role": "user", "content": question}));
        let id = |number: usize| format!("call_{turn}_{number}");
        let to_call = |(number, (input, _, is_custom)): (usize, &(String, String, bool))| {
            if *is_custom {
                let custom = json!({"name": "patch", "input": input});
                return json!({"id": id(number), "type": "custom", "custom": custom});
            }
            let arguments = json!({"x": input}).to_string();
            let function = json!({"name": "f", "arguments": arguments});
            json!({"id": id(number), "type": "function", "function": function})
        };
        let tool_calls: Vec<_> = calls.iter().enumerate().map(to_call).collect();
        let mut assistant = json!({"role": "assistant", "content": response});
        if !tool_calls.is_empty() {
            assistant["tool_calls"] = json!(tool_calls);
        } else if response.is_none() {
            continue;
        }
        messages.push(assistant);
        for (number, (_, result, _)) in calls.iter().enumerate() {
            messages.push(json!({"role": "tool", "tool_call_id": id(number), "content": result}));
        }
    }
    messages.push(json!({"role": "user", "content": "And now?"}));
    messages
}

/// Who says what, in order. Messages of users that follow each other may become one.
fn said(messages: &[Value]) -> Vec<(String, String)> {
    let mut said: Vec<(String, String)> = Vec::new();
    for message in messages {
        let role = message["role"].as_str().unwrap();
        let content = &message["content"];
        let parts = content.as_array().cloned().unwrap_or_default();
        let texts = parts.iter().filter_map(|part| part["text"].as_str());
        let text = content
            .as_str()
            .map_or_else(|| texts.collect::<Vec<_>>().join("\n\n"), ToOwned::to_owned);
        let who = match role {
            "tool" => format!("result of {}", message["tool_call_id"]),
            role => role.to_owned(),
        };
        match said.last_mut() {
            Some((last, before)) if *last == who && who == "user" => {
                *before = format!("{before}\n\n{text}");
            }
            _ if text.is_empty() && role == "assistant" => {}
            _ => said.push((who, text)),
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let (name, arguments) = if call["type"] == "custom" {
                let input = json!({"input": call["custom"]["input"]});
                (&call["custom"]["name"], input)
            } else {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                (
                    &call["function"]["name"],
                    serde_json::from_str(arguments).unwrap(),
                )
            };
            said.push((
                format!("call {} of {name}", call["id"]),
                arguments.to_string(),
            ));
        }
    }
    said
}

/// A Messages client gets ids of its own.
#[test]
fn an_upstream_gets_its_ids_of_calls_back() {
    let response = json!({"status": "completed", "output": [
        {"type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "fc.b:1", "name": "g", "arguments": "{}"},
    ]});
    let out = translate_response(
        MESSAGES_VIA_RESPONSES,
        response.to_string().as_bytes(),
        &CONTEXT,
    );
    let message: Value = serde_json::from_slice(&out.unwrap()).unwrap();
    let uses = message["content"].as_array().unwrap();
    let results = uses
        .iter()
        .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "x"}));
    let results: Vec<_> = results.collect();
    let body = json!({"model": "m", "max_tokens": 64, "messages": [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": results},
    ]});
    let request = to_responses(Dialect::Messages, body.to_string().as_bytes()).unwrap();
    let request: Value = serde_json::from_slice(&request.body).unwrap();
    let items = request["input"].as_array().unwrap();
    let ids: Vec<_> = items
        .iter()
        .filter_map(|item| item["call_id"].as_str())
        .collect();
    assert_eq!(ids, ["call_a", "fc.b:1", "call_a", "fc.b:1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_conversation_keeps_its_text_calls_and_results(
        turns in prop::collection::vec((text(), prop::option::of(text()), calls()), 0..4),
    ) {
        let messages = messages(&turns);
        let body = json!({"model": "m", "messages": messages}).to_string();
        let responses = to_responses(Dialect::Chat, body.as_bytes()).unwrap();
        let upstream = UpstreamApi::Chat(ChatUpstream {
            system: SystemPosition::Anywhere,
            ..chat_upstream()
        });
        let chat = translate_request(Dialect::Responses, &responses.body, &upstream).unwrap();
        let chat: Value = serde_json::from_slice(&chat.body).unwrap();
        let found = said(chat["messages"].as_array().unwrap());
        prop_assert_eq!(found, said(&messages));
    }

    #[test]
    fn a_response_keeps_its_text_calls_and_usage(
        content in prop::option::of(text()),
        reasoning in prop::option::of(text()),
        inputs in prop::collection::vec(text(), 0..4),
        counts in prop::array::uniform4(0..1000_u64),
    ) {
        let call = |(number, input): (usize, &String)| json!({
            "id": format!("call_{number}"),
            "type": "function",
            "function": {"name": "f", "arguments": json!({"x": input}).to_string()},
        });
        let calls: Vec<_> = inputs.iter().enumerate().map(call).collect();
        let [cached, fresh, thought, written] = counts;
        let body = json!({
            "id": "c1",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": content, "reasoning_content": reasoning,
                "tool_calls": calls,
            }}],
            "usage": {
                "prompt_tokens": cached + fresh,
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens": thought + written,
                "completion_tokens_details": {"reasoning_tokens": thought},
                "total_tokens": cached + fresh + thought + written,
            },
        });
        let response =
            translate_response(RESPONSES_VIA_CHAT, body.to_string().as_bytes(), &context());
        let chat = translate_response(CHAT_VIA_RESPONSES, &response.unwrap(), &CONTEXT).unwrap();
        let chat: Value = serde_json::from_slice(&chat).unwrap();
        let (found, sent) = (&chat["choices"][0], &body["choices"][0]["message"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        prop_assert_eq!(text(&found["message"]["content"]), text(&sent["content"]));
        let reasoning = text(&sent["reasoning_content"]);
        prop_assert_eq!(text(&found["message"]["reasoning_content"]), reasoning);
        // Ids are mapped for a Responses client.
        let functions = |calls: &Value| -> Vec<Value> {
            let calls = calls.as_array().into_iter().flatten();
            calls.map(|call| call["function"].clone()).collect()
        };
        let found_calls = functions(&found["message"]["tool_calls"]);
        prop_assert_eq!(found_calls, functions(&sent["tool_calls"]));
        for (name, details) in [
            ("prompt_tokens", None),
            ("completion_tokens", None),
            ("total_tokens", None),
            ("cached_tokens", Some("prompt_tokens_details")),
            ("reasoning_tokens", Some("completion_tokens_details")),
        ] {
            let count = |usage: &Value| {
                let of = details.map_or(usage, |details| &usage[details]);
                of[name].as_u64().unwrap_or_default()
            };
            prop_assert_eq!(count(&chat["usage"]), count(&body["usage"]), "{}", name);
        }
    }

    #[test]
    fn a_stream_keeps_its_text_and_calls(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        check_round_trip(&bytes);
    }
}
