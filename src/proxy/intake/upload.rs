//! Streamed bodies: the prefix that was read for routing, then the incoming rest, at
//! the pace of the upstream.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;

use super::spool::Spool;
use super::upload_body::{UploadBody, UploadPart};
use super::upload_limits::UploadLimits;
use crate::error_response::ErrorResponse;
use crate::request_body::{IncomingBody, RequestBody, StreamingBody};
use crate::shared_limit::LimitPermit;
use crate::wire::multipart::MultipartScanner;

pub(super) type BoxedBody = Pin<Box<dyn IncomingBody>>;

pub struct StreamedBody {
    pub(super) prefix: Prefix,
    /// The name of the model, in the prefix.
    pub(super) model_span: Option<Range<u64>>,
    /// None once it is being sent.
    pub(super) incoming: RefCell<Option<BoxedBody>>,
    /// The prefix is all of it.
    pub(super) is_complete: bool,
    /// Checks the rest of a form.
    pub(super) form: RefCell<Option<MultipartScanner>>,
    /// Of the whole body, if known.
    pub(super) length: Option<u64>,
    pub(super) limits: UploadLimits,
    /// For the bytes of the prefix.
    pub(super) permit: Option<Rc<LimitPermit>>,
    pub(super) state: Rc<UploadState>,
}

/// What was read for routing.
#[derive(Clone)]
pub(super) enum Prefix {
    Memory(Bytes),
    File(Rc<Spool>),
}

/// Progress of an upload, shared with the request that sends it.
#[derive(Default)]
pub struct UploadState {
    /// Bytes received.
    pub bytes: Rc<Cell<u64>>,
    /// Why it was aborted.
    error: RefCell<Option<ErrorResponse>>,
}

impl UploadState {
    pub(super) fn with_bytes(bytes: u64) -> Self {
        Self {
            bytes: Rc::new(Cell::new(bytes)),
            error: RefCell::default(),
        }
    }

    /// Why the body was aborted, if the client is at fault.
    pub fn take_error(&self) -> Option<ErrorResponse> {
        self.error.take()
    }

    pub(super) fn fail(&self, error: ErrorResponse) {
        self.error.borrow_mut().get_or_insert(error);
    }
}

impl StreamedBody {
    /// A body to be streamed unread.
    pub(super) fn new(incoming: BoxedBody, length: Option<u64>, limits: UploadLimits) -> Self {
        Self {
            prefix: Prefix::Memory(Bytes::new()),
            model_span: None,
            incoming: RefCell::new(Some(incoming)),
            is_complete: false,
            form: RefCell::new(None),
            length,
            limits,
            permit: None,
            state: Rc::default(),
        }
    }

    /// Whether it is streamed without being parsed.
    pub(super) fn is_unread(&self) -> bool {
        !self.is_complete && self.form.borrow().is_none()
    }

    pub fn is_replayable(&self) -> bool {
        self.is_complete
    }

    pub fn state(&self) -> &Rc<UploadState> {
        &self.state
    }

    /// The body to send, with `model` in place of the client's.
    pub fn to_request_body(&self, model: &str) -> RequestBody {
        let prefix_len = self.prefix.len();
        let mut parts = VecDeque::new();
        let mut length = self.length;
        match &self.model_span {
            None => parts.extend(self.prefix.part(0..prefix_len)),
            Some(span) => {
                parts.extend(self.prefix.part(0..span.start));
                parts.push_back(UploadPart::Memory(Bytes::copy_from_slice(model.as_bytes())));
                parts.extend(self.prefix.part(span.end..prefix_len));
                let span = span.end - span.start;
                length = length.map(|all| (all + model.len() as u64).saturating_sub(span));
            }
        }
        RequestBody::streaming(StreamingBody::new(UploadBody::new(self, parts), length))
    }
}

impl Prefix {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(spool) => spool.len(),
        }
    }

    fn part(&self, range: Range<u64>) -> Option<UploadPart> {
        if range.is_empty() {
            return None;
        }
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(range.start).ok()?;
                let end = usize::try_from(range.end).ok()?;
                Some(UploadPart::Memory(bytes.slice(start..end)))
            }
            Self::File(spool) => Some(UploadPart::File(Rc::clone(spool), range)),
        }
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StreamedBody")
    }
}
