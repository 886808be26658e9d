//! What is not translated is refused, by its name.

mod chat;
mod messages;

use super::{chat_upstream, messages_upstream};
use crate::dialect::{Dialect, Refusal, Thinking, Translated, to_chat, to_messages};

fn chat_with(member: &str) -> Result<Translated, Refusal> {
    let comma = if member.is_empty() { "" } else { "," };
    let body =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{comma}{member}}}"#);
    to_messages(body.as_bytes(), &messages_upstream(Thinking::Budget))
}

fn messages_with(member: &str) -> Result<Translated, Refusal> {
    let comma = if member.is_empty() { "" } else { "," };
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}}]{comma}{member}}}"#
    );
    to_chat(body.as_bytes(), &chat_upstream())
}

#[track_caller]
fn names(result: Result<Translated, Refusal>, param: &str, code: &str) {
    let refusal = result.unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
    assert_eq!(refusal.code, code, "{refusal}");
    assert!(refusal.message.starts_with(&format!("`{param}` ")));
    assert!(refusal.message.ends_with('.'));
}

#[test]
fn what_is_no_request_has_no_member_to_name() {
    for body in ["", "nonsense", "[1]", "{\"messages\":[]", "\u{feff}{}"] {
        for result in [
            to_messages(body.as_bytes(), &messages_upstream(Thinking::Budget)),
            to_chat(body.as_bytes(), &chat_upstream()),
        ] {
            let refusal = result.unwrap_err();
            assert_eq!((refusal.param, refusal.code), (None, "invalid_value"));
        }
    }
}

#[test]
fn refusals_speak_the_callers_dialect() {
    let refusal = chat_with(r#""seed":1"#).unwrap_err();
    let text = |caller| String::from_utf8(refusal.to_body(caller, 400, Some("req_1"))).unwrap();
    assert_eq!(
        text(Dialect::OpenAi),
        r#"{"error":{"message":"`seed` has no counterpart in the API of this model's provider.","type":"invalid_request_error","param":"seed","code":"unsupported_parameter"}}"#
    );
    assert_eq!(
        text(Dialect::Anthropic),
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"`seed` has no counterpart in the API of this model's provider."},"request_id":"req_1"}"#
    );
    let uncounted = Refusal::count_tokens().to_body(Dialect::Anthropic, 404, None);
    assert!(
        String::from_utf8(uncounted)
            .unwrap()
            .contains("not_found_error")
    );
    // The name of a member is repeated, but not at any length.
    let long = "x".repeat(10_000);
    let refusal = chat_with(&format!("\"{long}\":1")).unwrap_err();
    assert_eq!(refusal.param.map(|param| param.len()), Some(200));
    assert!(refusal.message.len() < 400);
}

#[test]
fn what_changes_nothing_is_taken() {
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
