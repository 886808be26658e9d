//! Inputs and expected outputs in `tests/golden/dialects`.

use super::super::golden::{compare, inputs, pretty};
use super::{CHAT_VIA_RESPONSES, CONTEXT, MESSAGES_VIA_RESPONSES, stream, to_responses};
use crate::dialect::{Dialect, DialectPair, StreamStatus, translate_response};

const STREAMS: [(&str, DialectPair, &str); 2] = [
    (
        "responses_stream_for_chat",
        CHAT_VIA_RESPONSES,
        "data: [DONE]",
    ),
    (
        "responses_stream_for_messages",
        MESSAGES_VIA_RESPONSES,
        "event: message_stop",
    ),
];

#[test]
fn requests_match_their_golden_output() {
    for (kind, client) in [
        ("chat_to_responses", Dialect::Chat),
        ("messages_to_responses", Dialect::Messages),
    ] {
        for (path, body) in inputs(kind) {
            let out = to_responses(client, &body).unwrap();
            compare(&path, &pretty(&out.body));
            let streamed = std::str::from_utf8(&body)
                .unwrap()
                .contains("\"stream\": true");
            assert_eq!((out.stream, out.include_usage), (streamed, streamed));
        }
    }
}

#[test]
fn responses_match_their_golden_output() {
    for (path, body) in inputs("responses_response_for_chat") {
        let out = translate_response(CHAT_VIA_RESPONSES, &body, &CONTEXT).unwrap();
        compare(&path, &pretty(&out));
    }
}

#[test]
fn streams_match_their_golden_output() {
    for (kind, pair, end) in STREAMS {
        for (path, input) in inputs(kind) {
            let (out, status) = stream(pair, &CONTEXT, [input.as_slice()]);
            compare(&path, std::str::from_utf8(&out).unwrap());
            let name = path.file_name().unwrap().to_str().unwrap();
            let expected = match name.split(['_', '.']).next().unwrap() {
                "cut" => StreamStatus::Open,
                "broken" => StreamStatus::Broken,
                "failed" => StreamStatus::Failed,
                _ => StreamStatus::Complete,
            };
            assert_eq!(status, expected, "{}", path.display());
            let text = String::from_utf8(out).unwrap();
            assert_eq!(
                text.contains(end),
                status == StreamStatus::Complete,
                "{text}"
            );
        }
    }
}

/// The output does not depend on how the input is split.
#[test]
fn streams_translate_the_same_however_they_are_split() {
    for (kind, pair, _) in STREAMS {
        for (path, input) in inputs(kind) {
            let unsplit = stream(pair, &CONTEXT, [input.as_slice()]);
            assert_eq!(stream(pair, &CONTEXT, input.chunks(1)), unsplit);
            for at in cuts(&input) {
                let (first, second) = input.split_at(at);
                let split = stream(pair, &CONTEXT, [first, second]);
                assert!(split == unsplit, "{} split at {at}", path.display());
            }
            // Other line endings, and no last empty line.
            let text = String::from_utf8(input).unwrap();
            for end in ["\r\n", "\r"] {
                let other = text.replace('\n', end);
                assert_eq!(stream(pair, &CONTEXT, other.as_bytes().chunks(7)), unsplit);
            }
            assert_eq!(
                stream(pair, &CONTEXT, [text.trim_end().as_bytes()]),
                unsplit
            );
        }
    }
}

/// Where a stream is cut: anywhere if it is short, else around the ends of its events,
/// and here and there.
fn cuts(input: &[u8]) -> impl Iterator<Item = usize> {
    let is_near_end = |at: usize| {
        let near = input.get(at.saturating_sub(1)..at + 1);
        near.is_some_and(|near| near.contains(&b'\n'))
    };
    (0..input.len()).filter(move |at| input.len() < 1000 || at % 127 == 0 || is_near_end(*at))
}

/// A truncated response never looks complete.
#[test]
fn truncated_streams_are_not_complete() {
    for (kind, pair, end) in STREAMS {
        for (path, input) in inputs(kind) {
            for len in cuts(&input) {
                let (out, status) = stream(pair, &CONTEXT, [&input[..len]]);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.contains(end), status == StreamStatus::Complete);
                assert!(text.is_empty() || text.ends_with("\n\n"));
                let input = String::from_utf8_lossy(&input[..len]);
                let finished = input.contains("\"response.completed\"")
                    || input.contains("\"response.incomplete\"")
                    || status != StreamStatus::Complete;
                assert!(finished, "{} at {len}", path.display());
            }
        }
    }
}
