//! Event streams, translated event by event.

use super::event_buffer::EventBuffer;
use super::response::ResponseContext;
use super::{Dialect, anthropic_client, openai_client};
use crate::wire::sse::SseEvent;

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
    /// The upstream violates its protocol, or sent an event that is too long.
    /// The output does not show it; end the client's stream with an error.
    Broken,
}

/// Translates one event stream. Each event is translated as soon as it is
/// complete. After any [`StreamStatus`] but [`StreamStatus::Open`], there is no
/// further output.
#[derive(Debug)]
pub struct StreamTranslator {
    buffer: EventBuffer,
    direction: Direction,
    status: StreamStatus,
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
            direction,
            status: StreamStatus::Open,
        }
    }

    /// Takes a chunk of the upstream's stream, split anywhere, and appends the
    /// complete events that follow from it, possibly none.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        if self.status != StreamStatus::Open {
            return self.status;
        }
        let (direction, status) = (&mut self.direction, &mut self.status);
        let pushed = self.buffer.push(chunk, |content| {
            *status = direction.on_event(content, out);
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
            self.status = self.direction.on_event(remainder, out);
        }
        if self.status == StreamStatus::Open {
            self.status = self.direction.finish(out);
        }
        self.status
    }
}

// === impl Direction ===

impl Direction {
    fn on_event(&mut self, content: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        match self {
            Self::ToChat(translator) => translator.on_event(content, out),
            Self::ToMessages(translator) => translator.on_event(content, out),
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
