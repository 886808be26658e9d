//! The Responses API, whose streams have named events.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, Usage};
use super::fault::Fault;
use super::pace::Piece;
use super::{CREATED, Reply};

/// The event that carries a word.
const DELTA: &str = "response.output_text.delta";

/// The answer to a call.
pub fn reply(call: &Call) -> Result<Reply, Fault> {
    let (answer, usage) = call.answer("input")?;
    if call.streams() {
        return Ok(Reply::Stream(stream(call, &answer, usage)));
    }
    Ok(Reply::Json(ended(call, &answer, usage)))
}

fn stream(call: &Call, answer: &Answer, usage: Usage) -> Vec<Piece> {
    let begun = response(call, "in_progress", &[], None, None);
    let text = answer.text.as_str();
    let ended = ended(call, answer, usage);
    let last = if answer.cut {
        "response.incomplete"
    } else {
        "response.completed"
    };
    let mut events = vec![
        ("response.created", json!({"response": begun})),
        ("response.in_progress", json!({"response": begun})),
        (
            "response.output_item.added",
            json!({"item": message(call, "in_progress", &[])}),
        ),
        ("response.content_part.added", json!({"part": part("")})),
    ];
    for word in answer.words() {
        events.push((DELTA, json!({"delta": word, "logprobs": []})));
    }
    events.extend([
        (
            "response.output_text.done",
            json!({"text": text, "logprobs": []}),
        ),
        ("response.content_part.done", json!({"part": part(text)})),
        (
            "response.output_item.done",
            json!({"item": message(call, status(answer), &[part(text)])}),
        ),
        (last, json!({"response": ended})),
    ]);
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(number, (name, event))| piece(call, number, name, event))
        .collect()
}

/// An event with what every one of its kind has besides.
fn piece(call: &Call, number: usize, name: &str, mut event: Value) -> Piece {
    if let Some(members) = event.as_object_mut() {
        members.insert("type".into(), name.into());
        members.insert("sequence_number".into(), number.into());
        if !members.contains_key("response") {
            members.insert("output_index".into(), 0.into());
        }
        if name.contains("_part.") || name.contains("_text.") {
            members.insert("content_index".into(), 0.into());
            members.insert("item_id".into(), message_id(call).into());
        }
    }
    let piece = Piece::named(name, &event);
    if name == DELTA { piece.spoken() } else { piece }
}

/// The response with all that is in it.
fn ended(call: &Call, answer: &Answer, usage: Usage) -> Value {
    let output = [message(call, status(answer), &[part(&answer.text)])];
    let reason = answer.cut.then_some("max_output_tokens");
    response(call, status(answer), &output, reason, Some(usage))
}

fn response(
    call: &Call,
    status: &str,
    output: &[Value],
    reason: Option<&str>,
    usage: Option<Usage>,
) -> Value {
    let details = reason.map(|reason| json!({"reason": reason}));
    let usage = usage.map(|usage| {
        json!({
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": usage.input + usage.output,
        })
    });
    json!({
        "id": format!("resp_{}", call.id),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": null,
        "incomplete_details": details,
        "instructions": null,
        "max_output_tokens": call.max_output_tokens,
        "metadata": {},
        "model": call.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "store": false,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
    })
}

fn message(call: &Call, status: &str, content: &[Value]) -> Value {
    json!({
        "id": message_id(call),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    })
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn status(answer: &Answer) -> &'static str {
    if answer.cut {
        "incomplete"
    } else {
        "completed"
    }
}

fn message_id(call: &Call) -> String {
    format!("msg_{}", call.id)
}
