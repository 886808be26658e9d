//! A call that is being written.

use serde_json::value::RawValue;

use super::custom_input::CustomInput;
use super::echo::{ToolKind, ToolOrigin};
use super::escaped_text::EscapedText;
use super::event::{ItemEvent, ItemSink, OutputItemKey};
use super::item::{ItemStatus, OutputItem};
use crate::dialect::chat_upstream::UnclearCalls;
use crate::dialect::text::Text;

const NO_ARGUMENTS: &str = "{}";

#[derive(Debug)]
pub(super) struct OpenCall {
    key: OutputItemKey,
    kind: ToolKind,
    namespace: Option<String>,
    name: Text<'static>,
    call_id: Text<'static>,
    /// The arguments, or the input of a custom tool, as escaped text.
    text: String,
    /// Of a custom tool.
    input: CustomInput,
    /// Of another one.
    escaped: EscapedText,
}

impl OpenCall {
    /// `origin` is `None` for a function that has the upstream's name.
    pub(super) fn new(
        key: OutputItemKey,
        call_id: Text<'_>,
        upstream_name: Text<'_>,
        origin: Option<&ToolOrigin>,
    ) -> Self {
        let own_name = origin.map(|origin| Text::encode(&origin.name));
        Self {
            key,
            kind: origin.map_or(ToolKind::Function, |origin| origin.kind),
            namespace: origin.and_then(|origin| origin.namespace.clone()),
            name: own_name.unwrap_or_else(|| upstream_name.into_owned()),
            call_id: call_id.into_owned(),
            text: String::new(),
            input: CustomInput::default(),
            escaped: EscapedText::default(),
        }
    }

    pub(super) fn start(&self, sink: &mut ItemSink<'_>) -> Result<(), UnclearCalls> {
        let arguments = object(NO_ARGUMENTS)?;
        let item = self.item(ItemStatus::InProgress, Text::encode(""), &arguments);
        sink.start(&self.key, &item);
        Ok(())
    }

    pub(super) fn write_arguments(
        &mut self,
        arguments: Text<'_>,
        sink: &mut ItemSink<'_>,
    ) -> Result<(), UnclearCalls> {
        let delta = match self.kind {
            ToolKind::Custom => {
                let input = self.input.push(&arguments).map_err(|_| UnclearCalls)?;
                Text::concat(&[&input])
            }
            ToolKind::Function | ToolKind::Search => self.escaped.join(arguments),
        };
        self.write_delta(delta.ok_or(UnclearCalls)?, sink);
        Ok(())
    }

    pub(super) fn finish(mut self, sink: &mut ItemSink<'_>) -> Result<(), UnclearCalls> {
        let rest = match self.kind {
            ToolKind::Custom => {
                let input = std::mem::take(&mut self.input);
                input.finish().map_err(|_| UnclearCalls)?
            }
            // Clients parse the arguments as JSON, so they must not be empty.
            ToolKind::Function | ToolKind::Search if self.text.is_empty() => {
                NO_ARGUMENTS.to_owned()
            }
            ToolKind::Function | ToolKind::Search => String::new(),
        };
        self.write_delta(Text::concat(&[&rest]).ok_or(UnclearCalls)?, sink);
        let text = Text::concat(&[&self.text]).ok_or(UnclearCalls)?;
        let event = ItemEvent::of(&self.key);
        let mut arguments = None;
        match self.kind {
            ToolKind::Function => {
                let arguments = Some(text.borrowed());
                let event = ItemEvent { arguments, ..event };
                sink.write("response.function_call_arguments.done", &event);
            }
            ToolKind::Custom => {
                let input = Some(text.borrowed());
                let event = ItemEvent { input, ..event };
                sink.write("response.custom_tool_call_input.done", &event);
            }
            ToolKind::Search => arguments = text.decode(),
        }
        let arguments = object(arguments.as_deref().unwrap_or(NO_ARGUMENTS))?;
        let item = self.item(ItemStatus::Completed, text.borrowed(), &arguments);
        sink.finish(&self.key, &item);
        Ok(())
    }

    fn write_delta(&mut self, delta: Text<'_>, sink: &mut ItemSink<'_>) {
        if delta.is_empty() {
            return;
        }
        self.text.push_str(delta.escaped());
        let kind = match self.kind {
            ToolKind::Function => "response.function_call_arguments.delta",
            ToolKind::Custom => "response.custom_tool_call_input.delta",
            // It has no events of its own.
            ToolKind::Search => return,
        };
        let event = ItemEvent {
            delta: Some(delta),
            ..ItemEvent::of(&self.key)
        };
        sink.write(kind, &event);
    }

    /// `arguments` are those of a search, `text` those of other calls.
    fn item<'a>(
        &'a self,
        status: ItemStatus,
        text: Text<'a>,
        arguments: &'a RawValue,
    ) -> OutputItem<'a> {
        let (id, namespace) = (&*self.key.id, self.namespace.as_deref());
        let (name, call_id) = (self.name.borrowed(), self.call_id.borrowed());
        match self.kind {
            ToolKind::Function => OutputItem::FunctionCall {
                id,
                status,
                arguments: text,
                call_id,
                name,
                namespace,
            },
            ToolKind::Custom => OutputItem::CustomToolCall {
                id,
                status,
                call_id,
                input: text,
                name,
                namespace,
            },
            ToolKind::Search => OutputItem::ToolSearchCall {
                id,
                status,
                execution: "client",
                arguments,
                call_id,
            },
        }
    }
}

/// Line feeds would end a line of the event; outside of strings they mean nothing.
fn object(json: &str) -> Result<Box<RawValue>, UnclearCalls> {
    let json = json.trim().replace(['\n', '\r'], " ");
    RawValue::from_string(json).map_err(|_| UnclearCalls)
}
