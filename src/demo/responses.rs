//! The Responses API; its streams have named events.

use serde_json::{Value, json};

use super::DemoResponse;
use super::body::DemoEvent;
use super::error::DemoError;
use super::generate::GeneratedText;
use super::request::{DemoRequest, DemoUsage};

const DELTA: &str = "response.output_text.delta";

pub fn respond(request: &DemoRequest) -> Result<DemoResponse, DemoError> {
    let (text, usage) = request.generate("input")?;
    if request.streams() {
        return Ok(DemoResponse::Stream(stream(request, &text, usage)));
    }
    Ok(DemoResponse::Json(final_response(request, &text, usage)))
}

fn stream(request: &DemoRequest, generated: &GeneratedText, usage: DemoUsage) -> Vec<DemoEvent> {
    let in_progress = response(request, "in_progress", &[], None, None);
    let text = generated.text.as_str();
    let last_response = final_response(request, generated, usage);
    let last = if generated.is_cut {
        "response.incomplete"
    } else {
        "response.completed"
    };
    let mut events = vec![
        ("response.created", json!({"response": in_progress})),
        ("response.in_progress", json!({"response": in_progress})),
        (
            "response.output_item.added",
            json!({"item": message(request, "in_progress", &[])}),
        ),
        ("response.content_part.added", json!({"part": part("")})),
    ];
    for word in generated.words() {
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
            json!({"item": message(request, status(generated), &[part(text)])}),
        ),
        (last, json!({"response": last_response})),
    ]);
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(number, (name, data))| event(request, number, name, data))
        .collect()
}

/// An event with the fields that all events of its kind have.
fn event(request: &DemoRequest, number: usize, name: &str, mut data: Value) -> DemoEvent {
    if let Some(members) = data.as_object_mut() {
        members.insert("type".into(), name.into());
        members.insert("sequence_number".into(), number.into());
        if !members.contains_key("response") {
            members.insert("output_index".into(), 0.into());
        }
        if name.contains("_part.") || name.contains("_text.") {
            members.insert("content_index".into(), 0.into());
            members.insert("item_id".into(), message_id(request).into());
        }
    }
    let event = DemoEvent::named(name, &data);
    if name == DELTA { event.paced() } else { event }
}

fn final_response(request: &DemoRequest, text: &GeneratedText, usage: DemoUsage) -> Value {
    let output = [message(request, status(text), &[part(&text.text)])];
    let reason = text.is_cut.then_some("max_output_tokens");
    response(request, status(text), &output, reason, Some(usage))
}

fn response(
    request: &DemoRequest,
    status: &str,
    output: &[Value],
    reason: Option<&str>,
    usage: Option<DemoUsage>,
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
        "id": format!("resp_{}", request.id),
        "object": "response",
        "created_at": request.created,
        "status": status,
        "error": null,
        "incomplete_details": details,
        "instructions": null,
        "max_output_tokens": request.max_output_tokens,
        "metadata": {},
        "model": request.model,
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

fn message(request: &DemoRequest, status: &str, content: &[Value]) -> Value {
    json!({
        "id": message_id(request),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    })
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn status(text: &GeneratedText) -> &'static str {
    if text.is_cut {
        "incomplete"
    } else {
        "completed"
    }
}

fn message_id(request: &DemoRequest) -> String {
    format!("msg_{}", request.id)
}
