//! Thinking that is being written.
//!
//! It becomes a summary, which is what clients show: Codex by default, the AI SDK and
//! others always. Raw reasoning (`response.reasoning_text.delta`) most of them drop.

use serde::Serialize;

use super::encrypted_content;
use super::escaped_text::EscapedText;
use super::event::{EventPart, ItemEvent, ItemSink, OutputItemKey};
use super::item::{OutputItem, SummaryPart};
use crate::dialect::chat_upstream::UnclearCalls;
use crate::dialect::chat_upstream::completion::UpstreamThinkingBlock;
use crate::dialect::field::to_json;
use crate::dialect::text::Text;

#[derive(Debug)]
pub(super) struct OpenThinking {
    key: OutputItemKey,
    /// Escaped text.
    summary: Option<String>,
    escaped: EscapedText,
    blocks: Vec<SignedThinking>,
}

/// A block of `thinking_blocks`, with escaped texts.
#[derive(Debug, Default)]
struct SignedThinking {
    index: Option<u64>,
    thinking: String,
    signature: String,
    data: String,
}

/// A block as the provider gets it back.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SealedBlock {
    Thinking {
        thinking: Text<'static>,
        signature: Text<'static>,
    },
    RedactedThinking {
        data: Text<'static>,
    },
}

// === impl OpenThinking ===

impl OpenThinking {
    pub(super) fn start(key: OutputItemKey, sink: &mut ItemSink<'_>) -> Self {
        let item = OutputItem::Reasoning {
            id: &key.id,
            summary: &[],
            encrypted_content: None,
        };
        sink.start(&key, &item);
        Self {
            key,
            summary: None,
            escaped: EscapedText::default(),
            blocks: Vec::new(),
        }
    }

    pub(super) fn write_text(
        &mut self,
        text: Text<'_>,
        sink: &mut ItemSink<'_>,
    ) -> Result<(), UnclearCalls> {
        let text = self.escaped.join(text).ok_or(UnclearCalls)?;
        self.write_delta(text, sink);
        Ok(())
    }

    fn write_delta(&mut self, text: Text<'_>, sink: &mut ItemSink<'_>) {
        if text.is_empty() {
            return;
        }
        if self.summary.is_none() {
            let part = SummaryPart {
                text: Text::encode(""),
            };
            let event = ItemEvent {
                part: Some(EventPart::Summary(part)),
                ..self.summary_event()
            };
            sink.write("response.reasoning_summary_part.added", &event);
        }
        let summary = self.summary.get_or_insert_default();
        summary.push_str(text.escaped());
        let event = ItemEvent {
            delta: Some(text),
            ..self.summary_event()
        };
        sink.write("response.reasoning_summary_text.delta", &event);
    }

    /// A block, or a part of one.
    pub(super) fn push_block(&mut self, part: &UpstreamThinkingBlock<'_>) {
        let is_continued = |block: &SignedThinking| match part.index {
            Some(_) => block.index == part.index,
            // The signature is the last part of a block.
            None => block.signature.is_empty() && part.data.is_none() && block.data.is_empty(),
        };
        if !self.blocks.last().is_some_and(is_continued) {
            self.blocks.push(SignedThinking {
                index: part.index,
                ..SignedThinking::default()
            });
        }
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        for (text, whole) in [
            (&part.thinking, &mut block.thinking),
            (&part.signature, &mut block.signature),
            (&part.data, &mut block.data),
        ] {
            whole.push_str(text.as_ref().map_or("", Text::escaped));
        }
    }

    pub(super) fn finish(mut self, sink: &mut ItemSink<'_>) -> Result<(), UnclearCalls> {
        if let Some(rest) = self.escaped.finish() {
            self.write_delta(rest, sink);
        }
        let summary = self.summary.as_deref().map(|text| Text::concat(&[text]));
        let summary = summary.map(|text| text.ok_or(UnclearCalls)).transpose()?;
        if let Some(text) = &summary {
            let event = ItemEvent {
                text: Some(text.borrowed()),
                ..self.summary_event()
            };
            sink.write("response.reasoning_summary_text.done", &event);
            let part = SummaryPart {
                text: text.borrowed(),
            };
            let event = ItemEvent {
                part: Some(EventPart::Summary(part)),
                ..self.summary_event()
            };
            sink.write("response.reasoning_summary_part.done", &event);
        }
        let encrypted_content = seal(&self.blocks);
        let summary: Vec<_> = summary
            .map(|text| SummaryPart { text })
            .into_iter()
            .collect();
        let item = OutputItem::Reasoning {
            id: &self.key.id,
            summary: &summary,
            encrypted_content: encrypted_content.as_deref(),
        };
        sink.finish(&self.key, &item);
        Ok(())
    }

    fn summary_event(&self) -> ItemEvent<'_> {
        ItemEvent {
            summary_index: Some(0),
            ..ItemEvent::of(&self.key)
        }
    }
}

/// `None` if no block is signed: the summary says all that is known.
fn seal(blocks: &[SignedThinking]) -> Option<String> {
    let blocks: Vec<_> = blocks.iter().filter_map(SignedThinking::sealed).collect();
    (!blocks.is_empty()).then(|| encrypted_content::seal(&to_json(&blocks)))
}

// === impl SignedThinking ===

impl SignedThinking {
    fn sealed(&self) -> Option<SealedBlock> {
        if !self.data.is_empty() {
            let data = Text::concat(&[&self.data])?;
            return Some(SealedBlock::RedactedThinking { data });
        }
        if self.signature.is_empty() {
            return None;
        }
        Some(SealedBlock::Thinking {
            thinking: Text::concat(&[&self.thinking])?,
            signature: Text::concat(&[&self.signature])?,
        })
    }
}
