//! Event streams, translated event by event.

use super::chat_via_messages::stream::StreamToChat;
use super::chat_via_responses::stream::ResponsesToChat;
use super::error::{failure_event, gateway_error_event};
use super::messages_via_chat::stream::{StreamToMessages, write_ping};
use super::response::ResponseContext;
use super::responses_via_chat::stream::StreamToResponses;
use super::{Dialect, DialectPair};
use crate::wire::error::ApiError;
use crate::wire::failure::ReportedFailure;
use crate::wire::sse::{EventBuffer, SseEvent};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// More events are expected. At the end of the upstream's body: the response
    /// is truncated, which the output does not show; end the client's stream with an
    /// error.
    Open,
    /// The response is complete, and so is the output.
    Complete,
    /// The upstream reported an error in the stream. It is the last event of the
    /// output.
    Failed,
    /// The upstream violates its protocol, sent an event that is too long, or calls
    /// that are invalid or cannot be kept apart.
    /// The output does not show it; end the client's stream with an error.
    Broken,
}

/// Translates one event stream. Each event is translated as soon as it is
/// complete. After any [`StreamStatus`] but [`StreamStatus::Open`], there is no
/// further output.
#[derive(Debug)]
pub struct StreamTranslator {
    first: Stage,
    /// Where neither side speaks chat completions: from those to the client's dialect.
    second: Option<Box<SecondStage>>,
}

#[derive(Debug)]
struct SecondStage {
    stage: Stage,
    /// Of the first stage; kept for its capacity.
    chat: Vec<u8>,
}

/// One translation.
#[derive(Debug)]
struct Stage {
    buffer: EventBuffer,
    events: EventTranslator,
    status: StreamStatus,
}

#[derive(Debug)]
struct EventTranslator {
    direction: Direction,
    /// An event with data has arrived.
    has_data: bool,
}

#[derive(Debug)]
enum Direction {
    MessagesToChat(StreamToChat),
    ResponsesToChat(ResponsesToChat),
    ToMessages(StreamToMessages),
    ToResponses(Box<StreamToResponses>),
}

// === impl StreamTranslator ===

impl StreamTranslator {
    #[must_use]
    pub fn new(pair: DialectPair, context: &ResponseContext<'_>) -> Self {
        let from_chat = match pair.client {
            Dialect::Chat => None,
            Dialect::Messages => Some(Direction::ToMessages(StreamToMessages::new(context))),
            Dialect::Responses => {
                let translator = StreamToResponses::new(context);
                Some(Direction::ToResponses(Box::new(translator)))
            }
        };
        let to_chat = match pair.upstream {
            Dialect::Chat => None,
            Dialect::Messages => Some(Direction::MessagesToChat(StreamToChat::new(context))),
            Dialect::Responses => Some(Direction::ResponsesToChat(ResponsesToChat::new(context))),
        };
        let (first, second) = match (to_chat, from_chat) {
            (Some(first), second) => (first, second),
            (None, Some(first)) => (first, None),
            // The pair is one dialect, of which there is no other use.
            (None, None) => (Direction::MessagesToChat(StreamToChat::new(context)), None),
        };
        Self {
            first: Stage::new(first),
            second: second.map(|direction| {
                Box::new(SecondStage {
                    stage: Stage::new(direction),
                    chat: Vec::new(),
                })
            }),
        }
    }

    /// Takes a chunk of the upstream's stream, split anywhere, and appends the
    /// complete events that follow from it, possibly none.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        match &mut self.second {
            None => self.first.push(chunk, out),
            Some(second) => {
                second.chat.clear();
                let status = self.first.push(chunk, &mut second.chat);
                second.follow(status, out)
            }
        }
    }

    /// The upstream's body has ended without an error. Appends the remaining
    /// events; a truncated response stays [`StreamStatus::Open`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        match &mut self.second {
            None => self.first.finish(out),
            Some(second) => {
                second.chat.clear();
                let status = self.first.finish(&mut second.chat);
                second.follow(status, out)
            }
        }
    }

    /// The end of a stream that failed in the gateway: it continues what was written.
    #[must_use]
    pub fn error_event(&mut self, error: &ApiError) -> Vec<u8> {
        let last = self.second.as_mut().map(|second| &mut second.stage);
        let last = last.unwrap_or(&mut self.first);
        let mut out = Vec::new();
        last.events.direction.fail_in_gateway(error, &mut out);
        out
    }
}

// === impl SecondStage ===

impl SecondStage {
    /// Translates what the first stage wrote. Its stream ends with `[DONE]`, or not at
    /// all.
    fn follow(&mut self, first: StreamStatus, out: &mut Vec<u8>) -> StreamStatus {
        let status = if self.chat.is_empty() {
            self.stage.status
        } else {
            self.stage.push(&self.chat, out)
        };
        if first == StreamStatus::Broken {
            return StreamStatus::Broken;
        }
        status
    }
}

// === impl Stage ===

impl Stage {
    fn new(direction: Direction) -> Self {
        Self {
            buffer: EventBuffer::default(),
            events: EventTranslator {
                direction,
                has_data: false,
            },
            status: StreamStatus::Open,
        }
    }

    fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        if self.status != StreamStatus::Open {
            return self.status;
        }
        let (events, status) = (&mut self.events, &mut self.status);
        let pushed = self.buffer.push(chunk, |content| {
            *status = events.on_event(content, out);
            *status == StreamStatus::Open
        });
        if pushed.is_err() {
            self.status = StreamStatus::Broken;
        }
        self.status
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        if self.status != StreamStatus::Open {
            return self.status;
        }
        // Some upstreams omit the last empty line. Complete JSON is not
        // truncated.
        let remainder = self.buffer.remainder();
        let event = SseEvent::parse(remainder);
        let data = event.data.trim_ascii();
        let complete =
            data == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
        if complete {
            self.status = self.events.on_event(remainder, out);
        }
        if self.status == StreamStatus::Open {
            self.status = self.events.direction.finish(out);
        }
        self.status
    }
}

// === impl EventTranslator ===

impl EventTranslator {
    /// `content` is the lines of one event.
    fn on_event(&mut self, content: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        let event = SseEvent::parse(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            if content.starts_with(b":") {
                self.direction.on_comment(out);
            }
            return StreamStatus::Open;
        }
        let is_first = !std::mem::replace(&mut self.has_data, true);
        // The default type says nothing (WHATWG HTML, section 9.2.6).
        let event_type = event
            .event_type
            .filter(|kind| !kind.is_empty() && *kind != b"message");
        if let Some(failure) = ReportedFailure::find_in_event(event_type, data, is_first) {
            self.direction.fail(&failure, out);
            return StreamStatus::Failed;
        }
        match &mut self.direction {
            Direction::MessagesToChat(translator) => translator.on_data(event_type, data, out),
            Direction::ResponsesToChat(translator) => translator.on_data(event_type, data, out),
            Direction::ToMessages(translator) => translator.on_data(data, out),
            Direction::ToResponses(translator) => translator.on_data(data, out),
        }
    }
}

// === impl Direction ===

impl Direction {
    /// The upstream reported a failure.
    fn fail(&mut self, failure: &ReportedFailure, out: &mut Vec<u8>) {
        let event = match self {
            Self::MessagesToChat(_) | Self::ResponsesToChat(_) => {
                failure_event(Dialect::Chat, failure)
            }
            Self::ToMessages(_) => failure_event(Dialect::Messages, failure),
            Self::ToResponses(translator) => return translator.fail(failure, out),
        };
        out.extend_from_slice(&event);
    }

    fn fail_in_gateway(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        match self {
            Self::MessagesToChat(_) | Self::ResponsesToChat(_) => {
                out.extend_from_slice(&gateway_error_event(Dialect::Chat, error));
            }
            Self::ToMessages(translator) => translator.fail_in_gateway(error, out),
            Self::ToResponses(translator) => translator.fail_in_gateway(error, out),
        }
    }

    /// A keep-alive comment. Only Messages has a counterpart.
    fn on_comment(&self, out: &mut Vec<u8>) {
        if let Self::ToMessages(_) = self {
            write_ping(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        match self {
            // These streams end with an event of their own only.
            Self::MessagesToChat(_) | Self::ResponsesToChat(_) => StreamStatus::Open,
            Self::ToMessages(translator) => translator.finish(out),
            Self::ToResponses(translator) => translator.finish(out),
        }
    }
}
