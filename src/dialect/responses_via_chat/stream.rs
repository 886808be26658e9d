//! Translates chat completion chunks into a stream of Responses events.

use std::collections::BTreeMap;

use super::echo::{ToolKind, ToolOrigin};
use super::event::{EventWriter, ItemSink, OutputItemKey};
use super::item::{ItemStatus, ResponseTokens};
use super::open_call::OpenCall;
use super::open_message::{MessagePartKind, OpenMessage};
use super::open_thinking::OpenThinking;
use super::response_object::{IncompleteReason, ResponseObject, ResponseProgress, ResponseStatus};
use crate::dialect::chat_upstream::completion::{Finish, UpstreamThinkingBlock};
use crate::dialect::chat_upstream::stream::ChatStreamReader;
use crate::dialect::chat_upstream::{MessageWriter, TextKind, UnclearCalls};
use crate::dialect::error::{stream_failure, with_stream_failure};
use crate::dialect::text::Text;
use crate::dialect::{ResponseContext, tool_id};
use crate::wire::error::ApiError;
use crate::wire::failure::ReportedFailure;
use crate::wire::sse::EVENT_LIMIT_BYTES;
use crate::wire::usage::UsageReport;

/// The last event contains all items; no event may be longer.
const LIMIT_BYTES: usize = EVENT_LIMIT_BYTES;

pub type StreamToResponses = ChatStreamReader<ResponsesWriter>;

#[derive(Debug)]
pub struct ResponsesWriter {
    events: EventWriter,
    response: ResponseObject,
    /// See [`RequestEcho::tools`](super::echo::RequestEcho::tools).
    tools: BTreeMap<String, ToolOrigin>,
    items: usize,
    open: Option<OpenItem>,
    /// Bytes of all items.
    bytes: usize,
}

#[derive(Debug)]
enum OpenItem {
    Message(OpenMessage),
    Reasoning(OpenThinking),
    Call(OpenCall),
}

// === impl StreamToResponses ===

impl StreamToResponses {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        let writer = ResponsesWriter::new(context, EventWriter::default());
        Self::with_writer(writer, context)
    }
}

// === impl ResponsesWriter ===

impl ResponsesWriter {
    pub(super) fn new(context: &ResponseContext<'_>, events: EventWriter) -> Self {
        let tools = context.echo.map(|echo| echo.tools.clone());
        Self {
            events,
            response: ResponseObject::new(context),
            tools: tools.unwrap_or_default(),
            items: 0,
            open: None,
            bytes: 0,
        }
    }

    /// Ends the last item, and appends the response.
    pub(super) fn into_response(
        mut self,
        finish: Finish,
        usage: &UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.close(last_status(finish), &mut Vec::new())?;
        self.response.write(&progress(finish, usage), out);
        Ok(())
    }

    /// Ends the open item. A call that was cut has no end.
    fn close(&mut self, status: ItemStatus, out: &mut Vec<u8>) -> Result<(), UnclearCalls> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let sink = &mut self.sink(out);
        match open {
            OpenItem::Message(message) => message.finish(status, sink),
            OpenItem::Reasoning(reasoning) => reasoning.finish(sink),
            OpenItem::Call(call) => call.finish(sink),
        }
    }

    fn next_key(&mut self, prefix: &str) -> OutputItemKey {
        let output_index = self.items;
        self.items += 1;
        OutputItemKey {
            id: tool_id::generated_as(prefix, &self.response.id, output_index),
            output_index,
        }
    }

    fn sink<'w>(&'w mut self, out: &'w mut Vec<u8>) -> ItemSink<'w> {
        ItemSink {
            events: &mut self.events,
            output: &mut self.response.output,
            out,
        }
    }

    fn count(&mut self, bytes: usize) -> Result<(), UnclearCalls> {
        self.bytes += bytes;
        (self.bytes <= LIMIT_BYTES)
            .then_some(())
            .ok_or(UnclearCalls)
    }

    fn reasoning(&mut self, out: &mut Vec<u8>) -> Result<(), UnclearCalls> {
        if !matches!(self.open, Some(OpenItem::Reasoning(_))) {
            self.close(ItemStatus::Completed, out)?;
            let key = self.next_key("rs_");
            let reasoning = OpenThinking::start(key, &mut self.sink(out));
            self.open = Some(OpenItem::Reasoning(reasoning));
        }
        Ok(())
    }
}

/// Of the last item.
fn last_status(finish: Finish) -> ItemStatus {
    if finish.may_cut() {
        ItemStatus::Incomplete
    } else {
        ItemStatus::Completed
    }
}

fn progress(finish: Finish, usage: &UsageReport) -> ResponseProgress<'static> {
    ResponseProgress {
        status: match finish {
            Finish::Stop => ResponseStatus::Completed,
            Finish::TokenLimit => ResponseStatus::Incomplete(IncompleteReason::MaxOutputTokens),
            Finish::Filter => ResponseStatus::Incomplete(IncompleteReason::ContentFilter),
        },
        error: None,
        usage: ResponseTokens::from_report(usage),
    }
}

impl MessageWriter for ResponsesWriter {
    const CALL_ID_PREFIX: &'static str = "call_";

    fn start(&mut self, _usage: &UsageReport, out: &mut Vec<u8>) {
        let progress = ResponseProgress {
            status: ResponseStatus::InProgress,
            error: None,
            usage: None,
        };
        for kind in ["response.created", "response.in_progress"] {
            let events = &mut self.events;
            self.response.write_event(kind, &progress, events, out);
        }
    }

    fn write_text(
        &mut self,
        kind: TextKind,
        text: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.count(text.escaped().len())?;
        let part = match kind {
            TextKind::Thinking => None,
            TextKind::Text => Some(MessagePartKind::Text),
            TextKind::Refusal => Some(MessagePartKind::Refusal),
        };
        match part {
            None => self.reasoning(out)?,
            Some(_) if !matches!(self.open, Some(OpenItem::Message(_))) => {
                self.close(ItemStatus::Completed, out)?;
                let key = self.next_key("msg_");
                let message = OpenMessage::start(key, &mut self.sink(out));
                self.open = Some(OpenItem::Message(message));
            }
            Some(_) => {}
        }
        let Self {
            events,
            response,
            open,
            ..
        } = self;
        let sink = &mut ItemSink {
            events,
            output: &mut response.output,
            out,
        };
        match (open, part) {
            (Some(OpenItem::Message(message)), Some(part)) => message.write_text(part, text, sink),
            (Some(OpenItem::Reasoning(reasoning)), None) => reasoning.write_text(text, sink),
            _ => Err(UnclearCalls),
        }
    }

    fn write_thinking_block(
        &mut self,
        block: UpstreamThinkingBlock<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        if block.len() == 0 {
            return Ok(());
        }
        self.count(block.len())?;
        self.reasoning(out)?;
        if let Some(OpenItem::Reasoning(reasoning)) = &mut self.open {
            reasoning.push_block(&block);
        }
        Ok(())
    }

    fn start_call(
        &mut self,
        id: Text<'_>,
        name: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.count(id.escaped().len() + name.escaped().len())?;
        self.close(ItemStatus::Completed, out)?;
        let decoded = name.decode();
        let origin = decoded.as_ref().and_then(|name| self.tools.get(&**name));
        let origin = origin.cloned();
        let kind = origin.as_ref().map_or(ToolKind::Function, |it| it.kind);
        let prefix = match kind {
            ToolKind::Function => "fc_",
            ToolKind::Custom => "ctc_",
            ToolKind::Search => "tsc_",
        };
        let key = self.next_key(prefix);
        let call = OpenCall::new(key, id, name.borrowed(), origin.as_ref());
        call.start(&mut self.sink(out))?;
        self.open = Some(OpenItem::Call(call));
        Ok(())
    }

    fn write_arguments(
        &mut self,
        arguments: Text<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.count(arguments.escaped().len())?;
        let Self {
            events,
            response,
            open: Some(OpenItem::Call(call)),
            ..
        } = self
        else {
            return Err(UnclearCalls);
        };
        let output = &mut response.output;
        let sink = &mut ItemSink {
            events,
            output,
            out,
        };
        call.write_arguments(arguments, sink)
    }

    /// A call that was cut gets no end: agents run a call at its `output_item.done`.
    fn end_call(&mut self, is_cut: bool, out: &mut Vec<u8>) -> Result<(), UnclearCalls> {
        if is_cut {
            self.open = None;
        }
        self.close(ItemStatus::Completed, out)
    }

    fn finish(
        &mut self,
        finish: Finish,
        _has_calls: bool,
        usage: &UsageReport,
        out: &mut Vec<u8>,
    ) -> Result<(), UnclearCalls> {
        self.close(last_status(finish), out)?;
        let kind = if finish.may_cut() {
            "response.incomplete"
        } else {
            "response.completed"
        };
        let progress = progress(finish, usage);
        let events = &mut self.events;
        self.response.write_event(kind, &progress, events, out);
        Ok(())
    }

    fn fail(&mut self, failure: &ReportedFailure, out: &mut Vec<u8>) {
        let Self {
            events, response, ..
        } = self;
        with_stream_failure(failure, |failure| failure.write(events, response, out));
    }

    fn fail_in_gateway(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        stream_failure(error).write(&mut self.events, &self.response, out);
    }
}
