//! Errors, from one shape to the other.

use super::{ANSWER, stream};
use crate::dialect::{
    Dialect, EVENT_LIMIT_BYTES, Flow, Unreadable, error, own_error, own_event, reply,
};
use crate::wire::error::{ApiError, ErrorType};

fn for_chat(status: u16, kind: &str) -> (u16, String) {
    let body = format!(
        r#"{{"type":"error","error":{{"type":"{kind}","message":"Why."}},"request_id":"req_up"}}"#
    );
    let fault = error(Dialect::OpenAi, status, body.as_bytes(), None);
    (fault.status, String::from_utf8(fault.body).unwrap())
}

/// Status and type of Anthropic's; type, code and status of `OpenAI`'s.
const FOR_CHAT: [(u16, &str, &str, &str, u16); 12] = [
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
fn anthropics_for_a_chat() {
    for (status, kind, expected, code, seen) in FOR_CHAT {
        let (status, body) = for_chat(status, kind);
        assert_eq!(status, seen, "{kind}");
        assert_eq!(
            body,
            format!(
                r#"{{"error":{{"message":"Why.","type":"{expected}","param":null,"code":"{code}"}}}}"#
            )
        );
    }
    let long = br#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 200001 tokens > 200000 maximum"}}"#;
    let fault = error(Dialect::OpenAi, 400, long, None);
    assert!(
        String::from_utf8(fault.body)
            .unwrap()
            .contains("context_length_exceeded")
    );
}

#[test]
fn openais_for_messages() {
    let body = br#"{"error":{"message":"Why.","type":"x","param":"p","code":"c"}}"#;
    for (status, kind, seen) in [
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
        let fault = error(Dialect::Anthropic, status, body, Some("req_9"));
        assert_eq!(fault.status, seen);
        assert_eq!(
            String::from_utf8(fault.body).unwrap(),
            format!(
                r#"{{"type":"error","error":{{"type":"{kind}","message":"Why."}},"request_id":"req_9"}}"#
            )
        );
    }
}

#[test]
fn other_shapes() {
    let message = |body: &str| {
        let fault = error(Dialect::Anthropic, 400, body.as_bytes(), None);
        let body: serde_json::Value = serde_json::from_slice(&fault.body).unwrap();
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
    let silent = "The model's provider answered with status 400 and no explanation.";
    for body in [
        "",
        "<html>secret</html>",
        "[]",
        "{}",
        r#"{"error":{"message":""}}"#,
        r#"{"error":null}"#,
    ] {
        assert_eq!(message(body), silent, "{body}");
    }
}

#[test]
fn own_errors() {
    let own = ApiError {
        message: "Wait.".into(),
        kind: ErrorType::RateLimitError,
        param: None,
        code: "rate_limit_exceeded",
    };
    assert_eq!(own_error(Dialect::OpenAi, 429, &own, None), own.to_body());
    assert_eq!(own_event(Dialect::OpenAi, &own), own.to_event());
    assert_eq!(
        own_error(Dialect::Anthropic, 429, &own, Some("r")),
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"Wait."},"request_id":"r"}"#
    );
    assert_eq!(
        own_event(Dialect::Anthropic, &own),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Wait.\"}}\n\n"
    );
}

#[test]
fn answers_that_are_none() {
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"choices":[]}"#,
        r#"{"choices":[{}]}"#,
    ] {
        for caller in [Dialect::OpenAi, Dialect::Anthropic] {
            assert_eq!(
                reply(caller, body.as_bytes(), &ANSWER),
                Err(Unreadable),
                "{body}"
            );
        }
    }
    let bad = br#"{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a\""}}]}}]}"#;
    assert_eq!(reply(Dialect::Anthropic, bad, &ANSWER), Err(Unreadable));
}

#[test]
fn streams_that_make_no_sense() {
    let broken = |caller, events: &str| {
        let (out, flow) = stream(caller, &ANSWER, [events.as_bytes()]);
        assert_eq!(flow, Flow::Broken, "{events}");
        String::from_utf8(out).unwrap()
    };
    for events in [
        "data: nonsense\n\n",
        "data: {\"no\":\"type\"}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"x\"}}\n\n",
    ] {
        assert_eq!(broken(Dialect::OpenAi, events), "");
    }
    // What is not known may have any shape.
    let new = "data: {\"type\":\"message_start\"}\n\ndata: {\"type\":\"new\",\"delta\":1,\"usage\":\"x\"}\n\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"new\",\"text\":{}}}\n\n";
    let (_, flow) = stream(Dialect::OpenAi, &ANSWER, [new.as_bytes()]);
    assert_eq!(flow, Flow::Open);
    let early = "data: {\"type\":\"message_start\"}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    assert!(!broken(Dialect::OpenAi, early).contains("DONE"));
    for events in ["data: nonsense\n\n", "data: [DONE]\n\n", "data: 7\n\n"] {
        assert_eq!(broken(Dialect::Anthropic, events), "");
    }
    // A piece of a call that is closed cannot be told any more.
    let late = r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}},{"index":0,"function":{"arguments":"}"}}]}}]}"#;
    broken(Dialect::Anthropic, &format!("{late}\n\n"));
    let long = format!("data: {}", "x".repeat(EVENT_LIMIT_BYTES));
    for caller in [Dialect::OpenAi, Dialect::Anthropic] {
        assert_eq!(broken(caller, &long), "");
    }
}

#[test]
fn nothing_follows_the_end() {
    let start = "data: {\"type\":\"message_start\",\"message\":{}}\n\n";
    let stop = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let more = "data: nonsense\n\n";
    let whole = stream(
        Dialect::OpenAi,
        &ANSWER,
        [start.as_bytes(), stop.as_bytes()],
    );
    assert_eq!(whole.1, Flow::Complete);
    let joined = [start, stop, more].concat();
    assert_eq!(stream(Dialect::OpenAi, &ANSWER, [joined.as_bytes()]), whole);
    assert_eq!(
        stream(
            Dialect::OpenAi,
            &ANSWER,
            [start.as_bytes(), stop.as_bytes(), more.as_bytes()]
        ),
        whole
    );
}
