//! Reads a stream of chat completion chunks.

use super::block_sequence::{BlockSequence, MessageWriter, TextKind};
use super::completion::{Finish, UpstreamChatMessage, UpstreamChoice, UpstreamCompletion};
use super::tool_calls::UnclearCalls;
use crate::dialect::text::Text;
use crate::dialect::{ResponseContext, StreamStatus};
use crate::wire::error::ApiError;
use crate::wire::failure::{ReportedFailure, is_failed_finish};
use crate::wire::usage::UsageReport;

/// Reads chunks, and has them written in the client's dialect.
#[derive(Debug)]
pub(in crate::dialect) struct ChatStreamReader<W> {
    started: bool,
    blocks: BlockSequence<W>,
    finish: Option<Finish>,
    /// By its `finish_reason`.
    has_failed: bool,
    usage: UsageReport,
}

impl<W: MessageWriter> ChatStreamReader<W> {
    pub(in crate::dialect) fn with_writer(writer: W, context: &ResponseContext<'_>) -> Self {
        Self {
            started: false,
            blocks: BlockSequence::new(writer, context),
            finish: None,
            has_failed: false,
            usage: UsageReport::default(),
        }
    }

    /// The data of one event, which reports no failure.
    pub(in crate::dialect) fn on_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        if data == b"[DONE]" {
            return match self.finish(out) {
                StreamStatus::Open => StreamStatus::Broken,
                status => status,
            };
        }
        let Ok(chunk) = serde_json::from_slice::<Option<UpstreamCompletion<'_>>>(data) else {
            return StreamStatus::Broken;
        };
        let usage = UsageReport::find(data).filter(|report| !report.is_zero());
        if let Some(usage) = usage {
            self.usage = self.usage.replaced_by(usage);
        }
        let has_choices = match self.on_chunk(chunk.unwrap_or_default(), out) {
            Ok(has_choices) => has_choices,
            Err(UnclearCalls) => return StreamStatus::Broken,
        };
        if self.has_failed {
            self.fail(&ReportedFailure::read(data), out);
            return StreamStatus::Failed;
        }
        // The usage after the response is the last chunk.
        if !has_choices && usage.is_some() {
            return self.finish(out);
        }
        StreamStatus::Open
    }

    /// The stream has ended, with `[DONE]` or without.
    pub(in crate::dialect) fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        let Some(finish) = self.finish else {
            return StreamStatus::Open;
        };
        match self.blocks.finish(finish, &self.usage, out) {
            Ok(()) => StreamStatus::Complete,
            Err(UnclearCalls) => StreamStatus::Broken,
        }
    }

    /// The upstream reported a failure.
    pub(in crate::dialect) fn fail(&mut self, failure: &ReportedFailure, out: &mut Vec<u8>) {
        self.blocks.writer.fail(failure, out);
    }

    /// The gateway ends the stream.
    pub(in crate::dialect) fn fail_in_gateway(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        self.blocks.writer.fail_in_gateway(error, out);
    }

    /// Returns whether it has choices.
    fn on_chunk(
        &mut self,
        chunk: UpstreamCompletion<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, UnclearCalls> {
        let choices = chunk.choices.unwrap_or_default();
        let has_choices = !choices.is_empty();
        let has_id = chunk.id.is_some_and(|id| !id.is_empty());
        // Azure begins with a chunk of its filter's results, which has neither.
        if (has_choices || has_id) && !std::mem::replace(&mut self.started, true) {
            self.blocks.writer.start(&self.usage, out);
        }
        for choice in choices {
            if choice.index.unwrap_or_default() == 0 {
                self.on_choice(choice, out)?;
            }
        }
        Ok(has_choices)
    }

    fn on_choice(
        &mut self,
        choice: UpstreamChoice<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        // Some upstreams send a whole message in one chunk; others repeat it at the end.
        let whole = choice.message.filter(|_| self.blocks.is_empty());
        if let Some(message) = choice.delta.or(whole) {
            self.on_message(message, out)?;
        }
        // An empty one means "not yet". Deltas may follow even a real one.
        let reason = choice.finish_reason;
        let reason = reason.filter(|reason| !matches!(reason.escaped().trim(), "" | "null"));
        let names_failure = |reason: &Text<'_>| is_failed_finish(reason.escaped());
        self.has_failed |= reason.as_ref().is_some_and(names_failure);
        if let Some(reason) = reason
            && matches!(self.finish, None | Some(Finish::Stop))
        {
            self.finish = Some(Finish::of(&reason));
        }
        Ok(())
    }

    /// A message, or a part of one.
    fn on_message(
        &mut self,
        mut message: UpstreamChatMessage<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        if let Some(thinking) = message.thinking() {
            self.blocks.on_text(TextKind::Thinking, thinking, out)?;
        }
        for block in message.take_thinking_blocks() {
            self.blocks.on_thinking_block(block, out)?;
        }
        if let Some(text) = message.text() {
            self.blocks.on_text(TextKind::Text, text, out)?;
        }
        if let Some(refusal) = message.refusal() {
            self.blocks.on_text(TextKind::Refusal, refusal, out)?;
        }
        self.blocks.on_tool_calls(message.into_calls(), out)
    }
}
