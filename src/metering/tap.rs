//! What looks at an answer while it passes.

use bytes::Bytes;

use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::{FinishRule, Follower};
use crate::wire::usage::{Tail, Usage};

/// What looks at an answer while it passes.
#[derive(Debug)]
pub enum Tap {
    /// An event stream.
    Stream(Box<Follower>),
    /// JSON in one piece.
    Whole(Tail),
    /// Anything else passes unseen.
    Blind,
    /// So many pieces pass, then it panics.
    #[cfg(test)]
    Failing(usize),
}

impl Tap {
    /// The tap for an answer of this media type. `hide_usage` says that the
    /// usage event was not asked for by the caller.
    #[must_use]
    pub fn new(media_type: MediaType, rule: FinishRule, hide_usage: bool) -> Self {
        match media_type {
            MediaType::EventStream => Self::Stream(Box::new(Follower::new(rule, hide_usage))),
            MediaType::Json => Self::Whole(Tail::default()),
            MediaType::Html | MediaType::Form | MediaType::Other => Self::Blind,
        }
    }

    /// Takes a piece of the answer and gives what may be passed on now.
    pub fn feed(&mut self, piece: Bytes) -> Option<Bytes> {
        match self {
            Self::Stream(follower) => follower.feed(piece),
            Self::Whole(tail) => {
                tail.push(&piece);
                Some(piece)
            }
            Self::Blind => Some(piece),
            #[cfg(test)]
            Self::Failing(0) => std::panic::panic_any("a caller's words"),
            #[cfg(test)]
            Self::Failing(left) => {
                *left -= 1;
                Some(piece)
            }
        }
    }

    /// The tokens that the answer reported.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Stream(follower) => follower.usage().copied(),
            Self::Whole(tail) => tail.usage(),
            Self::Blind => None,
            #[cfg(test)]
            Self::Failing(_) => None,
        }
    }

    /// The follower of an event stream.
    pub fn stream(&mut self) -> Option<&mut Follower> {
        match self {
            Self::Stream(follower) => Some(follower),
            _ => None,
        }
    }
}
