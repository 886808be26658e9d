//! The end of a stream that failed: two events, as `OpenAI` sends them.
//!
//! Its SDKs raise at `error`, by the member `error`. Codex does not know that event:
//! it acts on `response.failed`, and its code. The AI SDK takes either.

use serde::Serialize;

use super::event::EventWriter;
use super::response_object::{ResponseFailure, ResponseObject, ResponseProgress, ResponseStatus};
use crate::dialect::error::ChatError;

/// A failure within a stream.
pub(in crate::dialect) struct StreamFailure<'a> {
    pub(in crate::dialect) error: ChatError<'a>,
    /// Of `response.failed`, which has codes of its own.
    pub(in crate::dialect) code: &'static str,
}

/// The members of `error`, which are in its data as well as in `error`.
#[derive(Serialize)]
struct ErrorMembers<'a> {
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    error: &'a ChatError<'a>,
}

impl StreamFailure<'_> {
    /// The events of a stream of which nothing is known.
    pub(in crate::dialect) fn to_events(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(
            &mut EventWriter::default(),
            &ResponseObject::unknown(),
            &mut out,
        );
        out
    }

    pub(super) fn write(
        &self,
        events: &mut EventWriter,
        response: &ResponseObject,
        out: &mut Vec<u8>,
    ) {
        let error = &self.error;
        let members = ErrorMembers {
            code: error.code,
            message: error.message,
            param: error.param,
            error,
        };
        events.write_members("error", &members, out);
        let progress = ResponseProgress {
            status: ResponseStatus::Failed,
            error: Some(ResponseFailure {
                code: self.code,
                message: error.message,
            }),
            usage: None,
        };
        response.write_event("response.failed", &progress, events, out);
    }
}
