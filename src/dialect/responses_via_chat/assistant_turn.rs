//! Items of the assistant that become one message.

use serde_json::value::RawValue;

use super::encrypted_content;
use crate::dialect::ChatUpstream;
use crate::dialect::chat::ChatToolCall;
use crate::dialect::chat_request::ChatRequestMessage;
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// Between the texts of several items.
const SEPARATOR: &str = "\\n\\n";

/// Consecutive items of the assistant.
#[derive(Default)]
pub(super) struct AssistantTurn<'a> {
    reasoning: Vec<Text<'a>>,
    thinking_blocks: Vec<Box<RawValue>>,
    texts: Vec<Text<'a>>,
    tool_calls: Vec<ChatToolCall<'a>>,
    /// The ids of the calls, as the client wrote them.
    pub(super) call_ids: Vec<String>,
}

impl<'a> AssistantTurn<'a> {
    pub(super) fn add_text(&mut self, text: Text<'a>) {
        self.texts.push(text);
    }

    pub(super) fn add_call(&mut self, id: String, call: ChatToolCall<'a>) {
        self.call_ids.push(id);
        self.tool_calls.push(call);
    }

    /// The text of the reasoning, or else its summary.
    pub(super) fn add_reasoning(
        &mut self,
        mut item: JsonObject<'a>,
        upstream: &ChatUpstream<'_>,
    ) -> Result<(), TranslationError> {
        if upstream.thinking_blocks {
            let content = item.take("encrypted_content");
            let content = content.map(|content| content.string()).transpose()?;
            let blocks = content.map(|content| encrypted_content::unseal(&content));
            self.thinking_blocks.extend(blocks.unwrap_or_default());
        }
        let content = texts(item.take("content").as_ref())?;
        let summary = texts(item.take("summary").as_ref())?;
        self.reasoning
            .extend(if content.is_empty() { summary } else { content });
        Ok(())
    }

    /// `None` if nothing is left of it. A message after the last one of the user is of
    /// the `current` turn.
    ///
    /// `DeepSeek` rejects a call, of any turn, without its `reasoning_content`, even an
    /// empty one ("Thinking Mode", Tool Calls), and ignores that of earlier turns without
    /// calls.
    pub(super) fn into_message(
        self,
        upstream: &ChatUpstream<'_>,
        is_current: bool,
    ) -> Option<ChatRequestMessage<'a>> {
        let has_calls = !self.tool_calls.is_empty();
        let mut reasoning = Text::join(&self.reasoning, SEPARATOR);
        if has_calls {
            reasoning.get_or_insert_with(|| Text::encode(""));
        }
        let reasoning =
            reasoning.filter(|_| upstream.reasoning_history && (has_calls || is_current));
        let content = Text::join(&self.texts, SEPARATOR);
        let is_empty = !has_calls
            && content.is_none()
            && reasoning.is_none()
            && self.thinking_blocks.is_empty();
        (!is_empty).then(|| ChatRequestMessage::Assistant {
            content: content.or_else(|| (!has_calls).then(|| Text::encode(""))),
            reasoning_content: reasoning,
            thinking_blocks: self.thinking_blocks,
            tool_calls: self.tool_calls,
        })
    }
}

/// Of parts with a `text`.
fn texts<'a>(parts: Option<&JsonField<'a>>) -> Result<Vec<Text<'a>>, TranslationError> {
    let parts = parts.map_or(Ok(Vec::new()), JsonField::array)?;
    let text = |part: &JsonField<'a>| part.object()?.take_text("text");
    let texts = parts.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let is_text = |text: &Text<'_>| !text.is_empty();
    Ok(texts.into_iter().flatten().filter(is_text).collect())
}
