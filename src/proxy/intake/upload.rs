//! Streamed bodies: the prefix that was read for routing, then the incoming rest, at
//! the pace of the upstream.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};

use super::body_error;
use super::spool::{PendingRead, Spool};
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::proxy::body_timeouts::{BodyTimeouts, BodyTimer};
use crate::request_body::{BodyAborted, IncomingBody, RequestBody, StreamingBody};
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
    pub(super) idle_timeout: Duration,
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

    fn fail(&self, error: ErrorResponse) {
        self.error.borrow_mut().get_or_insert(error);
    }
}

impl StreamedBody {
    /// A body to be streamed unread.
    pub(super) fn new(incoming: BoxedBody, length: Option<u64>, idle_timeout: Duration) -> Self {
        Self {
            prefix: Prefix::Memory(Bytes::new()),
            model_span: None,
            incoming: RefCell::new(Some(incoming)),
            is_complete: false,
            form: RefCell::new(None),
            length,
            idle_timeout,
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
                parts.push_back(Part::Memory(Bytes::copy_from_slice(model.as_bytes())));
                parts.extend(self.prefix.part(span.end..prefix_len));
                let span = span.end - span.start;
                length = length.map(|all| (all + model.len() as u64).saturating_sub(span));
            }
        }
        let timeouts = BodyTimeouts {
            idle: self.idle_timeout,
            first_event_by: None,
            deadline: None,
        };
        let upload = UploadBody {
            parts,
            pending_read: None,
            incoming: self.incoming.take(),
            form: self.form.take(),
            model_is_known: self.model_span.is_some(),
            timer: BodyTimer::new(timeouts, None),
            state: Rc::clone(&self.state),
            _permit: self.permit.clone(),
        };
        RequestBody::streaming(StreamingBody::new(upload, length))
    }
}

impl Prefix {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(spool) => spool.len(),
        }
    }

    fn part(&self, range: Range<u64>) -> Option<Part> {
        if range.is_empty() {
            return None;
        }
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(range.start).ok()?;
                let end = usize::try_from(range.end).ok()?;
                Some(Part::Memory(bytes.slice(start..end)))
            }
            Self::File(spool) => Some(Part::File(Rc::clone(spool), range)),
        }
    }
}

enum Part {
    Memory(Bytes),
    File(Rc<Spool>, Range<u64>),
}

struct UploadBody {
    parts: VecDeque<Part>,
    pending_read: Option<PendingRead>,
    incoming: Option<BoxedBody>,
    form: Option<MultipartScanner>,
    model_is_known: bool,
    timer: BodyTimer,
    state: Rc<UploadState>,
    _permit: Option<Rc<LimitPermit>>,
}

impl UploadBody {
    fn poll_prefix(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ErrorResponse>>> {
        loop {
            if let Some(pending_read) = &mut self.pending_read {
                let read = ready!(Pin::new(pending_read).poll(context));
                self.pending_read = None;
                let bytes = read.ok().and_then(Result::ok);
                return Poll::Ready(Some(bytes.ok_or_else(error_response::internal_error)));
            }
            match self.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Memory(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Part::File(spool, range)) => {
                    let (pending_read, left) = spool.start_read(range);
                    self.pending_read = Some(pending_read);
                    if !left.is_empty() {
                        self.parts.push_front(Part::File(spool, left));
                    }
                }
            }
        }
    }

    fn poll_incoming(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ErrorResponse>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = incoming.as_mut().poll_frame(context) else {
            let expired = self.timer.poll_expired(context);
            return expired.map(|_| Some(Err(error_response::request_timeout())));
        };
        self.timer.on_data();
        let chunk = match frame {
            None => {
                self.incoming = None;
                let end = self.form.take().map_or(Ok(()), |form| form.finish());
                return Poll::Ready(end.err().map(|error| Err(error.into())));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(body_error(&error)))),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let received = self.state.bytes.get() + chunk.len() as u64;
        self.state.bytes.set(received);
        Poll::Ready(Some(self.inspect(&chunk).map(|()| chunk)))
    }

    /// A second model, or one after routing without a model, is an error.
    fn inspect(&mut self, chunk: &[u8]) -> Result<(), ErrorResponse> {
        let Some(form) = &mut self.form else {
            return Ok(());
        };
        form.feed(chunk)?;
        if form.model().is_some() && !self.model_is_known {
            return Err(error_response::late_model());
        }
        Ok(())
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = BodyAborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyAborted>>> {
        let chunk = match ready!(self.poll_prefix(context)) {
            Some(chunk) => Some(chunk),
            None => ready!(self.poll_incoming(context)),
        };
        Poll::Ready(chunk.map(|chunk| {
            chunk.map(Frame::data).map_err(|error| {
                self.state.fail(error);
                BodyAborted
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.pending_read.is_none() && self.incoming.is_none()
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StreamedBody")
    }
}
