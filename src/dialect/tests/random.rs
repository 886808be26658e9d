//! Whatever comes in, what comes out is JSON, and nothing stops the program.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{ANSWER, chat_upstream, messages_upstream, stream};
use crate::dialect::{Dialect, Thinking, error, reply, to_chat, to_messages};

/// All inputs of the golden files.
fn inputs() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dialects");
    let folders = fs::read_dir(root).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.to_str().unwrap().contains(".in."));
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Hands it to everything there is.
fn survives(input: &[u8]) {
    for thinking in [Thinking::Budget, Thinking::Adaptive] {
        if let Ok(out) = to_messages(input, &messages_upstream(thinking)) {
            assert!(is_json(&out.body));
        }
    }
    if let Ok(out) = to_chat(input, &chat_upstream()) {
        assert!(is_json(&out.body));
    }
    for caller in [Dialect::OpenAi, Dialect::Anthropic] {
        if let Ok(out) = reply(caller, input, &ANSWER) {
            assert!(is_json(&out));
        }
        assert!(is_json(&error(caller, 500, input, None).body));
        let (out, _) = stream(caller, &ANSWER, input.chunks(11));
        for event in String::from_utf8(out).unwrap().split_terminator("\n\n") {
            let data = event.rsplit_once("data: ").unwrap().1;
            assert!(data == "[DONE]" || is_json(data.as_bytes()), "{event}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Real requests and answers with some bytes changed, lost or doubled.
    #[test]
    fn wounded_documents(
        which in any::<prop::sample::Index>(),
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut input = which.get(&inputs()).clone();
        for (place, byte, how) in wounds {
            let at = place.index(input.len());
            match how {
                0 => input[at] = byte,
                1 => drop(input.drain(at..(at + usize::from(byte)).min(input.len()))),
                2 => input.insert(at, b"\"{}[],:0\\"[usize::from(byte) % 9]),
                _ => input.extend_from_within(at..(at + usize::from(byte)).min(input.len())),
            }
            if input.is_empty() {
                input.push(b'{');
            }
        }
        survives(&input);
    }

    /// Values of any type in any place.
    #[test]
    fn misplaced_values(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            "null", "0", "-1", "1e400", "true", "\"\"", "\"\\ud800\"", "[]", "{}", "[null]",
            "{\"type\":\"text\"}", "{\"a\":{\"a\":1}}",
        ]),
    ) {
        let input = which.get(&inputs()).clone();
        let text = String::from_utf8(input).unwrap();
        // Puts it behind one of the colons, before what was there.
        let colons: Vec<_> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
        let at = *place.get(&colons);
        let rest = &text[at..];
        let end = rest.find([',', '}', '\n']).unwrap_or(rest.len());
        survives([&text[..at], value, &rest[end..]].concat().as_bytes());
    }
}

#[test]
fn deep_nesting() {
    for depth in [100, 200_000] {
        let deep = ["[".repeat(depth), "]".repeat(depth)].concat();
        let body = format!(
            r#"{{"max_tokens":1,"messages":{deep},"tools":[{{"name":"f","input_schema":{{"a":{deep}}}}}],"error":{deep},"content":{deep},"choices":{deep}}}"#
        );
        survives(body.as_bytes());
    }
}
