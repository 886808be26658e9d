//! Translates a response into a chat completion.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::upstream::{ItemKind, Outcome, ReceivedResponse, UpstreamCall, UpstreamPart};
use crate::dialect::chat::{ChatCompletion, ChatLogprobs, ChatMessage, ChatToolCall, ChatUsage};
use crate::dialect::field::to_json;
use crate::dialect::text::Text;
use crate::dialect::tool_id;
use crate::dialect::{InvalidUpstreamResponse, ResponseContext};

/// Between the texts of two messages, as escaped text.
pub(super) const SEPARATOR: &str = "\\n\\n";

/// What the output items say.
#[derive(Default)]
struct Content<'a> {
    texts: Vec<Text<'a>>,
    /// Characters of the texts, and of what separates them.
    length: u64,
    refusals: Vec<Text<'a>>,
    reasoning: Vec<Text<'a>>,
    annotations: Vec<Box<RawValue>>,
    logprobs: Vec<&'a RawValue>,
    tool_calls: Vec<ChatToolCall<'a>>,
    /// Of the calls, as escaped text.
    call_ids: HashSet<String>,
}

pub fn translate(
    body: &[u8],
    context: &ResponseContext<'_>,
) -> Result<Vec<u8>, InvalidUpstreamResponse> {
    let response: ReceivedResponse<'_> =
        serde_json::from_slice(body).map_err(|_| InvalidUpstreamResponse)?;
    let outcome = response.outcome();
    let output = response.output.ok_or(InvalidUpstreamResponse)?;
    if outcome == Outcome::Unfinished {
        return Err(InvalidUpstreamResponse);
    }
    let mut parts = Content::default();
    for item in output {
        match item.kind() {
            ItemKind::Message(message) => parts.add_message(message),
            ItemKind::Reasoning(texts) => parts.reasoning.extend(texts),
            ItemKind::Call(call) => parts.add_call(call, context)?,
            ItemKind::Other => {}
        }
    }
    let finish_reason = outcome.finish_reason(!parts.tool_calls.is_empty());
    let logprobs = std::mem::take(&mut parts.logprobs);
    let logprobs = (!logprobs.is_empty()).then_some(ChatLogprobs {
        content: logprobs,
        refusal: None,
    });
    let usage = ChatUsage::from_report(&response.usage);
    let message = parts.into_message();
    let completion = ChatCompletion::new(response.id, message, finish_reason, usage, context);
    let completion = completion
        .with_logprobs(logprobs)
        .with_service_tier(response.service_tier);
    Ok(to_json(&completion))
}

impl<'a> Content<'a> {
    fn add_message(&mut self, parts: Vec<UpstreamPart<'a>>) {
        let mut is_first = true;
        for part in parts {
            self.refusals.extend(part.refusal);
            let Some(text) = part.text.filter(|text| !text.is_empty()) else {
                continue;
            };
            if std::mem::take(&mut is_first) && !self.texts.is_empty() {
                self.add_text(Text::encode("\n\n"));
            }
            let annotations = part.annotations.unwrap_or_default();
            let annotations = annotations.iter();
            let offset = self.length;
            self.annotations
                .extend(annotations.filter_map(|annotation| annotation.to_chat(offset, None)));
            self.logprobs.extend(part.logprobs);
            self.add_text(text);
        }
    }

    fn add_text(&mut self, text: Text<'a>) {
        self.length = self.length.saturating_add(text.characters());
        self.texts.push(text);
    }

    fn add_call(
        &mut self,
        call: UpstreamCall<'a>,
        context: &ResponseContext<'_>,
    ) -> Result<(), InvalidUpstreamResponse> {
        let number = self.tool_calls.len();
        let id = call.call_id;
        let id = id.filter(|id| self.call_ids.insert(id.escaped().to_owned()));
        let generated = || Text::encode(&tool_id::generated(context.fallback_id, number));
        let id = id.unwrap_or_else(generated);
        let name = call.name.ok_or(InvalidUpstreamResponse)?;
        self.tool_calls.push(if call.is_custom {
            let input = call.text.unwrap_or_else(|| Text::encode(""));
            ChatToolCall::custom(id, name, input)
        } else {
            let arguments = call.text.unwrap_or_else(|| Text::encode("{}"));
            ChatToolCall::new(id, name, arguments)
        });
        Ok(())
    }

    fn into_message(self) -> ChatMessage<'a> {
        let is_empty =
            self.texts.is_empty() && self.tool_calls.is_empty() && self.refusals.is_empty();
        ChatMessage {
            role: "assistant",
            content: Text::join(&self.texts, "").or_else(|| is_empty.then(|| Text::encode(""))),
            refusal: Text::join(&self.refusals, ""),
            reasoning_content: Text::join(&self.reasoning, SEPARATOR),
            thinking_blocks: Vec::new(),
            annotations: self.annotations,
            tool_calls: self.tool_calls,
        }
    }
}
