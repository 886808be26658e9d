//! What a follower learns, and what it lets pass.

mod comments;
mod random;

use bytes::Bytes;

use super::{FinishRule, Follower, HELD_LIMIT_BYTES};
use crate::wire::oracle::{Followed, check_follow, follow};

const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"usage\":null}\n\n";
const FINISH: &str =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn run(rule: FinishRule, hide: bool, stream: &str) -> Followed {
    check_follow(stream.as_bytes(), &[7]);
    follow(rule, hide, stream.as_bytes(), &[])
}

fn chat(stream: &str) -> Followed {
    run(FinishRule::Chat, false, stream)
}

fn hidden(stream: &str) -> String {
    String::from_utf8(run(FinishRule::Chat, true, stream).out).unwrap()
}

fn complete(followed: &Followed) -> bool {
    followed.flags[0]
}

fn done(followed: &Followed) -> bool {
    followed.flags[1]
}

fn error(followed: &Followed) -> bool {
    followed.flags[2]
}

fn input(followed: &Followed) -> Option<u64> {
    followed.usage.and_then(|usage| usage.input)
}

#[test]
fn a_whole_chat() {
    let seen = chat(&[DELTA, DELTA, FINISH, USAGE, DONE].concat());
    assert_eq!(seen.flags, [true, true, false, true]);
    assert_eq!(seen.at_boundary, [true, true]);
    assert_eq!(seen.events, 5);
    assert_eq!(input(&seen), Some(3));
}

#[test]
fn ordinary_chunks_are_not_copied() {
    for hide in [false, true] {
        let mut follower = Follower::new(FinishRule::Chat, hide);
        for event in [DELTA, ": ping\n\n", FINISH, DONE] {
            let chunk = Bytes::copy_from_slice(event.as_bytes());
            let address = chunk.as_ptr();
            let out = follower.feed(chunk).unwrap();
            assert_eq!((out.as_ptr(), out.len()), (address, event.len()));
            assert!(follower.at_boundary());
        }
    }
}

#[test]
fn half_an_event_passes_at_once() {
    for hide in [false, true] {
        let mut follower = Follower::new(FinishRule::Chat, hide);
        assert!(follower.at_boundary());
        let (half, rest) = DELTA.split_at(20);
        assert_eq!(
            follower.feed(Bytes::from_static(half.as_bytes())).unwrap(),
            half
        );
        assert!(!follower.at_boundary());
        assert_eq!(follower.events(), 0);
        assert_eq!(
            follower.feed(Bytes::from_static(rest.as_bytes())).unwrap(),
            rest
        );
        assert!(follower.at_boundary());
        assert_eq!(follower.events(), 1);
    }
}

#[test]
fn nothing_comes_of_nothing() {
    let mut follower = Follower::new(FinishRule::Chat, true);
    assert_eq!(follower.feed(Bytes::new()), None);
    assert_eq!(follower.end(), None);
    assert!(follower.at_boundary() && !follower.is_complete() && !follower.first_data());
}

#[test]
fn completeness() {
    assert!(!complete(&chat(DELTA)));
    assert!(complete(&chat(FINISH)));
    assert!(!done(&chat(FINISH)));
    assert!(complete(&chat(DONE)) && done(&chat(DONE)));
    assert!(complete(&chat("data:[DONE]\r\n\r\n")));
    assert!(complete(&run(FinishRule::EndOfBody, false, DELTA)));
    assert!(!complete(&run(FinishRule::Responses, false, FINISH)));
    // Text that speaks of it is not it.
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
        let seen = chat(&[DELTA, end].concat());
        assert!(done(&seen), "{end:?}");
        assert_eq!((seen.events, seen.at_boundary), (2, [false, false]));
    }
    assert!(complete(&chat(FINISH.trim_end())));
    // An event that was cut off says nothing.
    let half = &FINISH[..FINISH.find("op\"").unwrap()];
    let seen = chat(half);
    assert!(!complete(&seen));
    assert_eq!(seen.events, 0);
}

#[test]
fn end_counts_once() {
    let mut follower = Follower::new(FinishRule::Chat, true);
    follower.feed(Bytes::from_static(b"data: 1"));
    assert_eq!(follower.end(), None);
    assert_eq!(follower.end(), None);
    assert_eq!(follower.events(), 1);
}

#[test]
fn responses_end_by_their_events() {
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
            let seen = run(FinishRule::Responses, true, &stream);
            assert_eq!((done(&seen), error(&seen)), (is_done, is_error), "{stream}");
            assert_eq!(complete(&seen), is_done);
            assert_eq!(input(&seen), Some(5));
            assert_eq!(seen.out, stream.as_bytes());
        }
    }
    assert!(done(&run(FinishRule::Responses, false, DONE)));
    let field_only = "event: response.completed\ndata: {}\n\n";
    assert!(done(&run(FinishRule::Responses, false, field_only)));
    let nested = "data: {\"type\":\"response.x\",\"item\":{\"type\":\"response.completed\"}}\n\n";
    assert!(!done(&run(FinishRule::Responses, false, nested)));
}

#[test]
fn messages_count_at_both_ends() {
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
        let seen = run(FinishRule::Messages, true, stream);
        assert!(complete(&seen) && done(&seen) && !error(&seen));
        assert_eq!(seen.out, stream.as_bytes());
        assert_eq!(seen.events, 5);
        let usage = seen.usage.unwrap();
        assert_eq!((usage.input, usage.cached), (Some(125), Some(100)));
        assert_eq!(usage.output, Some(15));
    }
    let cut = run(FinishRule::Messages, false, &[start, text, stop].concat());
    assert!(!complete(&cut) && !done(&cut));
    assert_eq!(cut.usage.unwrap().output, Some(15));
    let failed = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let seen = run(FinishRule::Messages, false, &[start, failed].concat());
    assert!(done(&seen) && error(&seen));
    // `[DONE]` belongs to others, but ends any stream.
    assert!(done(&run(FinishRule::Messages, false, DONE)));
}

#[test]
fn a_long_response_is_known_by_both_ends() {
    let text = "t".repeat(300_000);
    for field in ["event: response.completed\n", ""] {
        let stream = format!(
            "{field}data: {{\"type\":\"response.completed\",\"response\":{{\"text\":\"{text}\",\"usage\":{{\"input_tokens\":6}}}}}}\n\n"
        );
        for cuts in [&[][..], &[1_000], &[65_536], &[100_000], &[150_001]] {
            let seen = follow(FinishRule::Responses, false, stream.as_bytes(), cuts);
            assert!(done(&seen), "{cuts:?}");
            assert_eq!(input(&seen), Some(6), "{cuts:?}");
        }
    }
}

#[test]
fn errors_in_the_stream() {
    for event in [
        "data: {\"error\":{\"code\":502,\"message\":\"x\"}}\n\n",
        "event: error\ndata: {\"error\" : \"text\"}\n\n",
        "data: {\"choices\":[],\"x_groq\":{\"error\":\"over capacity\"}}\n\n",
        "data: {\ndata: \"error\":1}\n\n",
    ] {
        assert!(error(&chat(event)), "{event}");
    }
    for event in [
        "data: {\"error\":null}\n\n",
        "data: {\"choices\":[{\"delta\":{\"error\":\"in a tool's answer\"}}]}\n\n",
        "data: {\"content\":\"\\\"error\\\":1\"}\n\n",
        "data: \"error\"\n\n",
        ": {\"error\":1}\n\n",
    ] {
        assert!(!error(&chat(event)), "{event}");
    }
}

#[test]
fn comments_and_empty_data_are_no_data() {
    let seen = chat(": OPENROUTER PROCESSING\n\ndata:\n\ndata: \n\nid: 1\n\n\n\nevent: ping\n\n");
    assert_eq!((seen.flags[3], seen.events), (false, 0));
    assert_eq!(seen.at_boundary, [true, true]);
    assert_eq!(chat("data: x\n\n").events, 1);
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
    // They have choices, so they are not the event that was asked for.
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
        let seen = run(FinishRule::Chat, true, &stream);
        assert_eq!(input(&seen), Some(3));
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

#[test]
fn only_the_usage_event_behind_the_answer_is_hidden() {
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
fn what_is_held_back_leaves_a_boundary() {
    let mut follower = Follower::new(FinishRule::Chat, true);
    let (half, rest) = USAGE.split_at(10);
    let first = [FINISH, half].concat();
    assert_eq!(follower.feed(first.into()).unwrap(), FINISH);
    assert!(follower.at_boundary());
    assert_eq!(follower.feed([rest, "data: [D"].concat().into()), None);
    assert!(follower.at_boundary());
    assert_eq!(follower.feed("ONE]\n\n".into()).unwrap(), DONE);
    assert!(follower.is_done() && follower.at_boundary());
    assert_eq!(follower.usage().unwrap().output, Some(4));
}

#[test]
fn a_long_event_is_not_held_back() {
    let mut follower = Follower::new(FinishRule::Chat, true);
    follower.feed(FINISH.into());
    assert_eq!(follower.feed("data: ".into()), None);
    let long = "x".repeat(HELD_LIMIT_BYTES);
    let out = follower.feed(long.clone().into()).unwrap();
    assert_eq!(out, format!("data: {long}"));
    assert!(!follower.at_boundary());
    assert_eq!(follower.feed("y".into()).unwrap(), "y");
    assert_eq!(follower.feed("\n\n".into()).unwrap(), "\n\n");
    assert!(follower.at_boundary());
}

#[test]
fn whether_a_long_event_is_hidden_does_not_depend_on_its_chunks() {
    let frame = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3},\"x\":\"\"}\n";
    for (len, shown) in [(HELD_LIMIT_BYTES, false), (HELD_LIMIT_BYTES + 1, true)] {
        let event = frame.replace("\"\"", &format!("\"{}\"", "x".repeat(len - frame.len())));
        let stream = format!("{FINISH}{event}\n{DONE}");
        for cuts in [&[][..], &[1_000], &[FINISH.len() + len, 1]] {
            let out = follow(FinishRule::Chat, true, stream.as_bytes(), cuts).out;
            let expected = if shown {
                stream.clone()
            } else {
                [FINISH, DONE].concat()
            };
            assert!(out == expected.as_bytes(), "{len} {cuts:?}");
        }
    }
}
