//! Translates chat completion chunks into a stream of Messages events.

use super::block_sequence::BlockSequence;
use super::event::{BlockKind, MessagesEvent};
use super::tool_calls::UnclearCalls;
use super::upstream::{self, MessagesUsage, UpstreamChoice, UpstreamCompletion};
use crate::dialect::error::failure_event;
use crate::dialect::text::Text;
use crate::dialect::{Dialect, ResponseContext, StreamStatus};
use crate::wire::failure::{ReportedFailure, is_failed_finish};
use crate::wire::usage::UsageReport;

#[derive(Debug)]
pub struct StreamToMessages {
    /// Never the upstream's: clients join messages by it, and some upstreams repeat
    /// theirs.
    id: String,
    model: String,
    started: bool,
    blocks: BlockSequence,
    stop_reason: Option<&'static str>,
    /// By its `finish_reason`.
    has_failed: bool,
    usage: UsageReport,
}

pub fn write_ping(out: &mut Vec<u8>) {
    MessagesEvent::Ping.write(out);
}

// === impl StreamToMessages ===

impl StreamToMessages {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            id: context.fallback_id.to_owned(),
            model: context.model.to_owned(),
            started: false,
            blocks: BlockSequence::new(context),
            stop_reason: None,
            has_failed: false,
            usage: UsageReport::default(),
        }
    }

    /// The data of one event, which reports no failure.
    pub fn on_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> StreamStatus {
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
            let failure = ReportedFailure::read(data);
            out.extend_from_slice(&failure_event(Dialect::Anthropic, &failure));
            return StreamStatus::Failed;
        }
        // The usage after the response is the last chunk.
        if !has_choices && usage.is_some() {
            return self.finish(out);
        }
        StreamStatus::Open
    }

    /// The stream has ended, with `[DONE]` or without.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        let Some(mut stop_reason) = self.stop_reason else {
            return StreamStatus::Open;
        };
        let may_be_cut = matches!(stop_reason, "max_tokens" | "refusal");
        if self.blocks.finish(may_be_cut, out).is_err() {
            return StreamStatus::Broken;
        }
        if stop_reason == "end_turn" && self.blocks.has_tool_calls() {
            stop_reason = "tool_use";
        }
        MessagesEvent::stop(stop_reason, MessagesUsage::from_report(&self.usage)).write(out);
        MessagesEvent::MessageStop.write(out);
        StreamStatus::Complete
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
        if has_choices || has_id {
            self.start_message(out);
        }
        for choice in choices {
            if choice.index.unwrap_or_default() == 0 {
                self.on_choice(choice, out)?;
            }
        }
        Ok(has_choices)
    }

    fn start_message(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let usage = MessagesUsage::from_report(&self.usage);
        MessagesEvent::start(&self.id, &self.model, usage).write(out);
    }

    fn on_choice(
        &mut self,
        choice: UpstreamChoice<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        // Some upstreams send a whole message in one chunk; others repeat it at the end.
        let whole = choice.message.filter(|_| self.blocks.is_empty());
        if let Some(message) = choice.delta.or(whole) {
            if let Some(thinking) = message.thinking() {
                self.blocks.on_text(BlockKind::Thinking, thinking, out)?;
            }
            if let Some(text) = message.text() {
                self.blocks.on_text(BlockKind::Text, text, out)?;
            }
            self.blocks.on_tool_calls(message.into_calls(), out)?;
        }
        // An empty one means "not yet". Deltas may follow even a real one.
        let reason = choice.finish_reason;
        let reason = reason.filter(|reason| !matches!(reason.escaped().trim(), "" | "null"));
        let names_failure = |reason: &Text<'_>| is_failed_finish(reason.escaped());
        self.has_failed |= reason.as_ref().is_some_and(names_failure);
        if let Some(reason) = reason
            && matches!(self.stop_reason, None | Some("end_turn"))
        {
            self.stop_reason = Some(upstream::stop_reason(&reason, false));
        }
        Ok(())
    }
}
