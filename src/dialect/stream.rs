//! Event streams, translated event by event.

use super::error::failure_event;
use super::response::ResponseContext;
use super::{Dialect, anthropic_client, openai_client};
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
    ToChat(openai_client::stream::StreamToChat),
    ToMessages(anthropic_client::stream::StreamToMessages),
}

// === impl StreamTranslator ===

impl StreamTranslator {
    /// For a client of this dialect; the upstream speaks the other one.
    #[must_use]
    pub fn new(client: Dialect, context: &ResponseContext<'_>) -> Self {
        let direction = match client {
            Dialect::OpenAi => Direction::ToChat(openai_client::stream::StreamToChat::new(context)),
            Dialect::Anthropic => {
                Direction::ToMessages(anthropic_client::stream::StreamToMessages::new(context))
            }
        };
        Self {
            buffer: EventBuffer::default(),
            events: EventTranslator {
                direction,
                has_data: false,
            },
            status: StreamStatus::Open,
        }
    }

    /// Takes a chunk of the upstream's stream, split anywhere, and appends the
    /// complete events that follow from it, possibly none.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> StreamStatus {
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

    /// The upstream's body has ended without an error. Appends the remaining
    /// events; a truncated response stays [`StreamStatus::Open`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
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
            out.extend_from_slice(&failure_event(self.direction.client(), &failure));
            return StreamStatus::Failed;
        }
        match &mut self.direction {
            Direction::ToChat(translator) => translator.on_data(event_type, data, out),
            Direction::ToMessages(translator) => translator.on_data(data, out),
        }
    }
}

// === impl Direction ===

impl Direction {
    fn client(&self) -> Dialect {
        match self {
            Self::ToChat(_) => Dialect::OpenAi,
            Self::ToMessages(_) => Dialect::Anthropic,
        }
    }

    /// A keep-alive comment. Chat has no counterpart.
    fn on_comment(&self, out: &mut Vec<u8>) {
        if let Self::ToMessages(_) = self {
            anthropic_client::stream::write_ping(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        match self {
            // A Messages stream ends with `message_stop` only.
            Self::ToChat(_) => StreamStatus::Open,
            Self::ToMessages(translator) => translator.finish(out),
        }
    }
}
