//! What an inspector records, and which bytes it forwards.

mod comments;
mod failures;
mod random;

use bytes::Bytes;

use super::{FinishRule, MAX_HELD_BYTES, StreamInspector};
use crate::wire::oracle::{Inspected, check_inspector, inspect};

const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"usage\":null}\n\n";
const FINISH: &str =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn run(rule: FinishRule, hide: bool, stream: &str) -> Inspected {
    check_inspector(stream.as_bytes(), &[7]);
    inspect(rule, hide, stream.as_bytes(), &[])
}

fn chat(stream: &str) -> Inspected {
    run(FinishRule::Chat, false, stream)
}

fn hidden(stream: &str) -> String {
    String::from_utf8(run(FinishRule::Chat, true, stream).out).unwrap()
}

fn complete(inspected: &Inspected) -> bool {
    inspected.flags[0]
}

fn done(inspected: &Inspected) -> bool {
    inspected.flags[1]
}

fn error(inspected: &Inspected) -> bool {
    inspected.flags[2]
}

fn input(inspected: &Inspected) -> Option<u64> {
    inspected.usage.and_then(|usage| usage.input)
}

#[test]
fn a_chat_stream_is_inspected_completely() {
    let result = chat(&[DELTA, DELTA, FINISH, USAGE, DONE].concat());
    assert_eq!(result.flags, [true, true, false, true]);
    assert_eq!(result.at_boundary, [true, true]);
    assert_eq!(result.event_count, 5);
    assert_eq!(input(&result), Some(3));
}

#[test]
fn ordinary_chunks_are_not_copied() {
    for hide in [false, true] {
        let mut inspector = StreamInspector::new(FinishRule::Chat, hide);
        for event in [DELTA, ": ping\n\n", FINISH, DONE] {
            let chunk = Bytes::copy_from_slice(event.as_bytes());
            let address = chunk.as_ptr();
            let out = inspector.feed(chunk).unwrap();
            assert_eq!((out.as_ptr(), out.len()), (address, event.len()));
            assert!(inspector.at_boundary());
        }
    }
}

#[test]
fn half_an_event_is_forwarded_at_once() {
    for hide in [false, true] {
        let mut inspector = StreamInspector::new(FinishRule::Chat, hide);
        assert!(inspector.at_boundary());
        let (half, rest) = DELTA.split_at(20);
        assert_eq!(
            inspector.feed(Bytes::from_static(half.as_bytes())).unwrap(),
            half
        );
        assert!(!inspector.at_boundary());
        assert_eq!(inspector.event_count(), 0);
        assert_eq!(
            inspector.feed(Bytes::from_static(rest.as_bytes())).unwrap(),
            rest
        );
        assert!(inspector.at_boundary());
        assert_eq!(inspector.event_count(), 1);
    }
}

#[test]
fn an_empty_stream_has_no_output() {
    let mut inspector = StreamInspector::new(FinishRule::Chat, true);
    assert_eq!(inspector.feed(Bytes::new()), None);
    assert_eq!(inspector.end(), None);
    assert!(inspector.at_boundary() && !inspector.is_complete() && !inspector.has_data());
}

#[test]
fn a_stream_is_complete_after_its_end_marker() {
    assert!(!complete(&chat(DELTA)));
    assert!(complete(&chat(FINISH)));
    assert!(!done(&chat(FINISH)));
    assert!(complete(&chat(DONE)) && done(&chat(DONE)));
    assert!(complete(&chat("data:[DONE]\r\n\r\n")));
    assert!(complete(&run(FinishRule::EndOfBody, false, DELTA)));
    assert!(!complete(&run(FinishRule::Responses, false, FINISH)));
    // The same text in a string does not count.
    assert!(!complete(&chat("data: {\"content\":\"[DONE]\"}\n\n")));
    assert!(!complete(&chat(
        "data: {\"a\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}\n\n"
    )));
    assert!(!complete(&chat(": [DONE]\n\n")));
    assert!(!complete(&chat("data: {\"finish_reason\" : null}\n\n")));
    assert!(complete(&chat(
        "data: {\"finish_reason\" : \"length\"}\n\n"
    )));
}

#[test]
fn the_last_empty_line_may_be_missing() {
    for end in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n"] {
        let result = chat(&[DELTA, end].concat());
        assert!(done(&result), "{end:?}");
        assert_eq!(
            (result.event_count, result.at_boundary),
            (2, [false, false])
        );
    }
    assert!(complete(&chat(FINISH.trim_end())));
    // A truncated event does not count.
    let half = &FINISH[..FINISH.find("op\"").unwrap()];
    let result = chat(half);
    assert!(!complete(&result));
    assert_eq!(result.event_count, 0);
}

#[test]
fn the_last_event_counts_once() {
    let mut inspector = StreamInspector::new(FinishRule::Chat, true);
    inspector.feed(Bytes::from_static(b"data: 1"));
    assert_eq!(inspector.end(), None);
    assert_eq!(inspector.end(), None);
    assert_eq!(inspector.event_count(), 1);
}

#[test]
fn responses_end_with_their_terminal_events() {
    let event = |kind: &str| {
        format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"error\":null,\"usage\":{{\"input_tokens\":5}}}}}}\n\n"
        )
    };
    for (kind, is_done, is_error) in [
        ("response.created", false, false),
        ("response.output_text.done", false, false),
        ("response.completed", true, false),
        ("response.incomplete", true, false),
        ("response.failed", true, true),
        ("error", true, true),
    ] {
        let bare = event(kind).split_once('\n').unwrap().1.to_owned();
        for stream in [event(kind), bare] {
            let result = run(FinishRule::Responses, true, &stream);
            assert_eq!(
                (done(&result), error(&result)),
                (is_done, is_error),
                "{stream}"
            );
            assert_eq!(complete(&result), is_done);
            assert_eq!(input(&result), Some(5));
            assert_eq!(result.out, stream.as_bytes());
        }
    }
    assert!(done(&run(FinishRule::Responses, false, DONE)));
    let field_only = "event: response.completed\ndata: {}\n\n";
    assert!(done(&run(FinishRule::Responses, false, field_only)));
    let nested = "data: {\"type\":\"response.x\",\"item\":{\"type\":\"response.completed\"}}\n\n";
    assert!(!done(&run(FinishRule::Responses, false, nested)));
}

#[test]
fn messages_report_usage_at_both_ends() {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n";
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let text = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
    let stop = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\n";
    let end = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let whole = [start, ping, text, stop, end].concat();
    // The type is in the data as well.
    let bare: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("event"))
        .collect();
    for stream in [whole.as_str(), &bare] {
        let result = run(FinishRule::Messages, true, stream);
        assert!(complete(&result) && done(&result) && !error(&result));
        assert_eq!(result.out, stream.as_bytes());
        assert_eq!(result.event_count, 5);
        let usage = result.usage.unwrap();
        assert_eq!((usage.input, usage.cached), (Some(125), Some(100)));
        assert_eq!(usage.output, Some(15));
    }
    let cut = run(FinishRule::Messages, false, &[start, text, stop].concat());
    assert!(!complete(&cut) && !done(&cut));
    assert_eq!(cut.usage.unwrap().output, Some(15));
    let failed = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let result = run(FinishRule::Messages, false, &[start, failed].concat());
    assert!(done(&result) && error(&result));
    // `[DONE]` belongs to another protocol, but ends any stream.
    assert!(done(&run(FinishRule::Messages, false, DONE)));
}

#[test]
fn a_long_response_is_inspected_at_both_ends() {
    let text = "t".repeat(300_000);
    for field in ["event: response.completed\n", ""] {
        let stream = format!(
            "{field}data: {{\"type\":\"response.completed\",\"response\":{{\"text\":\"{text}\",\"usage\":{{\"input_tokens\":6}}}}}}\n\n"
        );
        for cuts in [&[][..], &[1_000], &[65_536], &[100_000], &[150_001]] {
            let result = inspect(FinishRule::Responses, false, stream.as_bytes(), cuts);
            assert!(done(&result), "{cuts:?}");
            assert_eq!(input(&result), Some(6), "{cuts:?}");
        }
    }
}

#[test]
fn comments_and_empty_data_do_not_count() {
    let result = chat(": OPENROUTER PROCESSING\n\ndata:\n\ndata: \n\nid: 1\n\n\n\nevent: ping\n\n");
    assert_eq!((result.flags[3], result.event_count), (false, 0));
    assert_eq!(result.at_boundary, [true, true]);
    assert_eq!(chat("data: x\n\n").event_count, 1);
}

#[test]
fn the_last_usage_counts() {
    let with = |n: u64| {
        format!(
            "data: {{\"choices\":[{{\"finish_reason\":null}}],\"usage\":{{\"prompt_tokens\":{n}}}}}\n\n"
        )
    };
    let stream = [&with(1), &with(2), DELTA, DONE].concat();
    assert_eq!(input(&chat(&stream)), Some(2));
    // They have choices, so they are not the requested event.
    assert_eq!(
        hidden(&[FINISH, &stream].concat()),
        [FINISH, &stream].concat()
    );
}

#[test]
fn the_usage_event_is_hidden() {
    for (before, after) in [
        (vec![DELTA, FINISH], vec![DONE]),
        (vec![FINISH], vec![]),
        (vec![DELTA, FINISH, ": ping\n\n"], vec![": ping\n\n", DONE]),
        (vec!["\n\n", FINISH], vec!["\n", "data: half"]),
    ] {
        let (before, after) = (before.concat(), after.concat());
        let stream = format!("{before}{USAGE}{after}");
        assert_eq!(hidden(&stream), format!("{before}{after}"));
        let result = run(FinishRule::Chat, true, &stream);
        assert_eq!(input(&result), Some(3));
        let crlf = stream.replace('\n', "\r\n");
        assert_eq!(
            hidden(&crlf),
            format!("{before}{after}").replace('\n', "\r\n")
        );
    }
}

#[test]
fn the_usage_event_is_hidden_without_its_last_line_end() {
    assert_eq!(hidden(&format!("{FINISH}{}", USAGE.trim_end())), FINISH);
    let half = &USAGE[..40];
    assert_eq!(
        hidden(&format!("{FINISH}{half}")),
        format!("{FINISH}{half}")
    );
}

/// `LiteLLM` sends it so.
#[test]
fn ms5_the_usage_event_is_hidden_with_a_choice_that_says_nothing() {
    let event = |choices: &str| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":{choices},\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":4}}}}\n\n"
        )
    };
    for choices in [
        r#"[{"index":0,"delta":{}}]"#,
        r#"[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":null},"finish_reason":null,"logprobs":null}]"#,
        r#"[{"index":0,"text":"","finish_reason":null}]"#,
        r#"[{"index":0,"delta":{}},{"index":1,"delta":{}}]"#,
    ] {
        let usage = event(choices);
        for cut in [0, 9, usage.len() - 1] {
            let stream = [DELTA, FINISH, &usage, DONE].concat();
            let cut = DELTA.len() + FINISH.len() + cut;
            let result = inspect(FinishRule::Chat, true, stream.as_bytes(), &[cut]);
            let out = String::from_utf8(result.out.clone()).unwrap();
            assert_eq!(out, [DELTA, FINISH, DONE].concat(), "{choices}");
            assert_eq!(input(&result), Some(3));
        }
    }
    for choices in [
        r#"[{"index":0,"delta":{"content":"more"}}]"#,
        r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#,
        r#"[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]"#,
        r#"[{"index":0,"text":" "}]"#,
        r#"[{"index":0}]"#,
        "[7]",
    ] {
        let stream = [FINISH, &event(choices), DONE].concat();
        assert_eq!(hidden(&stream), stream);
    }
    // It is hidden behind the response only.
    let stream = [&event(r#"[{"index":0,"delta":{}}]"#), FINISH, DONE].concat();
    assert_eq!(hidden(&stream), stream);
}

#[test]
fn only_the_usage_event_after_the_response_is_hidden() {
    let filter = "data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\n";
    for stream in [
        [filter, DELTA, FINISH, DONE].concat(),
        [USAGE, DELTA, FINISH, DONE].concat(),
        [FINISH, filter, DONE].concat(),
        [FINISH, "data: {\"choices\":[],\"usage\":null}\n\n", DONE].concat(),
    ] {
        assert_eq!(hidden(&stream), stream);
    }
}

#[test]
fn a_held_back_event_leaves_a_boundary() {
    let mut inspector = StreamInspector::new(FinishRule::Chat, true);
    let (half, rest) = USAGE.split_at(10);
    let first = [FINISH, half].concat();
    assert_eq!(inspector.feed(first.into()).unwrap(), FINISH);
    assert!(inspector.at_boundary());
    assert_eq!(inspector.feed([rest, "data: [D"].concat().into()), None);
    assert!(inspector.at_boundary());
    assert_eq!(inspector.feed("ONE]\n\n".into()).unwrap(), DONE);
    assert!(inspector.is_done() && inspector.at_boundary());
    assert_eq!(inspector.usage().unwrap().output, Some(4));
}

#[test]
fn a_long_event_is_not_held_back() {
    let mut inspector = StreamInspector::new(FinishRule::Chat, true);
    inspector.feed(FINISH.into());
    assert_eq!(inspector.feed("data: ".into()), None);
    let long = "x".repeat(MAX_HELD_BYTES);
    let out = inspector.feed(long.clone().into()).unwrap();
    assert_eq!(out, format!("data: {long}"));
    assert!(!inspector.at_boundary());
    assert_eq!(inspector.feed("y".into()).unwrap(), "y");
    assert_eq!(inspector.feed("\n\n".into()).unwrap(), "\n\n");
    assert!(inspector.at_boundary());
}

#[test]
fn whether_a_long_event_is_hidden_does_not_depend_on_its_chunks() {
    let frame = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3},\"x\":\"\"}\n";
    for (len, shown) in [(MAX_HELD_BYTES, false), (MAX_HELD_BYTES + 1, true)] {
        let event = frame.replace("\"\"", &format!("\"{}\"", "x".repeat(len - frame.len())));
        let stream = format!("{FINISH}{event}\n{DONE}");
        for cuts in [&[][..], &[1_000], &[FINISH.len() + len, 1]] {
            let out = inspect(FinishRule::Chat, true, stream.as_bytes(), cuts).out;
            let expected = if shown {
                stream.clone()
            } else {
                [FINISH, DONE].concat()
            };
            assert!(out == expected.as_bytes(), "{len} {cuts:?}");
        }
    }
}
