//! Ids of tool calls.

use serde_json::{Value, json};

use super::{MESSAGE, assert_ok, chat, chat_ids, claude_gateway, history, messages, sent};
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

const CALLS: [&str; 2] = [
    "toolu_01AbCdEfGhIjKlMnOpQrStUv",
    "toolu_01AbCdEfGhIjKlMnOpQrStUw",
];

/// Accepts ids of nine letters and digits, as Mistral does.
fn mistral() -> Upstream {
    Upstream::start(|exchange| {
        exchange.read_body();
        let body: Value = serde_json::from_slice(&exchange.request().body).unwrap();
        let (calls, results) = chat_ids(&body);
        let is_nine =
            |id: &String| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let differ = calls.iter().collect::<std::collections::HashSet<_>>().len() == calls.len();
        exchange.send(if differ && calls.iter().all(is_nine) && results == calls {
            response::completion("hello")
        } else {
            response::json("400 Bad Request", r#"{"object":"error","message":"Tool call id was x but must be a-z, A-Z, 0-9, with a length of 9.","type":"invalid_function_call","param":null,"code":"3280"}"#)
        });
    })
}

#[test]
fn wt02_mistral_gets_ids_that_it_accepts() {
    let upstream = mistral();
    let gateway = Setup::new()
        .provider("mistral", &upstream.base_url(), "")
        .provider(
            "own",
            &upstream.base_url(),
            "quirks = [\"nine_character_tool_ids\"]",
        )
        .provider("other", &upstream.base_url(), "")
        .model("m", "mistral", "mistral-large-latest")
        .model("n", "own", "devstral")
        .model("o", "other", "gpt-5")
        .start();
    for model in ["m", "n", "m"] {
        assert_ok(&gateway.send(&messages(model, history(&CALLS))));
    }
    assert_ok(&gateway.send(&messages("m", history(&CALLS[1..]))));
    let ids: Vec<_> = sent(&upstream).iter().map(chat_ids).collect();
    assert_eq!((&ids[0], &ids[0]), (&ids[1], &ids[2]));
    assert_eq!(ids[3].0, ids[0].0[1..]);
    // Another provider sees the client's ids.
    gateway.send(&messages("o", history(&CALLS)));
    assert_eq!(chat_ids(&sent(&upstream)[4]).0, CALLS);
    // A chat request passes unchanged, and so does the error.
    let body = json!({"messages":[
        {"role":"user","content":"hi"},
        {"role":"assistant","tool_calls":[{"id":CALLS[0],"type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":CALLS[0],"content":"1"},
    ]});
    let response = gateway.send(&chat("m", body));
    assert_eq!(
        (response.status, &response.json()["code"]),
        (400, &json!("3280"))
    );
    assert_eq!(chat_ids(&sent(&upstream)[5]).0, CALLS[..1]);
}

#[test]
fn wt02_claude_gets_ids_that_stay_apart() {
    let upstream = Upstream::with_response(response::json("200 OK", MESSAGE));
    let gateway = claude_gateway(&upstream);
    let call =
        |id: &str| json!({"id":id,"type":"function","function":{"name":"f","arguments":"{}"}});
    let result = |id: &str| json!({"role":"tool","tool_call_id":id,"content":id});
    let ids = ["functions.f:0", "functions.f.0", "call_0"];
    let mut history = vec![json!({"role":"user","content":"hi"})];
    // The second turn has the ids of the first: some upstreams number their calls.
    for _ in 0..2 {
        history.push(json!({"role":"assistant","tool_calls":ids.map(call)}));
        history.extend(ids.map(result));
    }
    assert_ok(&gateway.send(&chat("c", json!({"messages":history}))));
    let sent = &sent(&upstream)[0]["messages"];
    let id_of = |turn: usize, block: usize, name: &str| {
        sent[turn]["content"][block][name]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut calls = Vec::new();
    for turn in [1, 3] {
        for block in 0..3 {
            let id = id_of(turn, block, "id");
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)),
                "{id}"
            );
            assert_eq!(id_of(turn + 1, block, "tool_use_id"), id);
            calls.push(id);
        }
    }
    assert_eq!(calls[2], "call_0");
    calls.sort();
    calls.dedup();
    assert_eq!(calls.len(), 6, "{calls:?}");
}

/// What a chat upstream says about its calls is there again in the next turn.
#[test]
fn wt02_a_call_returns_to_its_provider_as_it_was() {
    let signed = json!({"google":{"thought_signature":"CtQB+/A="}});
    let calls = json!([
        {"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":signed},
        {"id":"","type":"function","function":{"name":"f","arguments":{"x":1}},"extra_content":signed},
        {"id":"c","type":"function","function":{"name":"g","arguments":""}},
        {"id":"c","type":"function","function":{"name":"g","arguments":"{}"}},
        {"id":null,"type":"function","function":{"name":"","arguments":""}},
    ]);
    let completion = json!({"id":"","choices":[{"index":0,"finish_reason":"","message":{"role":"assistant","content":[],"tool_calls":calls}}],"error":{}});
    let upstream = Upstream::with_response(response::json("200 OK", &completion.to_string()));
    let gateway = Setup::with_upstream(&upstream)
        .provider("other", &upstream.base_url(), "")
        .model("o", "other", "gpt-5")
        .start();
    let response = gateway.send(&messages("m", json!({})));
    assert_ok(&response);
    let message = response.json();
    assert!(message["id"].as_str().unwrap().starts_with("msg_"));
    let again = gateway.send(&messages("m", json!({})));
    assert_ne!(again.json()["id"], message["id"]);
    assert_eq!(message["stop_reason"], "tool_use");
    let blocks = message["content"].as_array().unwrap();
    assert_eq!(blocks.len(), 4, "{message}");
    assert_eq!(
        (&blocks[1]["input"], &blocks[2]["input"]),
        (&json!({"x":1}), &json!({}))
    );
    let ids: Vec<_> = blocks
        .iter()
        .map(|block| block["id"].as_str().unwrap())
        .collect();
    let next = |model: &str| {
        let mut next = history(&ids);
        next["messages"][1]["content"] = message["content"].clone();
        assert_ok(&gateway.send(&messages(model, next)));
        sent(&upstream).pop().unwrap()
    };
    let body = next("m");
    let (calls, results) = chat_ids(&body);
    assert_eq!(calls, results);
    assert_eq!((&*calls[0], &*calls[2]), ("functions.f:0", "c"));
    for call in 0..2 {
        assert_eq!(
            body["messages"][1]["tool_calls"][call]["extra_content"],
            signed
        );
    }
    assert!(
        calls.iter().all(|id| id.len() <= 40) && calls[3] != "c",
        "{calls:?}"
    );
    // No other provider knows the member.
    let body = next("o");
    assert!(
        body["messages"][1]["tool_calls"][0]
            .get("extra_content")
            .is_none(),
        "{body}"
    );
    let (calls, results) = chat_ids(&body);
    assert_eq!(calls, results);
}
