//! Puts the parts of a chat stream into a sequence of blocks.
//!
//! A chat upstream may send text and several calls in turns; in Messages, one block
//! is open at a time. The open one is written as it arrives; what belongs to later
//! ones waits.

use std::collections::VecDeque;

use super::event::{BlockKind, BlockWriter};
use super::tool_call_delta::ToolCallDelta;
use super::tool_calls::{ToolCall, ToolCalls, UnclearCalls};
use super::upstream::UpstreamToolCall;
use crate::dialect::text::Text;
use crate::dialect::{ResponseContext, tool_id};
use crate::wire::sse::EVENT_LIMIT_BYTES;

/// Longer arguments and waiting texts end the stream with an error.
const LIMIT_BYTES: usize = EVENT_LIMIT_BYTES;

#[derive(Debug)]
pub(super) struct BlockSequence {
    writer: BlockWriter,
    calls: ToolCalls,
    open_call: Option<usize>,
    waiting: VecDeque<WaitingBlock>,
    waiting_bytes: usize,
    ids: ToolIds,
}

#[derive(Debug)]
enum WaitingBlock {
    /// With escaped text.
    Text(BlockKind, String),
    ToolUse(usize),
}

#[derive(Debug)]
struct ToolIds {
    fallback_id: String,
    provider: String,
}

impl BlockSequence {
    pub(super) fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            writer: BlockWriter::default(),
            calls: ToolCalls::default(),
            open_call: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            ids: ToolIds {
                fallback_id: context.fallback_id.to_owned(),
                provider: context.provider.to_owned(),
            },
        }
    }

    /// Nothing has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.writer.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn has_tool_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Text or thinking.
    pub(super) fn on_text(
        &mut self,
        kind: BlockKind,
        text: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        if self.open_call.is_none() && self.waiting.is_empty() {
            self.writer.write_text(kind, text, out);
            return Ok(());
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
                self.waiting.push_back(WaitingBlock::ToolUse(assigned.key));
            }
            if let Some(arguments) = assigned.arguments {
                if self.open_call == Some(assigned.key) {
                    self.writer.write_input(arguments, out);
                } else {
                    self.calls.keep(assigned.key, &arguments);
                }
            }
            self.advance(None, out)?;
        }
        Ok(())
    }

    /// Nothing more follows. A token limit may have cut the last calls short.
    pub(super) fn finish(
        &mut self,
        may_be_cut: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.calls.join_nameless(may_be_cut)?;
        self.advance(Some(may_be_cut), out)?;
        self.writer.close(out);
        Ok(())
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
                    self.writer.write_input(unsent, out);
                }
                let is_complete = self.calls.get(key).is_some_and(ToolCall::is_complete);
                let is_last = self.waiting.is_empty() && end.is_none();
                if is_last || !is_complete && end.is_none() {
                    return Ok(());
                }
                self.calls.finish(key, end.unwrap_or_default())?;
                self.open_call = None;
            }
            match self.waiting.pop_front() {
                None => return Ok(()),
                Some(WaitingBlock::Text(kind, text)) => {
                    self.waiting_bytes -= text.len();
                    let text = Text::concat(&[&text]).ok_or(UnclearCalls)?;
                    self.writer.write_text(kind, text, out);
                }
                Some(WaitingBlock::ToolUse(key)) => {
                    let call = self.calls.get(key).ok_or(UnclearCalls)?;
                    if let Some(name) = call.name() {
                        let id = self.ids.id_of(key, call);
                        self.writer.start_tool_use(id, name, out);
                        self.open_call = Some(key);
                    } else if end.is_none() {
                        self.waiting.push_front(WaitingBlock::ToolUse(key));
                        return Ok(());
                    }
                }
            }
        }
    }
}

impl ToolIds {
    fn id_of(&self, key: usize, call: &ToolCall) -> Text<'static> {
        let own = call.id();
        let own = own.as_ref().and_then(Text::decode);
        let id = own.unwrap_or_else(|| tool_id::generated(&self.fallback_id, key).into());
        Text::encode(&tool_id::for_messages_client(
            &id,
            call.extra(),
            &self.provider,
        ))
    }
}
