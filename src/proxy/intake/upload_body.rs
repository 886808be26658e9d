//! The streamed body of an upstream request: what was read for routing, then the rest as
//! it arrives.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

use super::body_error;
use super::spool::{PendingRead, Spool};
use super::upload::{BoxedBody, StreamedBody, UploadState};
use super::upload_limits::{UploadLimits, UploadTimer};
use crate::error_response::{self, ErrorResponse};
use crate::request_body::BodyAborted;
use crate::shared_limit::LimitPermit;
use crate::wire::multipart::MultipartScanner;

/// Frames that have arrived together are joined up to this size: each is a write to the
/// upstream.
const JOINED: usize = 16 * 1024;

pub(super) enum UploadPart {
    Memory(Bytes),
    File(Rc<Spool>, Range<u64>),
}

pub(super) struct UploadBody {
    parts: VecDeque<UploadPart>,
    pending_read: Option<PendingRead>,
    incoming: Option<BoxedBody>,
    /// Small frames, to be passed on as one.
    gathered: BytesMut,
    /// Whether the frame after them was waited for.
    has_yielded: bool,
    /// What follows them, if it was received.
    next: Option<Result<Bytes, ErrorResponse>>,
    form: Option<MultipartScanner>,
    model_is_known: bool,
    timer: UploadTimer,
    limits: UploadLimits,
    state: Rc<UploadState>,
    _permit: Option<Rc<LimitPermit>>,
}

impl UploadBody {
    /// Takes what has not arrived yet from `streamed`; `parts` come before it.
    pub(super) fn new(streamed: &StreamedBody, parts: VecDeque<UploadPart>) -> Self {
        let mut timer = UploadTimer::new(streamed.limits);
        timer.pause();
        Self {
            parts,
            pending_read: None,
            incoming: streamed.incoming.take(),
            gathered: BytesMut::new(),
            has_yielded: false,
            next: None,
            form: streamed.form.take(),
            model_is_known: streamed.model_span.is_some(),
            timer,
            limits: streamed.limits,
            state: Rc::clone(streamed.state()),
            _permit: streamed.permit.clone(),
        }
    }

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
                Some(UploadPart::Memory(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(UploadPart::File(spool, range)) => {
                    let (pending_read, left) = spool.start_read(range);
                    self.pending_read = Some(pending_read);
                    if !left.is_empty() {
                        self.parts.push_front(UploadPart::File(spool, left));
                    }
                }
            }
        }
    }

    /// The next frame, joined with those that have arrived already.
    fn poll_incoming(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ErrorResponse>>> {
        loop {
            match self.poll_chunk(context) {
                Poll::Ready(Some(Ok(chunk))) if self.gathered.len() + chunk.len() < JOINED => {
                    self.has_yielded = false;
                    self.gathered.extend_from_slice(&chunk);
                }
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                // hyper hands over one frame for each turn of the connection's task, so
                // that the next one may be there after another turn.
                Poll::Pending if !self.has_yielded => {
                    self.has_yielded = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(next) if self.gathered.is_empty() => return Poll::Ready(next),
                polled => {
                    if let Poll::Ready(next) = polled {
                        self.next = next;
                    }
                    self.has_yielded = false;
                    return Poll::Ready(Some(Ok(self.gathered.split().freeze())));
                }
            }
        }
    }

    fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ErrorResponse>>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(Some(next));
        }
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = incoming.as_mut().poll_frame(context) else {
            let late = self.timer.poll_late(self.state.bytes.get(), context);
            return late.map(|error| Some(Err(error)));
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
        let checked = self.limits.check_size(received);
        Poll::Ready(Some(
            checked.and_then(|()| self.inspect(&chunk)).map(|()| chunk),
        ))
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
        self.timer.pause();
        Poll::Ready(chunk.map(|chunk| {
            chunk.map(Frame::data).map_err(|error| {
                self.state.fail(error);
                BodyAborted
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
            && self.pending_read.is_none()
            && self.incoming.is_none()
            && self.next.is_none()
    }
}
