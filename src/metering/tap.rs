//! A tap reads token usage from a response body as it is relayed.

use bytes::Bytes;

use super::Meter;
use crate::wire::failure::Blame;
use crate::wire::json_relay::{JsonEnd, JsonInspector, first_byte};
use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::{FinishRule, StreamInspector};
use crate::wire::usage::Usage;

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each request"
)]
pub enum Tap {
    Stream(Box<StreamInspector>),
    Json(JsonInspector),
    /// Its first byte shows which of the others it is.
    Undecided {
        inspector: Box<StreamInspector>,
        /// By its media type.
        is_stream: bool,
    },
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
            MediaType::EventStream | MediaType::Unspecified => Self::Undecided {
                inspector: Box::new(StreamInspector::new(rule, hide_usage)),
                is_stream: media_type == MediaType::EventStream,
            },
            MediaType::Json => Self::Json(JsonInspector::default()),
            MediaType::Html | MediaType::Multipart | MediaType::Other => Self::None,
        }
    }

    /// Returns the data that may be relayed now.
    pub fn feed(&mut self, data: Bytes) -> Option<Bytes> {
        match self {
            Self::Stream(inspector) => inspector.feed(data),
            Self::Json(inspector) => {
                inspector.feed(&data);
                Some(data)
            }
            Self::Undecided { .. } => {
                if let Some(first) = first_byte(&data) {
                    self.decide(first);
                    return self.feed(data);
                }
                // Blank lines may be those of either.
                match self {
                    Self::Undecided { inspector, .. } => inspector.feed(data),
                    _ => Some(data),
                }
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

    fn decide(&mut self, first: u8) {
        let Self::Undecided {
            inspector,
            is_stream,
        } = std::mem::replace(self, Self::None)
        else {
            return;
        };
        *self = match first {
            b'{' | b'[' => Self::Json(JsonInspector::default()),
            // A comment, or one of the fields data, event, id and retry.
            _ if is_stream || b":deir".contains(&first) => Self::Stream(inspector),
            _ => Self::None,
        };
    }

    /// Passes on what the body reported, and about how much of a stream there was.
    pub fn report(&mut self, meter: &mut Meter) {
        if meter.limits().is_some()
            && let Some(stream) = self.stream()
        {
            meter.set_delta_tokens(stream.delta_tokens());
        }
        meter.set_usage(self.take_usage());
    }

    fn take_usage(&mut self) -> Option<Box<Usage>> {
        match self {
            Self::Stream(inspector) => inspector.usage().map(Box::new),
            Self::Json(inspector) => inspector.take_usage(),
            Self::Undecided { .. } | Self::None => None,
            #[cfg(test)]
            Self::Failing(_) => None,
        }
    }

    pub fn stream(&mut self) -> Option<&mut StreamInspector> {
        match self {
            Self::Stream(inspector)
            | Self::Undecided {
                inspector,
                is_stream: true,
            } => Some(inspector),
            _ => None,
        }
    }

    /// Whether a stream has had its last event, and no error.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Stream(inspector) => inspector.is_done() && !inspector.has_error(),
            _ => false,
        }
    }

    /// True if a failure was reported that says nothing about the upstream's health.
    #[must_use]
    pub fn spares_upstream(&self) -> bool {
        let blame = match self {
            Self::Stream(inspector) => inspector.blame(),
            Self::Json(inspector) => inspector.blame(),
            _ => None,
        };
        blame.is_some_and(Blame::spares_upstream)
    }

    /// What a body that is no stream came to, after its last chunk. `None` where it is
    /// not inspected.
    pub fn end(&mut self) -> Option<JsonEnd> {
        match self {
            Self::Json(inspector) => Some(inspector.end()),
            Self::Undecided { .. } => Some(JsonEnd::Blank),
            _ => None,
        }
    }
}
