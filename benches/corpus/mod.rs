//! Request bodies as clients of today send them. The same at every run, so that
//! figures of two builds compare.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::{Value, json};

/// What stands in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Content {
    /// A coding agent's: a system prompt, schemas of tools, calls of tools, and files
    /// as their results. An escape about every thirtieth byte.
    Agent,
    /// One picture in base64.
    Picture,
    /// Messages of a few words.
    ShortMessages,
    /// English text with an escape about every fortieth byte.
    Prose,
}

/// Tools that an agent declares.
const TOOL_COUNT: usize = 18;

impl Content {
    /// A chat request of about `bytes` bytes, its `model` after the messages, as the
    /// official Python SDK writes it.
    pub fn body(self, bytes: usize, model: &str, streams: bool) -> Vec<u8> {
        let mut rng = Rng::with_seed(7);
        let (messages, tools) = match self {
            Self::Agent => {
                let tools = tools();
                let rest = bytes.saturating_sub(tools.to_string().len());
                (agent_messages(&mut rng, rest), Some(tools))
            }
            Self::Picture => (picture_messages(&mut rng, bytes), None),
            Self::ShortMessages => (short_messages(bytes), None),
            Self::Prose => (prose_messages(bytes), None),
        };
        let tools = tools.map_or_else(String::new, |tools| format!(r#","tools":{tools}"#));
        let messages = Value::from(messages);
        format!(r#"{{"messages":{messages},"model":"{model}"{tools},"stream":{streams}}}"#)
            .into_bytes()
    }
}

fn tools() -> Value {
    let argument = json!({
        "type": "string",
        "description": "The absolute path of the file to read, \"quoted\" where needed",
    });
    let tool = |number: usize| {
        json!({
            "type": "function",
            "function": {
                "name": format!("tool_{number}"),
                "description": "Reads a file from the local file system. ".repeat(12),
                "parameters": {
                    "type": "object",
                    "properties": {"path": argument, "offset": argument, "limit": argument},
                    "required": ["path"],
                },
            },
        })
    };
    (0..TOOL_COUNT).map(tool).collect()
}

fn agent_messages(rng: &mut Rng, bytes: usize) -> Vec<Value> {
    let mut messages = vec![json!({"role": "system", "content": source_file(rng, 6_000)})];
    let mut length = messages[0].to_string().len();
    let mut turn = 0;
    while length < bytes {
        turn += 1;
        let size = rng.usize(1_000..16_000).min(bytes - length);
        let arguments = json!({"path": format!("/src/{turn}.rs"), "offset": 0}).to_string();
        let call = json!({
            "id": format!("call_{turn}"),
            "type": "function",
            "function": {"name": "tool_1", "arguments": arguments},
        });
        let turn = [
            json!({"role": "assistant", "content": null, "tool_calls": [call]}),
            json!({
                "role": "tool",
                "tool_call_id": format!("call_{turn}"),
                "content": source_file(rng, size),
            }),
            json!({"role": "user", "content": format!("ok, go on — {turn}")}),
        ];
        length += turn
            .iter()
            .map(|it| it.to_string().len() + 1)
            .sum::<usize>();
        messages.extend(turn);
    }
    messages
}

fn picture_messages(rng: &mut Rng, bytes: usize) -> Vec<Value> {
    let mut picture = vec![0; bytes * 3 / 4];
    rng.fill(&mut picture);
    let url = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    vec![json!({"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]})]
}

fn short_messages(bytes: usize) -> Vec<Value> {
    let message = |number: usize| {
        let role = if number.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        };
        json!({"role": role, "content": format!("Hello there, message number {number}")})
    };
    let length = message(1_000).to_string().len() + 1;
    (0..bytes / length).map(message).collect()
}

fn prose_messages(bytes: usize) -> Vec<Value> {
    let text = "Tell me of \"the sea\", in the words of one who never saw it.\n";
    // Three escapes.
    let count = bytes / (text.len() + 3);
    vec![json!({"role": "user", "content": text.repeat(count)})]
}

/// Text like a source file, with the indentation, quotes, line ends and few letters
/// outside ASCII of one, of about `bytes` bytes when it is encoded as JSON.
fn source_file(rng: &mut Rng, bytes: usize) -> String {
    const WORDS: [&str; 16] = [
        "request",
        "response",
        "body",
        "frame",
        "worker",
        "upstream",
        "limit",
        "self.inner",
        "deadline",
        "permit",
        "buffer",
        "let mut",
        "match",
        "async fn",
        "Ok(())",
        "Vec<u8>",
    ];
    let mut text = String::with_capacity(bytes);
    let mut escapes = 0;
    while text.len() + escapes < bytes {
        let indent = rng.usize(0..5) * 4;
        text.extend(std::iter::repeat_n(' ', indent));
        for _ in 0..rng.usize(1..8) {
            text.push_str(WORDS[rng.usize(0..WORDS.len())]);
            text.push(' ');
        }
        match rng.u8(0..20) {
            0..6 => {
                text.push_str("(\"a value\", \"another\")");
                escapes += 4;
            }
            6 => text.push_str("// wie gewöhnlich – 値"),
            _ => text.push_str("{ value: 0x7f }"),
        }
        text.push('\n');
        escapes += 1;
    }
    text
}
