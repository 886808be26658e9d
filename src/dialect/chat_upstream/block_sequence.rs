//! Puts the parts of a chat stream into a sequence of blocks.
//!
//! A chat upstream may send text and several calls in turns; for other clients, one
//! block is open at a time. The open one is written as it arrives; what belongs to
//! later ones waits.

use std::collections::VecDeque;

use super::completion::{Finish, UpstreamThinkingBlock, UpstreamToolCall};
use super::tool_call_delta::ToolCallDelta;
use super::tool_calls::{ToolCall, ToolCalls, UnclearCalls};
use crate::dialect::text::Text;
use crate::dialect::{ResponseContext, tool_id};
use crate::wire::error::ApiError;
use crate::wire::failure::ReportedFailure;
use crate::wire::sse::EVENT_LIMIT_BYTES;
use crate::wire::usage::UsageReport;

/// Longer arguments and waiting texts end the stream with an error.
const LIMIT_BYTES: usize = EVENT_LIMIT_BYTES;

/// Writes a message in the client's dialect.
pub(in crate::dialect) trait MessageWriter {
    /// Of the ids of calls that have none.
    const CALL_ID_PREFIX: &'static str;

    /// The counts of `usage` known so far are often none.
    fn start(&mut self, usage: &UsageReport, out: &mut Vec<u8>);

    /// In the open block if it is of this kind, else in a new one.
    fn write_text(
        &mut self,
        kind: TextKind,
        text: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls>;

    /// What signs the thinking that was written.
    fn write_thinking_block(
        &mut self,
        block: UpstreamThinkingBlock<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls>;

    fn start_call(
        &mut self,
        id: Text<'_>,
        name: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls>;

    /// More arguments of the call that was started last.
    fn write_arguments(
        &mut self,
        arguments: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls>;

    /// `is_cut`: the response ended before the call was complete.
    fn end_call(&mut self, is_cut: bool, out: &mut Vec<u8>) -> Result<(), UnclearCalls>;

    /// All calls have ended.
    fn finish(
        &mut self,
        finish: Finish,
        has_calls: bool,
        usage: &UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls>;

    /// The upstream reported a failure.
    fn fail(&mut self, failure: &ReportedFailure, out: &mut Vec<u8>);

    /// The gateway ends the stream.
    fn fail_in_gateway(&mut self, error: &ApiError, out: &mut Vec<u8>);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum TextKind {
    Thinking,
    Text,
    Refusal,
}

#[derive(Debug)]
pub(super) struct BlockSequence<W> {
    pub(super) writer: W,
    calls: ToolCalls,
    open_call: Option<usize>,
    waiting: VecDeque<WaitingBlock>,
    waiting_bytes: usize,
    has_text: bool,
    ids: ToolIds,
}

#[derive(Debug)]
enum WaitingBlock {
    /// With escaped text.
    Text(TextKind, String),
    Thinking(UpstreamThinkingBlock<'static>),
    Call(usize),
}

#[derive(Debug)]
struct ToolIds {
    fallback_id: String,
    provider: String,
}

// === impl BlockSequence ===

impl<W: MessageWriter> BlockSequence<W> {
    pub(super) fn new(writer: W, context: &ResponseContext<'_>) -> Self {
        Self {
            writer,
            calls: ToolCalls::default(),
            open_call: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            has_text: false,
            ids: ToolIds {
                fallback_id: context.fallback_id.to_owned(),
                provider: context.provider.to_owned(),
            },
        }
    }

    /// Nothing has arrived.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_text && self.calls.is_empty()
    }

    pub(super) fn on_text(
        &mut self,
        kind: TextKind,
        text: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.has_text = true;
        if !self.must_wait() {
            return self.writer.write_text(kind, text, out);
        }
        self.waiting_bytes += text.escaped().len();
        match self.waiting.back_mut() {
            Some(WaitingBlock::Text(last, waiting)) if *last == kind => {
                waiting.push_str(text.escaped());
            }
            _ => {
                let text = text.escaped().to_owned();
                self.waiting.push_back(WaitingBlock::Text(kind, text));
            }
        }
        self.advance(None, out)
    }

    pub(super) fn on_thinking_block(
        &mut self,
        block: UpstreamThinkingBlock<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        if !self.must_wait() {
            return self.writer.write_thinking_block(block, out);
        }
        self.waiting_bytes += block.len();
        let block = WaitingBlock::Thinking(block.into_owned());
        self.waiting.push_back(block);
        self.advance(None, out)
    }

    /// The deltas of one chunk.
    pub(super) fn on_tool_calls(
        &mut self,
        calls: Vec<UpstreamToolCall<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.calls.start_chunk();
        for delta in ToolCallDelta::of_chunk(calls) {
            let Some(assigned) = self.calls.assign(delta)? else {
                continue;
            };
            if assigned.is_new {
                self.waiting.push_back(WaitingBlock::Call(assigned.key));
            }
            if let Some(arguments) = assigned.arguments {
                if self.open_call == Some(assigned.key) {
                    self.writer.write_arguments(arguments, out)?;
                } else {
                    self.calls.keep(assigned.key, &arguments);
                }
            }
            self.advance(None, out)?;
        }
        Ok(())
    }

    /// Nothing more follows.
    pub(super) fn finish(
        &mut self,
        finish: Finish,
        usage: &UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.calls.join_nameless(finish.may_cut())?;
        self.advance(Some(finish.may_cut()), out)?;
        let has_calls = !self.calls.is_empty();
        self.writer.finish(finish, has_calls, usage, out)
    }

    /// Text cannot be written yet.
    fn must_wait(&self) -> bool {
        self.open_call.is_some() || !self.waiting.is_empty()
    }

    /// Writes what need not wait. `end`: nothing more follows; whether calls may be
    /// cut.
    fn advance(&mut self, end: Option<bool>, out: &mut Vec<u8>) -> Result<(), UnclearCalls> {
        if self.calls.bytes() + self.waiting_bytes > LIMIT_BYTES {
            return Err(UnclearCalls);
        }
        loop {
            if let Some(key) = self.open_call {
                if let Some(unsent) = self.calls.take_unsent(key) {
                    self.writer.write_arguments(unsent, out)?;
                }
                let is_complete = self.calls.get(key).is_some_and(ToolCall::is_complete);
                let is_last = self.waiting.is_empty() && end.is_none();
                if is_last || !is_complete && end.is_none() {
                    return Ok(());
                }
                let may_be_cut = end.unwrap_or_default();
                self.calls.finish(key, may_be_cut)?;
                self.writer.end_call(may_be_cut && !is_complete, out)?;
                self.open_call = None;
            }
            match self.waiting.pop_front() {
                None => return Ok(()),
                Some(WaitingBlock::Text(kind, text)) => {
                    self.waiting_bytes -= text.len();
                    let text = Text::concat(&[&text]).ok_or(UnclearCalls)?;
                    self.writer.write_text(kind, text, out)?;
                }
                Some(WaitingBlock::Thinking(block)) => {
                    self.waiting_bytes -= block.len();
                    self.writer.write_thinking_block(block, out)?;
                }
                Some(WaitingBlock::Call(key)) => {
                    let call = self.calls.get(key).ok_or(UnclearCalls)?;
                    if let Some(name) = call.name() {
                        let id = self.ids.id_of(key, call, W::CALL_ID_PREFIX);
                        self.writer.start_call(id, name, out)?;
                        self.open_call = Some(key);
                    } else if end.is_none() {
                        self.waiting.push_front(WaitingBlock::Call(key));
                        return Ok(());
                    }
                }
            }
        }
    }
}

// === impl ToolIds ===

impl ToolIds {
    fn id_of(&self, key: usize, call: &ToolCall, prefix: &str) -> Text<'static> {
        let own = call.id();
        let own = own.as_ref().and_then(Text::decode);
        let generated = || tool_id::generated_as(prefix, &self.fallback_id, key).into();
        let id = own.unwrap_or_else(generated);
        Text::encode(&tool_id::for_messages_client(
            &id,
            call.extra(),
            &self.provider,
            &self.fallback_id,
        ))
    }
}
