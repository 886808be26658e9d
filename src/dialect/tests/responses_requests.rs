//! Requests of Responses clients.

use serde_json::Value;

use super::golden::{compare, inputs, pretty};
use super::{chat_upstream, messages_upstream};
use crate::dialect::responses_via_chat::echo::{ToolKind, ToolOrigin};
use crate::dialect::{
    ChatUpstream, Dialect, RequestEcho, SystemPosition, ThinkingMode, TranslatedRequest,
    TranslationError, UpstreamApi, translate_request,
};

pub(super) fn to_chat(
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    translate_request(Dialect::Responses, body, &UpstreamApi::Chat(*upstream))
}

pub(super) fn to_messages(body: &[u8]) -> Result<TranslatedRequest, TranslationError> {
    let upstream = messages_upstream(ThinkingMode::Budget);
    translate_request(Dialect::Responses, body, &UpstreamApi::Messages(upstream))
}

/// Of a request with these items and members.
fn chat_messages(items: &str, members: &str, upstream: &ChatUpstream<'_>) -> Value {
    let body = format!(r#"{{"input":[{items}]{members}}}"#);
    let out = to_chat(body.as_bytes(), upstream).unwrap();
    let chat: Value = serde_json::from_slice(&out.body).unwrap();
    chat["messages"].clone()
}

fn echo(body: &str) -> RequestEcho {
    let out = to_chat(body.as_bytes(), &chat_upstream()).unwrap();
    *out.echo.unwrap()
}

#[test]
fn requests_match_their_golden_output() {
    for (path, body) in inputs("responses_to_chat") {
        let out = to_chat(&body, &chat_upstream()).unwrap();
        compare(&path, &pretty(&out.body));
        let is_streamed = path.to_str().unwrap().contains("codex");
        assert_eq!((out.stream, out.include_usage), (is_streamed, is_streamed));
        assert!(out.echo.is_some());
    }
    for (path, body) in inputs("responses_to_messages") {
        let out = to_messages(&body).unwrap();
        compare(&path, &pretty(&out.body));
        assert!(out.echo.is_some());
    }
}

/// Each conversation can be sent to a Messages upstream, too.
#[test]
fn histories_of_chat_models_go_on_at_a_messages_upstream() {
    for (path, body) in inputs("responses_to_chat") {
        let result = to_messages(&body);
        let refused = match &result {
            Ok(_) => None,
            Err(error) => error.param.as_deref(),
        };
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = match name {
            "plain.in.json" => Some("reasoning.effort"),
            _ => None,
        };
        assert_eq!(refused, expected, "{name}: {result:?}");
    }
}

#[test]
fn names_of_tools_lead_back() {
    let body = r#"{"input":"x","tools":[
        {"type":"function","name":"a__b","parameters":null},
        {"type":"custom","name":"apply_patch"},
        {"type":"tool_search","execution":"client"},
        {"type":"namespace","name":"a","description":"","tools":[{"type":"function","name":"b"},{"type":"custom","name":"c"}]}]}"#;
    let tools = echo(body).tools;
    let origin = |kind, namespace: Option<&str>, name: &str| ToolOrigin {
        kind,
        namespace: namespace.map(ToOwned::to_owned),
        name: name.to_owned(),
    };
    assert_eq!(tools.len(), 4);
    assert_eq!(
        tools["apply_patch"],
        origin(ToolKind::Custom, None, "apply_patch")
    );
    assert_eq!(
        tools["tool_search"],
        origin(ToolKind::Search, None, "tool_search")
    );
    assert_eq!(tools["a__c"], origin(ToolKind::Custom, Some("a"), "c"));
    let renamed = tools
        .iter()
        .find(|(name, _)| name.starts_with("a__b_"))
        .unwrap();
    assert_eq!(*renamed.1, origin(ToolKind::Function, Some("a"), "b"));
}

#[test]
fn a_forced_tool_has_its_name_at_the_upstream() {
    let choice = |choice: &str| {
        let body = format!(
            r#"{{"input":"x","tool_choice":{choice},"tools":[
            {{"type":"custom","name":"c"}},{{"type":"function","name":"f"}},
            {{"type":"namespace","name":"n","tools":[{{"type":"function","name":"g"}}]}}]}}"#
        );
        let out = to_chat(body.as_bytes(), &chat_upstream()).unwrap();
        let chat: Value = serde_json::from_slice(&out.body).unwrap();
        let names = chat["tools"].as_array().into_iter().flatten();
        let names: Vec<_> = names
            .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned())
            .collect();
        (chat["tool_choice"].to_string(), names.join(" "))
    };
    let forced = |name: &str| format!(r#"{{"function":{{"name":"{name}"}},"type":"function"}}"#);
    let all = "c f n__g".to_owned();
    for (client, expected) in [
        (r#""required""#, r#""required""#.to_owned()),
        (r#"{"type":"function","name":"f"}"#, forced("f")),
        (r#"{"type":"custom","name":"c"}"#, forced("c")),
        (r#"{"type":"function","name":"g"}"#, forced("n__g")),
        (
            r#"{"type":"function","namespace":"n","name":"g"}"#,
            forced("n__g"),
        ),
    ] {
        assert_eq!(choice(client), (expected, all.clone()), "{client}");
    }
    for (tools, left) in [
        (r#"{"type":"function","name":"f"}"#, "f"),
        (
            r#"{"type":"namespace","name":"n"},{"type":"web_search"}"#,
            "n__g",
        ),
        (
            r#"{"type":"custom","name":"c"},{"type":"function","name":"g"}"#,
            "c n__g",
        ),
    ] {
        let allowed = format!(r#"{{"type":"allowed_tools","mode":"auto","tools":[{tools}]}}"#);
        assert_eq!(choice(&allowed), (r#""auto""#.to_owned(), left.to_owned()));
    }
    // None is left.
    let none = r#"{"type":"allowed_tools","mode":"auto","tools":[]}"#;
    assert_eq!(choice(none), ("null".to_owned(), String::new()));
}

#[test]
fn results_come_next_to_their_calls() {
    let call = |id: &str| {
        format!(r#"{{"type":"function_call","call_id":"{id}","name":"f","arguments":"{{}}"}}"#)
    };
    let result =
        |id: &str| format!(r#"{{"type":"function_call_output","call_id":"{id}","output":"{id}"}}"#);
    let user = r#"{"role":"user","content":"u"}"#;
    let system = r#"{"role":"developer","content":"d"}"#;
    let items = [
        user.to_owned(),
        call("a"),
        call("b"),
        user.to_owned(),
        result("b"),
        system.to_owned(),
        result("a"),
        user.to_owned(),
        // Some upstreams repeat ids.
        call("a"),
        result("a"),
    ];
    let messages = chat_messages(&items.join(","), "", &chat_upstream());
    let summary: Vec<_> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| {
            let role = message["role"].as_str().unwrap();
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            format!("{role}{id}")
        })
        .collect();
    assert_eq!(
        summary.join(" "),
        "user assistant toolb toola user assistant toola"
    );
    let text = messages[4]["content"].as_str().unwrap();
    assert_eq!(text, "u\n\n<system-reminder>\nd\n</system-reminder>\n\nu");
    // A messages upstream has its own rule for instructions.
    let body = format!(r#"{{"input":[{}]}}"#, items.join(","));
    let out = to_messages(body.as_bytes()).unwrap();
    let out: Value = serde_json::from_slice(&out.body).unwrap();
    assert_eq!(out["system"][0]["text"], "d");
}

#[test]
fn reasoning_goes_back_where_it_is_required() {
    let items = |summary: &str, content: &str| {
        format!(
            r#"{{"role":"user","content":"x"}},
            {{"type":"reasoning","summary":[{summary}],"content":[{content}]}},
            {{"role":"assistant","content":"y"}},
            {{"role":"user","content":"x"}},
            {{"type":"reasoning","summary":[{summary}],"content":[{content}]}},
            {{"type":"function_call","call_id":"a","name":"f","arguments":"{{}}"}}"#
        )
    };
    let summary = r#"{"type":"summary_text","text":"s"},{"type":"summary_text","text":"t"}"#;
    let content = r#"{"type":"reasoning_text","text":"c"}"#;
    for (summary, content, expected) in [
        (summary, "", "s\n\nt"),
        (summary, content, "c"),
        ("", "", ""),
    ] {
        let messages = chat_messages(&items(summary, content), "", &chat_upstream());
        assert_eq!(messages[1].get("reasoning_content"), None);
        assert_eq!(messages[3]["reasoning_content"], expected);
    }
    let without = ChatUpstream {
        reasoning_history: false,
        ..chat_upstream()
    };
    let messages = chat_messages(&items(summary, content), "", &without);
    assert_eq!(messages[3].get("reasoning_content"), None);
    // A turn of nothing but reasoning leaves nothing.
    let only = r#"{"role":"user","content":"x"},{"type":"reasoning","summary":[]}"#;
    assert_eq!(
        chat_messages(only, "", &without).as_array().unwrap().len(),
        1
    );
}

#[test]
fn instructions_go_where_the_upstream_takes_them() {
    let items = r#"{"role":"developer","content":"1"},{"role":"user","content":"u"},
        {"role":"assistant","content":"a"},{"role":"developer","content":"2"},{"role":"user","content":"v"}"#;
    let roles = |system| {
        let upstream = ChatUpstream {
            system,
            ..chat_upstream()
        };
        let messages = chat_messages(items, r#","instructions":"0""#, &upstream);
        let message = |it: &Value| {
            let role = it["role"].as_str().unwrap();
            format!(
                "{role}:{}",
                it["content"].as_str().unwrap().replace('\n', ".")
            )
        };
        let messages: Vec<_> = messages.as_array().unwrap().iter().map(message).collect();
        messages.join(" ")
    };
    assert_eq!(
        roles(SystemPosition::FirstOrUser),
        "system:0..1 user:u assistant:a user:<system-reminder>.2.</system-reminder>..v"
    );
    assert_eq!(
        roles(SystemPosition::First),
        "system:0..1..2 user:u assistant:a user:v"
    );
    assert_eq!(
        roles(SystemPosition::Anywhere),
        "system:0 system:1 user:u assistant:a system:2 user:v"
    );
}

#[test]
fn options_unsupported_by_the_upstream_are_omitted() {
    let body = br#"{"input":"x","max_output_tokens":9,"reasoning":{"effort":"low"},"stream":true}"#;
    let text = |upstream: &ChatUpstream<'_>| {
        String::from_utf8(to_chat(body, upstream).unwrap().body).unwrap()
    };
    let all = text(&chat_upstream());
    assert!(all.contains(r#""max_completion_tokens":9"#));
    assert!(all.contains(r#""reasoning_effort":"low""#));
    assert!(all.contains("include_usage"));
    let none = text(&ChatUpstream {
        legacy_max_tokens: true,
        reasoning_effort: false,
        stream_usage: false,
        ..chat_upstream()
    });
    assert!(none.contains(r#""max_tokens":9"#));
    assert!(!none.contains("reasoning") && !none.contains("include_usage"));
}
