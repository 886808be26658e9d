//! A chat completion as a message.

use serde::Serialize;
use serde_json::value::RawValue;

use super::completion::{self, Call, Completion, Said, Usage};
use crate::dialect::field::json;
use crate::dialect::text::Text;
use crate::dialect::{Answer, Unreadable};

#[derive(Serialize)]
struct Message<'a> {
    id: Text<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<()>,
    usage: Usage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Thinking {
        thinking: Text<'a>,
        /// Only Anthropic signs.
        signature: &'static str,
    },
    Text {
        text: Text<'a>,
    },
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        input: Box<RawValue>,
    },
}

pub fn translate(body: &[u8], answer: &Answer<'_>) -> Result<Vec<u8>, Unreadable> {
    let completion: Completion<'_> = serde_json::from_slice(body).map_err(|_| Unreadable)?;
    let choice = completion.choices.into_iter().flatten().next();
    let choice = choice.ok_or(Unreadable)?;
    let content = blocks(choice.message.ok_or(Unreadable)?, answer)?;
    let any_calls = content
        .iter()
        .any(|block| matches!(block, Block::ToolUse { .. }));
    let finish_reason = choice.finish_reason.unwrap_or_else(|| Text::of("stop"));
    let message = Message {
        id: answer.id_or(completion.id),
        kind: "message",
        role: "assistant",
        model: answer.model,
        content,
        stop_reason: completion::stop_reason(&finish_reason, any_calls),
        stop_sequence: None,
        usage: Usage::find(body).unwrap_or_default(),
    };
    Ok(json(&message))
}

fn blocks<'a>(said: Said<'a>, answer: &Answer<'_>) -> Result<Vec<Block<'a>>, Unreadable> {
    let mut blocks = Vec::new();
    blocks.extend(said.thoughts().map(|thinking| Block::Thinking {
        thinking,
        signature: "",
    }));
    blocks.extend(said.words().map(|text| Block::Text { text }));
    for (place, call) in said.tool_calls.into_iter().flatten().enumerate() {
        blocks.push(tool_use(call, place, answer)?);
    }
    Ok(blocks)
}

fn tool_use<'a>(
    call: Call<'a>,
    place: usize,
    answer: &Answer<'_>,
) -> Result<Block<'a>, Unreadable> {
    let function = call.function.ok_or(Unreadable)?;
    let arguments = function.arguments();
    let arguments = arguments
        .as_ref()
        .map(|text| text.decode().ok_or(Unreadable));
    let arguments = arguments.transpose()?;
    let input = RawValue::from_string(arguments.unwrap_or("{}".into()).trim().to_owned())
        .ok()
        .filter(|input| input.get().starts_with('{'));
    Ok(Block::ToolUse {
        id: call
            .id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| completion::call_id(answer.id, place)),
        name: function.name.ok_or(Unreadable)?,
        input: input.ok_or(Unreadable)?,
    })
}
