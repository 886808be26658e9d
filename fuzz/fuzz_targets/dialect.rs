//! Translations: the output is JSON, how a stream is split makes no difference, and the
//! calls of a stream built from the input arrive as they were sent. The first byte is
//! the position of the split.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::dialect::{
    ChatUpstream, Dialect, DialectPair, MessagesUpstream, ResponseContext, ResponsesUpstream,
    StreamStatus, StreamTranslator, SystemPosition, ThinkingMode, ToolIdRule, UpstreamApi,
    translate_error, translate_request, translate_response,
};
use trunkline::internals::dialect_oracle::{
    check_chat_stream, check_messages_stream, check_responses_stream, check_round_trip,
};

const CONTEXT: ResponseContext<'_> = ResponseContext {
    model: "alias",
    provider: "up",
    fallback_id: "req_1",
    created: 1,
    include_usage: true,
    echo: None,
};

const DIALECTS: [Dialect; 3] = [Dialect::Chat, Dialect::Messages, Dialect::Responses];

fn stream(pair: DialectPair, chunks: &[&[u8]]) -> (Vec<u8>, StreamStatus) {
    let mut stream = StreamTranslator::new(pair, &CONTEXT);
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
        check_request(
            input,
            &UpstreamApi::Messages(MessagesUpstream {
                model: "m",
                default_max_tokens: 4096,
                thinking,
            }),
        );
    }
    for enabled in [false, true] {
        check_request(
            input,
            &UpstreamApi::Chat(ChatUpstream {
                model: "m",
                legacy_max_tokens: enabled,
                reasoning_effort: enabled,
                reasoning_history: enabled,
                thinking_blocks: enabled,
                stream_usage: enabled,
                system: if enabled {
                    SystemPosition::FirstOrUser
                } else {
                    SystemPosition::First
                },
                tool_ids: if enabled {
                    ToolIdRule::Nine
                } else {
                    ToolIdRule::Any
                },
                provider: "up",
            }),
        );
        check_request(
            input,
            &UpstreamApi::Responses(ResponsesUpstream {
                model: "m",
                reasoning: enabled,
                system: SystemPosition::Anywhere,
                provider: "up",
            }),
        );
    }
    for client in DIALECTS {
        is_json(&translate_error(client, 500, input, None).body);
        for upstream in DIALECTS.into_iter().filter(|it| *it != client) {
            check_response(DialectPair { client, upstream }, input, cut);
        }
    }
    check_chat_stream(input);
    check_messages_stream(input);
    check_responses_stream(input);
    check_round_trip(input);
});

fn check_request(input: &[u8], upstream: &UpstreamApi<'_>) {
    for client in DIALECTS {
        if let Ok(out) = translate_request(client, input, upstream) {
            is_json(&out.body);
        }
    }
}

fn check_response(pair: DialectPair, input: &[u8], cut: u8) {
    if let Ok(out) = translate_response(pair, input, &CONTEXT) {
        is_json(&out);
    }
    let unsplit = stream(pair, &[input]);
    let (first, second) = input.split_at(usize::from(cut).min(input.len()));
    assert_eq!(unsplit, stream(pair, &[first, second]));
}
