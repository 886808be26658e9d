//! A message that is being written.

use super::escaped_text::EscapedText;
use super::event::{EventPart, ItemEvent, ItemSink, OutputItemKey};
use super::item::{ItemStatus, OutputItem, OutputMessagePart};
use crate::dialect::chat_upstream::UnclearCalls;
use crate::dialect::text::Text;

#[derive(Debug)]
pub(super) struct OpenMessage {
    key: OutputItemKey,
    /// Those that are finished.
    parts: Vec<OutputMessagePart<'static>>,
    /// The open part, with its escaped text.
    part: Option<(MessagePartKind, String)>,
    escaped: EscapedText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessagePartKind {
    Text,
    Refusal,
}

impl OpenMessage {
    pub(super) fn start(key: OutputItemKey, sink: &mut ItemSink<'_>) -> Self {
        let item = OutputItem::message(&key.id, ItemStatus::InProgress, &[]);
        sink.start(&key, &item);
        Self {
            key,
            parts: Vec::new(),
            part: None,
            escaped: EscapedText::default(),
        }
    }

    pub(super) fn write_text(
        &mut self,
        kind: MessagePartKind,
        text: Text<'_>,
        sink: &mut ItemSink<'_>,
    ) -> Result<(), UnclearCalls> {
        if self.part.as_ref().is_none_or(|part| part.0 != kind) {
            self.finish_part(sink)?;
            self.start_part(kind, sink);
        }
        let text = self.escaped.join(text).ok_or(UnclearCalls)?;
        self.write_delta(kind, text, sink);
        Ok(())
    }

    fn write_delta(&mut self, kind: MessagePartKind, text: Text<'_>, sink: &mut ItemSink<'_>) {
        if text.is_empty() {
            return;
        }
        if let Some((_, buffer)) = &mut self.part {
            buffer.push_str(text.escaped());
        }
        let event = ItemEvent {
            delta: Some(text),
            ..self.part_event()
        };
        match kind {
            MessagePartKind::Text => {
                let logprobs = Some([]);
                let event = ItemEvent { logprobs, ..event };
                sink.write("response.output_text.delta", &event);
            }
            MessagePartKind::Refusal => sink.write("response.refusal.delta", &event),
        }
    }

    pub(super) fn finish(
        mut self,
        status: ItemStatus,
        sink: &mut ItemSink<'_>,
    ) -> Result<(), UnclearCalls> {
        self.finish_part(sink)?;
        let item = OutputItem::message(&self.key.id, status, &self.parts);
        sink.finish(&self.key, &item);
        Ok(())
    }

    fn start_part(&mut self, kind: MessagePartKind, sink: &mut ItemSink<'_>) {
        let part = kind.part(Text::encode(""));
        let event = ItemEvent {
            part: Some(EventPart::Content(&part)),
            ..self.part_event()
        };
        sink.write("response.content_part.added", &event);
        self.part = Some((kind, String::new()));
    }

    fn finish_part(&mut self, sink: &mut ItemSink<'_>) -> Result<(), UnclearCalls> {
        if let (Some((kind, _)), Some(rest)) = (&self.part, self.escaped.finish()) {
            self.write_delta(*kind, rest, sink);
        }
        let Some((kind, text)) = self.part.take() else {
            return Ok(());
        };
        let text = Text::concat(&[&text]).ok_or(UnclearCalls)?;
        let event = self.part_event();
        match kind {
            MessagePartKind::Text => {
                let event = ItemEvent {
                    text: Some(text.borrowed()),
                    logprobs: Some([]),
                    ..event
                };
                sink.write("response.output_text.done", &event);
            }
            MessagePartKind::Refusal => {
                let refusal = Some(text.borrowed());
                let event = ItemEvent { refusal, ..event };
                sink.write("response.refusal.done", &event);
            }
        }
        let part = kind.part(text);
        let event = ItemEvent {
            part: Some(EventPart::Content(&part)),
            ..self.part_event()
        };
        sink.write("response.content_part.done", &event);
        self.parts.push(part);
        Ok(())
    }

    /// Of the part that is open, begins or ends.
    fn part_event(&self) -> ItemEvent<'_> {
        ItemEvent {
            content_index: Some(self.parts.len()),
            ..ItemEvent::of(&self.key)
        }
    }
}

impl MessagePartKind {
    fn part(self, text: Text<'static>) -> OutputMessagePart<'static> {
        match self {
            Self::Text => OutputMessagePart::OutputText {
                text,
                annotations: [],
                logprobs: [],
            },
            Self::Refusal => OutputMessagePart::Refusal { refusal: text },
        }
    }
}
