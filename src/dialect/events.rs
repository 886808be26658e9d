//! A complete response as the events of a stream, for clients that asked for a stream
//! at an upstream that does not stream.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::field::write_json;
use super::{Dialect, InvalidUpstreamResponse, chat_via_responses};

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    usage: Raw<'a>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow)]
    finish_reason: Raw<'a>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: Raw<'a>,
    choices: [ChunkChoice<'a>; 1],
    usage: Raw<'a>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u8,
    delta: &'a RawValue,
    finish_reason: FinishReason<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FinishReason<'a> {
    Known(&'a RawValue),
    Default(&'static str),
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Vec<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Raw<'a>,
    #[serde(borrow)]
    stop_details: Raw<'a>,
    #[serde(borrow)]
    usage: Raw<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum MessagesEvent<'a> {
    MessageStart {
        message: &'a RawValue,
    },
    ContentBlockStart {
        index: usize,
        content_block: &'a RawValue,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: StopDelta<'a>,
        usage: Raw<'a>,
    },
    MessageStop,
}

#[derive(Serialize)]
struct StopDelta<'a> {
    stop_reason: FinishReason<'a>,
    stop_details: Raw<'a>,
}

/// The events, in the upstream's dialect, that a complete response with status 2xx
/// stands for.
///
/// # Errors
///
/// The response is not JSON, or has no message.
pub fn response_events(upstream: Dialect, body: &[u8]) -> Result<Vec<u8>, InvalidUpstreamResponse> {
    let events = match upstream {
        Dialect::Chat => chat_events(body),
        Dialect::Messages => messages_events(body),
        Dialect::Responses => chat_via_responses::events::of_response(body),
    };
    events.ok_or(InvalidUpstreamResponse)
}

fn chat_events(body: &[u8]) -> Option<Vec<u8>> {
    let completion: Completion<'_> = serde_json::from_slice(body).ok()?;
    let choice = completion.choices.first()?;
    let chunk = Chunk {
        id: completion.id,
        choices: [ChunkChoice {
            index: 0,
            delta: choice.message,
            finish_reason: FinishReason::or(choice.finish_reason, "stop"),
        }],
        usage: completion.usage,
    };
    let mut out = Vec::new();
    write_event(&chunk, &mut out);
    out.extend_from_slice(b"data: [DONE]\n\n");
    Some(out)
}

fn messages_events(body: &[u8]) -> Option<Vec<u8>> {
    let message: Message<'_> = serde_json::from_slice(body).ok()?;
    let whole = serde_json::from_slice(body).ok()?;
    let mut out = Vec::new();
    write_event(&MessagesEvent::MessageStart { message: whole }, &mut out);
    for (index, content_block) in message.content.into_iter().enumerate() {
        let start = MessagesEvent::ContentBlockStart {
            index,
            content_block,
        };
        write_event(&start, &mut out);
        write_event(&MessagesEvent::ContentBlockStop { index }, &mut out);
    }
    let delta = StopDelta {
        stop_reason: FinishReason::or(message.stop_reason, "end_turn"),
        stop_details: message.stop_details,
    };
    let usage = message.usage;
    write_event(&MessagesEvent::MessageDelta { delta, usage }, &mut out);
    write_event(&MessagesEvent::MessageStop, &mut out);
    Some(out)
}

pub(super) fn write_event(event: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    let start = out.len();
    write_json(event, out);
    // Outside of strings, line ends mean nothing to JSON, but they end a line of an event.
    for byte in out.iter_mut().skip(start) {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\n\n");
}

impl<'a> FinishReason<'a> {
    /// A response that is complete has a reason, even if the upstream names none.
    fn or(reason: Raw<'a>, default: &'static str) -> Self {
        let named = reason.filter(|reason| !matches!(reason.get(), "null" | "\"\""));
        named.map_or(Self::Default(default), Self::Known)
    }
}
