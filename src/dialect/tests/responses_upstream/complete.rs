//! Complete responses, also in place of streams.

use super::{CHAT_VIA_RESPONSES, CONTEXT, MESSAGES_VIA_RESPONSES, stream};
use crate::dialect::{
    Dialect, StreamStatus, response_events, translate_error, translate_failure, translate_response,
};
use crate::wire::failure::ReportedFailure;

const BODY: &str = r#"{
    "id": "resp_1", "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "Hi\nyou"}
        ]},
        {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{\"x\": 1}"}
    ],
    "usage": {"input_tokens": 3, "output_tokens": 4}
}"#;

#[test]
fn a_complete_response_becomes_a_stream() {
    let events = response_events(Dialect::Responses, BODY.as_bytes()).unwrap();
    let (out, status) = stream(CHAT_VIA_RESPONSES, &CONTEXT, events.chunks(5));
    assert_eq!(status, StreamStatus::Complete);
    let out = String::from_utf8(out).unwrap();
    for part in [
        r#""id":"resp_1""#,
        r#""reasoning_content":"hm""#,
        r#""content":"Hi\nyou""#,
        r#""id":"t""#,
        r#"\"x\": 1"#,
        r#""finish_reason":"tool_calls""#,
        r#""completion_tokens":4"#,
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (out, status) = stream(MESSAGES_VIA_RESPONSES, &CONTEXT, events.chunks(5));
    assert_eq!(status, StreamStatus::Complete);
    let out = String::from_utf8(out).unwrap();
    for part in [
        r#""thinking":"hm""#,
        r#""text":"Hi\nyou""#,
        r#""name":"f""#,
        r#""stop_reason":"tool_use""#,
        r#""output_tokens":4"#,
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn a_messages_client_gets_a_complete_response() {
    let out = translate_response(MESSAGES_VIA_RESPONSES, BODY.as_bytes(), &CONTEXT).unwrap();
    let out: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(out["content"][0]["thinking"], "hm");
    assert_eq!(out["content"][1]["text"], "Hi\nyou");
    assert_eq!(out["content"][2]["input"]["x"], 1);
    assert_eq!(out["stop_reason"], "tool_use");
    assert_eq!(out["usage"]["input_tokens"], 3);
}

#[test]
fn other_bodies_are_no_response() {
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"output":null}"#,
        r#"{"choices":[]}"#,
        r#"{"status":"failed","output":[]}"#,
        r#"{"status":"in_progress","output":[]}"#,
        r#"{"status":"queued","output":[]}"#,
        r#"{"status":"cancelled","output":[]}"#,
    ] {
        assert!(
            response_events(Dialect::Responses, body.as_bytes()).is_err(),
            "{body}"
        );
        let translated = translate_response(CHAT_VIA_RESPONSES, body.as_bytes(), &CONTEXT);
        assert!(translated.is_err(), "{body}");
    }
}

#[test]
fn a_nameless_call_is_no_response() {
    let body = r#"{"output":[{"type":"function_call","call_id":"c","arguments":"{}"}]}"#;
    assert!(translate_response(CHAT_VIA_RESPONSES, body.as_bytes(), &CONTEXT).is_err());
}

/// The provider's own code says more than the type of the error.
#[test]
fn the_code_of_an_error_arrives() {
    for (status, kind, code, expected) in [
        (
            400,
            "invalid_request_error",
            "unsupported_value",
            "unsupported_value",
        ),
        (
            404,
            "invalid_request_error",
            "model_not_found",
            "model_not_found",
        ),
        (
            500,
            "server_error",
            "vector_store_timeout",
            "vector_store_timeout",
        ),
        (400, "invalid_request_error", "", "invalid_request_error"),
        (429, "rate_limit_error", "tokens", "rate_limit_exceeded"),
        (
            400,
            "invalid_request_error",
            "context_length_exceeded",
            "context_length_exceeded",
        ),
    ] {
        let body = format!(
            r#"{{"error":{{"message":"x","type":"{kind}","param":"input","code":"{code}"}}}}"#
        );
        let error = translate_error(Dialect::Chat, status, body.as_bytes(), None);
        let body: serde_json::Value = serde_json::from_slice(&error.body).unwrap();
        assert_eq!(
            (error.status, &body["error"]["code"]),
            (status, &expected.into())
        );
    }
}

#[test]
fn a_failed_response_has_the_status_that_fits_its_code() {
    for (code, status) in [
        ("invalid_prompt", 400),
        ("image_too_large", 400),
        ("rate_limit_exceeded", 429),
        ("server_error", 502),
        ("vector_store_timeout", 504),
    ] {
        let body = format!(
            r#"{{"status":"failed","error":{{"code":"{code}","message":"x"}},"output":[]}}"#
        );
        let failure = ReportedFailure::find(body.as_bytes()).unwrap();
        for client in [Dialect::Chat, Dialect::Messages] {
            assert_eq!(
                translate_failure(client, &failure, None).status,
                status,
                "{code}"
            );
        }
    }
}
