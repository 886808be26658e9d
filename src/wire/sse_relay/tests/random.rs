//! The sizes of chunks make no difference.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::wire::oracle::{check_inspector, check_json_body, inspect};
use crate::wire::sse_relay::FinishRule;

/// The lines of an event, and whether it is the requested usage report.
fn event() -> impl Strategy<Value = (Vec<&'static str>, bool)> {
    select(vec![
        (
            vec!["data: {\"choices\":[{\"delta\":{},\"finish_reason\":null}]}"],
            false,
        ),
        (
            vec!["data:{\"choices\":[{\"finish_reason\" : \"stop\"}]}"],
            false,
        ),
        (
            vec!["data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}"],
            true,
        ),
        (
            vec![
                "data: {\"choices\":[ ],",
                "data: \"usage\":",
                "data: {\"total_tokens\":2.0}}",
            ],
            true,
        ),
        (
            vec!["data: {\"choices\":[{}],\"usage\":{\"completion_tokens\":5}}"],
            false,
        ),
        (vec!["data: {\"choices\":[],\"usage\":null}"], false),
        (
            vec!["data: {\"choices\":[{\"finish_reason\":\"\"}],\"error\":{}}"],
            false,
        ),
        (
            vec![
                "event: error",
                "data: {\"choices\":[{\"finish_reason\": {} }]}",
            ],
            false,
        ),
        (vec!["data: [DONE]"], false),
        (vec![": a comment"], false),
        (vec!["data:"], false),
        (vec![], false),
        (
            vec!["id: 7", "data: {\"error\":{\"message\":\"x\"}}"],
            false,
        ),
        (
            vec![
                "event: response.completed",
                "data: {\"response\":{\"usage\":{\"input_tokens\":3}}}",
            ],
            false,
        ),
        (vec!["data: {\"type\":\"response.failed\"}"], false),
    ])
}

fn stream() -> impl Strategy<Value = (String, String)> {
    let line_end = || select(vec!["\n", "\r\n", "\r"]);
    let events = vec((event(), line_end()), 0..8);
    let start = select(vec!["", "", "\u{feff}"]);
    let end = select(vec!["", "data: [DONE]", "data: {\"cho", "data"]);
    (start, events, end).prop_map(|(start, events, end)| {
        let (mut all, mut visible) = (start.to_owned(), start.to_owned());
        let mut finished = false;
        for ((lines, is_usage), line_end) in events {
            // A lone CR before an LF would merge two line ends.
            let lines = lines
                .iter()
                .flat_map(|line| [line, line_end])
                .collect::<String>();
            let text = format!("{lines}{line_end}");
            let joins = all.ends_with('\r') && text.starts_with('\n');
            let text = if joins {
                format!(":{line_end}{text}")
            } else {
                text
            };
            all.push_str(&text);
            if !(finished && is_usage) {
                visible.push_str(&text);
            }
            finished |= text.contains("finish_reason\" : \"stop");
        }
        (all + end, visible + end)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn chunk_sizes_make_no_difference((all, visible) in stream(), cuts in vec(1_usize..40, 1..12)) {
        check_inspector(all.as_bytes(), &cuts);
        let hidden = inspect(FinishRule::Chat, true, all.as_bytes(), &cuts);
        prop_assert_eq!(String::from_utf8(hidden.out).unwrap(), visible);
    }

    #[test]
    fn random_bytes_do_not_panic(parts in vec(select(vec![
        "\r", "\n", "\r\n", "data:", " ", "\"usage\":{\"prompt_tokens\":1}", "\"choices\":[]",
        "{", "}", "\"finish_reason\":1", ",", "[DONE]", "\u{feff}", ":", "x", "\\", "event:",
    ]), 0..60), cuts in vec(0_usize..6, 1..8)) {
        check_inspector(parts.concat().as_bytes(), &cuts);
    }

    #[test]
    fn chunk_sizes_of_json_make_no_difference(parts in vec(select(vec![
        "{", "}", "[", "]", ",", ":", "\n", " ", "\u{feff}", "\"error\"", "\"x\"", "null", "{}",
        "\"choices\":[{}]", "\"usage\":{\"prompt_tokens\":1}", "\"status\":\"failed\"",
        "{\"error\":{\"message\":\"x\",\"code\":400}}", "{\"error\":\"\"}",
    ]), 0..8), cuts in vec(0_usize..6, 1..8)) {
        check_json_body(parts.concat().as_bytes(), &cuts);
    }
}
