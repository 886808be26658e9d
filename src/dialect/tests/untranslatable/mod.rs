//! Requests that cannot be translated, and the member that the error names.

mod chat;
mod messages;
mod responses;

use super::{chat_upstream, messages_upstream, to_chat, to_messages};
use crate::dialect::{ThinkingMode, TranslatedRequest, TranslationError};

fn chat_with(member: &str) -> Result<TranslatedRequest, TranslationError> {
    let comma = if member.is_empty() { "" } else { "," };
    let body =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{comma}{member}}}"#);
    to_messages(body.as_bytes(), &messages_upstream(ThinkingMode::Budget))
}

fn messages_with(member: &str) -> Result<TranslatedRequest, TranslationError> {
    let comma = if member.is_empty() { "" } else { "," };
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}}]{comma}{member}}}"#
    );
    to_chat(body.as_bytes(), &chat_upstream())
}

#[track_caller]
fn assert_error(result: Result<TranslatedRequest, TranslationError>, param: &str, code: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.param.as_deref(), Some(param), "{error}");
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.starts_with(&format!("`{param}` ")));
    assert!(error.message.ends_with('.'));
}

#[test]
fn invalid_json_has_no_param() {
    for body in ["", "nonsense", "[1]", "{\"messages\":[]", "\u{feff}{}"] {
        for result in [
            to_messages(body.as_bytes(), &messages_upstream(ThinkingMode::Budget)),
            to_chat(body.as_bytes(), &chat_upstream()),
        ] {
            let error = result.unwrap_err();
            assert_eq!((error.param, error.code), (None, "invalid_value"));
        }
    }
}

#[test]
fn an_error_names_the_member() {
    let error = chat_with(r#""seed":1"#).unwrap_err();
    assert_eq!(
        error.message,
        "`seed` is not supported by the API of this model's provider."
    );
    assert_eq!(error.param.as_deref(), Some("seed"));
    assert_eq!(error.code, "unsupported_parameter");
    // The length of the quoted name is limited.
    let long = "x".repeat(10_000);
    let error = chat_with(&format!("\"{long}\":1")).unwrap_err();
    assert_eq!(error.param.map(|param| param.len()), Some(200));
    assert!(error.message.len() < 400);
}

#[test]
fn default_values_are_accepted() {
    let plain = chat_with("").unwrap().body;
    for member in [
        r#""n":1"#,
        r#""n":null,"seed":null,"audio":null"#,
        r#""logit_bias":{}"#,
        r#""modalities":[ "text" ]"#,
        r#""presence_penalty":0.0"#,
        r#""verbosity":"medium""#,
        r#""store":false,"metadata":{"a":"b"},"prediction":{"type":"content","content":"x"}"#,
        r#""parallel_tool_calls":true"#,
        r#""stream":false,"tools":[]"#,
        r#""response_format":{"type":"text"}"#,
    ] {
        assert_eq!(chat_with(member).unwrap().body, plain, "{member}");
    }
    let plain = messages_with("").unwrap().body;
    for member in [
        r#""stream":false,"tools":[],"stop_sequences":[]"#,
        r#""cache_control":{"type":"ephemeral"},"context_management":{"edits":[]}"#,
        r#""thinking":{"type":"disabled"},"output_config":{"effort":"max"}"#,
        r#""mcp_servers":[],"container":null,"service_tier":"auto""#,
    ] {
        assert_eq!(messages_with(member).unwrap().body, plain, "{member}");
    }
}
