//! Responses of an upstream whose protocol is not the client's.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::StatusCode;

use crate::dialect::{
    self, Dialect, DialectPair, RequestEcho, ResponseContext, StreamStatus, StreamTranslator,
    TranslatedError,
};
use crate::telemetry::request_id::RequestId;
use crate::wall_clock;
use crate::wire::error::ApiError;
use crate::wire::failure::ReportedFailure;
use crate::wire::json_relay::{first_byte, is_json};

/// Bytes of a JSON text in place of a stream.
const MAX_JSON: usize = 64 * 1024 * 1024;

/// Context of a translated request.
#[derive(Debug)]
pub(super) struct Translation {
    pair: DialectPair,
    /// The model's name in the client's request.
    model: String,
    provider: Box<str>,
    request_id: RequestId,
    /// A client may repeat its request id.
    unique: u32,
    /// Whether the client asked for usage at the end of its stream.
    include_usage: bool,
    echo: Option<Box<RequestEcho>>,
}

/// Translates a stream to the client's protocol.
#[derive(Debug)]
pub struct Translator {
    pair: DialectPair,
    stream: StreamTranslator,
    /// The upstream sends a JSON text, which is translated at its end.
    json: Option<Vec<u8>>,
    /// A byte has arrived that is not blank.
    has_begun: bool,
    status: StreamStatus,
}

pub(super) struct TranslatedResponse {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

// === impl Translation ===

impl Translation {
    pub(super) fn new(
        pair: DialectPair,
        model: String,
        provider: &str,
        request_id: RequestId,
        include_usage: bool,
        echo: Option<Box<RequestEcho>>,
    ) -> Self {
        Self {
            pair,
            model,
            provider: provider.into(),
            request_id,
            unique: fastrand::u32(..),
            include_usage,
            echo,
        }
    }

    pub(super) fn stream_translator(&self) -> Box<Translator> {
        let id = self.id();
        Box::new(Translator {
            pair: self.pair,
            json: None,
            has_begun: false,
            stream: StreamTranslator::new(self.pair, &self.response_context(&id)),
            status: StreamStatus::Open,
        })
    }

    /// Translates a complete result. `None` if it is not one of the upstream's protocol.
    pub(super) fn translate_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        let id = self.id();
        dialect::translate_response(self.pair, body, &self.response_context(&id)).ok()
    }

    /// The events that a complete result stands for, in the upstream's protocol: where a
    /// stream was requested, they are translated like one.
    pub(super) fn events_of(&self, body: &[u8]) -> Option<Vec<u8>> {
        dialect::response_events(self.pair.upstream, body).ok()
    }

    /// Translates an error response.
    pub(super) fn translate_error(&self, status: StatusCode, body: &[u8]) -> TranslatedResponse {
        let request_id = Some(self.request_id.as_str());
        dialect::translate_error(self.pair.client, status.as_u16(), body, request_id).into()
    }

    /// Translates a failure that was reported under a good status.
    pub(super) fn translate_failure(&self, failure: &ReportedFailure) -> TranslatedResponse {
        let request_id = Some(self.request_id.as_str());
        dialect::translate_failure(self.pair.client, failure, request_id).into()
    }

    /// Used where the upstream's response has no id, or one that it may repeat.
    fn id(&self) -> String {
        let prefix = match self.pair.client {
            Dialect::Chat => "chatcmpl-",
            Dialect::Messages => "msg_",
            Dialect::Responses => "resp_",
        };
        format!("{prefix}{}-{:08x}", self.request_id.as_str(), self.unique)
    }

    fn response_context<'a>(&'a self, id: &'a str) -> ResponseContext<'a> {
        let now = wall_clock::now().duration_since(UNIX_EPOCH);
        ResponseContext {
            model: &self.model,
            provider: &self.provider,
            fallback_id: id,
            created: now.map_or(0, |since| since.as_secs()),
            include_usage: self.include_usage,
            echo: self.echo.as_deref(),
        }
    }
}

// === impl TranslatedResponse ===

impl From<TranslatedError> for TranslatedResponse {
    fn from(error: TranslatedError) -> Self {
        Self {
            status: StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY),
            body: error.body,
        }
    }
}

// === impl Translator ===

impl Translator {
    pub(super) fn push(&mut self, chunk: &[u8]) -> Option<Bytes> {
        if !self.has_begun && first_byte(chunk).is_some() {
            self.has_begun = true;
            self.json = is_json(chunk).then(Vec::new);
        }
        if let Some(json) = &mut self.json {
            json.extend_from_slice(chunk);
            if json.len() > MAX_JSON {
                self.status = StreamStatus::Broken;
            }
            return None;
        }
        let mut out = Vec::new();
        self.status = self.stream.push(chunk, &mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// The upstream's body has ended, with this last chunk.
    pub(super) fn finish(&mut self, chunk: Option<&[u8]>) -> Option<Bytes> {
        if let Some(json) = self.json.take() {
            return self.finish_json(&json);
        }
        self.finish_stream(chunk)
    }

    fn finish_json(&mut self, json: &[u8]) -> Option<Bytes> {
        if let Some(failure) = ReportedFailure::find(json) {
            self.status = StreamStatus::Failed;
            return Some(dialect::failure_event(self.pair.client, &failure).into());
        }
        let events = dialect::response_events(self.pair.upstream, json);
        self.finish_stream(events.ok().as_deref())
    }

    fn finish_stream(&mut self, chunk: Option<&[u8]>) -> Option<Bytes> {
        let mut out = Vec::new();
        if let Some(chunk) = chunk {
            self.stream.push(chunk, &mut out);
        }
        self.status = self.stream.finish(&mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// The end of a stream that failed here.
    pub(super) fn error_event(&mut self, error: &ApiError) -> Bytes {
        self.stream.error_event(error).into()
    }

    /// Whether the upstream violates its protocol.
    pub(super) fn is_broken(&self) -> bool {
        self.status == StreamStatus::Broken
    }

    /// Whether the client has a complete response.
    pub(super) fn is_complete(&self) -> bool {
        self.status == StreamStatus::Complete
    }

    /// Whether the stream is complete or has ended with an error.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.status, StreamStatus::Complete | StreamStatus::Failed)
    }
}
