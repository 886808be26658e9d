//! Translations: what comes out is JSON, and how a stream is cut into pieces
//! makes no difference. The first byte says where it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::dialect::{
    Answer, Dialect, Flow, Stream, Thinking, ToChat, ToMessages, error, reply, to_chat,
    to_messages,
};

const ANSWER: Answer<'_> = Answer {
    model: "alias",
    id: "req_1",
    created: 1,
    include_usage: true,
};

fn stream(caller: Dialect, pieces: &[&[u8]]) -> (Vec<u8>, Flow) {
    let mut stream = Stream::new(caller, &ANSWER);
    let mut out = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut out);
    }
    let flow = stream.finish(&mut out);
    (out, flow)
}

fn is_json(bytes: &[u8]) {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).expect("no JSON came out");
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, input)) = input.split_first() else {
        return;
    };
    for thinking in [Thinking::Budget, Thinking::Adaptive] {
        let upstream = ToMessages {
            model: "m",
            default_max_tokens: 4096,
            thinking,
        };
        if let Ok(out) = to_messages(input, &upstream) {
            is_json(&out.body);
        }
    }
    for habit in [false, true] {
        let upstream = ToChat {
            model: "m",
            old_max_tokens: habit,
            reasoning_effort: habit,
            reasoning_history: habit,
        };
        if let Ok(out) = to_chat(input, &upstream) {
            is_json(&out.body);
        }
    }
    for caller in [Dialect::OpenAi, Dialect::Anthropic] {
        if let Ok(out) = reply(caller, input, &ANSWER) {
            is_json(&out);
        }
        is_json(&error(caller, 500, input, None).body);
        let whole = stream(caller, &[input]);
        let (first, second) = input.split_at(usize::from(cut).min(input.len()));
        assert_eq!(whole, stream(caller, &[first, second]));
    }
});
