//! Translates a chat completion into a response.

use super::event::EventWriter;
use super::stream::ResponsesWriter;
use crate::dialect::chat_upstream::completion::{Finish, UpstreamChatMessage, UpstreamCompletion};
use crate::dialect::chat_upstream::whole_call::whole_calls;
use crate::dialect::chat_upstream::{MessageWriter, TextKind, UnclearCalls};
use crate::dialect::text::Text;
use crate::dialect::{InvalidUpstreamResponse, ResponseContext};
use crate::wire::usage::UsageReport;

pub fn translate(
    body: &[u8],
    context: &ResponseContext<'_>,
) -> Result<Vec<u8>, InvalidUpstreamResponse> {
    let (message, finish) = UpstreamCompletion::into_first(body).ok_or(InvalidUpstreamResponse)?;
    let usage = UsageReport::find(body).unwrap_or_default();
    let mut writer = ResponsesWriter::new(context, EventWriter::silent());
    write_message(message, finish, &mut writer, context)?;
    let mut out = Vec::new();
    writer
        .into_response(finish, &usage, &mut out)
        .map_err(|UnclearCalls| InvalidUpstreamResponse)?;
    Ok(out)
}

/// The same items as in a stream.
fn write_message(
    mut message: UpstreamChatMessage<'_>,
    finish: Finish,
    writer: &mut ResponsesWriter,
    context: &ResponseContext<'_>,
) -> Result<(), InvalidUpstreamResponse> {
    // No stream was requested, so nothing is written to it.
    let no_events = &mut Vec::new();
    let mut write = || {
        if let Some(thinking) = message.thinking() {
            writer.write_text(TextKind::Thinking, thinking, no_events)?;
        }
        for block in message.take_thinking_blocks() {
            writer.write_thinking_block(block, no_events)?;
        }
        if let Some(text) = message.text() {
            writer.write_text(TextKind::Text, text, no_events)?;
        }
        if let Some(refusal) = message.refusal() {
            writer.write_text(TextKind::Refusal, refusal, no_events)?;
        }
        Ok(())
    };
    write().map_err(|UnclearCalls| InvalidUpstreamResponse)?;
    let prefix = ResponsesWriter::CALL_ID_PREFIX;
    for call in whole_calls(message, finish.may_cut(), prefix, context)? {
        let (id, arguments) = (Text::encode(&call.id), Text::encode(&call.arguments));
        let write = || {
            writer.start_call(id, call.name, no_events)?;
            writer.write_arguments(arguments, no_events)?;
            writer.end_call(false, no_events)
        };
        write().map_err(|UnclearCalls| InvalidUpstreamResponse)?;
    }
    Ok(())
}
