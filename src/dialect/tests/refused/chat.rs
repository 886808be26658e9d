//! Chat requests.

use super::super::messages_upstream;
use super::{chat_with, names};
use crate::dialect::{Thinking, to_messages};

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
fn members_of_a_chat() {
    for (member, param) in UNSUPPORTED_MEMBERS {
        names(chat_with(member), param, "unsupported_parameter");
    }
    for (member, param) in UNSUPPORTED_VALUES {
        names(chat_with(member), param, "unsupported_value");
    }
    names(
        chat_with(r#""max_tokens":1,"max_completion_tokens":1"#),
        "max_tokens",
        "invalid_value",
    );
}

const INVALID_MESSAGES: [(&str, &str, &str); 8] = [
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
        r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"[1]"}}]}"#,
        "messages[1].tool_calls[0].function.arguments",
        "invalid_value",
    ),
    (
        r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a\":"}}]}"#,
        "messages[1].tool_calls[0].function.arguments",
        "invalid_value",
    ),
];

const UNSUPPORTED_IN_MESSAGES: [(&str, &str); 4] = [
    (
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#,
        "messages[1].content[0].file.file_id",
    ),
    (
        r#"{"role":"function","name":"f","content":"x"}"#,
        "messages[1].role",
    ),
    (
        r#"{"role":"assistant","audio":{"id":"a"}}"#,
        "messages[1].audio",
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
        r#"{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{}}]}"#,
        "messages[1].tool_calls[0].type",
    ),
];

#[test]
fn messages_of_a_chat() {
    let body = |message: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#);
        to_messages(body.as_bytes(), &messages_upstream(Thinking::Budget))
    };
    for (message, param) in UNSUPPORTED_PARTS {
        names(body(message), param, "unsupported_value");
    }
    for (message, param) in UNSUPPORTED_IN_MESSAGES {
        names(body(message), param, "unsupported_parameter");
    }
    for (message, param, code) in INVALID_MESSAGES {
        names(body(message), param, code);
    }
}

#[test]
fn thinking_waits_for_the_next_turn_where_its_thoughts_were_lost() {
    let body = |blocks: &str| {
        format!(
            r#"{{"reasoning_effort":"low","max_tokens":4096,"messages":[{{"role":"user","content":"x"}},
            {{"role":"assistant","content":null,{blocks}"tool_calls":[{{"id":"a","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"a","content":"1"}}]}}"#
        )
    };
    let thinks = |body: &str, thinking| {
        let out = to_messages(body.as_bytes(), &messages_upstream(thinking)).unwrap();
        String::from_utf8(out.body)
            .unwrap()
            .contains(r#""thinking":{"#)
    };
    let kept = body(r#""thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}],"#);
    assert!(thinks(&kept, Thinking::Budget));
    assert!(!thinks(&body(""), Thinking::Budget));
    assert!(thinks(&body(""), Thinking::Adaptive));
    // Thoughts come at the beginning of a turn alone, however many calls it has.
    let more = |body: &str| {
        let end = body.rfind("]}").unwrap();
        let step = r#",{"role":"assistant","tool_calls":[{"id":"b","function":{"name":"f","arguments":""}}]},
            {"role":"tool","tool_call_id":"b","content":"2"}]}"#;
        format!("{}{step}", &body[..end])
    };
    assert!(thinks(&more(&kept), Thinking::Budget));
    assert!(!thinks(&more(&body("")), Thinking::Budget));
    let next = |body: &str| {
        let end = body.rfind("]}").unwrap();
        let step =
            r#",{"role":"assistant","content":"Done."},{"role":"user","content":"Thanks."}]}"#;
        format!("{}{step}", &body[..end])
    };
    assert!(thinks(&next(&body("")), Thinking::Budget));
}
