//! Responses requests.

use super::super::chat_upstream;
use super::super::responses_requests::{to_chat, to_messages};
use super::assert_error;
use crate::dialect::{
    Dialect, ResponsesUpstream, SystemPosition, TranslatedRequest, TranslationError, UpstreamApi,
    translate_request,
};

type Translate = fn(&[u8]) -> Result<TranslatedRequest, TranslationError>;

const UNSUPPORTED_VALUES: [(&str, &str); 17] = [
    (r#""tools":[{"type":"file_search"}]"#, "tools[0].type"),
    (r#""tools":[{"type":"code_interpreter"}]"#, "tools[0].type"),
    (r#""tools":[{"type":"mcp"}]"#, "tools[0].type"),
    (
        r#""tools":[{"type":"computer_use_preview"}]"#,
        "tools[0].type",
    ),
    (r#""tools":[{"type":"local_shell"}]"#, "tools[0].type"),
    (
        r#""tools":[{"type":"namespace","name":"n","tools":[{"type":"mcp"}]}]"#,
        "tools[0].tools[0].type",
    ),
    (
        r#""tools":[{"type":"custom","name":"c","format":{"type":"xml"}}]"#,
        "tools[0].format.type",
    ),
    (
        r#""tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}"#,
        "tool_choice.type",
    ),
    (
        r#""tools":[{"type":"web_search"}],"tool_choice":"required""#,
        "tool_choice",
    ),
    (
        r#""tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","name":"g"}"#,
        "tool_choice",
    ),
    (
        r#""tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"mcp"}]}"#,
        "tool_choice",
    ),
    (r#""tool_choice":"maybe""#, "tool_choice"),
    (
        r#""text":{"format":{"type":"grammar"}}"#,
        "text.format.type",
    ),
    (r#""reasoning":{"effort":"huge"}"#, "reasoning.effort"),
    (
        r#""include":["message.output_text.logprobs"]"#,
        "include[0]",
    ),
    (
        r#""include":["reasoning.encrypted_content","x"]"#,
        "include[1]",
    ),
    (r#""truncation":"some""#, "truncation"),
];

const UNSUPPORTED_MEMBERS: [(&str, &str); 16] = [
    (r#""previous_response_id":"resp_1""#, "previous_response_id"),
    (r#""conversation":"conv_1""#, "conversation"),
    (r#""conversation":{"id":"conv_1"}"#, "conversation"),
    (r#""prompt":{"id":"pmpt_1"}"#, "prompt"),
    (r#""background":true"#, "background"),
    (r#""top_logprobs":2"#, "top_logprobs"),
    (r#""generate":false"#, "generate"),
    (r#""moderation":{"model":"x"}"#, "moderation"),
    (r#""of_tomorrow":1"#, "of_tomorrow"),
    (r#""stream_options":{"x":1}"#, "stream_options.x"),
    (r#""text":{"x":1}"#, "text.x"),
    (r#""reasoning":{"mode":"pro"}"#, "reasoning.mode"),
    (r#""reasoning":{"x":1}"#, "reasoning.x"),
    (
        r#""tools":[{"type":"function","name":"f","x":1}]"#,
        "tools[0].x",
    ),
    (
        r#""tools":[{"type":"function","name":"f","allowed_callers":["programmatic"]}]"#,
        "tools[0].allowed_callers",
    ),
    (
        r#""tools":[{"type":"custom","name":"f","async":true}]"#,
        "tools[0].async",
    ),
];

fn upstreams() -> [Translate; 2] {
    [|body| to_chat(body, &chat_upstream()), to_messages]
}

fn with(translate: Translate, member: &str) -> Result<TranslatedRequest, TranslationError> {
    let comma = if member.is_empty() { "" } else { "," };
    translate(format!(r#"{{"model":"m","input":"x"{comma}{member}}}"#).as_bytes())
}

#[test]
fn untranslatable_members_of_a_responses_request_are_rejected() {
    for translate in upstreams() {
        for (member, param) in UNSUPPORTED_VALUES {
            assert_error(with(translate, member), param, "unsupported_value");
        }
        for (member, param) in UNSUPPORTED_MEMBERS {
            assert_error(with(translate, member), param, "unsupported_parameter");
        }
        assert_error(translate(b"{}"), "input", "missing_field");
    }
}

/// What a client can do about it is in the message.
#[test]
fn a_reference_to_what_is_stored_names_the_cure() {
    for member in [
        r#""previous_response_id":"resp_1""#,
        r#""conversation":"conv_1""#,
    ] {
        for translate in upstreams() {
            let error = with(translate, member).unwrap_err();
            assert!(
                error
                    .message
                    .contains("whole history in `input`, with `store: false`")
            );
        }
    }
    for item in [
        r#"{"type":"item_reference","id":"msg_1"}"#,
        r#"{"id":"msg_1"}"#,
    ] {
        let body = format!(r#"{{"input":[{item}]}}"#);
        let error = to_chat(body.as_bytes(), &chat_upstream()).unwrap_err();
        assert!(error.message.contains("with `store: false`"), "{error}");
        assert!(error.param.unwrap().starts_with("input[0]"));
    }
}

#[test]
fn default_values_are_accepted() {
    for translate in upstreams() {
        let plain = with(translate, "").unwrap().body;
        for member in [
            r#""store":true"#,
            r#""store":false,"background":false,"truncation":"disabled""#,
            r#""metadata":{"a":"b"},"prompt_cache_key":"k","client_metadata":{"a":"b"}"#,
            r#""include":["reasoning.encrypted_content","web_search_call.action.sources"]"#,
            r#""tools":[{"type":"web_search"},{"type":"image_generation"}],"tool_choice":"auto""#,
            r#""tools":[],"tool_choice":"none","parallel_tool_calls":false"#,
            r#""text":{"format":{"type":"text"},"verbosity":"high"}"#,
            r#""reasoning":{"summary":"auto","effort":null}"#,
            r#""top_logprobs":0,"max_tool_calls":3,"service_tier":"auto","stream":false"#,
            r#""context_management":[{"type":"compaction"}],"instructions":"","prompt":null"#,
        ] {
            assert_eq!(with(translate, member).unwrap().body, plain, "{member}");
        }
    }
}

const UNSUPPORTED_ITEMS: [(&str, &str, &str); 12] = [
    (
        r#"{"role":"robot","content":"x"}"#,
        "input[1].role",
        "unsupported_value",
    ),
    (
        r#"{"role":"user","content":[{"type":"input_audio"}]}"#,
        "input[1].content[0].type",
        "unsupported_value",
    ),
    (
        r#"{"role":"user","content":[{"type":"input_image","file_id":"f"}]}"#,
        "input[1].content[0].file_id",
        "unsupported_parameter",
    ),
    (
        r#"{"role":"user","content":[{"type":"input_file","file_id":"f"}]}"#,
        "input[1].content[0].file_id",
        "unsupported_parameter",
    ),
    (
        r#"{"role":"user","content":[{"type":"input_file","file_url":"https://x/y"}]}"#,
        "input[1].content[0].file_url",
        "unsupported_parameter",
    ),
    (
        r#"{"role":"user","content":[{"type":"input_text","text":"x","mood":"glad"}]}"#,
        "input[1].content[0].mood",
        "unsupported_parameter",
    ),
    (
        r#"{"role":"user","content":"x","mood":"glad"}"#,
        "input[1].mood",
        "unsupported_parameter",
    ),
    (
        r#"{"role":"developer","content":[{"type":"input_image","image_url":"https://x/y"}]}"#,
        "input[1].content[0].type",
        "unsupported_value",
    ),
    (
        r#"{"type":"compaction_trigger"}"#,
        "input[1].type",
        "unsupported_value",
    ),
    (
        r#"{"type":"configuration_update","reasoning":{"effort":"low"}}"#,
        "input[1].type",
        "unsupported_value",
    ),
    (r#"{"content":"x"}"#, "input[1].type", "missing_field"),
    (
        r#"{"type":"function_call","name":"f","arguments":"{}"}"#,
        "input[1].call_id",
        "missing_field",
    ),
];

#[test]
fn untranslatable_items_are_rejected() {
    for translate in upstreams() {
        for (item, param, code) in UNSUPPORTED_ITEMS {
            let body = format!(r#"{{"input":[{{"role":"user","content":"x"}},{item}]}}"#);
            assert_error(translate(body.as_bytes()), param, code);
        }
    }
}

/// The second translation names the members of the chat request that it reads.
#[test]
fn errors_of_a_messages_upstream_name_the_clients_members() {
    for (members, param, code) in [
        (r#""input":"""#, "input", "invalid_value"),
        (
            r#""input":[{"role":"developer","content":"d"},{"role":"assistant","content":"a"},{"role":"user","content":"  "}]"#,
            "input[2].content",
            "invalid_value",
        ),
        (
            r#""instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"ftp://x/y"}]}]"#,
            "input[0].content[1].image_url",
            "unsupported_value",
        ),
        (
            r#""input":[{"role":"user","content":[{"type":"input_file","file_data":"data:a/b;base64,AA=="}]}]"#,
            "input[0].content[0].file_data",
            "unsupported_value",
        ),
        (
            r#""input":"x","max_output_tokens":100,"reasoning":{"effort":"low"}"#,
            "reasoning.effort",
            "unsupported_value",
        ),
        (
            r#""input":"x","text":{"format":{"type":"json_object"}}"#,
            "text.format.type",
            "unsupported_value",
        ),
        (
            r#""input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{},"description":"d"}}"#,
            "text.format.description",
            "unsupported_parameter",
        ),
        (
            r#""input":"x","temperature":1.5"#,
            "temperature",
            "unsupported_value",
        ),
        (
            r#""input":"x","service_tier":"flex""#,
            "service_tier",
            "unsupported_value",
        ),
    ] {
        assert_error(
            to_messages(format!("{{{members}}}").as_bytes()),
            param,
            code,
        );
    }
    let body = br#"{"input":"x","max_output_tokens":100,"reasoning":{"effort":"low"}}"#;
    let error = to_messages(body).unwrap_err();
    assert!(
        error.message.contains("needs a `max_output_tokens` of"),
        "{error}"
    );
}

/// The other way round: of a Messages client.
#[test]
fn errors_of_a_responses_upstream_name_the_clients_members() {
    let body =
        br#"{"max_tokens":9,"messages":[{"role":"user","content":"x"}],"stop_sequences":["a"]}"#;
    let upstream = UpstreamApi::Responses(ResponsesUpstream {
        model: "gpt-upstream",
        reasoning: true,
        system: SystemPosition::Anywhere,
        provider: "up",
    });
    let result = translate_request(Dialect::Messages, body, &upstream);
    assert_error(result, "stop_sequences", "unsupported_parameter");
}
