//! Errors in the format of either API.

use super::{CHAT_VIA_MESSAGES, CONTEXT, MESSAGES_VIA_CHAT, stream};
use crate::dialect::{
    Dialect, InvalidUpstreamResponse, StreamStatus, gateway_error, gateway_error_event,
    translate_error, translate_response,
};
use crate::wire::error::{ApiError, ErrorType};
use crate::wire::sse::EVENT_LIMIT_BYTES;

fn chat_error(status: u16, kind: &str) -> (u16, String) {
    let body = format!(
        r#"{{"type":"error","error":{{"type":"{kind}","message":"Why."}},"request_id":"req_up"}}"#
    );
    let error = translate_error(Dialect::Chat, status, body.as_bytes(), None);
    (error.status, String::from_utf8(error.body).unwrap())
}

/// Anthropic's status and type; `OpenAI`'s type, code and status.
const CHAT_ERRORS: [(u16, &str, &str, &str, u16); 12] = [
    (
        400,
        "invalid_request_error",
        "invalid_request_error",
        "invalid_request_error",
        400,
    ),
    (
        401,
        "authentication_error",
        "invalid_request_error",
        "invalid_api_key",
        401,
    ),
    (
        402,
        "billing_error",
        "insufficient_quota",
        "insufficient_quota",
        402,
    ),
    (
        403,
        "permission_error",
        "invalid_request_error",
        "permission_denied",
        403,
    ),
    (
        404,
        "not_found_error",
        "invalid_request_error",
        "not_found",
        404,
    ),
    (
        413,
        "request_too_large",
        "invalid_request_error",
        "request_too_large",
        413,
    ),
    (
        429,
        "rate_limit_error",
        "rate_limit_error",
        "rate_limit_exceeded",
        429,
    ),
    (500, "api_error", "server_error", "upstream_error", 500),
    (
        504,
        "timeout_error",
        "server_error",
        "upstream_timeout",
        504,
    ),
    (529, "overloaded_error", "server_error", "overloaded", 503),
    (418, "new_error", "invalid_request_error", "new_error", 418),
    (599, "new_error", "server_error", "new_error", 599),
];

#[test]
fn anthropic_errors_are_translated_for_chat_clients() {
    for (status, kind, expected, code, expected_status) in CHAT_ERRORS {
        let (status, body) = chat_error(status, kind);
        assert_eq!(status, expected_status, "{kind}");
        assert_eq!(
            body,
            format!(
                r#"{{"error":{{"message":"Why.","type":"{expected}","param":null,"code":"{code}"}}}}"#
            )
        );
    }
    let missing =
        br#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}"#;
    for client in [Dialect::Chat, Dialect::Responses] {
        let body = String::from_utf8(translate_error(client, 404, missing, None).body).unwrap();
        assert!(body.contains("\"code\":\"model_not_found\""), "{body}");
    }
    let long = br#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 200001 tokens > 200000 maximum"}}"#;
    let error = translate_error(Dialect::Chat, 400, long, None);
    assert!(
        String::from_utf8(error.body)
            .unwrap()
            .contains("context_length_exceeded")
    );
}

#[test]
fn openai_errors_are_translated_for_messages_clients() {
    let body = br#"{"error":{"message":"Why.","type":"x","param":"p","code":"c"}}"#;
    for (status, kind, expected) in [
        (400, "invalid_request_error", 400),
        (401, "authentication_error", 401),
        (402, "billing_error", 402),
        (403, "permission_error", 403),
        (404, "not_found_error", 404),
        (408, "timeout_error", 408),
        (409, "invalid_request_error", 409),
        (413, "request_too_large", 413),
        (422, "invalid_request_error", 422),
        (429, "rate_limit_error", 429),
        (500, "api_error", 500),
        (502, "api_error", 502),
        (503, "overloaded_error", 529),
        (504, "timeout_error", 504),
    ] {
        let error = translate_error(Dialect::Messages, status, body, Some("req_9"));
        assert_eq!(error.status, expected);
        assert_eq!(
            String::from_utf8(error.body).unwrap(),
            format!(
                r#"{{"type":"error","error":{{"type":"{kind}","message":"Why."}},"request_id":"req_9"}}"#
            )
        );
    }
}

#[test]
fn messages_in_other_error_formats_are_found() {
    let message = |body: &str| {
        let error = translate_error(Dialect::Messages, 400, body.as_bytes(), None);
        let body: serde_json::Value = serde_json::from_slice(&error.body).unwrap();
        body["error"]["message"].as_str().unwrap().to_owned()
    };
    for body in [
        r#"{"error":"Why."}"#,
        r#"{"object":"error","message":"Why.","type":"x","code":1}"#,
        r#"{"detail":"Why."}"#,
        r#"{"error":{"message":"Why.","code":400}}"#,
    ] {
        assert_eq!(message(body), "Why.", "{body}");
    }
    let no_explanation = "The model's provider responded with status 400 and no error message.";
    for body in [
        "",
        "<html>secret</html>",
        "[]",
        "{}",
        r#"{"error":{"message":""}}"#,
        r#"{"error":null}"#,
    ] {
        assert_eq!(message(body), no_explanation, "{body}");
    }
}

#[test]
fn gateway_errors_have_the_clients_format() {
    let error = ApiError {
        message: "Wait.".into(),
        kind: ErrorType::RateLimitError,
        param: None,
        code: "rate_limit_exceeded",
        limit: None,
    };
    assert_eq!(
        gateway_error(Dialect::Chat, 429, &error, None),
        error.to_body()
    );
    assert_eq!(gateway_error_event(Dialect::Chat, &error), error.to_event());
    assert_eq!(
        gateway_error(Dialect::Messages, 429, &error, Some("r")),
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"Wait."},"request_id":"r"}"#
    );
    assert_eq!(
        gateway_error_event(Dialect::Messages, &error),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Wait.\"}}\n\n"
    );
}

#[test]
fn invalid_responses_are_rejected() {
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"choices":[]}"#,
        r#"{"choices":[{}]}"#,
    ] {
        for pair in [CHAT_VIA_MESSAGES, MESSAGES_VIA_CHAT] {
            assert_eq!(
                translate_response(pair, body.as_bytes(), &CONTEXT),
                Err(InvalidUpstreamResponse),
                "{body}"
            );
        }
    }
    let bad = r#"{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a\""}}]}}]}"#;
    assert_eq!(
        translate_response(MESSAGES_VIA_CHAT, bad.as_bytes(), &CONTEXT),
        Err(InvalidUpstreamResponse)
    );
    // The call of a response that reached its limit never ran.
    let cut = bad.replace(r#"{"message""#, r#"{"finish_reason":"length","message""#);
    let cut = translate_response(MESSAGES_VIA_CHAT, cut.as_bytes(), &CONTEXT).unwrap();
    let cut = String::from_utf8(cut).unwrap();
    assert!(
        cut.contains(r#""content":[],"stop_reason":"max_tokens""#),
        "{cut}"
    );
}

#[test]
fn invalid_streams_are_broken() {
    let broken = |pair, events: &str| {
        let (out, status) = stream(pair, &CONTEXT, [events.as_bytes()]);
        assert_eq!(status, StreamStatus::Broken, "{events}");
        String::from_utf8(out).unwrap()
    };
    for events in [
        "data: nonsense\n\n",
        "data: {\"no\":\"type\"}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"x\"}}\n\n",
    ] {
        assert_eq!(broken(CHAT_VIA_MESSAGES, events), "");
    }
    // Unknown events may have any format.
    let new = "data: {\"type\":\"message_start\"}\n\ndata: {\"type\":\"new\",\"delta\":1,\"usage\":\"x\"}\n\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"new\",\"text\":{}}}\n\n";
    let (_, status) = stream(CHAT_VIA_MESSAGES, &CONTEXT, [new.as_bytes()]);
    assert_eq!(status, StreamStatus::Open);
    let early = "data: {\"type\":\"message_start\"}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    assert!(!broken(CHAT_VIA_MESSAGES, early).contains("DONE"));
    for events in ["data: nonsense\n\n", "data: [DONE]\n\n", "data: 7\n\n"] {
        assert_eq!(broken(MESSAGES_VIA_CHAT, events), "");
    }
    let long = format!("data: {}", "x".repeat(EVENT_LIMIT_BYTES));
    for pair in [CHAT_VIA_MESSAGES, MESSAGES_VIA_CHAT] {
        assert_eq!(broken(pair, &long), "");
    }
}

#[test]
fn nothing_is_written_after_the_end() {
    let start = "data: {\"type\":\"message_start\",\"message\":{}}\n\n";
    let stop = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let more = "data: nonsense\n\n";
    let complete = stream(
        CHAT_VIA_MESSAGES,
        &CONTEXT,
        [start.as_bytes(), stop.as_bytes()],
    );
    assert_eq!(complete.1, StreamStatus::Complete);
    let joined = [start, stop, more].concat();
    assert_eq!(
        stream(CHAT_VIA_MESSAGES, &CONTEXT, [joined.as_bytes()]),
        complete
    );
    assert_eq!(
        stream(
            CHAT_VIA_MESSAGES,
            &CONTEXT,
            [start.as_bytes(), stop.as_bytes(), more.as_bytes()]
        ),
        complete
    );
}
