//! Streams as providers may send them, and what their translation must say, for tests
//! and fuzz targets.

mod chat_stream;
mod completion;
mod message;
mod messages_stream;
mod plan;
mod response;
mod responses_stream;

use super::{Dialect, DialectPair, ResponseContext, StreamStatus, StreamTranslator};
use plan::{Choices, Content};

/// A Messages client at a chat upstream, and so on.
pub(super) const MESSAGES_VIA_CHAT: DialectPair = pair(Dialect::Messages, Dialect::Chat);
pub(super) const CHAT_VIA_MESSAGES: DialectPair = pair(Dialect::Chat, Dialect::Messages);
pub(super) const CHAT_VIA_RESPONSES: DialectPair = pair(Dialect::Chat, Dialect::Responses);
pub(super) const RESPONSES_VIA_CHAT: DialectPair = pair(Dialect::Responses, Dialect::Chat);

const fn pair(client: Dialect, upstream: Dialect) -> DialectPair {
    DialectPair { client, upstream }
}

/// What both ends of a translation must agree on.
struct Stream {
    events: String,
    content: Content,
    /// A token limit cuts it short.
    is_cut: bool,
    /// The upstream need not say what belongs together.
    may_be_unclear: bool,
}

/// Translates a chat stream built from the bytes for a Messages and for a Responses
/// client: the calls that arrive are those that were sent, or the stream ends with an
/// error.
pub fn check_chat_stream(bytes: &[u8]) {
    let mut stream = chat_stream::build(&mut Choices::new(bytes));
    let (out, status) = translate(MESSAGES_VIA_CHAT, &stream.events);
    check(&stream, &message::read(&out), status);
    if !stream.is_cut {
        stream.content.fill_arguments();
    }
    let (out, for_responses) = translate(RESPONSES_VIA_CHAT, &stream.events);
    check(&stream, &response::read(&out), for_responses);
    assert_eq!(status, for_responses, "for\n{}", stream.events);
}

/// The same for a Messages stream and a chat client.
pub fn check_messages_stream(bytes: &[u8]) {
    let stream = messages_stream::build(&mut Choices::new(bytes));
    let (out, status) = translate(CHAT_VIA_MESSAGES, &stream.events);
    check(&stream, &completion::read(&out), status);
}

/// The same for a Responses stream and a chat client.
pub fn check_responses_stream(bytes: &[u8]) {
    let stream = responses_stream::build(&mut Choices::new(bytes));
    let (out, status) = translate(CHAT_VIA_RESPONSES, &stream.events);
    check(&stream, &completion::read(&out), status);
}

/// A chat stream, translated into one of Responses and back. Lines do not count: there is
/// an empty one between two items.
pub fn check_round_trip(bytes: &[u8]) {
    let mut stream = chat_stream::build(&mut Choices::new(bytes));
    stream.content.fill_arguments();
    let (events, status) = translate(RESPONSES_VIA_CHAT, &stream.events);
    if status != StreamStatus::Complete {
        // See `check_chat_stream`.
        assert!(stream.may_be_unclear, "an error for\n{}", stream.events);
        return;
    }
    let (out, status) = translate(CHAT_VIA_RESPONSES, &events);
    let mut found = completion::read(&out);
    for content in [&mut stream.content, &mut found] {
        content.text.retain(|letter| letter != '\n');
        content.thinking.retain(|letter| letter != '\n');
    }
    check(&stream, &found, status);
}

/// The output must not depend on how the stream is split.
fn translate(pair: DialectPair, events: &str) -> (String, StreamStatus) {
    let split = |size: usize| {
        let context = ResponseContext {
            model: "alias",
            provider: "up",
            fallback_id: "req_1",
            created: 1,
            include_usage: true,
            echo: None,
        };
        let mut translator = StreamTranslator::new(pair, &context);
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
