//! Kinds of tokens, service tiers, tools, and streams.

use bytes::Bytes;

use super::{cost_of, cost_of_body, cost_of_stream};
use crate::wire::sse_relay::{FinishRule, StreamInspector};

/// The members of `usage` in a message of claude-opus-5, and the cost.
const MESSAGES: &[(&str, Option<&str>)] = &[
    (
        r#""input_tokens":10,"output_tokens":5,"cache_read_input_tokens":0,"cache_creation_input_tokens":3904,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":3904}"#,
        Some("0.039215"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":3904,"cache_creation":{"ephemeral_5m_input_tokens":3904,"ephemeral_1h_input_tokens":0}"#,
        Some("0.024575"),
    ),
    // Of both, of unknown duration, and without the sum.
    (
        r#""input_tokens":10,"output_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200}"#,
        Some("0.00285"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":100"#,
        Some("0.0008"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":100}"#,
        Some("0.001175"),
    ),
    // A contradiction.
    (
        r#""input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_1h_input_tokens":100}"#,
        None,
    ),
    // Fast mode, batches, negotiated prices, one region.
    (
        r#""input_tokens":10,"output_tokens":5,"service_tier":"standard","speed":"standard","inference_geo":"global""#,
        Some("0.000175"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"service_tier":"standard","speed":"fast""#,
        Some("0.00035"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"service_tier":"batch""#,
        Some("0.0000875"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"service_tier":"priority""#,
        None,
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"service_tier":"batch","speed":"fast""#,
        None,
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"inference_geo":"us""#,
        None,
    ),
    // Searches cost a cent, fetches nothing; other steps are not part of the counts.
    (
        r#""input_tokens":10,"output_tokens":5,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":2}"#,
        Some("0.030175"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"server_tool_use":null,"iterations":[{"type":"message","input_tokens":10}]"#,
        Some("0.000175"),
    ),
    (
        r#""input_tokens":10,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":9000},{"type":"message"}]"#,
        None,
    ),
];

#[test]
fn wm03_tokens_written_to_a_cache_have_their_own_price() {
    for &(usage, dollars) in MESSAGES {
        let body = format!(
            r#"{{"type":"message","content":[{{"input":{{"service_tier":"flex"}}}}],"usage":{{{usage}}}}}"#
        );
        let model = "anthropic/claude-opus-5";
        assert_eq!(cost_of_body(model, &body).as_deref(), dollars, "{body}");
        // As a stream, whose end repeats what has changed.
        let start = format!(
            r#"{{"type":"message_start","message":{{"id":"m","usage":{{{}}}}}}}"#,
            usage.replace(r#""output_tokens":5"#, r#""output_tokens":1"#)
        );
        let events = [
            &*start,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"output_tokens":5}}"#,
            r#"{"type":"message_stop"}"#,
        ];
        let found = cost_of_stream(model, FinishRule::Messages, &events);
        assert_eq!(found.as_deref(), dollars, "{usage}");
    }
    // Chat: there is no price for it at OpenAI's older models.
    let written = r#"{"usage":{"prompt_tokens":3914,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":3904}}}"#;
    assert_eq!(cost_of_body("openai/gpt-4o", written), None);
}

#[test]
fn wm03_responses_count_tools_and_tiers_beside_the_usage() {
    let usage = r#""usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0},"output_tokens":100,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":1100}"#;
    for (model, outer, dollars) in [
        (
            "openai/gpt-5",
            r#""output":[],"service_tier":"default""#,
            Some("0.00225"),
        ),
        (
            "openai/gpt-5",
            r#""output":[],"service_tier":"priority""#,
            Some("0.0045"),
        ),
        ("openai/gpt-5", r#""output":[],"service_tier":"flex""#, None),
        (
            "openai/gpt-5",
            r#""output":[],"metadata":{"service_tier":"flex"}"#,
            Some("0.00225"),
        ),
        (
            "openai/gpt-5",
            r#""output":[{"type":"web_search_call","status":"completed"}]"#,
            None,
        ),
        (
            "openai/gpt-5",
            r#""output":[{"type":"code_interpreter_call"}]"#,
            None,
        ),
        (
            "openai/searching",
            r#""output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page"}}]"#,
            Some("0.0128"),
        ),
        (
            "openai/searching",
            r#""output":[{"type":"file_search_call"}]"#,
            None,
        ),
    ] {
        let body = format!(r#"{{"id":"r","object":"response",{outer},{usage}}}"#);
        assert_eq!(cost_of_body(model, &body).as_deref(), dollars, "{outer}");
        let created =
            r#"{"type":"response.created","response":{"service_tier":"auto","usage":null}}"#;
        let done = format!(r#"{{"type":"response.completed","response":{body}}}"#);
        let found = cost_of_stream(model, FinishRule::Responses, &[created, &done]);
        assert_eq!(found.as_deref(), dollars, "{outer}");
    }
}

#[test]
fn the_tier_of_a_chat_stream_is_in_its_chunks() {
    let tier = |tier: &str| format!(r#""choices":[],"service_tier":{tier}"#);
    let usage = r#""usage":{"prompt_tokens":1000,"completion_tokens":100}"#;
    for (first, last, dollars) in [
        ("null", "null", Some("0.00225")),
        (r#""default""#, r#""default""#, Some("0.00225")),
        (r#""priority""#, "null", Some("0.0045")),
        ("null", r#""priority""#, Some("0.0045")),
        (r#""priority""#, r#""default""#, Some("0.00225")),
        (r#""flex""#, r#""flex""#, None),
    ] {
        let events = [
            format!("{{{}}}", tier(first)),
            format!("{{{},{usage}}}", tier(last)),
            "[DONE]".to_owned(),
        ];
        let events = events.each_ref().map(|event| &**event);
        let found = cost_of_stream("openai/gpt-5", FinishRule::Chat, &events);
        assert_eq!(found.as_deref(), dollars, "{first} {last}");
    }
}

#[test]
fn a_long_prompt_in_another_tier_has_no_price() {
    let of = |prompt: u64, tier: &str| {
        let body = format!(
            r#"{{"usage":{{"prompt_tokens":{prompt},"completion_tokens":0}},"service_tier":"{tier}"}}"#
        );
        cost_of_body("openai/gpt-5.4", &body)
    };
    assert_eq!(of(272_000, "default").as_deref(), Some("0.68"));
    assert_eq!(of(272_001, "default").as_deref(), Some("1.360005"));
    assert_eq!(of(272_000, "priority").as_deref(), Some("1.36"));
    assert_eq!(of(272_001, "priority"), None);
}

#[test]
fn wm02_running_totals_count_once_and_zeros_are_no_report() {
    let chunk =
        |usage: &str| format!(r#"{{"choices":[{{"finish_reason":null}}],"usage":{usage}}}"#);
    let total = |output: u64| {
        chunk(&format!(
            r#"{{"prompt_tokens":10,"completion_tokens":{output},"total_tokens":{}}}"#,
            10 + output
        ))
    };
    let zeros = chunk(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#);
    let only_prompt = chunk(r#"{"prompt_tokens":10,"completion_tokens":0,"total_tokens":10}"#);
    let end = r#"{"choices":[{"finish_reason":"stop"}],"usage":null}"#;
    let cost = Some("0.000006");
    for (events, dollars) in [
        (vec![&*total(1), &total(20), &total(50), end], cost),
        (vec![&zeros, &total(50), end, &zeros], cost),
        (vec![&total(50), end, &only_prompt], cost),
        (vec![&total(60), &total(50), end], cost),
        (vec![&zeros, end, &zeros], None),
        // The client left: more may have followed.
        (vec![&total(1), &total(20)], None),
    ] {
        let found = cost_of_stream("vllm/x", FinishRule::Chat, &events);
        assert_eq!(found.as_deref(), dollars, "{events:?}");
    }
}

#[test]
fn wm03_a_long_event_may_hide_what_was_used() {
    let usage = r#""usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}"#;
    let text = "x".repeat(200_000);
    let done = |before: &str, after: &str| {
        format!(
            r#"{{"type":"response.completed","response":{{{before}"text":"{text}",{after}{usage}}}}}"#
        )
    };
    let tier = r#""service_tier":"default","#;
    let search = "{\"type\":\"response.web_search_call.completed\"}";
    for (events, dollars) in [
        // The tier is at either end, or may be in the middle.
        (vec![done("", tier)], Some("0.00225")),
        (vec![done(tier, "")], Some("0.00225")),
        (vec![done("", "")], None),
        (vec![search.to_owned(), done("", tier)], None),
    ] {
        let mut inspector = StreamInspector::new(FinishRule::Responses, false);
        for data in &events {
            let kind = data.split('"').nth(3).unwrap();
            inspector.feed(Bytes::from(format!("event: {kind}\ndata: {data}\n\n")));
        }
        let found = cost_of("openai/gpt-5", inspector.usage());
        assert_eq!(found.as_deref(), dollars);
    }
}
