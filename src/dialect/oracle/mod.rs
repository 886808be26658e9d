//! Streams as providers may send them, and what their translation must say, for tests
//! and fuzz targets.

mod chat_stream;
mod completion;
mod message;
mod messages_stream;
mod plan;

use super::{Dialect, ResponseContext, StreamStatus, StreamTranslator};
use plan::{Choices, Content};

/// What both ends of a translation must agree on.
struct Stream {
    events: String,
    content: Content,
    /// A token limit cuts it short.
    is_cut: bool,
    /// The upstream need not say what belongs together.
    may_be_unclear: bool,
}

/// Translates a chat stream built from the bytes for a Messages client: the calls that
/// arrive are those that were sent, or the stream ends with an error.
pub fn check_chat_stream(bytes: &[u8]) {
    let stream = chat_stream::build(&mut Choices::new(bytes));
    let (out, status) = translate(Dialect::Anthropic, &stream.events);
    check(&stream, &message::read(&out), status);
}

/// The same for a Messages stream and a chat client.
pub fn check_messages_stream(bytes: &[u8]) {
    let stream = messages_stream::build(&mut Choices::new(bytes));
    let (out, status) = translate(Dialect::OpenAi, &stream.events);
    check(&stream, &completion::read(&out), status);
}

/// The output must not depend on how the stream is split.
fn translate(client: Dialect, events: &str) -> (String, StreamStatus) {
    let split = |size: usize| {
        let context = ResponseContext {
            model: "alias",
            provider: "up",
            fallback_id: "req_1",
            created: 1,
            include_usage: true,
        };
        let mut translator = StreamTranslator::new(client, &context);
        let mut out = Vec::new();
        for chunk in events.as_bytes().chunks(size) {
            translator.push(chunk, &mut out);
        }
        let status = translator.finish(&mut out);
        (String::from_utf8(out).expect("UTF-8"), status)
    };
    let whole = split(events.len());
    assert_eq!(whole, split(1));
    assert_eq!(whole, split(7));
    whole
}

/// `found` is what the client gets; its end marker is checked where it is read.
fn check(stream: &Stream, found: &Content, status: StreamStatus) {
    let events = &stream.events;
    assert_eq!(
        found.is_complete,
        status == StreamStatus::Complete,
        "{events}"
    );
    if status != StreamStatus::Complete {
        assert_eq!(status, StreamStatus::Broken, "{events}");
        assert!(stream.may_be_unclear, "an error for\n{events}");
        return;
    }
    for (number, call) in found.calls.iter().enumerate() {
        let is_taken = found.calls[..number].iter().any(|it| it.id == call.id);
        assert!(!is_taken, "two calls with one id for\n{events}");
        let arguments = call.arguments.trim();
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok();
        let is_valid = arguments.is_empty() || arguments.starts_with('{') && is_json;
        assert!(is_valid || stream.is_cut, "{arguments} for\n{events}");
    }
    if !stream.may_be_unclear {
        stream.content.assert_same(found, events);
    }
}
