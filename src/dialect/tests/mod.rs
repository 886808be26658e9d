//! Both directions, whole and streamed.

mod errors;
mod golden;
mod random;
mod refused;

use super::{Answer, Dialect, Flow, Stream, Thinking, ToChat, ToMessages};

/// A model that takes a budget, unless its name says otherwise.
fn messages_upstream(thinking: Thinking) -> ToMessages<'static> {
    ToMessages {
        model: "claude-upstream",
        default_max_tokens: 8192,
        thinking,
    }
}

fn chat_upstream() -> ToChat<'static> {
    ToChat {
        model: "gpt-upstream",
        old_max_tokens: false,
        reasoning_effort: true,
        reasoning_history: true,
    }
}

const ANSWER: Answer<'_> = Answer {
    model: "alias",
    id: "req_1",
    created: 1_700_000_000,
    include_usage: true,
};

/// Translates a stream that comes in these pieces.
fn stream<'p>(
    caller: Dialect,
    answer: &Answer<'_>,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (Vec<u8>, Flow) {
    let mut stream = Stream::new(caller, answer);
    let mut out = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut out);
    }
    let flow = stream.finish(&mut out);
    (out, flow)
}
