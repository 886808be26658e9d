//! The reasoning of a stream, and what of it was sent.

use super::keyed_items::{ItemKey, KeyedItems};
use super::open_items::InvalidItems;
use crate::dialect::chat::{ChatDelta, ChunkWriter};
use crate::dialect::text::Text;

#[derive(Debug, Default)]
pub(super) struct OpenReasoning {
    items: KeyedItems<SentReasoning>,
    is_begun: bool,
}

#[derive(Debug)]
struct SentReasoning {
    source: ReasoningSource,
    /// Indexes of parts.
    parts: Vec<Option<u64>>,
    is_closed: bool,
}

/// Some upstreams send the same text as both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReasoningSource {
    Summary,
    Content,
}

/// Some text of one part.
pub(super) struct ReasoningText<'a> {
    pub(super) source: ReasoningSource,
    pub(super) index: Option<u64>,
    pub(super) text: Text<'a>,
    /// Otherwise the whole part.
    pub(super) is_delta: bool,
}

impl OpenReasoning {
    pub(super) fn is_empty(&self) -> bool {
        !self.is_begun
    }

    pub(super) fn on_text(
        &mut self,
        key: &ItemKey<'_>,
        reasoning: ReasoningText<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let ReasoningText {
            source,
            index,
            text,
            is_delta,
        } = reasoning;
        if text.is_empty() {
            return Ok(());
        }
        let sent = self.item(key, source)?;
        let is_begun = sent.parts.contains(&index);
        if sent.source != source || is_begun && !is_delta {
            return Ok(());
        }
        if !is_begun {
            sent.parts.push(index);
            if std::mem::replace(&mut self.is_begun, true) {
                write(Text::encode("\n\n"), writer, out);
            }
        }
        write(text, writer, out);
        Ok(())
    }

    /// A whole item. If some of it was sent, nothing is sent.
    pub(super) fn on_item(
        &mut self,
        key: &ItemKey<'_>,
        texts: Vec<Text<'_>>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let sent = self.item(key, ReasoningSource::Content)?;
        if !sent.parts.is_empty() {
            sent.is_closed = true;
            return Ok(());
        }
        sent.source = ReasoningSource::Content;
        for (index, text) in (0..).zip(texts) {
            let reasoning = ReasoningText {
                source: ReasoningSource::Content,
                index: Some(index),
                text,
                is_delta: false,
            };
            self.on_text(key, reasoning, writer, out)?;
        }
        self.item(key, ReasoningSource::Content)?.is_closed = true;
        Ok(())
    }

    fn item(
        &mut self,
        key: &ItemKey<'_>,
        source: ReasoningSource,
    ) -> Result<&mut SentReasoning, InvalidItems> {
        let is_open = |item: &SentReasoning| !item.is_closed;
        self.items.find_or_add(key, is_open, || SentReasoning {
            source,
            parts: Vec::new(),
            is_closed: false,
        })
    }
}

fn write(text: Text<'_>, writer: &ChunkWriter, out: &mut Vec<u8>) {
    let delta = ChatDelta {
        reasoning_content: Some(text),
        ..ChatDelta::default()
    };
    writer.write_delta(delta, out);
}
