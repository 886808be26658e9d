//! Translates chat completion chunks into a stream of Messages events.

use super::event::{BlockWriter, MessagesEvent};
use super::usage::{self, MessagesUsage};
use crate::dialect::chat_upstream::completion::{Finish, UpstreamThinkingBlock};
use crate::dialect::chat_upstream::stream::ChatStreamReader;
use crate::dialect::chat_upstream::{MessageWriter, TextKind, UnclearCalls};
use crate::dialect::error::{failure_event, gateway_error_event};
use crate::dialect::text::Text;
use crate::dialect::{Dialect, ResponseContext};
use crate::wire::error::ApiError;
use crate::wire::failure::ReportedFailure;
use crate::wire::usage::UsageReport;

pub type StreamToMessages = ChatStreamReader<MessagesWriter>;

#[derive(Debug)]
pub struct MessagesWriter {
    /// Never the upstream's: clients join messages by it, and some upstreams repeat
    /// theirs.
    id: String,
    model: String,
    blocks: BlockWriter,
}

pub fn write_ping(out: &mut Vec<u8>) {
    MessagesEvent::Ping.write(out);
}

// === impl StreamToMessages ===

impl StreamToMessages {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        let writer = MessagesWriter {
            id: context.fallback_id.to_owned(),
            model: context.model.to_owned(),
            blocks: BlockWriter::default(),
        };
        Self::with_writer(writer, context)
    }
}

// === impl MessagesWriter ===

impl MessageWriter for MessagesWriter {
    const CALL_ID_PREFIX: &'static str = "toolu_";

    fn start(&mut self, usage: &UsageReport, out: &mut Vec<u8>) {
        let usage = MessagesUsage::from_report(usage);
        MessagesEvent::start(&self.id, &self.model, usage).write(out);
    }

    fn write_text(
        &mut self,
        kind: TextKind,
        text: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.blocks.write_text(kind, text, out);
        Ok(())
    }

    /// Dropped: the client's history goes to chat upstreams, which take no signature.
    fn write_thinking_block(
        &mut self,
        _block: UpstreamThinkingBlock<'_>,
        _out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        Ok(())
    }

    fn start_call(
        &mut self,
        id: Text<'_>,
        name: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.blocks.start_tool_use(id, name, out);
        Ok(())
    }

    fn write_arguments(
        &mut self,
        arguments: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.blocks.write_input(arguments, out);
        Ok(())
    }

    fn end_call(&mut self, _is_cut: bool, out: &mut Vec<u8>) -> Result<(), UnclearCalls> {
        self.blocks.close(out);
        Ok(())
    }

    fn finish(
        &mut self,
        finish: Finish,
        has_calls: bool,
        usage: &UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.blocks.close(out);
        let stop_reason = usage::stop_reason(finish, has_calls);
        MessagesEvent::stop(stop_reason, MessagesUsage::from_report(usage)).write(out);
        MessagesEvent::MessageStop.write(out);
        Ok(())
    }

    fn fail(&mut self, failure: &ReportedFailure, out: &mut Vec<u8>) {
        out.extend_from_slice(&failure_event(Dialect::Messages, failure));
    }

    fn fail_in_gateway(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        out.extend_from_slice(&gateway_error_event(Dialect::Messages, error));
    }
}
