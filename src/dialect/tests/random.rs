//! For any input, the output is JSON, and nothing panics.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{chat_upstream, context, messages_upstream, stream};
use crate::dialect::{
    Dialect, DialectPair, ResponsesUpstream, StreamStatus, SystemPosition, ThinkingMode,
    UpstreamApi, response_events, translate_error, translate_failure, translate_request,
    translate_response,
};
use crate::wire::failure::ReportedFailure;

const DIALECTS: [Dialect; 3] = [Dialect::Chat, Dialect::Messages, Dialect::Responses];

fn pairs() -> impl Iterator<Item = DialectPair> {
    let all = DIALECTS
        .into_iter()
        .flat_map(|client| DIALECTS.map(|upstream| DialectPair { client, upstream }));
    all.filter(|pair| pair.client != pair.upstream)
}

/// All golden inputs.
fn inputs() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dialects");
    let directories = fs::read_dir(root).unwrap();
    let files = directories.flat_map(|directory| fs::read_dir(directory.unwrap().path()).unwrap());
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.to_str().unwrap().contains(".in."));
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// What a good status may hold besides a response.
fn translate_as_good(pair: DialectPair, input: &[u8]) {
    if let Some(failure) = ReportedFailure::find(input) {
        assert!(is_json(
            &translate_failure(pair.client, &failure, None).body
        ));
    }
    if let Ok(events) = response_events(pair.upstream, input) {
        let (_, status) = stream(pair, &context(), [&*events]);
        assert_ne!(status, StreamStatus::Open, "the stream is truncated");
    }
}

fn translate_requests(input: &[u8]) {
    let upstreams = [
        UpstreamApi::Messages(messages_upstream(ThinkingMode::Budget)),
        UpstreamApi::Messages(messages_upstream(ThinkingMode::Adaptive)),
        UpstreamApi::Chat(chat_upstream()),
        UpstreamApi::Responses(ResponsesUpstream {
            model: "gpt-upstream",
            reasoning: true,
            system: SystemPosition::Anywhere,
            provider: "up",
        }),
    ];
    for client in DIALECTS {
        for upstream in &upstreams {
            let Ok(out) = translate_request(client, input, upstream) else {
                continue;
            };
            assert!(is_json(&out.body));
            if let Some(echo) = out.echo {
                let members = echo.members.strip_suffix(',').unwrap();
                assert!(is_json(format!("{{{members}}}").as_bytes()), "{members}");
                assert!(!members.contains('\n'), "{members}");
            }
        }
    }
}

/// Runs every translation.
fn translate_all(input: &[u8]) {
    translate_requests(input);
    for pair in pairs() {
        if let Ok(out) = translate_response(pair, input, &context()) {
            assert!(is_json(&out));
        }
        assert!(is_json(
            &translate_error(pair.client, 500, input, None).body
        ));
        translate_as_good(pair, input);
        let (out, _) = stream(pair, &context(), input.chunks(11));
        for event in String::from_utf8(out).unwrap().split_terminator("\n\n") {
            let data = event.split_once("data: ").unwrap().1;
            assert!(data == "[DONE]" || is_json(data.as_bytes()), "{event}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Golden inputs with some bytes changed, removed, inserted or duplicated.
    #[test]
    fn corrupted_documents_do_not_panic(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut input = which.get(&inputs()).clone();
        for (position, byte, operation) in edits {
            let at = position.index(input.len());
            match operation {
                0 => input[at] = byte,
                1 => drop(input.drain(at..(at + usize::from(byte)).min(input.len()))),
                2 => input.insert(at, b"\"{}[],:0\\"[usize::from(byte) % 9]),
                _ => input.extend_from_within(at..(at + usize::from(byte)).min(input.len())),
            }
            if input.is_empty() {
                input.push(b'{');
            }
        }
        translate_all(&input);
    }

    /// Values of any type at any position.
    #[test]
    fn misplaced_values_do_not_panic(
        which in any::<prop::sample::Index>(),
        position in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            "null", "0", "-1", "1e400", "true", "\"\"", "\"\\ud800\"", "[]", "{}", "[null]",
            "{\"type\":\"text\"}", "{\"a\":{\"a\":1}}",
        ]),
    ) {
        let input = which.get(&inputs()).clone();
        let text = String::from_utf8(input).unwrap();
        // Replaces the value after one of the colons.
        let colons: Vec<_> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
        let at = *position.get(&colons);
        let rest = &text[at..];
        let end = rest.find([',', '}', '\n']).unwrap_or(rest.len());
        translate_all([&text[..at], value, &rest[end..]].concat().as_bytes());
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    for depth in [100, 200_000] {
        let deep = ["[".repeat(depth), "]".repeat(depth)].concat();
        let body = format!(
            r#"{{"max_tokens":1,"messages":{deep},"tools":[{{"name":"f","input_schema":{{"a":{deep}}}}}],"error":{deep},"content":{deep},"choices":{deep}}}"#
        );
        translate_all(body.as_bytes());
    }
}
