//! Inputs and expected outputs in `tests/golden/dialects`. `TRUNKLINE_BLESS=1`
//! updates the outputs.

use std::fs;
use std::path::{Path, PathBuf};

use super::{
    CHAT_VIA_MESSAGES, CHAT_VIA_RESPONSES, CONTEXT, MESSAGES_VIA_CHAT, RESPONSES_VIA_CHAT,
    chat_upstream, context, messages_upstream, stream, to_chat, to_messages,
};
use crate::dialect::{ResponseContext, StreamStatus, ThinkingMode, translate_response};

/// Path and content of the inputs of one kind.
pub(super) fn inputs(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/dialects")
        .join(kind);
    let paths = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|path| path.to_str().unwrap().contains(".in."))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 2, "no files of {kind}");
    found
}

/// Compares with the `.out.` file of the input.
pub(super) fn compare(input: &Path, out: &str) {
    let path = input.to_str().unwrap().replace(".in.", ".out.");
    if std::env::var_os("TRUNKLINE_BLESS").is_some() {
        fs::write(&path, out).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == out, "{path} differs from the output:\n{out}");
}

/// Changes white space only.
pub(super) fn pretty(json: &[u8]) -> String {
    let json = std::str::from_utf8(json).unwrap();
    let mut out = String::new();
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if !in_text && character.is_ascii_whitespace() {
            continue;
        }
        let breaks_before = !in_text && matches!(character, '}' | ']');
        if breaks_before {
            depth -= 1;
        }
        if breaks_before && !out.ends_with(['{', '[']) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
        out.push(character);
        match character {
            '"' if !escaped => in_text = !in_text,
            ':' if !in_text => out.push(' '),
            '{' | '[' if !in_text => depth += 1,
            _ => {}
        }
        escaped = in_text && character == '\\' && !escaped;
        let opens = matches!(character, '{' | '[') && !matches!(characters.peek(), Some('}' | ']'));
        if !in_text && (character == ',' || opens) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
    }
    out.push('\n');
    out
}

/// The event that marks a complete response, of any dialect.
fn has_end(events: &str) -> bool {
    let ends = [
        "data: [DONE]\n",
        "event: message_stop\n",
        "event: response.completed\n",
        "event: response.incomplete\n",
    ];
    ends.iter().any(|end| events.contains(end))
}

#[test]
fn chat_requests_match_their_golden_output() {
    for (path, body) in inputs("to_messages") {
        let adaptive = path.to_str().unwrap().contains("adaptive");
        let thinking = if adaptive {
            ThinkingMode::Adaptive
        } else {
            ThinkingMode::Budget
        };
        let out = to_messages(&body, &messages_upstream(thinking)).unwrap();
        compare(&path, &pretty(&out.body));
        let streamed = path.to_str().unwrap().contains("tool_loop");
        assert_eq!((out.stream, out.include_usage), (streamed, streamed));
    }
}

#[test]
fn messages_requests_match_their_golden_output() {
    for (path, body) in inputs("to_chat") {
        let out = to_chat(&body, &chat_upstream()).unwrap();
        compare(&path, &pretty(&out.body));
        let streamed = path.to_str().unwrap().contains("agent");
        assert_eq!((out.stream, out.include_usage), (streamed, streamed));
    }
}

#[test]
fn responses_match_their_golden_output() {
    for (kind, pair) in [
        ("response_for_chat", CHAT_VIA_MESSAGES),
        ("response_for_messages", MESSAGES_VIA_CHAT),
        ("response_for_responses", RESPONSES_VIA_CHAT),
        ("response_for_responses", RESPONSES_VIA_CHAT),
    ] {
        for (path, body) in inputs(kind) {
            compare(
                &path,
                &pretty(&translate_response(pair, &body, &context()).unwrap()),
            );
        }
    }
}

#[test]
fn streams_match_their_golden_output() {
    for (kind, pair) in [
        ("stream_for_chat", CHAT_VIA_MESSAGES),
        ("stream_for_messages", MESSAGES_VIA_CHAT),
        ("stream_for_responses", RESPONSES_VIA_CHAT),
    ] {
        for (path, input) in inputs(kind) {
            let (out, status) = stream(pair, &context(), [input.as_slice()]);
            compare(&path, std::str::from_utf8(&out).unwrap());
            let name = path.file_name().unwrap().to_str().unwrap();
            let expected = match name.split(['_', '.']).next().unwrap() {
                "cut" if pair == CHAT_VIA_MESSAGES => StreamStatus::Open,
                // `cut` has `[DONE]` without a `finish_reason`.
                "cut" | "broken" => StreamStatus::Broken,
                "overloaded" | "failed" => StreamStatus::Failed,
                _ => StreamStatus::Complete,
            };
            assert_eq!(status, expected, "{}", path.display());
            let text = String::from_utf8(out).unwrap();
            assert_eq!(has_end(&text), status == StreamStatus::Complete, "{text}");
        }
    }
}

/// The output does not depend on how the input is split.
#[test]
fn streams_translate_the_same_however_they_are_split() {
    for (kind, pair) in [
        ("stream_for_chat", CHAT_VIA_MESSAGES),
        ("stream_for_messages", MESSAGES_VIA_CHAT),
        ("stream_for_responses", RESPONSES_VIA_CHAT),
    ] {
        for (path, input) in inputs(kind) {
            let unsplit = stream(pair, &context(), [input.as_slice()]);
            assert_eq!(stream(pair, &context(), input.chunks(1)), unsplit);
            for at in 0..input.len() {
                let (first, second) = input.split_at(at);
                let split = stream(pair, &context(), [first, second]);
                assert!(split == unsplit, "{} split at {at}", path.display());
            }
            // Other line endings, and no last empty line.
            let text = String::from_utf8(input).unwrap();
            for end in ["\r\n", "\r"] {
                let other = text.replace('\n', end);
                assert_eq!(
                    stream(pair, &context(), other.as_bytes().chunks(7)),
                    unsplit
                );
            }
            assert_eq!(
                stream(pair, &context(), [text.trim_end().as_bytes()]),
                unsplit
            );
        }
    }
}

/// A truncated response never looks complete.
#[test]
fn truncated_streams_are_not_complete() {
    for (kind, pair) in [
        ("stream_for_chat", CHAT_VIA_MESSAGES),
        ("stream_for_messages", MESSAGES_VIA_CHAT),
        ("stream_for_responses", RESPONSES_VIA_CHAT),
    ] {
        for (path, input) in inputs(kind) {
            for len in 0..input.len() {
                let (out, status) = stream(pair, &context(), [&input[..len]]);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(has_end(&text), status == StreamStatus::Complete);
                assert!(text.is_empty() || text.ends_with("\n\n"));
                // Every upstream marks the end of a response in its stream.
                let input = String::from_utf8_lossy(&input[..len]);
                let finished = input.contains("stop_reason\":\"")
                    || input.contains("finish_reason\":\"")
                    || status != StreamStatus::Complete;
                assert!(finished, "{} at {len}", path.display());
            }
        }
    }
}

#[test]
fn usage_is_sent_only_if_requested() {
    let without_usage = ResponseContext {
        include_usage: false,
        ..CONTEXT
    };
    let sent = |pair, input: &[u8], context| {
        let (out, _) = stream(pair, context, [input]);
        String::from_utf8(out).unwrap()
    };
    for (kind, pair) in [
        ("stream_for_chat", CHAT_VIA_MESSAGES),
        ("responses_stream_for_chat", CHAT_VIA_RESPONSES),
    ] {
        for (path, input) in inputs(kind) {
            let expected: String = sent(pair, &input, &CONTEXT)
                .split_inclusive("\n\n")
                .filter(|event| !event.contains("\"choices\":[],\"usage\":{"))
                .map(|event| event.replace(",\"usage\":null", ""))
                .collect();
            let without = sent(pair, &input, &without_usage);
            assert_eq!(without, expected, "{}", path.display());
        }
    }
}
