//! Chat requests.

use super::super::{messages_upstream, to_messages};
use super::{assert_error, chat_with};
use crate::dialect::ThinkingMode;

const UNSUPPORTED_VALUES: [(&str, &str); 8] = [
    (r#""temperature":1.01"#, "temperature"),
    (r#""service_tier":"flex""#, "service_tier"),
    (r#""reasoning_effort":"huge""#, "reasoning_effort"),
    (
        r#""reasoning_effort":"low","max_tokens":2047"#,
        "reasoning_effort",
    ),
    (
        r#""response_format":{"type":"json_object"}"#,
        "response_format.type",
    ),
    (
        r#""tool_choice":{"type":"allowed_tools","allowed_tools":{}}"#,
        "tool_choice.type",
    ),
    (r#""tool_choice":"maybe""#, "tool_choice"),
    (
        r#""tools":[{"type":"custom","custom":{"name":"x"}}]"#,
        "tools[0].type",
    ),
];

const UNSUPPORTED_MEMBERS: [(&str, &str); 20] = [
    (r#""n":2"#, "n"),
    (r#""seed":1"#, "seed"),
    (r#""logprobs":true"#, "logprobs"),
    (r#""top_logprobs":2"#, "top_logprobs"),
    (r#""logit_bias":{"50256":-100}"#, "logit_bias"),
    (r#""frequency_penalty":0.5"#, "frequency_penalty"),
    (r#""presence_penalty":-1"#, "presence_penalty"),
    (r#""store":true"#, "store"),
    (r#""audio":{"voice":"alloy"}"#, "audio"),
    (r#""modalities":["text","audio"]"#, "modalities"),
    (r#""verbosity":"low""#, "verbosity"),
    (r#""web_search_options":{}"#, "web_search_options"),
    (r#""functions":[]"#, "functions"),
    (r#""function_call":"auto""#, "function_call"),
    (r#""moderation":{"model":"x"}"#, "moderation"),
    (r#""of_tomorrow":1"#, "of_tomorrow"),
    (r#""stream_options":{"x":1}"#, "stream_options.x"),
    (
        r#""tools":[{"type":"function","function":{"name":"f"},"x":1}]"#,
        "tools[0].x",
    ),
    (
        r#""reasoning_effort":"low","thinking":{"type":"enabled"}"#,
        "reasoning_effort",
    ),
    (
        r#""response_format":{"type":"json_schema","json_schema":{"schema":{},"name":"n","description":"d"}}"#,
        "response_format.json_schema.description",
    ),
];

#[test]
fn untranslatable_members_of_a_chat_request_are_rejected() {
    for (member, param) in UNSUPPORTED_MEMBERS {
        assert_error(chat_with(member), param, "unsupported_parameter");
    }
    for (member, param) in UNSUPPORTED_VALUES {
        assert_error(chat_with(member), param, "unsupported_value");
    }
    assert_error(
        chat_with(r#""max_tokens":1,"max_completion_tokens":1"#),
        "max_tokens",
        "invalid_value",
    );
}

const INVALID_MESSAGES: [(&str, &str, &str); 7] = [
    (
        r#"{"role":"user","content":""}"#,
        "messages[1].content",
        "invalid_value",
    ),
    (r#"{"role":"user"}"#, "messages[1].content", "missing_field"),
    (
        r#"{"role":"user","content":7}"#,
        "messages[1].content",
        "invalid_type",
    ),
    (r#"{"content":"x"}"#, "messages[1].role", "missing_field"),
    ("7", "messages[1]", "invalid_type"),
    (
        r#"{"role":"user","role":"user"}"#,
        "messages[1].role",
        "duplicate_field",
    ),
    (
        r#"{"role":"assistant","tool_calls":[{"function":{}}]}"#,
        "messages[1].tool_calls[0].function.name",
        "missing_field",
    ),
];

const UNSUPPORTED_IN_MESSAGES: [(&str, &str); 2] = [
    (
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#,
        "messages[1].content[0].file.file_id",
    ),
    (
        r#"{"role":"user","content":"x","mood":"glad"}"#,
        "messages[1].mood",
    ),
];

const UNSUPPORTED_PARTS: [(&str, &str); 6] = [
    (
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}"#,
        "messages[1].content[0].type",
    ),
    (
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://x/y"}}]}"#,
        "messages[1].content[0].image_url.url",
    ),
    (
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,AA=="}}]}"#,
        "messages[1].content[0].image_url.url",
    ),
    (
        r#"{"role":"user","content":[{"type":"file","file":{"file_data":"data:a/b;base64,AA=="}}]}"#,
        "messages[1].content[0].file.file_data",
    ),
    (r#"{"role":"robot","content":"x"}"#, "messages[1].role"),
    (
        r#"{"role":"system","content":[{"type":"image_url","image_url":{}}]}"#,
        "messages[1].content[0].type",
    ),
];

#[test]
fn untranslatable_messages_of_a_chat_request_are_rejected() {
    let body = |message: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#);
        to_messages(body.as_bytes(), &messages_upstream(ThinkingMode::Budget))
    };
    for (message, param) in UNSUPPORTED_PARTS {
        assert_error(body(message), param, "unsupported_value");
    }
    for (message, param) in UNSUPPORTED_IN_MESSAGES {
        assert_error(body(message), param, "unsupported_parameter");
    }
    for (message, param, code) in INVALID_MESSAGES {
        assert_error(body(message), param, code);
    }
}

/// The same parts in an earlier message are text.
#[test]
fn untranslatable_messages_of_the_past_are_not_rejected() {
    let body = |message: &str| {
        let body = format!(r#"{{"messages":[{message},{{"role":"user","content":"x"}}]}}"#);
        to_messages(body.as_bytes(), &messages_upstream(ThinkingMode::Budget))
    };
    let of_user = |message: &&(&str, &str)| message.0.contains(r#""role":"user""#);
    let messages = UNSUPPORTED_PARTS.iter().chain(&UNSUPPORTED_IN_MESSAGES);
    let mut count = 0;
    for (message, _) in messages.filter(of_user) {
        let out = body(message).unwrap();
        assert!(
            !String::from_utf8(out.body).unwrap().contains("AA=="),
            "{message}"
        );
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn a_turn_without_its_thinking_continues_without_thinking() {
    let body = |blocks: &str| {
        format!(
            r#"{{"reasoning_effort":"low","max_tokens":4096,"messages":[{{"role":"user","content":"x"}},
            {{"role":"assistant","content":null,{blocks}"tool_calls":[{{"id":"a","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"a","content":"1"}}]}}"#
        )
    };
    let has_thinking = |body: &str, thinking| {
        let out = to_messages(body.as_bytes(), &messages_upstream(thinking)).unwrap();
        String::from_utf8(out.body)
            .unwrap()
            .contains(r#""thinking":{"#)
    };
    let complete =
        body(r#""thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}],"#);
    assert!(has_thinking(&complete, ThinkingMode::Budget));
    assert!(!has_thinking(&body(""), ThinkingMode::Budget));
    assert!(has_thinking(&body(""), ThinkingMode::Adaptive));
    // Thinking is only at the start of a turn, however many calls follow.
    let another_call = |body: &str| {
        let end = body.rfind("]}").unwrap();
        let step = r#",{"role":"assistant","tool_calls":[{"id":"b","function":{"name":"f","arguments":""}}]},
            {"role":"tool","tool_call_id":"b","content":"2"}]}"#;
        format!("{}{step}", &body[..end])
    };
    assert!(has_thinking(&another_call(&complete), ThinkingMode::Budget));
    assert!(!has_thinking(
        &another_call(&body("")),
        ThinkingMode::Budget
    ));
    let next_turn = |body: &str| {
        let end = body.rfind("]}").unwrap();
        let step =
            r#",{"role":"assistant","content":"Done."},{"role":"user","content":"Thanks."}]}"#;
        format!("{}{step}", &body[..end])
    };
    assert!(has_thinking(&next_turn(&body("")), ThinkingMode::Budget));
}
