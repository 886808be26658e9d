//! A message as a chat completion.

use serde::Serialize;
use serde_json::value::RawValue;

use super::message::{self, Block, ChatUsage, Message, Thought};
use crate::dialect::field::json;
use crate::dialect::text::Text;
use crate::dialect::{Answer, Unreadable};

#[derive(Serialize)]
struct Completion<'a> {
    id: Text<'a>,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: ChatUsage,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    message: Said<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Option<Text<'a>>,
    refusal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thinking_blocks: Vec<Thought<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: Text<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Text<'a>,
    /// JSON, in a string.
    arguments: &'a str,
}

pub fn translate(body: &[u8], answer: &Answer<'_>) -> Result<Vec<u8>, Unreadable> {
    let message: Message<'_> = serde_json::from_slice(body).map_err(|_| Unreadable)?;
    let stop_reason = message.stop_reason.ok_or(Unreadable)?;
    let mut said = said(message.content)?;
    said.refusal = message.stop_details.and_then(|details| details.explanation);
    let completion = Completion {
        id: answer.id_or(message.id),
        object: "chat.completion",
        created: answer.created,
        model: answer.model,
        choices: [Choice {
            index: 0,
            message: said,
            logprobs: None,
            finish_reason: message::finish_reason(&stop_reason),
        }],
        usage: message.usage.unwrap_or_default().chat(),
    };
    Ok(json(&completion))
}

fn said(content: Vec<Block<'_>>) -> Result<Said<'_>, Unreadable> {
    let mut words = Vec::new();
    let mut thinking_blocks = Vec::new();
    let mut tool_calls = Vec::new();
    for block in content {
        match &*block.kind {
            "text" => words.extend(block.text),
            "thinking" => thinking_blocks.push(Thought {
                index: None,
                kind: "thinking",
                thinking: block.thinking,
                signature: block.signature,
                data: None,
            }),
            "redacted_thinking" => thinking_blocks.push(Thought {
                index: None,
                kind: "redacted_thinking",
                thinking: None,
                signature: None,
                data: block.data,
            }),
            "tool_use" => tool_calls.push(Call {
                id: block.id.ok_or(Unreadable)?,
                kind: "function",
                function: Function {
                    name: block.name.ok_or(Unreadable)?,
                    arguments: block.input.map_or("{}", RawValue::get),
                },
            }),
            // What only comes where it was asked for, which a chat cannot.
            _ => {}
        }
    }
    let thoughts: Vec<_> = thinking_blocks
        .iter()
        .filter_map(|thought| thought.thinking.clone())
        .filter(|thinking| !thinking.is_empty())
        .collect();
    let silent = words.is_empty() && tool_calls.is_empty();
    Ok(Said {
        role: "assistant",
        content: Text::join(&words, "").or_else(|| silent.then(|| Text::of(""))),
        refusal: None,
        reasoning_content: Text::join(&thoughts, "\\n\\n"),
        thinking_blocks,
        tool_calls,
    })
}
