//! Response bodies: complete, or an event stream at reading speed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Thirty words a second, a fast reader's speed.
const WORD_INTERVAL: Duration = Duration::from_millis(33);

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoEvent {
    /// Includes the empty line at its end.
    pub bytes: Bytes,
    /// True if it waits for [`WORD_INTERVAL`].
    pub is_paced: bool,
}

#[derive(Debug)]
pub enum DemoBody {
    Full(Option<Bytes>),
    Paced(std::vec::IntoIter<DemoEvent>, Interval),
}

// === impl DemoEvent ===

impl DemoEvent {
    /// An event without a name, as in chat streams.
    pub fn data(value: &Value) -> Self {
        Self {
            bytes: format!("data: {value}\n\n").into(),
            is_paced: false,
        }
    }

    /// An event with a name, as in streams of the Responses API.
    pub fn named(name: &str, value: &Value) -> Self {
        Self {
            bytes: format!("event: {name}\ndata: {value}\n\n").into(),
            is_paced: false,
        }
    }

    /// The end of a chat stream.
    pub fn done() -> Self {
        Self {
            bytes: Bytes::from_static(b"data: [DONE]\n\n"),
            is_paced: false,
        }
    }

    pub fn paced(self) -> Self {
        Self {
            is_paced: true,
            ..self
        }
    }
}

// === impl DemoBody ===

impl DemoBody {
    pub fn full(value: &Value) -> Self {
        Self::Full(Some(value.to_string().into()))
    }

    pub fn paced(events: Vec<DemoEvent>) -> Self {
        let mut interval = interval_at(Instant::now() + WORD_INTERVAL, WORD_INTERVAL);
        // No burst of words for a reader that paused.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Paced(events.into_iter(), interval)
    }
}

impl HttpBody for DemoBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = match &mut *self {
            Self::Full(bytes) => bytes.take(),
            Self::Paced(events, interval) => {
                if events
                    .as_slice()
                    .first()
                    .is_some_and(|event| event.is_paced)
                {
                    ready!(interval.poll_tick(context));
                }
                events.next().map(|event| event.bytes)
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Paced(events, _) => events.as_slice().is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Paced(..) => SizeHint::default(),
        }
    }
}
