//! What every error and every stream must look like.

use serde_json::Value;

use crate::support::client::Answer;

/// Checks an error that Trunkline made: status, code, param and all that
/// DESIGN section 6 asks of every error. Yields the message.
#[track_caller]
pub fn error(answer: &Answer, status: u16, code: &str, param: Option<&str>) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.complete, "the answer was cut");
    let kind = answer.header("content-type").expect("a content-type");
    assert!(kind.starts_with("application/json"), "{kind}");
    for name in ["x-request-id", "x-trunkline-request-id"] {
        let id = answer.header(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(!id.is_empty(), "{name} is empty");
    }
    let body = answer.json();
    let message = envelope(&body, code, kind_of(status));
    assert_eq!(body["error"]["param"].as_str(), param, "{body}");
    message
}

/// Checks the envelope: four fields and no more. Yields the message.
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

/// Checks a stream that Trunkline ended itself: a clean end, the last event an
/// error of this code, nowhere a `[DONE]`. Yields the bytes before that event.
#[track_caller]
pub fn stream_error(answer: &Answer, code: &str) -> Vec<u8> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer.complete,
        "cut instead of ended by an error event: {:?}",
        answer.text()
    );
    let text = answer.text();
    assert!(
        !text.contains("[DONE]"),
        "a broken stream that looks whole: {text}"
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
    answer.body[..at].to_vec()
}

/// The types that an error of this status may have.
pub fn kind_of(status: u16) -> &'static [&'static str] {
    match status {
        429 => &["rate_limit_error", "insufficient_quota"],
        400..500 => &["invalid_request_error"],
        _ => &["server_error"],
    }
}
