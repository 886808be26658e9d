//! The messages of a stream, and what of their text was sent.

use super::keyed_items::{ItemKey, KeyedItems};
use super::open_items::InvalidItems;
use super::response::SEPARATOR;
use super::upstream::{Annotation, UpstreamPart};
use crate::dialect::chat::{ChatDelta, ChatLogprobs, ChunkWriter};
use crate::dialect::text::Text;

#[derive(Debug, Default)]
pub(super) struct OpenMessages {
    items: KeyedItems<SentMessage>,
    /// Characters of the text that was sent.
    length: u64,
    has_refusal: bool,
    /// How many were sent.
    annotations: usize,
}

#[derive(Debug, Default)]
struct SentMessage {
    parts: Vec<SentPart>,
    has_annotations: bool,
    is_closed: bool,
}

#[derive(Debug)]
struct SentPart {
    index: Option<u64>,
    /// Characters before its text.
    offset: u64,
}

impl OpenMessages {
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0 && !self.has_refusal
    }

    /// A delta of the text or the refusal of a part.
    pub(super) fn on_delta(
        &mut self,
        key: &ItemKey<'_>,
        index: Option<u64>,
        part: UpstreamPart<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let not_empty = |text: &Text<'_>| !text.is_empty();
        if let Some(refusal) = part.refusal.filter(not_empty) {
            self.has_refusal = true;
            self.begin_part(key, index)?;
            let delta = ChatDelta {
                refusal: Some(refusal),
                ..ChatDelta::default()
            };
            writer.write_delta(delta, out);
        }
        if let Some(text) = part.text.filter(not_empty) {
            if self.begin_part(key, index)? {
                writer.write_text(Text::concat(&[SEPARATOR]), out);
            }
            self.length = self.length.saturating_add(text.characters());
            let logprobs = (!part.logprobs.is_empty()).then_some(ChatLogprobs {
                content: part.logprobs,
                refusal: None,
            });
            writer.write_text_with_logprobs(text, logprobs, out);
        }
        Ok(())
    }

    /// A whole part. If some of it was sent, nothing is sent.
    pub(super) fn on_part(
        &mut self,
        key: &ItemKey<'_>,
        index: Option<u64>,
        part: UpstreamPart<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        if self.message(key)?.part(index).is_some() {
            return Ok(());
        }
        self.on_delta(key, index, part, writer, out)
    }

    /// A whole message.
    pub(super) fn on_message(
        &mut self,
        key: &ItemKey<'_>,
        parts: Vec<UpstreamPart<'_>>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let has_annotations = self.message(key)?.has_annotations;
        for (index, mut part) in (0..).zip(parts) {
            let annotations = part.annotations.take();
            self.on_part(key, Some(index), part, writer, out)?;
            for annotation in annotations.into_iter().flatten() {
                if !has_annotations {
                    self.on_annotation(key, Some(index), &annotation, writer, out)?;
                }
            }
        }
        self.message(key)?.is_closed = true;
        Ok(())
    }

    pub(super) fn on_annotation(
        &mut self,
        key: &ItemKey<'_>,
        index: Option<u64>,
        annotation: &Annotation<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let (length, number) = (self.length, self.annotations);
        let message = self.message(key)?;
        let offset = message.part(index).map_or(length, |part| part.offset);
        if let Some(annotation) = annotation.to_chat(offset, Some(number)) {
            message.has_annotations = true;
            self.annotations += 1;
            let delta = ChatDelta {
                annotations: Some([annotation]),
                ..ChatDelta::default()
            };
            writer.write_delta(delta, out);
        }
        Ok(())
    }

    fn message(&mut self, key: &ItemKey<'_>) -> Result<&mut SentMessage, InvalidItems> {
        self.items
            .find_or_add(key, |message| !message.is_closed, SentMessage::default)
    }

    /// Notes that a part is sent. True if it begins a message behind another one's text.
    fn begin_part(&mut self, key: &ItemKey<'_>, index: Option<u64>) -> Result<bool, InvalidItems> {
        let length = self.length;
        let message = self.message(key)?;
        if message.part(index).is_some() {
            return Ok(false);
        }
        let is_behind = message.parts.is_empty() && length > 0;
        let offset = length + if is_behind { 2 } else { 0 };
        message.parts.push(SentPart { index, offset });
        self.length = offset;
        Ok(is_behind)
    }
}

impl SentMessage {
    /// Some upstreams leave out the index where there is one part.
    fn part(&self, index: Option<u64>) -> Option<&SentPart> {
        let is_same =
            |part: &&SentPart| part.index == index || part.index.is_none() || index.is_none();
        self.parts.iter().find(is_same)
    }
}
