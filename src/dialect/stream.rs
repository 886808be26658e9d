//! An event stream, translated event by event.

use super::answer::Answer;
use super::events::Events;
use super::{Dialect, anthropic_client, openai_client};
use crate::wire::sse::Event;

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More is expected. At the end of the upstream's body: the answer was cut,
    /// and nothing that was given out says otherwise; end the caller's stream
    /// with an error.
    Open,
    /// The answer is complete, and so is what was given out.
    Complete,
    /// The upstream reported an error in the stream. It was given out, as the
    /// last event.
    Failed,
    /// The upstream does not keep to its protocol, or sent an event that is too
    /// long. Nothing was given out that says so: end the caller's stream with
    /// an error.
    Broken,
}

/// Translates one event stream. What comes in as an event goes out as events
/// at once; nothing is held back but an event that is not complete. After any
/// [`Flow`] but [`Flow::Open`], nothing is given out any more.
#[derive(Debug)]
pub struct Stream {
    events: Events,
    side: Side,
    flow: Flow,
}

#[derive(Debug)]
enum Side {
    Chat(openai_client::stream::Translator),
    Messages(anthropic_client::stream::Translator),
}

impl Stream {
    /// For a caller who speaks this dialect; the upstream speaks the other.
    #[must_use]
    pub fn new(caller: Dialect, answer: &Answer<'_>) -> Self {
        let side = match caller {
            Dialect::OpenAi => Side::Chat(openai_client::stream::Translator::new(answer)),
            Dialect::Anthropic => Side::Messages(anthropic_client::stream::Translator::new(answer)),
        };
        Self {
            events: Events::default(),
            side,
            flow: Flow::Open,
        }
    }

    /// Takes a piece of the upstream's stream, cut anywhere, and appends what
    /// goes to the caller now: whole events, possibly none.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Flow {
        if self.flow != Flow::Open {
            return self.flow;
        }
        let (side, flow) = (&mut self.side, &mut self.flow);
        let pushed = self.events.push(piece, |content| {
            *flow = side.event(content, out);
            *flow == Flow::Open
        });
        if pushed.is_err() {
            self.flow = Flow::Broken;
        }
        self.flow
    }

    /// The upstream's body ended well. Appends what is still due; an answer
    /// that was cut stays one ([`Flow::Open`]).
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Flow {
        if self.flow != Flow::Open {
            return self.flow;
        }
        // Some upstreams leave out the last empty line. What is whole as JSON
        // was not cut off.
        let rest = self.events.rest();
        let event = Event::read(rest);
        let data = event.data.trim_ascii();
        let whole =
            data == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
        if whole {
            self.flow = self.side.event(rest, out);
        }
        if self.flow == Flow::Open {
            self.flow = self.side.end(out);
        }
        self.flow
    }
}

impl Side {
    fn event(&mut self, content: &[u8], out: &mut Vec<u8>) -> Flow {
        match self {
            Self::Chat(translator) => translator.event(content, out),
            Self::Messages(translator) => translator.event(content, out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Flow {
        match self {
            // Messages always ends with its own mark.
            Self::Chat(_) => Flow::Open,
            Self::Messages(translator) => translator.end(out),
        }
    }
}
