//! What is past in a conversation. Parts of it without a counterpart become text: an
//! error would end the conversation, since the client sends them again with each
//! request, and the model has to know what its responses were about.

use serde_json::Value;

use super::field::JsonField;
use super::text::Text;

/// The members with text for a reader, in the order in which it is read. The others
/// are ids, data and signatures.
const READABLE: [&str; 37] = [
    "server_label",
    "name",
    "tool_name",
    "title",
    "filename",
    "url",
    "query",
    "queries",
    "pattern",
    "input",
    "arguments",
    "action",
    "command",
    "commands",
    "code",
    "operation",
    "path",
    "diff",
    "text",
    "transcript",
    "context",
    "revised_prompt",
    "stdout",
    "stderr",
    "output",
    "outputs",
    "logs",
    "results",
    "error_code",
    "error_message",
    "source",
    "content",
    "tool_references",
    "file",
    "image_url",
    "function",
    "custom",
];

/// The index of the last user message: what the client asks for now, except for the
/// tool results in it. All else is past.
pub(super) fn present_index(messages: &[JsonField<'_>]) -> Option<usize> {
    messages.iter().rposition(|message| {
        let role = message.object().ok();
        let role = role.and_then(|mut message| message.take("role"));
        role.is_some_and(|role| role.equals_any_of(&["\"user\""]))
    })
}

/// The type of a part in brackets, then its text, a line for each member.
pub(super) fn as_text(part: &JsonField<'_>) -> Text<'static> {
    let part = parse(part);
    let kind = part.get("type").or_else(|| part.get("role"));
    describe(kind.and_then(Value::as_str).unwrap_or("part"), &part)
}

/// As [`as_text`], of a member that has no type.
pub(super) fn member_as_text(name: &str, member: &JsonField<'_>) -> Text<'static> {
    describe(name, &parse(member))
}

fn parse(field: &JsonField<'_>) -> Value {
    serde_json::from_str(field.raw().get()).unwrap_or_default()
}

fn describe(kind: &str, part: &Value) -> Text<'static> {
    let mut lines = vec![format!("[{kind}]")];
    collect(part, &mut lines);
    Text::encode(&lines.join("\n"))
}

fn collect(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::String(text) if is_readable(text) => lines.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, lines)),
        Value::Object(members) => {
            let is_text = members.get("type").and_then(Value::as_str) == Some("text");
            let data = is_text.then_some("data");
            for name in READABLE.into_iter().chain(data) {
                match (name, members.get(name)) {
                    ("input", Some(input @ Value::Object(_))) => lines.push(input.to_string()),
                    (_, Some(member)) => collect(member, lines),
                    (_, None) => {}
                }
            }
        }
        _ => {}
    }
}

/// Data URLs would be a flood of tokens.
fn is_readable(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("data:")
}
