//! An answer's body: whole at once, or piece by piece at a human pace.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Time between two words: thirty a second, a fast reader's pace.
const PER_WORD: Duration = Duration::from_millis(33);

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The event, with the empty line behind it.
    pub bytes: Bytes,
    /// True when it is a word, which takes its time.
    pub is_word: bool,
}

/// An answer's body.
#[derive(Debug)]
pub enum Body {
    /// At once.
    Whole(Option<Bytes>),
    /// Word by word.
    Paced(std::vec::IntoIter<Piece>, Interval),
}

impl Piece {
    /// An event of a stream that names none, as those of chat.
    pub fn data(value: &Value) -> Self {
        Self {
            bytes: format!("data: {value}\n\n").into(),
            is_word: false,
        }
    }

    /// An event with a name, as those of the Responses API.
    pub fn named(name: &str, value: &Value) -> Self {
        Self {
            bytes: format!("event: {name}\ndata: {value}\n\n").into(),
            is_word: false,
        }
    }

    /// The end of a stream of chat.
    pub fn done() -> Self {
        Self {
            bytes: Bytes::from_static(b"data: [DONE]\n\n"),
            is_word: false,
        }
    }

    /// The same, as a word.
    pub fn spoken(self) -> Self {
        Self {
            is_word: true,
            ..self
        }
    }
}

impl Body {
    /// A body that is there at once.
    pub fn whole(value: &Value) -> Self {
        Self::Whole(Some(value.to_string().into()))
    }

    /// A body whose words take their time.
    pub fn paced(pieces: Vec<Piece>) -> Self {
        let mut pace = interval_at(Instant::now() + PER_WORD, PER_WORD);
        // A reader who was away gets no burst of words.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Paced(pieces.into_iter(), pace)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = match &mut *self {
            Self::Whole(bytes) => bytes.take(),
            Self::Paced(pieces, pace) => {
                if pieces.as_slice().first().is_some_and(|piece| piece.is_word) {
                    ready!(pace.poll_tick(context));
                }
                pieces.next().map(|piece| piece.bytes)
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Paced(pieces, _) => pieces.as_slice().is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Paced(..) => SizeHint::default(),
        }
    }
}
