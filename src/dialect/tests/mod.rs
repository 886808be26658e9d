//! Both directions, complete and streamed.

mod errors;
mod events;
mod golden;
mod random;
mod tool_calls;
mod untranslatable;

use super::{
    ChatUpstream, Dialect, MessagesUpstream, ResponseContext, StreamStatus, StreamTranslator,
    ThinkingMode, ToolIdRule,
};

fn messages_upstream(thinking: ThinkingMode) -> MessagesUpstream<'static> {
    MessagesUpstream {
        model: "claude-upstream",
        default_max_tokens: 8192,
        thinking,
    }
}

fn chat_upstream() -> ChatUpstream<'static> {
    ChatUpstream {
        model: "gpt-upstream",
        legacy_max_tokens: false,
        reasoning_effort: true,
        reasoning_history: true,
        stream_usage: true,
        tool_ids: ToolIdRule::Any,
        provider: "up",
    }
}

const CONTEXT: ResponseContext<'_> = ResponseContext {
    model: "alias",
    provider: "up",
    fallback_id: "req_1",
    created: 1_700_000_000,
    include_usage: true,
};

fn stream<'c>(
    client: Dialect,
    context: &ResponseContext<'_>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Vec<u8>, StreamStatus) {
    let mut translator = StreamTranslator::new(client, context);
    let mut out = Vec::new();
    for chunk in chunks {
        translator.push(chunk, &mut out);
    }
    let status = translator.finish(&mut out);
    (out, status)
}
