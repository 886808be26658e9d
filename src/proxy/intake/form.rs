//! Multipart forms: read until their model is found; the rest, files above all, is
//! streamed.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

use super::body_error;
use super::spool::{Spool, SpoolError};
use super::upload::{BoxedBody, Prefix, StreamedBody, UploadState};
use super::upload_limits::{UploadLimits, UploadTimer};
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::metering::Meter;
use crate::proxy::{Worker, admit};
use crate::shared_limit::LimitPermit;
use crate::wire::endpoint::FormModel;
use crate::wire::multipart::MultipartScanner;

/// Bytes of a form buffered in memory until its model is found.
const MAX_BUFFERED: usize = 1024 * 1024;
/// Bytes of the budget that are acquired at a time.
const STEP: usize = 16 * 1024;

/// Reads until the model is found, the form has ended, or the model is optional and
/// the buffer is full. Returns the body and the name of the model. While it is awaited,
/// the request holds no permit in flight.
pub(super) async fn read(
    worker: &Worker,
    meter: &Meter,
    in_flight: &mut LimitPermit,
    content_type: Option<&HeaderValue>,
    length: Option<u64>,
    incoming: BoxedBody,
) -> Result<(StreamedBody, Option<String>), ErrorResponse> {
    let limits = UploadLimits::new(&worker.snapshot.limits);
    if let Some(length) = length {
        limits.check_size(length)?;
    }
    let mut reader = FormReader {
        form: MultipartScanner::new(content_type.map_or(&[], |it| it.as_bytes()))?,
        permit: worker.buffered.acquire(0)?,
        buffered: BytesMut::new(),
        spool: None,
        incoming: Some(incoming),
        read: 0,
        timer: UploadTimer::new(limits),
        limits,
    };
    let model_is_optional = meter.endpoint().form_model() == FormModel::Unknown;
    // A small form is buffered as a whole, so that it can be retried.
    let is_small = length.is_some_and(|length| length <= MAX_BUFFERED as u64);
    let wait = meter.wait();
    admit::pause(in_flight);
    while (is_small || reader.form.model().is_none()) && reader.incoming.is_some() {
        if reader.buffered.len() >= MAX_BUFFERED {
            if model_is_optional {
                break;
            }
            reader.spill(worker).await?;
        }
        reader.read_chunk().await?;
    }
    if length == Some(reader.read) && reader.incoming.take().is_some() {
        // All bytes are read, so this is the end, though it was not polled.
        reader.form.finish()?;
    }
    if reader.spool.is_some() {
        reader.spill(worker).await?;
    }
    drop(wait);
    admit::resume(in_flight)?;
    Ok(reader.into_body(length))
}

struct FormReader {
    form: MultipartScanner,
    permit: LimitPermit,
    buffered: BytesMut,
    spool: Option<Spool>,
    /// None at the end.
    incoming: Option<BoxedBody>,
    read: u64,
    timer: UploadTimer,
    limits: UploadLimits,
}

impl FormReader {
    async fn read_chunk(&mut self) -> Result<(), ErrorResponse> {
        let Some(incoming) = &mut self.incoming else {
            return Ok(());
        };
        let (timer, read) = (&mut self.timer, self.read);
        let frame = poll_fn(|context| match incoming.as_mut().poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
            Poll::Pending => timer.poll_late(read, context).map(Err),
        });
        let Some(frame) = frame.await? else {
            self.incoming = None;
            return Ok(self.form.finish()?);
        };
        self.timer.on_data();
        let frame = frame.map_err(|error| body_error(&error))?;
        let chunk = frame.into_data().unwrap_or_default();
        self.read += chunk.len() as u64;
        self.limits.check_size(self.read)?;
        self.form.feed(&chunk)?;
        self.permit
            .grow_to(self.buffered.len() + chunk.len(), STEP)?;
        self.buffered.extend_from_slice(&chunk);
        Ok(())
    }

    /// Moves the buffer to the spool file.
    async fn spill(&mut self, worker: &Worker) -> Result<(), ErrorResponse> {
        let limits = &worker.snapshot.limits;
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => {
                let directory = limits.spool_dir.as_deref();
                none.insert(Spool::new(directory, &worker.spooled).await?)
            }
        };
        let buffered: Bytes = self.buffered.split().freeze();
        self.permit = worker.buffered.acquire(0)?;
        Ok(spool.append(buffered).await?)
    }

    fn into_body(mut self, length: Option<u64>) -> (StreamedBody, Option<String>) {
        self.permit.shrink_to(self.buffered.len());
        let (span, name) = match self.form.model() {
            Some(model) => (Some(model.span.clone()), Some(model.name.clone())),
            None => (None, None),
        };
        let is_complete = self.incoming.is_none();
        let body = StreamedBody {
            prefix: match self.spool {
                Some(spool) => Prefix::File(Rc::new(spool)),
                None => Prefix::Memory(self.buffered.freeze()),
            },
            model_span: span,
            incoming: RefCell::new(self.incoming),
            is_complete,
            form: RefCell::new((!is_complete).then_some(self.form)),
            length: length.or(is_complete.then_some(self.read)),
            limits: self.limits,
            permit: Some(Rc::new(self.permit)),
            state: Rc::new(UploadState::with_bytes(self.read)),
        };
        (body, name)
    }
}

impl From<SpoolError> for ErrorResponse {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::LimitExceeded => error_response::overloaded(
                "The gateway holds too many forms whose `model` comes after a file. Send \
                 `model` first, or retry.",
            ),
            SpoolError::Io(error) => {
                tracing::error!(%error, "spool file failed");
                error_response::spool_failed()
            }
        }
    }
}
