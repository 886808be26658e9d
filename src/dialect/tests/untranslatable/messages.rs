//! Messages requests.

use super::super::{chat_upstream, to_chat};
use super::{assert_error, messages_with};
use crate::dialect::ChatUpstream;

#[test]
fn untranslatable_members_of_a_messages_request_are_rejected() {
    for (member, param) in [
        (r#""top_k":5"#, "top_k"),
        (r#""container":"c""#, "container"),
        (r#""inference_geo":"us""#, "inference_geo"),
        (r#""mcp_servers":[{}]"#, "mcp_servers"),
        (r#""of_tomorrow":1"#, "of_tomorrow"),
        (r#""metadata":{"x":1}"#, "metadata.x"),
        (
            r#""output_config":{"task_budget":{}}"#,
            "output_config.task_budget",
        ),
    ] {
        assert_error(messages_with(member), param, "unsupported_parameter");
    }
    for (member, param) in [
        (
            r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
            "tools[0].type",
        ),
        (
            r#""tools":[{"name":"f","input_schema":{},"allowed_callers":["code_execution_20260120"]}]"#,
            "tools[0].allowed_callers",
        ),
        (r#""tool_choice":{"type":"some"}"#, "tool_choice.type"),
        (r#""thinking":{"type":"deep"}"#, "thinking.type"),
        (
            r#""output_config":{"effort":"huge"}"#,
            "output_config.effort",
        ),
    ] {
        assert_error(messages_with(member), param, "unsupported_value");
    }
    let none = br#"{"messages":[]}"#;
    assert_error(
        to_chat(none, &chat_upstream()),
        "max_tokens",
        "missing_field",
    );
}

#[test]
fn untranslatable_blocks_of_a_messages_request_are_rejected() {
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
    ] {
        assert_error(body(block), param, code);
    }
}

#[test]
fn options_unsupported_by_chat_upstreams_are_omitted() {
    let body = br#"{"max_tokens":9,"thinking":{"type":"enabled","budget_tokens":5000},"messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"tool_use","id":"i","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]}"#;
    let text = |upstream: &ChatUpstream<'_>| {
        String::from_utf8(to_chat(body, upstream).unwrap().body).unwrap()
    };
    let all = text(&chat_upstream());
    assert!(all.contains(r#""max_completion_tokens":9"#));
    assert!(all.contains(r#""reasoning_effort":"medium""#));
    assert!(all.contains(r#""reasoning_content":"t""#));
    let none = text(&ChatUpstream {
        legacy_max_tokens: true,
        reasoning_effort: false,
        reasoning_history: false,
        ..chat_upstream()
    });
    assert!(none.contains(r#""max_tokens":9"#));
    assert!(!none.contains("reasoning"));
}
