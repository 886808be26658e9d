//! What stands in the past of a conversation.

use serde_json::{Value, json};

use super::{
    MESSAGE, assert_ok, chat, chat_gateway, claude_gateway, history, messages, messages_error, sent,
};
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

#[test]
fn wt08_a_history_of_tool_search_goes_on() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = chat_gateway(&upstream);
    let mut members = history(&["t1"]);
    members["messages"][2]["content"][0]["content"] =
        json!([{"type":"tool_reference","tool_name":"TaskStop"}]);
    members["tools"] = json!([
        {"name":"A","input_schema":{"type":"object"}},
        {"name":"B","input_schema":{"type":"object"},"defer_loading":true},
    ]);
    assert_ok(&gateway.send(&messages("m", members)));
    let body = &sent(&upstream)[0];
    assert_eq!(body["messages"][2]["content"], "TaskStop");
    assert_eq!(
        body["tools"][1]["function"],
        json!({"name":"B","parameters":{"type":"object"}})
    );
    // All tools are offered, so that none has to be searched for.
    let search = json!([{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"},
        {"name":"B","input_schema":{"type":"object"},"defer_loading":true}]);
    assert_ok(&gateway.send(&messages("m", json!({"tools":search}))));
    let tools = &sent(&upstream)[1]["tools"];
    assert_eq!(tools.as_array().unwrap().len(), 1);
    assert_eq!(tools[0]["function"]["name"], "B");
    let search = json!({"tools":[{"type":"web_search_20250305","name":"web_search"}]});
    let response = gateway.send(&messages("m", search));
    let message = messages_error(&response, 400, "invalid_request_error");
    assert!(message.contains("`tools[0].type`"), "{message}");
}

#[test]
fn wt08_blocks_of_other_tools_in_a_response_are_text() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = chat_gateway(&upstream);
    let mut members = history(&["t1"]);
    members["messages"][1]["content"] = json!([
        {"type":"redacted_thinking","data":"x"},
        {"type":"thinking","thinking":"hm","signature":"","mood":1},
        {"type":"text","text":"Looking.","citations":[{"type":"page"}]},
        {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"rust"},"caller":{"type":"direct"}},
        {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[
            {"type":"web_search_result","title":"Rust","url":"https://rust-lang.org","encrypted_content":"secret"}]},
        {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}},
        {"type":"code_execution_tool_result","tool_use_id":"x","content":{"type":"code_execution_result","stdout":"42","stderr":"","return_code":0}},
        {"type":"mcp_tool_use","id":"m","name":"lookup","server_name":"s","input":{"k":1}},
        {"type":"mcp_tool_result","tool_use_id":"m","is_error":false,"content":[{"type":"text","text":"found"}]},
        {"type":"container_upload","file_id":"secret"},
        {"type":"of_tomorrow","secret":"x"},
        {"type":"tool_use","id":"t1","name":"f","input":{"x":1},"caller":{"type":"code_execution_20250825","tool_id":"x"}},
    ]);
    assert_ok(&gateway.send(&messages("m", members)));
    let message = &sent(&upstream)[0]["messages"][1];
    assert_eq!(
        message["content"],
        "Looking.\n[server_tool_use]\nweb_search\n{\"query\":\"rust\"}\n\
         [web_search_tool_result]\nRust\nhttps://rust-lang.org\n\
         [web_search_tool_result]\nunavailable\n\
         [code_execution_tool_result]\n42\n\
         [mcp_tool_use]\nlookup\n{\"k\":1}\n[mcp_tool_result]\nfound\n\
         [container_upload]\n[of_tomorrow]\n"
    );
    let function = &message["tool_calls"][0]["function"];
    assert_eq!(function["arguments"], "{\"x\":1}");
}

#[test]
fn wt08_only_what_is_asked_for_now_is_rejected() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = chat_gateway(&upstream);
    let upload = json!([{"type":"container_upload","file_id":"f"},{"type":"text","text":"hi"}]);
    let mut members = history(&["t1"]);
    members["messages"][0]["content"] = upload.clone();
    members["messages"][2]["content"][0]["content"] = json!([
        {"type":"search_result","source":"https://a","title":"T","content":[{"type":"text","text":"body"}],"citations":{"enabled":true}},
        {"type":"document","source":{"type":"url","url":"https://x/y.pdf"}},
        {"type":"text","text":"t","mood":"glad"},
        {"type":"image","source":{"type":"file","file_id":"f"}},
    ]);
    assert_ok(&gateway.send(&messages("m", members)));
    let past = &sent(&upstream)[0]["messages"];
    assert_eq!(past[0]["content"][0]["text"], "[container_upload]");
    assert_eq!(
        past[2]["content"],
        "[search_result]\nT\nhttps://a\nbody\n[document]\nhttps://x/y.pdf\nt\n[image]"
    );
    let now = json!({"messages":[{"role":"user","content":upload}]});
    let response = gateway.send(&messages("m", now));
    let message = messages_error(&response, 400, "invalid_request_error");
    assert!(
        message.contains("`messages[0].content[0].type`"),
        "{message}"
    );
}

/// `DeepSeek` rejects a call without its thinking, in each turn.
#[test]
fn wt08_thinking_goes_back_to_a_provider_that_requires_it() {
    let upstream = Upstream::with_response(response::completion("hello"));
    let gateway = Setup::with_upstream(&upstream)
        .provider("deepseek", &upstream.base_url(), "")
        .model("d", "deepseek", "deepseek-v4-pro")
        .start();
    let mut members = history(&["t1"]);
    let turn = members["messages"].as_array().unwrap().clone();
    members["messages"][1]["content"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"type":"thinking","thinking":"hm","signature":""}));
    let all = members["messages"].as_array_mut().unwrap();
    all.push(json!({"role":"assistant","content":[{"type":"thinking","thinking":"so","signature":""},{"type":"text","text":"Done."}]}));
    all.extend(turn);
    for model in ["d", "m"] {
        assert_ok(&gateway.send(&messages(model, members.clone())));
    }
    let thinking = |body: &Value| -> Vec<Value> {
        let all = body["messages"].as_array().unwrap();
        let of_assistant = all.iter().filter(|message| message["role"] == "assistant");
        of_assistant
            .map(|message| message["reasoning_content"].clone())
            .collect()
    };
    let sent = sent(&upstream);
    assert_eq!(thinking(&sent[0]), [json!("hm"), json!(null), json!("")]);
    assert_eq!(thinking(&sent[1]), [json!(null), json!(null), json!(null)]);
}

#[test]
fn wt08_a_chat_history_of_another_model_goes_on_at_claude() {
    let upstream = Upstream::with_response(response::json("200 OK", MESSAGE));
    let gateway = claude_gateway(&upstream);
    let members = json!({"messages":[
        {"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"text","text":"hi"}]},
        {"role":"assistant","content":null,"audio":{"id":"a"},"reasoning_details":[{}],"refusal":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"},"extra_content":{"google":{"thought_signature":"s"}}},
            {"id":"b","type":"custom","custom":{"name":"patch","input":"*** Begin"}}]},
        {"role":"tool","tool_call_id":"a","content":"bad arguments","mood":1},
        {"role":"tool","tool_call_id":"b","content":[{"type":"of_tomorrow","text":"done"}]},
        {"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"unsigned"},{"type":"of_tomorrow"}],"function_call":{"name":"old","arguments":"{}"}},
        {"role":"function","name":"old","content":"1"},
        {"role":"user","content":""},
        {"role":"user","content":[{"type":"file","file":{"file_id":"file-1","filename":"a.pdf"}}]},
        {"role":"user","content":"now"},
    ]});
    assert_ok(&gateway.send(&chat("c", members)));
    let turns = &sent(&upstream)[0]["messages"];
    assert_eq!(turns[0]["content"][0]["text"], "[input_audio]");
    assert_eq!(turns[1]["content"][0]["input"], json!({"input":"{\"x\":"}));
    assert_eq!(
        turns[1]["content"][1]["input"],
        json!({"input":"*** Begin"})
    );
    assert_eq!(
        turns[2]["content"][1]["content"][0]["text"],
        "[of_tomorrow]\ndone"
    );
    assert_eq!(
        turns[3]["content"],
        json!([{"type":"text","text":"[function_call]\nold\n{}"}])
    );
    assert_eq!(turns[4]["content"][0]["text"], "[function]\nold\n1");
    assert_eq!(turns[4]["content"][1]["text"], "[file]\na.pdf");
    assert_eq!(turns[4]["content"][2]["text"], "now");
}

#[test]
fn wc04_claude_codes_requests_pass() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(if exchange.request().target.contains("/messages") {
            response::json("200 OK", MESSAGE)
        } else {
            response::completion("hello")
        });
    });
    let gateway = Setup::with_upstream(&upstream)
        .provider("ant", &upstream.base_url(), "dialects = [\"messages\"]")
        .model("c", "ant", "claude-sonnet-4-5")
        .start();
    let request = |model: &str| {
        let members = json!({"messages":[
            {"role":"user","content":"a"},
            {"role":"assistant","content":"b"},
            {"role":"system","content":"note"},
            {"role":"user","content":"c"},
        ]});
        let mut request = messages(model, members);
        request.target = "/v1/messages?beta=true".to_owned();
        request
            .header("authorization", "Bearer x")
            .header("x-api-key", "y")
            .header("anthropic-beta", "a-2025-01-01,b-2025-02-02")
            .header("anthropic-beta", "c-2025-03-03")
    };
    assert_ok(&gateway.send(&request("c")));
    assert_ok(&gateway.send(&request("m")));
    let seen = upstream.requests();
    assert_eq!(seen[0].target, "/v1/messages?beta=true");
    assert_eq!(
        seen[0].header_values("anthropic-beta"),
        ["a-2025-01-01,b-2025-02-02", "c-2025-03-03"]
    );
    assert_eq!(seen[1].target, "/v1/chat/completions");
    for name in ["anthropic-beta", "anthropic-version", "x-api-key"] {
        assert!(seen[1].header_values(name).is_empty(), "{name}");
    }
    for seen in &seen {
        assert!(!seen.header_values("authorization").contains(&"Bearer x"));
        assert!(!seen.header_values("x-api-key").contains(&"y"));
    }
    let roles: Vec<_> = sent(&upstream)[1]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].clone())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
}
