//! Usage as each provider reports it.

use bytes::Bytes;

use super::tail::TAIL_BYTES;
use super::{ServiceTier, Usage, UsageReport, UsageTail};

fn usage(counts: [u64; 5]) -> Usage {
    let [input, output, cached, reasoning, total] =
        counts.map(|count| Some(count).filter(|&count| count != u64::MAX));
    Usage {
        input,
        output,
        cached,
        reasoning,
        total,
        ..Usage::default()
    }
}

const NONE: u64 = u64::MAX;

fn find_usage(bytes: &[u8]) -> Option<Usage> {
    UsageReport::find(bytes).map(|report| report.usage())
}

/// The five counts, whatever else is found.
#[track_caller]
fn finds(text: &str, counts: [u64; 5]) {
    let found = find_usage(text.as_bytes()).unwrap();
    let plain = Usage {
        cache_write: None,
        cache_write_1h: None,
        audio_input: None,
        tier: None,
        inexact: false,
        ..found
    };
    assert_eq!(plain, usage(counts), "{text}");
}

#[test]
fn reads_usage_of_chat_completions() {
    finds(
        r#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,
        "prompt_tokens_details":{"cached_tokens":5,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":6,"accepted_prediction_tokens":0}}}"#,
        [12, 34, 5, 6, 46],
    );
}

#[test]
fn reads_usage_of_the_responses_api() {
    finds(
        r#"{"type":"response.completed","response":{"id":"r","usage" : {"input_tokens":1,
        "input_tokens_details":{"cached_tokens":2},"output_tokens":3,
        "output_tokens_details":{"reasoning_tokens":4},"total_tokens":5},"user":null}}"#,
        [1, 3, 2, 4, 5],
    );
}

#[test]
fn reads_usage_of_deepseek_groq_and_embeddings() {
    finds(
        r#""usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":2}"#,
        [9, NONE, 7, NONE, NONE],
    );
    finds(
        r#"{"choices":[{}],"x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":2,"completion_tokens":3,"total_time":0.25}}}"#,
        [2, 3, NONE, NONE, NONE],
    );
    finds(
        r#"{"data":[],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        [8, NONE, NONE, NONE, 8],
    );
}

#[test]
fn reads_usage_of_messages() {
    finds(
        r#"{"type":"message","usage":{"input_tokens":10,"cache_creation_input_tokens":20,
        "cache_read_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":20},
        "output_tokens":5,"output_tokens_details":{"thinking_tokens":3},"service_tier":"standard"}}"#,
        [60, 5, 30, 3, NONE],
    );
    finds(
        r#""usage":{"output_tokens":7}"#,
        [NONE, 7, NONE, NONE, NONE],
    );
    // In addition to counts that include them.
    finds(
        r#""usage":{"prompt_tokens":60,"completion_tokens":5,"input_tokens":10,
        "cache_creation_input_tokens":20,"cache_read_input_tokens":30}"#,
        [60, 5, 30, NONE, NONE],
    );
    // Zero in the spelling that is not used.
    finds(
        r#""usage":{"prompt_tokens":0,"completion_tokens":0,"input_tokens":10,"output_tokens":5,
        "cache_read_input_tokens":30}"#,
        [40, 5, 30, NONE, NONE],
    );
}

#[test]
fn invalid_values_do_not_hide_the_others() {
    finds(
        r#""usage":{"prompt_tokens":3.0,"completion_tokens":"4","total_tokens":null,"cost":1e-9,
        "prompt_tokens_details":null,"completion_tokens_details":[1,{"reasoning_tokens":9}],"x":{"prompt_tokens":99}}"#,
        [3, NONE, NONE, NONE, NONE],
    );
    finds(
        r#""usage":{"prompt_tokens":-3,"input_tokens":-3.0,"completion_tokens":1.5,"total_tokens":2,"cached_tokens":true,"reasoning_tokens":1e300}"#,
        [NONE, NONE, NONE, NONE, 2],
    );
}

#[test]
fn reads_both_spellings_in_one_object() {
    finds(
        r#""usage":{"prompt_tokens":10,"completion_tokens":5,"input_tokens":0,"output_tokens":0}"#,
        [10, 5, NONE, NONE, NONE],
    );
    finds(
        r#""usage":{"prompt_cache_hit_tokens":4,"prompt_tokens_details":{"cached_tokens":4}}"#,
        [NONE, NONE, 4, NONE, NONE],
    );
}

#[test]
fn the_last_one_that_parses_wins() {
    let first = r#"{"usage":{"prompt_tokens":1}}"#;
    let second = r#"{"usage":{"prompt_tokens":2}}"#;
    let only = |input| [input, NONE, NONE, NONE, NONE];
    finds(&format!("{first}{second}"), only(2));
    finds(&format!(r#"{first}{{"usage":null}}"#), only(1));
    finds(&format!(r#"{first}"usage":{{"prompt_tokens":"#), only(1));
    // A JSON schema of `usage` is not a usage report.
    let schema = r#"{"usage":{"type":"object","description":"tokens"}}"#;
    finds(&format!("{first}{schema}"), only(1));
}

#[test]
fn text_about_usage_is_not_usage() {
    for text in [
        r#"{"content":"\"usage\":{\"prompt_tokens\":1}"}"#,
        r#"{"x\"usage":{"prompt_tokens":1}}"#,
        r#"["usage",{"prompt_tokens":1}]"#,
        r#"{"usage":[{"prompt_tokens":1}]}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":12}"#,
        r#"{"usage""#,
        "",
    ] {
        assert_eq!(find_usage(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_hostile_body_is_not_parsed_over_and_over() {
    let started = std::time::Instant::now();
    let body = r#""usage":{"#.repeat(300_000);
    assert_eq!(find_usage(body.as_bytes()), None);
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn the_tail_is_sufficient_and_bounded() {
    let mut tail = UsageTail::default();
    assert_eq!(tail.usage(), None);
    let frame = Bytes::from(vec![b'x'; 10_000]);
    for _ in 0..100 {
        tail.push(&frame);
    }
    assert!((TAIL_BYTES..TAIL_BYTES + 10_000).contains(&tail.len()));
    assert_eq!(tail.len(), tail.frames().map(Bytes::len).sum::<usize>());
    // No copy: the frames are those that were pushed.
    assert!(tail.frames().all(|kept| kept.as_ptr() == frame.as_ptr()));
    for chunk in [r#","usa"#, r#"ge":{"prompt_"#, "", r#"tokens":7}}"#] {
        tail.push(&Bytes::from_static(chunk.as_bytes()));
    }
    assert_eq!(tail.usage().and_then(|usage| usage.input), Some(7));
    tail.push(&Bytes::from(vec![b' '; TAIL_BYTES]));
    assert_eq!(tail.usage(), None);
    assert_eq!(tail.frames().count(), 1);
}

/// True if a body in these frames has another price than its tokens.
fn has_charges(frames: &[&[u8]]) -> bool {
    let mut tail = UsageTail::default();
    for frame in frames {
        tail.push(&Bytes::copy_from_slice(frame));
    }
    let usage = tail.usage().unwrap();
    usage.inexact || usage.tier.unwrap_or_default() != ServiceTier::Standard
}

#[test]
fn what_has_a_price_of_its_own_is_found_before_the_tail() {
    let long = vec![b'x'; TAIL_BYTES];
    let usage = br#","usage":{"input_tokens":1,"output_tokens":2}}"#;
    for (member, expected) in [
        (r#"{"service_tier":"priority","x":""#, true),
        (r#"{"output":[{"type":"web_search_call"}],"x":""#, true),
        (r#"{"output":[{"type":"file_search_call"}],"x":""#, true),
        (r#"{"service_tier":"default","x":""#, false),
        (r#"{"output":[{"type":"function_call"}],"x":""#, false),
        (r#"{"x":"a \"web_search_call\" in text","y":""#, false),
    ] {
        let member = member.as_bytes();
        assert_eq!(has_charges(&[member, &long, usage]), expected);
        for at in 0..member.len() {
            let (start, rest) = member.split_at(at);
            assert_eq!(has_charges(&[start, rest, &long, usage]), expected, "{at}");
            // The rest is at the start of the tail.
            let rest = [rest, &long].concat();
            assert_eq!(has_charges(&[start, &rest, usage]), expected, "{at}");
        }
        let bytes: Vec<&[u8]> = member.chunks(1).chain([&*long, usage]).collect();
        assert_eq!(has_charges(&bytes), expected);
    }
}

#[test]
fn zeros_behind_real_figures_are_no_report() {
    let real = r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let zeros = r#"{"usage":{"prompt_tokens":0,"completion_tokens":0}}"#;
    finds(&format!("{real}{zeros}"), [1, 2, NONE, NONE, NONE]);
    assert_eq!(Usage::find(zeros.as_bytes()), None);
}

#[test]
fn a_later_event_of_messages_replaces_what_it_counts() {
    let report = |members: &str| UsageReport::find(format!(r#""usage":{members}"#).as_bytes());
    let merged = |start, delta| {
        let start: UsageReport = report(start).unwrap();
        start.merged_with(report(delta).unwrap()).usage()
    };
    let start = r#"{"input_tokens":100,"output_tokens":1}"#;
    for (delta, input, cached) in [
        (r#"{"output_tokens":7}"#, 100, None),
        (r#"{"input_tokens":0,"output_tokens":7}"#, 100, None),
        (r#"{"input_tokens":120,"output_tokens":7}"#, 120, None),
        // A part of the prompt turns out to be cached.
        (
            r#"{"input_tokens":60,"cache_read_input_tokens":40,"output_tokens":7}"#,
            100,
            Some(40),
        ),
    ] {
        let usage = merged(start, delta);
        assert_eq!(
            (usage.input, usage.cached),
            (Some(input), cached),
            "{delta}"
        );
        assert_eq!(usage.output, Some(7));
    }
}
