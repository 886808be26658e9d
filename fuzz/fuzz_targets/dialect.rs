//! Translations: the output is JSON, how a stream is split makes no difference, and the
//! calls of a stream built from the input arrive as they were sent. The first byte is
//! the position of the split.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::dialect::{
    ChatUpstream, Dialect, MessagesUpstream, ResponseContext, StreamStatus, StreamTranslator,
    ThinkingMode, ToolIdRule, to_chat, to_messages, translate_error, translate_response,
};
use trunkline::internals::dialect_oracle::{check_chat_stream, check_messages_stream};

const CONTEXT: ResponseContext<'_> = ResponseContext {
    model: "alias",
    provider: "up",
    fallback_id: "req_1",
    created: 1,
    include_usage: true,
};

fn stream(client: Dialect, chunks: &[&[u8]]) -> (Vec<u8>, StreamStatus) {
    let mut stream = StreamTranslator::new(client, &CONTEXT);
    let mut out = Vec::new();
    for chunk in chunks {
        stream.push(chunk, &mut out);
    }
    let status = stream.finish(&mut out);
    (out, status)
}

fn is_json(bytes: &[u8]) {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).expect("the output is not JSON");
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, input)) = input.split_first() else {
        return;
    };
    for thinking in [ThinkingMode::Budget, ThinkingMode::Adaptive] {
        let upstream = MessagesUpstream {
            model: "m",
            default_max_tokens: 4096,
            thinking,
        };
        if let Ok(out) = to_messages(input, &upstream) {
            is_json(&out.body);
        }
    }
    for enabled in [false, true] {
        let upstream = ChatUpstream {
            model: "m",
            legacy_max_tokens: enabled,
            reasoning_effort: enabled,
            reasoning_history: enabled,
            stream_usage: enabled,
            tool_ids: if enabled {
                ToolIdRule::Nine
            } else {
                ToolIdRule::Any
            },
            provider: "up",
        };
        if let Ok(out) = to_chat(input, &upstream) {
            is_json(&out.body);
        }
    }
    for client in [Dialect::OpenAi, Dialect::Anthropic] {
        if let Ok(out) = translate_response(client, input, &CONTEXT) {
            is_json(&out);
        }
        is_json(&translate_error(client, 500, input, None).body);
        let unsplit = stream(client, &[input]);
        let (first, second) = input.split_at(usize::from(cut).min(input.len()));
        assert_eq!(unsplit, stream(client, &[first, second]));
    }
    check_chat_stream(input);
    check_messages_stream(input);
});
