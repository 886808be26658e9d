//! A tap reads token usage from a response body as it is relayed.

use bytes::Bytes;

use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::{FinishRule, StreamInspector};
use crate::wire::usage::{Usage, UsageTail};

#[derive(Debug)]
pub enum Tap {
    Stream(Box<StreamInspector>),
    Json(UsageTail),
    None,
    /// Panics after this number of frames.
    #[cfg(test)]
    Failing(usize),
}

impl Tap {
    /// `hide_usage`: the client did not request the usage event.
    #[must_use]
    pub fn new(media_type: MediaType, rule: FinishRule, hide_usage: bool) -> Self {
        match media_type {
            MediaType::EventStream => {
                Self::Stream(Box::new(StreamInspector::new(rule, hide_usage)))
            }
            MediaType::Json => Self::Json(UsageTail::default()),
            MediaType::Html | MediaType::Multipart | MediaType::Other => Self::None,
        }
    }

    /// Returns the data that may be relayed now.
    pub fn feed(&mut self, data: Bytes) -> Option<Bytes> {
        match self {
            Self::Stream(inspector) => inspector.feed(data),
            Self::Json(tail) => {
                tail.push(&data);
                Some(data)
            }
            Self::None => Some(data),
            #[cfg(test)]
            Self::Failing(0) => std::panic::panic_any("client data"),
            #[cfg(test)]
            Self::Failing(remaining) => {
                *remaining -= 1;
                Some(data)
            }
        }
    }

    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Stream(inspector) => inspector.usage().copied(),
            Self::Json(tail) => tail.usage(),
            Self::None => None,
            #[cfg(test)]
            Self::Failing(_) => None,
        }
    }

    pub fn stream(&mut self) -> Option<&mut StreamInspector> {
        match self {
            Self::Stream(inspector) => Some(inspector),
            _ => None,
        }
    }
}
