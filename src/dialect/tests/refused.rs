//! What is not translated is refused, by its name.

use super::{chat_upstream, messages_upstream};
use crate::dialect::{Dialect, Refusal, Thinking, ToChat, Translated, to_chat, to_messages};

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
fn members_of_a_chat() {
    for (member, param) in [
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
    ] {
        names(chat_with(member), param, "unsupported_parameter");
    }
    for (member, param) in [
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
    ] {
        names(chat_with(member), param, "unsupported_value");
    }
    names(
        chat_with(r#""max_tokens":1,"max_completion_tokens":1"#),
        "max_tokens",
        "invalid_value",
    );
}

#[test]
fn messages_of_a_chat() {
    let body = |message: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#);
        to_messages(body.as_bytes(), &messages_upstream(Thinking::Budget))
    };
    for (message, param) in [
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
    ] {
        names(body(message), param, "unsupported_value");
    }
    for (message, param) in [
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
    ] {
        names(body(message), param, "unsupported_parameter");
    }
    for (message, param, code) in [
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
        (r#"7"#, "messages[1]", "invalid_type"),
        (
            r#"{"role":"user","role":"user"}"#,
            "messages[1].role",
            "invalid_value",
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
    ] {
        names(body(message), param, code);
    }
}

#[test]
fn members_of_a_messages_request() {
    for (member, param) in [
        (r#""top_k":5"#, "top_k"),
        (r#""container":"c""#, "container"),
        (r#""inference_geo":"us""#, "inference_geo"),
        (r#""mcp_servers":[{}]"#, "mcp_servers"),
        (r#""of_tomorrow":1"#, "of_tomorrow"),
        (r#""metadata":{"x":1}"#, "metadata.x"),
        (
            r#""tools":[{"name":"f","input_schema":{},"input_examples":[{}]}]"#,
            "tools[0].input_examples",
        ),
        (
            r#""output_config":{"task_budget":{}}"#,
            "output_config.task_budget",
        ),
    ] {
        names(messages_with(member), param, "unsupported_parameter");
    }
    for (member, param) in [
        (
            r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
            "tools[0].type",
        ),
        (r#""tool_choice":{"type":"some"}"#, "tool_choice.type"),
        (r#""thinking":{"type":"deep"}"#, "thinking.type"),
        (
            r#""output_config":{"effort":"huge"}"#,
            "output_config.effort",
        ),
    ] {
        names(messages_with(member), param, "unsupported_value");
    }
    let none = br#"{"messages":[]}"#;
    names(
        to_chat(none, &chat_upstream()),
        "max_tokens",
        "missing_field",
    );
}

#[test]
fn blocks_of_a_messages_request() {
    let body = |block: &str| {
        let body =
            format!(r#"{{"max_tokens":9,"messages":[{{"role":"user","content":[{block}]}}]}}"#);
        to_chat(body.as_bytes(), &chat_upstream())
    };
    for (block, param, code) in [
        (
            r#"{"type":"search_result","source":"s","title":"t","content":[]}"#,
            "messages[0].content[0].type",
            "unsupported_value",
        ),
        (
            r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#,
            "messages[0].content[0].source.type",
            "unsupported_value",
        ),
        (
            r#"{"type":"document","source":{"type":"url","url":"https://x/y.pdf"}}"#,
            "messages[0].content[0].source.type",
            "unsupported_value",
        ),
        (
            r#"{"type":"document","source":{"type":"text","data":"d"},"citations":{"enabled":true}}"#,
            "messages[0].content[0].citations.enabled",
            "unsupported_parameter",
        ),
        (
            r#"{"type":"text","text":"x","mood":"glad"}"#,
            "messages[0].content[0].mood",
            "unsupported_parameter",
        ),
        (
            r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference"}]}"#,
            "messages[0].content[0].content[0].type",
            "unsupported_value",
        ),
    ] {
        names(body(block), param, code);
    }
    let server = br#"{"max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]}]}"#;
    names(
        to_chat(server, &chat_upstream()),
        "messages[0].content[0].type",
        "unsupported_value",
    );
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

#[test]
fn habits_of_chat_upstreams() {
    let body = br#"{"max_tokens":9,"thinking":{"type":"enabled","budget_tokens":5000},"messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"tool_use","id":"i","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]}"#;
    let text =
        |upstream: &ToChat<'_>| String::from_utf8(to_chat(body, upstream).unwrap().body).unwrap();
    let all = text(&chat_upstream());
    assert!(all.contains(r#""max_completion_tokens":9"#));
    assert!(all.contains(r#""reasoning_effort":"medium""#));
    assert!(all.contains(r#""reasoning_content":"t""#));
    let none = text(&ToChat {
        old_max_tokens: true,
        reasoning_effort: false,
        reasoning_history: false,
        ..chat_upstream()
    });
    assert!(none.contains(r#""max_tokens":9"#));
    assert!(!none.contains("reasoning"));
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
}
