//! Responses of an upstream whose protocol is not the client's.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use http::StatusCode;

use crate::dialect::{self, Dialect, ResponseContext, StreamStatus, StreamTranslator};
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::telemetry::request_id::RequestId;
use crate::wall_clock;

/// Context of a translated request.
#[derive(Debug)]
pub(super) struct Translation {
    /// The client's protocol.
    client: Dialect,
    /// The model's name in the client's request.
    model: String,
    request_id: RequestId,
    /// Whether the client asked for usage at the end of its stream.
    include_usage: bool,
}

/// Translates a stream to the client's protocol.
#[derive(Debug)]
pub struct Translator {
    stream: StreamTranslator,
    status: StreamStatus,
}

pub(super) struct TranslatedResponse {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

// === impl Translation ===

impl Translation {
    pub(super) fn new(
        client: Dialect,
        model: String,
        request_id: RequestId,
        include_usage: bool,
    ) -> Self {
        Self {
            client,
            model,
            request_id,
            include_usage,
        }
    }

    pub(super) fn stream_translator(&self) -> Box<Translator> {
        let id = self.id();
        Box::new(Translator {
            stream: StreamTranslator::new(self.client, &self.response_context(&id)),
            status: StreamStatus::Open,
        })
    }

    /// Translates a complete body, or an error.
    pub(super) fn translate_body(
        &self,
        status: StatusCode,
        body: &[u8],
    ) -> Result<TranslatedResponse, ErrorResponse> {
        if status.is_success() {
            let id = self.id();
            let translated =
                dialect::translate_response(self.client, body, &self.response_context(&id));
            return match translated {
                Ok(body) => Ok(TranslatedResponse { status, body }),
                Err(_) => Err(error_response::upstream_protocol_error()),
            };
        }
        let request_id = self.request_id.as_str();
        let error = dialect::translate_error(self.client, status.as_u16(), body, Some(request_id));
        Ok(TranslatedResponse {
            status: StatusCode::from_u16(error.status).unwrap_or(status),
            body: error.body,
        })
    }

    /// Used where the upstream's response has no id.
    fn id(&self) -> String {
        let prefix = match self.client {
            Dialect::OpenAi => "chatcmpl",
            Dialect::Anthropic => "msg",
        };
        format!("{prefix}-{}", self.request_id.as_str())
    }

    fn response_context<'a>(&'a self, id: &'a str) -> ResponseContext<'a> {
        let now = wall_clock::now().duration_since(UNIX_EPOCH);
        ResponseContext {
            model: &self.model,
            fallback_id: id,
            created: now.map_or(0, |since| since.as_secs()),
            include_usage: self.include_usage,
        }
    }
}

// === impl Translator ===

impl Translator {
    pub(super) fn push(&mut self, chunk: &[u8]) -> Option<Bytes> {
        let mut out = Vec::new();
        self.status = self.stream.push(chunk, &mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// The upstream's body has ended, with this last chunk.
    pub(super) fn finish(&mut self, chunk: Option<Bytes>) -> Option<Bytes> {
        let mut out = Vec::new();
        if let Some(chunk) = chunk {
            self.stream.push(&chunk, &mut out);
        }
        self.status = self.stream.finish(&mut out);
        (!out.is_empty()).then(|| out.into())
    }

    /// Whether the upstream violates its protocol.
    pub(super) fn is_broken(&self) -> bool {
        self.status == StreamStatus::Broken
    }

    /// Whether the stream is complete or has ended with an error.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.status, StreamStatus::Complete | StreamStatus::Failed)
    }
}
