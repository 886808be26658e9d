//! System messages behind the first message of a user, for a chat upstream.

use serde_json::{Value, json};

use super::{SystemPosition, chat_upstream, to_chat};
use crate::dialect::ChatUpstream;

fn messages(system: &Value, messages: &Value, position: SystemPosition) -> Value {
    let body = json!({ "max_tokens": 9, "system": system, "messages": messages });
    let upstream = ChatUpstream {
        system: position,
        ..chat_upstream()
    };
    let chat = to_chat(body.to_string().as_bytes(), &upstream).unwrap();
    let mut chat: Value = serde_json::from_slice(&chat.body).unwrap();
    chat["messages"].take()
}

/// What Claude Code sends: `system`, then messages of `user` and of `system`.
#[test]
fn ms1_a_late_system_message_becomes_text_of_the_user_message_before_it() {
    let conversation = json!([
        { "role": "user", "content": "Hi" },
        { "role": "system", "content": "Late \"one\"" },
    ]);
    let reminder = "Hi\n\n<system-reminder>\nLate \"one\"\n</system-reminder>";
    let user = messages(
        &json!("Be good"),
        &conversation,
        SystemPosition::FirstOrUser,
    );
    assert_eq!(
        user,
        json!([
            { "role": "system", "content": "Be good" },
            { "role": "user", "content": reminder },
        ])
    );
    let first = messages(&json!("Be good"), &conversation, SystemPosition::First);
    assert_eq!(
        first,
        json!([
            { "role": "system", "content": "Be good\n\nLate \"one\"" },
            { "role": "user", "content": "Hi" },
        ])
    );
    let keep = messages(&json!("Be good"), &conversation, SystemPosition::Anywhere);
    assert_eq!(
        keep,
        json!([
            { "role": "system", "content": "Be good" },
            { "role": "user", "content": "Hi" },
            { "role": "system", "content": "Late \"one\"" },
        ])
    );
}

#[test]
fn ms1_one_system_message_leads_whatever_the_client_sends() {
    let conversation = json!([
        { "role": "system", "content": "One" },
        { "role": "system", "content": [{ "type": "text", "text": "Two" }] },
        { "role": "user", "content": "Hi" },
    ]);
    for position in [SystemPosition::FirstOrUser, SystemPosition::First] {
        let chat = messages(&json!("Zero"), &conversation, position);
        assert_eq!(
            chat,
            json!([
                { "role": "system", "content": "Zero\n\nOne\n\nTwo" },
                { "role": "user", "content": "Hi" },
            ])
        );
    }
    let late = json!([
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": "Yes?" },
        { "role": "system", "content": "Late" },
    ]);
    let chat = messages(&Value::Null, &late, SystemPosition::First);
    assert_eq!(chat[0], json!({ "role": "system", "content": "Late" }));
}

/// A history only grows, so that the upstream's cache of the prompt serves each turn.
#[test]
fn ms1_the_prompt_of_a_turn_begins_with_that_of_the_turn_before() {
    let turns = json!([
        { "role": "user", "content": "Hi" },
        { "role": "system", "content": "A" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "toolu_1", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_1", "content": "1" }] },
        { "role": "system", "content": "B" },
        { "role": "assistant", "content": "Done" },
        { "role": "user", "content": [{ "type": "text", "text": "More" }, { "type": "text", "text": "please" }] },
        { "role": "system", "content": "C" },
        { "role": "system", "content": "D" },
        { "role": "assistant", "content": "Yes" },
    ]);
    let turns = turns.as_array().unwrap();
    let all = messages(&json!("S"), &json!(turns), SystemPosition::FirstOrUser);
    let all = all.as_array().unwrap();
    // Requests end with a message of the user, and of the system behind it.
    for end in [2, 5, 9] {
        let part = messages(
            &json!("S"),
            &json!(&turns[..end]),
            SystemPosition::FirstOrUser,
        );
        let part = part.as_array().unwrap();
        assert_eq!(part[..], all[..part.len()], "{end}");
    }
    let roles: Vec<_> = all.iter().map(|it| it["role"].as_str().unwrap()).collect();
    assert_eq!(
        roles,
        [
            "system",
            "user",
            "assistant",
            "tool",
            "user",
            "assistant",
            "user",
            "assistant"
        ]
    );
    let parts = all[6]["content"].as_array().unwrap();
    let last = parts.last().unwrap();
    assert_eq!(last["text"], "<system-reminder>\nD\n</system-reminder>");
    assert_eq!(parts.len(), 4);
}

#[test]
fn ms1_tool_results_stay_next_to_their_calls() {
    let conversation = json!([
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "toolu_1", "name": "f", "input": {} }] },
        { "role": "system", "content": "Late" },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "toolu_1", "content": "1" },
            { "type": "text", "text": "Go on" },
        ] },
    ]);
    let chat = messages(&Value::Null, &conversation, SystemPosition::FirstOrUser);
    assert_eq!(chat[2]["role"], "tool");
    let reminder = "<system-reminder>\nLate\n</system-reminder>\n\nGo on";
    assert_eq!(chat[3], json!({ "role": "user", "content": reminder }));
    assert_eq!(chat.as_array().unwrap().len(), 4);
}

#[test]
fn ms3_the_line_that_differs_in_each_conversation_is_dropped() {
    let line = "x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;";
    let text = |text: &str| json!({ "type": "text", "text": text });
    for (system, expected) in [
        (json!([text(line), text("Be good")]), "Be good"),
        (json!(format!("{line}\nBe good")), "Be good"),
        (json!(format!("{line}\n\nBe \"good\"\n")), "Be \"good\"\n"),
        (json!(format!("Say {line}")), &*format!("Say {line}")),
    ] {
        for position in [SystemPosition::FirstOrUser, SystemPosition::Anywhere] {
            let hi = json!([{ "role": "user", "content": "Hi" }]);
            let chat = messages(&system, &hi, position);
            assert_eq!(chat[0], json!({ "role": "system", "content": expected }));
        }
    }
    for system in [json!(line), json!([text(line)]), json!(format!("{line}\n"))] {
        let hi = json!([{ "role": "user", "content": "Hi" }]);
        let chat = messages(&system, &hi, SystemPosition::FirstOrUser);
        assert_eq!(chat, json!([{ "role": "user", "content": "Hi" }]));
    }
    // What a user writes stays.
    let hi = json!([{ "role": "user", "content": line }]);
    let chat = messages(&Value::Null, &hi, SystemPosition::FirstOrUser);
    assert_eq!(chat[0]["content"], line);
}
