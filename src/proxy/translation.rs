//! Answers of an upstream that speaks another protocol than the caller.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::StatusCode;

use crate::dialect::{self, Answer, Dialect, Flow, Stream};
use crate::error_response;
use crate::error_response::Failure;
use crate::telemetry::request_id::RequestId;
use crate::wall_clock;

/// What is known of a request that was translated.
#[derive(Debug)]
pub(super) struct Translation {
    /// What the caller speaks.
    caller: Dialect,
    /// What the caller calls the model.
    model: String,
    request_id: RequestId,
    /// Whether the caller asked for usage at the end of its stream.
    include_usage: bool,
}

/// Tells a stream in the caller's protocol.
#[derive(Debug)]
pub struct Translator {
    stream: Stream,
    flow: Flow,
}

/// An answer in one piece.
pub(super) struct Told {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl Translation {
    pub(super) fn new(
        caller: Dialect,
        model: String,
        request_id: RequestId,
        include_usage: bool,
    ) -> Self {
        Self {
            caller,
            model,
            request_id,
            include_usage,
        }
    }

    /// For an event stream.
    pub(super) fn of_stream(&self) -> Box<Translator> {
        let id = self.id();
        Box::new(Translator {
            stream: Stream::new(self.caller, &self.answer(&id)),
            flow: Flow::Open,
        })
    }

    /// For an answer in one piece, an error among it.
    pub(super) fn of_whole(&self, status: StatusCode, body: &[u8]) -> Result<Told, Failure> {
        if status.is_success() {
            let id = self.id();
            let told = dialect::reply(self.caller, body, &self.answer(&id));
            return match told {
                Ok(body) => Ok(Told { status, body }),
                Err(_) => Err(error_response::upstream_protocol_error()),
            };
        }
        let request_id = self.request_id.as_str();
        let fault = dialect::error(self.caller, status.as_u16(), body, Some(request_id));
        Ok(Told {
            status: StatusCode::from_u16(fault.status).unwrap_or(status),
            body: fault.body,
        })
    }

    /// Where the upstream's answer has none.
    fn id(&self) -> String {
        let prefix = match self.caller {
            Dialect::OpenAi => "chatcmpl",
            Dialect::Anthropic => "msg",
        };
        format!("{prefix}-{}", self.request_id.as_str())
    }

    fn answer<'a>(&'a self, id: &'a str) -> Answer<'a> {
        let now = wall_clock::now().duration_since(UNIX_EPOCH);
        Answer {
            model: &self.model,
            id,
            created: now.map_or(0, |since| since.as_secs()),
            include_usage: self.include_usage,
        }
    }
}

impl Translator {
    /// Takes a piece of the upstream's and gives what the caller gets now.
    pub(super) fn tell(&mut self, piece: &[u8]) -> Option<Bytes> {
        let mut out = Vec::new();
        self.flow = self.stream.push(piece, &mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// The upstream's body has ended, with this piece still to be told.
    pub(super) fn end(&mut self, piece: Option<Bytes>) -> Option<Bytes> {
        let mut out = Vec::new();
        if let Some(piece) = piece {
            self.stream.push(&piece, &mut out);
        }
        self.flow = self.stream.finish(&mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// Whether the upstream does not keep to its protocol.
    pub(super) fn is_broken(&self) -> bool {
        self.flow == Flow::Broken
    }

    /// Whether all has been told, be it an error.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.flow, Flow::Complete | Flow::Failed)
    }
}
