//! Assertions on error responses and on streams that end with an error.

use serde_json::Value;

use crate::support::client::Response;

/// Asserts an error made by Trunkline, with everything docs/errors.md promises
/// of every error, and returns its message.
#[track_caller]
pub fn error(response: &Response, status: u16, code: &str, param: Option<&str>) -> String {
    assert_eq!(response.status, status, "{}", response.text());
    assert!(response.complete, "the response was truncated");
    let kind = response.header("content-type").expect("a content-type");
    assert!(kind.starts_with("application/json"), "{kind}");
    for name in ["x-request-id", "x-trunkline-request-id"] {
        let id = response.header(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(!id.is_empty(), "{name} is empty");
    }
    let body = response.json();
    let message = envelope(&body, code, types_of_status(status));
    assert_eq!(body["error"]["param"].as_str(), param, "{body}");
    message
}

/// Asserts that the error object has exactly four members; returns the message.
#[track_caller]
pub fn envelope(body: &Value, code: &str, kind: &[&str]) -> String {
    let fields = body["error"]
        .as_object()
        .unwrap_or_else(|| panic!("no error: {body}"));
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "message", "param", "type"], "{body}");
    assert_eq!(body["error"]["code"], code, "{body}");
    let found = body["error"]["type"]
        .as_str()
        .unwrap_or_else(|| panic!("no type: {body}"));
    assert!(
        kind.contains(&found),
        "type {found}, expected one of {kind:?}"
    );
    let message = body["error"]["message"]
        .as_str()
        .unwrap_or_else(|| panic!("no message: {body}"));
    assert!(!message.is_empty(), "an empty message");
    assert!(!message.contains("::"), "a Rust path: {message}");
    message.to_owned()
}

/// Asserts a stream that Trunkline ended: a clean end, an error event of this
/// code last, and no `[DONE]`. Returns the bytes before that event.
#[track_caller]
pub fn stream_error(response: &Response, code: &str) -> Vec<u8> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(
        response.complete,
        "aborted instead of ended by an error event: {:?}",
        response.text()
    );
    let text = response.text();
    assert!(
        !text.contains("[DONE]"),
        "a broken stream that looks complete: {text}"
    );
    let at = text
        .rfind("data: {\"error\"")
        .unwrap_or_else(|| panic!("no error event: {text}"));
    let event = &text[at..];
    assert!(
        event.ends_with("\n\n"),
        "the error event is not ended: {event:?}"
    );
    let body: Value = serde_json::from_str(event["data: ".len()..].trim_end()).unwrap();
    envelope(&body, code, &["server_error"]);
    response.body[..at].to_vec()
}

/// The same for a stream of Responses, which ends with two events: `OpenAI`'s SDKs raise
/// at the first, Codex at the second.
#[track_caller]
pub fn responses_stream_error(response: &Response, code: &str) -> Vec<u8> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.complete, "aborted: {:?}", response.text());
    let text = response.text();
    let at = text.rfind("event: error\n").expect("an error event");
    let events: Vec<&str> = text[at..].split_terminator("\n\n").collect();
    let [error, failed] = *events else {
        panic!("{events:?}");
    };
    assert!(text.ends_with("\n\n"), "{text}");
    let data = |event: &str, kind: &str| -> Value {
        let head = format!("event: {kind}\ndata: ");
        let data = event.strip_prefix(&*head).expect(kind);
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["type"], kind);
        data
    };
    let error = data(error, "error");
    let message = envelope(&error, code, &["server_error"]);
    assert_eq!(error["message"], message);
    assert_eq!(error["code"], code);
    let failed = data(failed, "response.failed");
    assert_eq!(failed["response"]["status"], "failed");
    assert_eq!(failed["response"]["error"]["message"], message);
    response.body[..at].to_vec()
}

/// The values of `type` that an error of this status may have.
pub fn types_of_status(status: u16) -> &'static [&'static str] {
    match status {
        429 => &["rate_limit_error", "insufficient_quota"],
        400..500 => &["invalid_request_error"],
        _ => &["server_error"],
    }
}
