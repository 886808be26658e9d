//! Translated streams: which calls a client gets, and how the stream ends.

mod ends;

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{BodyFrame, Client};
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

/// How long a client waits for bytes that must come at once.
const PROMPTLY: Duration = Duration::from_secs(20);

/// A stream of the golden files, event by event.
fn golden(name: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dialects");
    let path = root.join(format!("{name}.in.sse"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", path.display()));
    let events = text.trim_end().split("\n\n");
    events.map(|event| format!("{event}\n\n")).collect()
}

/// A model `m` whose provider sends these events.
fn gateway(events: Vec<String>, lines: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream(&events));
    });
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    (upstream, gateway)
}

fn messages() -> Request {
    let body = json!({"model":"m","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]});
    Request::post("/v1/messages", body.to_string()).header("anthropic-version", "2023-06-01")
}

/// A message, assembled as Anthropic's SDK does.
#[derive(Debug, Default, PartialEq)]
struct Message {
    /// `[name, input]` of calls; texts.
    blocks: Vec<Value>,
    stop_reason: String,
    usage: [u64; 2],
    error: Option<Value>,
}

#[track_caller]
fn assemble(stream: &str) -> Message {
    let mut message = Message::default();
    let mut open: Option<(Value, String)> = None;
    for event in stream.split_terminator("\n\n") {
        let data = event.split_once("data: ").unwrap().1;
        let data: Value = serde_json::from_str(data).unwrap();
        match data["type"].as_str().unwrap() {
            "message_start" => assert_ne!(data["message"]["id"], "", "{event}"),
            "content_block_start" => {
                assert_eq!(data["index"], message.blocks.len(), "{stream}");
                let block = data["content_block"].clone();
                assert!(open.replace((block, String::new())).is_none(), "{stream}");
            }
            "content_block_delta" => {
                assert_eq!(data["index"], message.blocks.len(), "{stream}");
                let delta = data["delta"].as_object().unwrap();
                let text = delta.iter().find(|(name, _)| *name != "type").unwrap().1;
                open.as_mut().unwrap().1 += text.as_str().unwrap();
            }
            "content_block_stop" => {
                let (block, text) = open.take().unwrap();
                message.blocks.push(if block["type"] == "tool_use" {
                    let input = if text.is_empty() { "{}" } else { &text };
                    json!([block["name"], serde_json::from_str::<Value>(input).unwrap()])
                } else {
                    json!(text)
                });
            }
            "message_delta" => {
                data["delta"]["stop_reason"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut message.stop_reason);
                message.usage = ["input_tokens", "output_tokens"]
                    .map(|name| data["usage"][name].as_u64().unwrap());
            }
            "error" => message.error = Some(data["error"].clone()),
            "message_stop" | "ping" => {}
            other => panic!("{other}"),
        }
    }
    let ends = stream.matches("event: message_stop\n").count();
    assert_eq!(ends, usize::from(message.error.is_none()), "{stream}");
    message
}

/// What a Messages client gets of a golden stream, and the outcome in the log.
fn message_of(name: &str) -> (Message, String) {
    let (_upstream, gateway) = gateway(golden(&format!("stream_for_messages/{name}")), "");
    let response = gateway.send(&messages());
    assert!(response.complete, "{}", response.text());
    let line = gateway.access_lines(1).remove(0);
    let outcome = line["outcome"].as_str().unwrap().to_owned();
    (assemble(&response.text()), outcome)
}

#[track_caller]
fn check(name: &str, blocks: &Value, stop_reason: &str, usage: [u64; 2]) {
    let (message, outcome) = message_of(name);
    assert_eq!(message.error, None, "{name}");
    assert_eq!(json!(message.blocks), *blocks, "{name}");
    assert_eq!(
        (message.stop_reason.as_str(), message.usage),
        (stop_reason, usage),
        "{name}"
    );
    assert_eq!(outcome, "ok", "{name}");
}

#[test]
fn wt01_calls_in_turns_become_whole_blocks() {
    let both = json!([["f", {"x":1}], ["g", {"y":2}]]);
    for name in [
        "wt01_calls_in_turns",
        "wt01_arguments_after_all_heads",
        "wt01_same_id_for_all",
    ] {
        check(name, &both, "tool_use", [0, 0]);
    }
}

#[test]
fn wt01_a_stream_in_single_bytes_is_the_same() {
    let events = golden("stream_for_messages/wt01_calls_in_turns").concat();
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        let chunks: Vec<_> = events.bytes().map(|byte| response::chunk([byte])).collect();
        exchange.send_segments(chunks.iter().map(Vec::as_slice));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let message = assemble(&gateway.send(&messages()).text());
    assert_eq!(
        message.blocks,
        [json!(["f", {"x":1}]), json!(["g", {"y":2}])]
    );
}

#[test]
fn wt01_deltas_are_assigned_however_they_are_marked() {
    let one = json!([["f", {"x":1}]]);
    for (name, blocks) in [
        ("wt01_index_counts_deltas", &one),
        (
            "wt01_new_id_in_each_delta",
            &json!([["f", {"x":1}], ["g", {}]]),
        ),
        (
            "wt01_id_and_name_repeated",
            &json!([["f", {"x":1}], ["f", {"x":2}], " "]),
        ),
        ("wt01_late_names", &json!([["f", {"x":1}], ["g", {"y":2}]])),
        (
            "wt01_words_within_a_call",
            &json!([["f", {"x":1}], "Hm", "Well, now.Done"]),
        ),
        (
            "wt01_names_alone",
            &json!([["f", {"x":1}], ["f", {"x":2}], ["g", {"y":3}]]),
        ),
    ] {
        check(name, blocks, "tool_use", [0, 0]);
    }
}

#[test]
fn wt01_calls_that_are_unclear_end_the_stream_with_an_error() {
    for name in [
        "broken_arguments_before_a_head",
        "broken_incomplete_call",
        "broken_index_contradicts_id",
        "broken_merged_calls",
        "broken_more_than_an_object",
        "broken_nameless_call",
        "broken_part_of_either_call",
    ] {
        let (message, outcome) = message_of(name);
        let error = message.error.unwrap_or_else(|| panic!("{name}"));
        assert_eq!(error["type"], "api_error", "{name}");
        assert_eq!(outcome, "upstream_error", "{name}");
        assert_eq!(message.stop_reason, "", "{name}");
    }
}

#[test]
fn wt01_several_open_blocks_of_a_messages_stream_stay_apart() {
    let lines = "dialects = [\"messages\"]";
    let (_upstream, gateway) = gateway(golden("stream_for_chat/wt01_open_blocks"), lines);
    let text = gateway.send(&Request::stream("m")).text();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let mut arguments = [String::new(), String::new()];
    for event in text
        .split_terminator("\n\n")
        .filter(|event| event.contains("tool_calls\":["))
    {
        let chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        arguments[index] += call["function"]["arguments"].as_str().unwrap();
    }
    assert_eq!(arguments, [r#"{"x":1}"#, r#"{"y":2}"#]);
    for name in ["broken_incomplete_call", "broken_part_of_a_closed_call"] {
        let events = golden(&format!("stream_for_chat/{name}"));
        let (_upstream, gateway) = self::gateway(events, lines);
        let response = gateway.send(&Request::stream("m"));
        assert_response::stream_error(&response, "upstream_protocol_error");
    }
}

#[test]
fn wu01_an_empty_finish_reason_means_not_yet() {
    check(
        "wu01_empty_finish_reason",
        &json!(["AB", ["f", {"x":1}]]),
        "tool_use",
        [0, 0],
    );
    let lines = "dialects = [\"messages\"]";
    let (_upstream, gateway) = gateway(golden("stream_for_chat/wu01_empty_stop_reason"), lines);
    let text = gateway.send(&Request::stream("m")).text();
    let finish: Vec<_> = text.matches(r#""finish_reason":""#).collect();
    assert_eq!(finish.len(), 1, "{text}");
    assert!(
        text.contains(r#""delta":{},"logprobs":null,"finish_reason":"length""#),
        "{text}"
    );
    assert!(text.contains(r#""content":"B""#), "{text}");
}

#[test]
fn wu02_members_that_are_missing_or_odd_do_not_break_a_stream() {
    let oslo_and_rome = json!([["get", {"city":"Oslo"}], ["get", {"city":"Rome"}]]);
    check("wu02_no_index", &oslo_and_rome, "tool_use", [9, 11]);
    let mut three = oslo_and_rome;
    three
        .as_array_mut()
        .unwrap()
        .push(json!(["get", {"city":"Bern"}]));
    check("wu02_no_index_and_no_id", &three, "tool_use", [0, 0]);
    check(
        "wu02_odd_members",
        &json!([["f", {"x":1}], ["g", {}], ["h", {}]]),
        "tool_use",
        [5, 2],
    );
}

#[test]
fn wu02_calls_in_older_or_odd_forms_are_calls() {
    let one = json!([["f", {}]]);
    check("wu02_call_without_its_list", &one, "tool_use", [0, 0]);
    check("wu01_both_forms_of_a_call", &one, "tool_use", [0, 0]);
    let one = json!([["f", {"x":1}]]);
    check("wu01_function_call", &one, "tool_use", [0, 0]);
}

#[test]
fn wu09_text_between_calls_and_calls_of_one_index_are_blocks_of_their_own() {
    check(
        "wu09_text_between_calls",
        &json!([["f", {}], "\n", ["g", {}]]),
        "tool_use",
        [0, 0],
    );
    check(
        "wu09_index_zero",
        &json!([["f", {}], ["g", {}]]),
        "tool_use",
        [0, 0],
    );
}

#[test]
fn wu11_chunks_that_say_nothing_end_no_stream() {
    check(
        "wu11_chunks_behind_the_finish",
        &json!(["Hi"]),
        "end_turn",
        [5, 2],
    );
    check("wu11_no_usage", &json!(["Hi"]), "end_turn", [0, 0]);
}

#[test]
fn wu12_nothing_follows_the_end() {
    let events = golden("stream_for_messages/wu12_two_ends");
    let (upstream, gateway) = gateway(events, "");
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(&messages().bytes());
        let message = assemble(&client.response().text());
        assert_eq!((message.blocks, message.error), (vec![json!("A")], None));
    }
    assert_eq!(upstream.connections(), 1);
    let (message, outcome) = message_of("failed_wu12_error_then_done");
    assert_eq!(message.error.unwrap()["message"], "blocked");
    assert_eq!(outcome, "upstream_error");
    let (message, outcome) = message_of("failed_finish_reason_error");
    let error = message.error.unwrap();
    assert_eq!(error["message"], "Provider returned error");
    assert_eq!(error["type"], "rate_limit_error");
    assert_eq!(outcome, "upstream_error");
}

#[test]
fn wm02_running_totals_are_not_added_up() {
    check("wm02_running_totals", &json!(["abc"]), "end_turn", [10, 50]);
}

/// An upstream that sends the first part of a stream, and the rest when the client has
/// received what is checked.
fn paused(first: Vec<String>, rest: Vec<String>) -> (Upstream, Sender<()>) {
    let (proceed, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(first.concat()));
        let _ = wait.lock().unwrap().recv_timeout(PROMPTLY);
        exchange.send(response::chunk(rest.concat()));
        exchange.send(response::LAST_CHUNK);
    });
    (upstream, proceed)
}

#[track_caller]
fn read_until(client: &mut Client, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        match client.next_frame() {
            BodyFrame::Data(data) => text += std::str::from_utf8(&data).unwrap(),
            other => panic!("{other:?} after {text}"),
        }
    }
    text
}

#[test]
fn wt01_the_first_open_call_is_streamed_while_others_wait() {
    let mut first = golden("stream_for_messages/wt01_calls_in_turns");
    let rest = first.split_off(3);
    let (upstream, proceed) = paused(first, rest);
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&messages().bytes());
    client.head();
    // The second call's arguments have arrived, and wait.
    let text = read_until(&mut client, r#""partial_json":"{\"x\":1""#);
    assert!(!text.contains("\"y\""), "{text}");
    proceed.send(()).unwrap();
    let text = text + &read_until(&mut client, "message_stop\"}\n\n");
    assert_eq!(
        assemble(&text).blocks,
        [json!(["f", {"x":1}]), json!(["g", {"y":2}])]
    );
}

#[test]
fn wu11_a_stream_ends_as_soon_as_its_usage_has_arrived() {
    let mut first = golden("stream_for_messages/wu11_chunks_behind_the_finish");
    let rest = first.split_off(first.len() - 1);
    assert_eq!(rest, [response::DONE]);
    let (upstream, proceed) = paused(first, rest);
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&messages().bytes());
    client.head();
    let text = read_until(&mut client, "message_stop\"}\n\n");
    assert_eq!(assemble(&text).usage, [5, 2]);
    proceed.send(()).unwrap();
    assert_eq!(client.read_body(), (Vec::new(), true));
}
