//! Requests that cannot be translated, and members that make no difference.

use super::{UPSTREAM, to_responses};
use crate::dialect::{
    Dialect, ResponsesUpstream, TranslatedRequest, TranslationError, UpstreamApi, translate_request,
};

fn with(member: &str) -> Result<TranslatedRequest, TranslationError> {
    let comma = if member.is_empty() { "" } else { "," };
    let body =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{comma}{member}}}"#);
    to_responses(Dialect::Chat, body.as_bytes())
}

fn body_with(member: &str) -> String {
    String::from_utf8(with(member).unwrap().body).unwrap()
}

const REFUSED: [(&str, &str, &str); 35] = [
    (r#""n":2"#, "n", "unsupported_parameter"),
    (r#""seed":1"#, "seed", "unsupported_parameter"),
    (r#""stop":["x"]"#, "stop", "unsupported_parameter"),
    (r#""stop":"x""#, "stop", "unsupported_parameter"),
    (
        r#""frequency_penalty":0.5"#,
        "frequency_penalty",
        "unsupported_parameter",
    ),
    (
        r#""presence_penalty":-1"#,
        "presence_penalty",
        "unsupported_parameter",
    ),
    (
        r#""logit_bias":{"50256":-100}"#,
        "logit_bias",
        "unsupported_parameter",
    ),
    (
        r#""modalities":["text","audio"]"#,
        "modalities",
        "unsupported_parameter",
    ),
    (
        r#""audio":{"voice":"alloy"}"#,
        "audio",
        "unsupported_parameter",
    ),
    (
        r#""moderation":{"model":"x"}"#,
        "moderation",
        "unsupported_parameter",
    ),
    (r#""functions":[]"#, "functions", "unsupported_parameter"),
    (
        r#""function_call":"auto""#,
        "function_call",
        "unsupported_parameter",
    ),
    (r#""of_tomorrow":1"#, "of_tomorrow", "unsupported_parameter"),
    (r#""top_k":1"#, "top_k", "unsupported_parameter"),
    (
        r#""thinking":{"type":"enabled"}"#,
        "thinking",
        "unsupported_parameter",
    ),
    (
        r#""stream_options":{"x":1}"#,
        "stream_options.x",
        "unsupported_parameter",
    ),
    (
        r#""reasoning":{"max_tokens":1}"#,
        "reasoning.max_tokens",
        "unsupported_parameter",
    ),
    (
        r#""reasoning":{"effort":"low"},"reasoning_effort":"low""#,
        "reasoning",
        "unsupported_parameter",
    ),
    (
        r#""max_tokens":1,"max_completion_tokens":1"#,
        "max_tokens",
        "invalid_value",
    ),
    (r#""max_tokens":-1"#, "max_tokens", "invalid_type"),
    (r#""top_logprobs":2"#, "top_logprobs", "invalid_value"),
    (
        r#""response_format":{"type":"grammar"}"#,
        "response_format.type",
        "unsupported_value",
    ),
    (
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#,
        "response_format.json_schema.schema",
        "missing_field",
    ),
    (
        r#""response_format":{"type":"json_object","x":1}"#,
        "response_format.x",
        "unsupported_parameter",
    ),
    (
        r#""tools":[{"type":"web_search"}]"#,
        "tools[0].type",
        "unsupported_value",
    ),
    (
        r#""tools":[{"type":"function","function":{"name":"f","x":1}}]"#,
        "tools[0].function.x",
        "unsupported_parameter",
    ),
    (
        r#""tools":[{"type":"custom","custom":{"name":"f","format":{"type":"regex"}}}]"#,
        "tools[0].custom.format.type",
        "unsupported_value",
    ),
    (
        r#""tool_choice":{"type":"mcp"}"#,
        "tool_choice.type",
        "unsupported_value",
    ),
    (
        r#""tool_choice":{"type":"function","function":{"name":"f"},"x":1}"#,
        "tool_choice.x",
        "unsupported_parameter",
    ),
    (
        r#""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"mcp"}]}}"#,
        "tool_choice.allowed_tools.tools[0].type",
        "unsupported_value",
    ),
    (
        r#""web_search_options":{"filters":{}}"#,
        "web_search_options.filters",
        "unsupported_parameter",
    ),
    (
        r#""web_search_options":{"user_location":{"type":"exact"}}"#,
        "web_search_options.user_location.type",
        "unsupported_value",
    ),
    (r#""stream":1"#, "stream", "invalid_type"),
    (r#""temperature":"warm""#, "temperature", "invalid_type"),
    (r#""metadata":[]"#, "metadata", "invalid_type"),
];

#[test]
fn members_without_a_counterpart_are_refused_by_name() {
    for (member, param, code) in REFUSED {
        let error = with(member).unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.code),
            (Some(param), code),
            "{member}"
        );
        assert!(error.message.starts_with(&format!("`{param}` ")), "{error}");
        assert!(error.message.ends_with('.'), "{error}");
    }
}

#[test]
fn members_that_change_nothing_are_dropped() {
    let plain = body_with("");
    for member in [
        r#""n":1,"seed":null,"audio":null"#,
        r#""logit_bias":{},"modalities":["text"]"#,
        r#""presence_penalty":0.0,"frequency_penalty":0"#,
        r#""stop":[]"#,
        r#""stop":null"#,
        r#""store":false"#,
        r#""logprobs":false,"top_logprobs":0"#,
        r#""prediction":{"type":"content","content":"x"}"#,
        r#""stream":false,"stream_options":{"include_obfuscation":false}"#,
        r#""tools":[],"response_format":{"type":"text"}"#,
        r#""reasoning":{},"cache_control":{"type":"ephemeral"}"#,
    ] {
        assert_eq!(body_with(member), plain, "{member}");
    }
}

const PRESENT: [(&str, &str); 5] = [
    (r#"{"type":"input_audio","input_audio":{}}"#, ".type"),
    (r#"{"type":"video_url","video_url":{}}"#, ".type"),
    (r#"{"type":"text","text":"x","x":1}"#, ".x"),
    (
        r#"{"type":"image_url","image_url":{"url":"u","x":1}}"#,
        ".image_url.x",
    ),
    (r#"{"type":"file","file":{"url":"u"}}"#, ".file.url"),
];

/// What is asked for now is refused, what is past becomes text.
#[test]
fn parts_without_a_counterpart_are_refused_unless_they_are_past() {
    for (part, at) in PRESENT {
        let user = format!(r#"{{"role":"user","content":[{part}]}}"#);
        let body = format!(r#"{{"messages":[{user}]}}"#);
        let error = to_responses(Dialect::Chat, body.as_bytes()).unwrap_err();
        let param = format!("messages[0].content[0]{at}");
        assert_eq!(error.param.as_deref(), Some(&*param), "{part}");
        let body = format!(r#"{{"messages":[{user},{{"role":"user","content":"x"}}]}}"#);
        to_responses(Dialect::Chat, body.as_bytes()).unwrap();
    }
}

#[test]
fn a_limit_below_the_minimum_is_raised_to_it() {
    for (limit, sent) in [
        ("1", "16"),
        ("15", "16"),
        ("16", "16"),
        ("17", "17"),
        ("0", "0"),
    ] {
        let body = body_with(&format!(r#""max_tokens":{limit}"#));
        assert!(
            body.contains(&format!(r#""max_output_tokens":{sent},"#)),
            "{body}"
        );
    }
}

#[test]
fn effort_is_not_sent_to_models_without_it() {
    let upstream = ResponsesUpstream {
        reasoning: false,
        ..UPSTREAM
    };
    let body = br#"{"messages":[],"reasoning_effort":"low"}"#;
    let api = UpstreamApi::Responses(upstream);
    let out = translate_request(Dialect::Chat, body, &api).unwrap();
    assert!(!String::from_utf8(out.body).unwrap().contains("reasoning"));
    assert!(body_with(r#""reasoning_effort":"low""#).contains(r#""reasoning":{"effort":"low"}"#));
}

/// `Responses` stores by default, and is strict by default.
#[test]
fn defaults_that_differ_are_sent() {
    let body = body_with(r#""tools":[{"type":"function","function":{"name":"f"}}]"#);
    for part in [
        r#""store":false"#,
        r#""strict":false"#,
        r#""parameters":{"type":"object","properties":{}}"#,
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
}

/// The error names the member that the Messages client sent.
#[test]
fn what_a_messages_client_cannot_have_is_refused_by_its_own_name() {
    let body = br#"{"model":"m","max_tokens":9,"stop_sequences":["x"],"messages":[{"role":"user","content":"x"}]}"#;
    let error = to_responses(Dialect::Messages, body).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("stop_sequences"), "{error}");
    assert!(error.message.starts_with("`stop_sequences` "), "{error}");
}
