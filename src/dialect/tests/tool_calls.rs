//! The calls that arrive at a client are those that the upstream sent.

use proptest::prelude::*;

use serde_json::{Value, json};

use super::{
    CHAT_VIA_MESSAGES, CONTEXT, MESSAGES_VIA_CHAT, messages_upstream, stream, to_messages,
};
use crate::dialect::oracle::{check_chat_stream, check_messages_stream};
use crate::dialect::{StreamStatus, StreamTranslator, ThinkingMode};

const MIB: usize = 1024 * 1024;

/// Translates these deltas of a chat stream, and its finish.
fn translate_deltas(deltas: &[String]) -> (String, StreamStatus) {
    let events = deltas
        .iter()
        .map(|delta| format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n"));
    let finish = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n".to_owned();
    let events: Vec<_> = events.chain([finish]).collect();
    let chunks = events.iter().map(String::as_bytes);
    let (out, status) = stream(MESSAGES_VIA_CHAT, &CONTEXT, chunks);
    (String::from_utf8(out).unwrap(), status)
}

fn call(index: usize, arguments: &str) -> String {
    format!(
        r#"{{"tool_calls":[{{"index":{index},"id":"call_{index}","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
    )
}

#[test]
fn wt01_what_waits_for_an_open_call_is_bounded() {
    let open = call(0, r#"{\"x\":\""#);
    let long = "x".repeat(MIB);
    for waiting in [
        format!(r#"{{"content":"{long}"}}"#),
        format!(r#"{{"reasoning":"{long}"}}"#),
        call(1, &format!(r#"{{\"y\":\"{long}"#)),
        call(0, &long),
    ] {
        let mut deltas = vec![open.clone()];
        deltas.extend(std::iter::repeat_n(waiting, 7));
        let mut translator = StreamTranslator::new(MESSAGES_VIA_CHAT, &CONTEXT);
        let mut out = Vec::new();
        let mut push = |delta: &str| {
            let event = format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
            translator.push(event.as_bytes(), &mut out)
        };
        for delta in &deltas {
            assert_eq!(push(delta), StreamStatus::Open);
        }
        assert_eq!(push(&deltas[1]), StreamStatus::Broken);
    }
}

#[test]
fn wt01_a_call_that_is_complete_takes_no_memory() {
    let arguments = format!(r#"{{\"x\":\"{}\"}}"#, "x".repeat(MIB));
    let deltas: Vec<_> = (0..12).map(|index| call(index, &arguments)).collect();
    let (out, status) = translate_deltas(&deltas);
    assert_eq!(status, StreamStatus::Complete);
    assert_eq!(out.matches("content_block_stop").count(), 24);
}

#[test]
fn wt01_the_number_of_calls_is_bounded() {
    let deltas: Vec<_> = (0..1025).map(|index| call(index, "{}")).collect();
    assert_eq!(translate_deltas(&deltas[1..]).1, StreamStatus::Complete);
    assert_eq!(translate_deltas(&deltas).1, StreamStatus::Broken);
    let start = "data: {\"type\":\"message_start\"}\n\n".to_owned();
    let block = |index| {
        format!(
            "data: {{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{{\"type\":\"text\"}}}}\n\n"
        )
    };
    let events: Vec<_> = [start].into_iter().chain((0..1025).map(block)).collect();
    let translate = |events: &[String]| {
        let chunks = events.iter().map(String::as_bytes);
        stream(CHAT_VIA_MESSAGES, &CONTEXT, chunks).1
    };
    assert_eq!(translate(&events[..1025]), StreamStatus::Open);
    assert_eq!(translate(&events), StreamStatus::Broken);
}

#[test]
fn results_come_before_the_texts_of_their_turn_and_keep_their_order() {
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": id});
    let text = |text: &str| json!({"role": "user", "content": text});
    let body = json!({"messages": [text("a"), result("1"), text("b"), result("2"), result("3"), text("c")]});
    let upstream = messages_upstream(ThinkingMode::Adaptive);
    let out = to_messages(body.to_string().as_bytes(), &upstream).unwrap();
    let out: Value = serde_json::from_slice(&out.body).unwrap();
    let blocks = out["messages"][0]["content"].as_array().unwrap();
    let blocks: Vec<_> = blocks
        .iter()
        .map(|block| block["tool_use_id"].as_str().or(block["text"].as_str()))
        .collect();
    assert_eq!(blocks, ["1", "2", "3", "a", "b", "c"].map(Some));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn wt01_calls_of_a_chat_stream_are_neither_split_nor_merged(
        bytes in prop::collection::vec(any::<u8>(), 0..160),
    ) {
        check_chat_stream(&bytes);
    }

    #[test]
    fn wt01_calls_of_a_messages_stream_are_neither_split_nor_merged(
        bytes in prop::collection::vec(any::<u8>(), 0..160),
    ) {
        check_messages_stream(&bytes);
    }
}
