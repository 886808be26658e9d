//! Complete responses in place of streams.

use super::{CHAT_VIA_MESSAGES, CONTEXT, MESSAGES_VIA_CHAT, stream};
use crate::dialect::{Dialect, DialectPair, StreamStatus, response_events};

fn streamed(pair: DialectPair, body: &str) -> String {
    let events = response_events(pair.upstream, body.as_bytes()).unwrap();
    let (out, status) = stream(pair, &CONTEXT, events.chunks(5));
    assert_eq!(status, StreamStatus::Complete, "{body}");
    String::from_utf8(out).unwrap()
}

#[test]
fn a_complete_chat_response_becomes_a_messages_stream() {
    let body = r#"{
        "id": "c1",
        "choices": [{"index": 3, "finish_reason": "", "message": {
            "role": "assistant", "content": "Hi\nyou", "reasoning_content": "hm",
            "tool_calls": [
                {"id": "call_0123456789a", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                {"id": "call_0123456789a", "function": {"name": "g", "arguments": {"y": 2}}}
            ]
        }}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4}
    }"#;
    let out = streamed(MESSAGES_VIA_CHAT, body);
    for part in [
        r#""thinking":"hm""#,
        r#""text":"Hi\nyou""#,
        r#""id":"call_0123456789a","name":"f""#,
        r#""name":"g""#,
        r#""stop_reason":"tool_use""#,
        r#""output_tokens":4"#,
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(
        out.matches(r#""id":"call_0123456789a""#).count(),
        1,
        "{out}"
    );
}

#[test]
fn a_complete_message_becomes_a_chat_stream() {
    let body = r#"{
        "id": "msg_1", "type": "message", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "Hi\nyou"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {
                "x": 1
            }}
        ],
        "usage": {"input_tokens": 3, "output_tokens": 4}
    }"#;
    let out = streamed(CHAT_VIA_MESSAGES, body);
    for part in [
        r#""reasoning_content":"hm""#,
        r#""signature":"s""#,
        r#""content":"Hi\nyou""#,
        r#""id":"t""#,
        r#"\"x\": 1"#,
        r#""finish_reason":"tool_calls""#,
        r#""completion_tokens":4"#,
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn other_bodies_are_no_stream() {
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"choices":[]}"#,
        r#"{"choices":[{}]}"#,
    ] {
        for upstream in [Dialect::Chat, Dialect::Messages] {
            assert!(
                response_events(upstream, body.as_bytes()).is_err(),
                "{body}"
            );
        }
    }
}
