//! The output items of a stream.

use super::keyed_items::ItemKey;
use super::open_calls::OpenCalls;
use super::open_messages::OpenMessages;
use super::open_reasoning::OpenReasoning;
use super::upstream::{ItemKind, UpstreamItem};
use crate::dialect::chat::ChunkWriter;

#[derive(Debug)]
pub(super) struct OpenItems {
    pub(super) messages: OpenMessages,
    pub(super) reasoning: OpenReasoning,
    pub(super) calls: OpenCalls,
}

/// The events violate the protocol, or a call is invalid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidItems;

impl OpenItems {
    pub(super) fn new(fallback_id: &str) -> Self {
        Self {
            messages: OpenMessages::default(),
            reasoning: OpenReasoning::default(),
            calls: OpenCalls::new(fallback_id),
        }
    }

    /// A whole item: what was not sent of it is sent.
    pub(super) fn on_item(
        &mut self,
        key: &ItemKey<'_>,
        item: &UpstreamItem<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        match item.kind() {
            ItemKind::Message(parts) => self.messages.on_message(key, parts, writer, out),
            ItemKind::Reasoning(texts) => self.reasoning.on_item(key, texts, writer, out),
            ItemKind::Call(call) => self.calls.on_item(key, &call, writer, out),
            ItemKind::Other => Ok(()),
        }
    }

    /// The output of a complete response. Of text and reasoning, it counts if none was
    /// sent, since its indexes and ids may differ from those of the events.
    pub(super) fn on_output(
        &mut self,
        output: &[UpstreamItem<'_>],
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let needs_text = self.messages.is_empty();
        let needs_reasoning = self.reasoning.is_empty();
        let mut calls = 0;
        // A number that no event has.
        let keys = (0..u64::MAX).map(|number| ItemKey::new(Some(u64::MAX - number), None));
        for (item, key) in output.iter().zip(keys) {
            match item.kind() {
                ItemKind::Message(parts) if needs_text => {
                    self.messages.on_message(&key, parts, writer, out)?;
                }
                ItemKind::Reasoning(texts) if needs_reasoning => {
                    self.reasoning.on_item(&key, texts, writer, out)?;
                }
                ItemKind::Call(call) => {
                    self.calls.on_output(calls, &call, writer, out)?;
                    calls += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
