//! Both directions, complete and streamed.

mod errors;
mod events;
mod golden;
mod random;
mod responses_client;
mod responses_requests;
mod responses_round_trip;
mod responses_upstream;
mod system_messages;
mod tool_calls;
mod untranslatable;

use std::sync::LazyLock;

use super::oracle::{CHAT_VIA_MESSAGES, CHAT_VIA_RESPONSES, MESSAGES_VIA_CHAT, RESPONSES_VIA_CHAT};
use super::responses_via_chat::echo::{ToolKind, ToolOrigin};
use super::{
    ChatUpstream, Dialect, DialectPair, MessagesUpstream, RequestEcho, ResponseContext,
    StreamStatus, StreamTranslator, SystemPosition, ThinkingMode, ToolIdRule, TranslatedRequest,
    TranslationError, UpstreamApi, translate_request,
};

fn to_messages(
    body: &[u8],
    upstream: &MessagesUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    translate_request(Dialect::Chat, body, &UpstreamApi::Messages(*upstream))
}

fn to_chat(
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    translate_request(Dialect::Messages, body, &UpstreamApi::Chat(*upstream))
}

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
        thinking_blocks: false,
        stream_usage: true,
        system: SystemPosition::FirstOrUser,
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
    echo: None,
};

/// Of a client with tools that are no plain functions at the upstream.
fn context() -> ResponseContext<'static> {
    static ECHO: LazyLock<RequestEcho> = LazyLock::new(|| {
        let tool = |kind, namespace: Option<&str>, name: &str| ToolOrigin {
            kind,
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
        };
        let tools = [
            ("apply_patch", tool(ToolKind::Custom, None, "apply_patch")),
            ("tools__exec", tool(ToolKind::Custom, Some("tools"), "exec")),
            (
                "mcp__files__read",
                tool(ToolKind::Function, Some("mcp__files__"), "read"),
            ),
            ("tool_search", tool(ToolKind::Search, None, "tool_search")),
        ];
        RequestEcho {
            members: r#""tool_choice":"auto","parallel_tool_calls":true,"tools":[],"#.to_owned(),
            tools: tools.map(|(name, tool)| (name.to_owned(), tool)).into(),
        }
    });
    ResponseContext {
        echo: Some(&ECHO),
        ..CONTEXT
    }
}

fn stream<'c>(
    pair: DialectPair,
    context: &ResponseContext<'_>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Vec<u8>, StreamStatus) {
    let mut translator = StreamTranslator::new(pair, context);
    let mut out = Vec::new();
    for chunk in chunks {
        translator.push(chunk, &mut out);
    }
    let status = translator.finish(&mut out);
    (out, status)
}
