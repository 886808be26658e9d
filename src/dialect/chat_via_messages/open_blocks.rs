//! The blocks of a Messages stream that are open. More than one may be; the events
//! name theirs by its index.

use std::collections::HashSet;

use super::response;
use super::upstream::{UpstreamBlock, UpstreamDelta};
use crate::dialect::chat::{CallHead, ChatDelta, ChunkWriter, ThinkingBlock};
use crate::dialect::text::Text;
use crate::dialect::tool_arguments::{ArgumentsState, ToolArguments};
use crate::dialect::tool_id;
use crate::wire::sse::EVENT_LIMIT_BYTES;

/// Anthropic has one at a time.
const MAX_OPEN: usize = 1024;

#[derive(Debug)]
pub(super) struct OpenBlocks {
    open: Vec<OpenBlock>,
    fallback_id: String,
    /// Of the calls so far, as escaped text.
    ids: HashSet<String>,
    tool_call_count: usize,
    thinking_block_count: usize,
    /// The arguments of a call were incomplete at its end.
    has_cut_call: bool,
}

#[derive(Debug)]
struct OpenBlock {
    /// The upstream's.
    index: Option<u64>,
    kind: OpenBlockKind,
}

#[derive(Debug)]
enum OpenBlockKind {
    Text,
    /// With its index among the thinking blocks.
    Thinking(usize),
    /// With its index among the tool calls.
    ToolCall(usize, ToolArguments),
    /// A call with all arguments at its start: deltas would duplicate them.
    WholeToolCall,
    /// A type that comes only on request, which a chat request cannot make.
    Other,
}

/// The events violate the protocol, or a call is invalid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidBlocks;

impl OpenBlocks {
    pub(super) fn new(fallback_id: &str) -> Self {
        Self {
            open: Vec::new(),
            fallback_id: fallback_id.to_owned(),
            ids: HashSet::new(),
            tool_call_count: 0,
            thinking_block_count: 0,
            has_cut_call: false,
        }
    }

    pub(super) fn has_tool_calls(&self) -> bool {
        self.tool_call_count > 0
    }

    pub(super) fn start(
        &mut self,
        index: Option<u64>,
        block: UpstreamBlock<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidBlocks> {
        while let Some(position) = self.open.iter().position(|block| block.index == index) {
            self.close(position, writer, out)?;
        }
        if self.open.len() == MAX_OPEN {
            return Err(InvalidBlocks);
        }
        let kind = match &*block.kind {
            "text" => {
                writer.write_text(block.text, out);
                OpenBlockKind::Text
            }
            "thinking" => {
                let number = self.next_thinking();
                writer.write_thinking(number, block.thinking, block.signature, out);
                OpenBlockKind::Thinking(number)
            }
            "redacted_thinking" => {
                let number = self.next_thinking();
                let delta = ChatDelta {
                    thinking_blocks: Some([ThinkingBlock::redacted(Some(number), block.data)]),
                    ..ChatDelta::default()
                };
                writer.write_delta(delta, out);
                OpenBlockKind::Other
            }
            "tool_use" => self.start_tool_call(block, writer, out)?,
            _ => OpenBlockKind::Other,
        };
        self.open.push(OpenBlock { index, kind });
        Ok(())
    }

    pub(super) fn on_delta(
        &mut self,
        index: Option<u64>,
        delta: UpstreamDelta<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidBlocks> {
        let position = self.find(index);
        let partial_json = delta.partial_json.filter(|json| !json.is_empty());
        let block = position.and_then(|position| self.open.get_mut(position));
        match (block.map(|block| &mut block.kind), partial_json) {
            (Some(OpenBlockKind::Other | OpenBlockKind::WholeToolCall), _) => return Ok(()),
            (Some(OpenBlockKind::ToolCall(number, arguments)), Some(json)) => {
                arguments.push(&json);
                writer.write_arguments(*number, json, out);
                let is_invalid = arguments.state() == ArgumentsState::Invalid;
                if is_invalid || self.bytes() > EVENT_LIMIT_BYTES {
                    return Err(InvalidBlocks);
                }
            }
            (Some(OpenBlockKind::Thinking(number)), None) => {
                writer.write_thinking(*number, delta.thinking, delta.signature, out);
            }
            (_, None) => {}
            // Of which call?
            (_, Some(_)) => return Err(InvalidBlocks),
        }
        writer.write_text(delta.text, out);
        Ok(())
    }

    pub(super) fn stop(
        &mut self,
        index: Option<u64>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidBlocks> {
        match self.find(index) {
            Some(position) => self.close(position, writer, out),
            None => Ok(()),
        }
    }

    /// Nothing more follows. A token limit may have cut calls short.
    pub(super) fn finish(
        &mut self,
        may_be_cut: bool,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidBlocks> {
        while !self.open.is_empty() {
            self.close(0, writer, out)?;
        }
        if self.has_cut_call && !may_be_cut {
            return Err(InvalidBlocks);
        }
        Ok(())
    }

    fn start_tool_call(
        &mut self,
        block: UpstreamBlock<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<OpenBlockKind, InvalidBlocks> {
        let number = self.tool_call_count;
        self.tool_call_count += 1;
        let name = block.name.filter(|name| !name.is_empty());
        let name = name.ok_or(InvalidBlocks)?;
        let id = block.id.filter(|id| !id.is_empty());
        let id = id.filter(|id| self.ids.insert(id.escaped().to_owned()));
        let id = id.unwrap_or_else(|| Text::encode(&tool_id::generated(&self.fallback_id, number)));
        let input = block.input.map(response::arguments).unwrap_or_default();
        let inside = input.trim().trim_start_matches('{').trim_start();
        if matches!(inside, "" | "}") {
            let head = CallHead::function(number, id, name);
            writer.start_tool_call(head, Text::encode(""), out);
            return Ok(OpenBlockKind::ToolCall(number, ToolArguments::default()));
        }
        let mut whole = ToolArguments::default();
        let arguments = Text::encode(&input);
        whole.push(&arguments);
        whole.finish(false).map_err(|_| InvalidBlocks)?;
        writer.start_tool_call(CallHead::function(number, id, name), arguments, out);
        Ok(OpenBlockKind::WholeToolCall)
    }

    /// Some upstreams leave out the index; then only one block can be meant.
    fn find(&self, index: Option<u64>) -> Option<usize> {
        let named = |block: &OpenBlock| index.is_some() && block.index == index;
        self.open
            .iter()
            .position(named)
            .or_else(|| match &*self.open {
                [only] if index.is_none() || only.index.is_none() => Some(0),
                _ => None,
            })
    }

    fn close(
        &mut self,
        position: usize,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidBlocks> {
        let OpenBlockKind::ToolCall(number, mut arguments) = self.open.remove(position).kind else {
            return Ok(());
        };
        match arguments.state() {
            // Clients parse the arguments as JSON, so they must not be empty.
            ArgumentsState::Empty => writer.write_arguments(number, Text::encode("{}"), out),
            // The reason follows.
            ArgumentsState::Partial => self.has_cut_call = true,
            _ => arguments.finish(false).map_err(|_| InvalidBlocks)?,
        }
        Ok(())
    }

    fn next_thinking(&mut self) -> usize {
        self.thinking_block_count += 1;
        self.thinking_block_count - 1
    }

    fn bytes(&self) -> usize {
        let arguments = self.open.iter().map(|block| match &block.kind {
            OpenBlockKind::ToolCall(_, arguments) => arguments.len(),
            _ => 0,
        });
        arguments.sum()
    }
}
