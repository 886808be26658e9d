//! Streams of upstreams that differ.

use proptest::prelude::*;

use super::{CHAT_VIA_RESPONSES, CONTEXT, stream};
use crate::dialect::StreamStatus;
use crate::dialect::oracle::check_responses_stream;

fn translate(events: &[&str]) -> (String, StreamStatus) {
    let events = events.iter().map(|data| format!("data: {data}\n\n"));
    let events: Vec<_> = events.collect();
    let chunks = events.iter().map(String::as_bytes);
    let (out, status) = stream(CHAT_VIA_RESPONSES, &CONTEXT, chunks);
    (String::from_utf8(out).unwrap(), status)
}

const COMPLETED: &str = r#"{"type":"response.completed","response":{"status":"completed"}}"#;

#[test]
fn the_type_may_be_in_the_event_line_alone() {
    let events = "event: response.output_text.delta\ndata: {\"delta\":\"Hi\"}\n\n\
                  event: response.completed\ndata: {\"response\":{}}\n\n";
    let (out, status) = stream(CHAT_VIA_RESPONSES, &CONTEXT, [events.as_bytes()]);
    assert_eq!(status, StreamStatus::Complete);
    assert!(
        String::from_utf8(out)
            .unwrap()
            .contains(r#""content":"Hi""#)
    );
}

#[test]
fn what_is_no_event_breaks_the_stream() {
    for data in ["<html>", "[]", "1", r#"{"choices":[]}"#, r#"{"type":""}"#] {
        let (out, status) = translate(&[r#"{"type":"response.created"}"#, data, COMPLETED]);
        assert_eq!(status, StreamStatus::Broken, "{data}");
        assert!(!out.contains("[DONE]"), "{data}");
    }
}

#[test]
fn a_done_marker_ends_nothing() {
    let (out, status) = translate(&[r#"{"type":"response.created"}"#, "[DONE]"]);
    assert_eq!(status, StreamStatus::Open);
    assert!(!out.contains("[DONE]"), "{out}");
}

#[test]
fn odd_members_are_absent() {
    let (out, status) = translate(&[
        r#"{"type":"response.created","response":{"id":7}}"#,
        r#"{"type":"response.output_item.added","output_index":"0","item":[]}"#,
        r#"{"type":"response.output_text.delta","output_index":"0","item_id":null,"delta":"Hi","logprobs":{}}"#,
        r#"{"type":"response.output_text.delta","delta":{"text":"x"}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":null}}"#,
        r#"{"type":"response.of_tomorrow","delta":"no"}"#,
        r#"{"type":"response.completed","response":{"output":{},"usage":[],"status":""}}"#,
    ]);
    assert_eq!(status, StreamStatus::Complete, "{out}");
    assert!(out.contains(r#""content":"Hi""#), "{out}");
    assert!(!out.contains("no\""), "{out}");
}

/// A call has no beginning, or no id.
#[test]
fn calls_are_complete_without_some_of_their_events() {
    let added =
        r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}"#;
    let nameless =
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call"}}"#;
    let delta = r#"{"type":"response.function_call_arguments.delta","delta":"{\"x\":1}"}"#;
    let done = r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"f","arguments":"{\"x\":1}"}}"#;
    let indexed = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","name":"f","arguments":"{\"x\":1}"}}"#;
    for events in [
        vec![added, delta, done, COMPLETED],
        vec![added, delta, COMPLETED],
        vec![added, done, COMPLETED],
        vec![delta, done, COMPLETED],
        vec![done, COMPLETED],
        vec![nameless, delta, indexed, COMPLETED],
        vec![nameless, indexed, indexed, COMPLETED],
    ] {
        let (out, status) = translate(&events);
        assert_eq!(status, StreamStatus::Complete, "{events:?}");
        assert_eq!(out.matches(r#"{\"x\":1}"#).count(), 1, "{events:?}: {out}");
        assert_eq!(out.matches(r#""name":"f""#).count(), 1, "{events:?}: {out}");
        assert_eq!(
            out.matches(r#""id":"toolu_"#).count(),
            1,
            "{events:?}: {out}"
        );
        assert!(out.contains(r#""finish_reason":"tool_calls""#), "{out}");
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let (out, status) = translate(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
        COMPLETED,
    ]);
    assert_eq!(status, StreamStatus::Complete);
    assert_eq!(out.matches(r#""arguments":"{}""#).count(), 1, "{out}");
}

#[test]
fn too_many_calls_and_too_long_arguments_break_the_stream() {
    let call = |number: usize| {
        format!(
            r#"{{"type":"response.output_item.added","output_index":{number},"item":{{"type":"function_call","name":"f"}}}}"#
        )
    };
    let calls: Vec<_> = (0..1100).map(call).collect();
    let events: Vec<&str> = calls.iter().map(String::as_str).collect();
    assert_eq!(translate(&events).1, StreamStatus::Broken);

    let half = format!(
        r#"{{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}}"#,
        "{\\\"x\\\":\\\"".to_owned() + &"y".repeat(5 * 1024 * 1024)
    );
    let more = half.replace("{\\\"x\\\":\\\"", "");
    let first = call(0);
    assert_eq!(translate(&[&first, &half]).1, StreamStatus::Open);
    assert_eq!(translate(&[&first, &half, &more]).1, StreamStatus::Broken);
}

/// The upstream may write an event in several lines.
#[test]
fn a_chunk_is_one_line() {
    let events = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\",\"logprobs\":[\n\
                  data: {\"token\":\"Hi\",\n\
                  data: \"logprob\":-1}]}\n\n\
                  data: {\"type\":\"response.completed\",\n\
                  data: \"response\":{}}\n\n";
    let (out, status) = stream(CHAT_VIA_RESPONSES, &CONTEXT, [events.as_bytes()]);
    assert_eq!(status, StreamStatus::Complete);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains(r#""logprob":-1"#), "{out}");
    for event in out.split_terminator("\n\n") {
        assert!(!event.contains('\n'), "{event}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_a_stream_contains_arrives(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        check_responses_stream(&bytes);
    }
}
