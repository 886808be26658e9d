//! Connections to an upstream, and one request over each (HTTP/1.1) or over a stream
//! (HTTP/2).

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::error::Error;
use super::http1::{Http1, Http1Error, ResponseHead};
use super::lifetime::Lifetime;
use super::request::UpstreamRequest;
use super::resolve::Resolver;
use super::{Upstream, header};
use crate::config::Timeouts;
use crate::lazy_timer::timeout_at;
use crate::request_body::{RequestBody, StreamingBody};
use crate::routing::AttemptOutcome;

/// Above this, another connection is opened: the lowest limit that servers should set
/// (RFC 9113, section 6.5.2).
const STREAMS_PER_CONNECTION: usize = 100;

/// Shared by its streams.
#[derive(Debug)]
pub(super) struct Http2Connection {
    sender: http2::SendRequest<RequestBody>,
    _task: DriverTask,
    /// Concurrent streams that the upstream allows.
    max_streams: Rc<Cell<usize>>,
    streams: Cell<usize>,
    last_used: Cell<Instant>,
    closing: Cell<bool>,
    lifetime: Lifetime,
}

/// Drives an HTTP/2 connection; aborted when the pool and the last stream have dropped
/// it.
#[derive(Debug)]
pub(super) struct DriverTask(pub(super) AbortHandle);

/// A connection in use by one request.
#[derive(Debug)]
pub(super) enum Connection {
    Http1(Box<Http1>),
    Http2(Http2Stream),
}

/// A response head, with the source of the body.
pub(super) struct ResponseStart {
    pub(super) head: ResponseHead,
    /// The body over HTTP/2; over HTTP/1.1 it is read from the connection.
    pub(super) stream: Option<Incoming>,
    /// When the request began to be sent.
    pub(super) sent_at: Instant,
    /// Kept, so that it can be sent again.
    pub(super) request: Box<UpstreamRequest>,
}

#[derive(Debug)]
pub(super) struct Http2Stream(Rc<Http2Connection>);

pub(super) enum SendError {
    /// Nothing of the request was sent; it is returned.
    Unsent(Box<UpstreamRequest>, Error),
    MaybeSent(Error),
}

// === impl Connection ===

impl Connection {
    /// Sends a request and waits for the response head. Dropping the future closes the
    /// connection or its stream.
    pub(super) async fn exchange(
        mut self,
        upstream: &Upstream,
        request: Box<UpstreamRequest>,
        timeouts: &Timeouts,
        now: Instant,
    ) -> Result<(ResponseStart, Self), SendError> {
        let limit = timeouts.first_event.unwrap_or(timeouts.response_header);
        let limit = limit.min(timeouts.response_header);
        let deadline = now + limit;
        let streaming = request.body.as_streaming().cloned();
        let (head, request, stream) = match &mut self {
            Self::Http1(connection) => {
                let (head, request) = connection.send(upstream, request, deadline).await?;
                (head, request, None)
            }
            // Boxed, so that requests over HTTP/1.1 reserve no memory for it.
            Self::Http2(stream) => {
                let sending = Box::pin(stream.send(upstream, request));
                let sent = match &streaming {
                    None => timeout_at(deadline, sending).await.ok(),
                    Some(streaming) => response_to(streaming, limit, sending).await,
                };
                let (head, request, body) =
                    sent.ok_or_else(|| SendError::MaybeSent(Error::header_timeout()))??;
                (head, request, Some(body))
            }
        };
        let response = ResponseStart {
            head,
            stream,
            // A streaming body counts as sent when its last chunk was read.
            sent_at: streaming.map_or(now, |streaming| streaming.last_read_at()),
            request,
        };
        Ok((response, self))
    }
}

/// Waits for the response to a request with a streaming body: the timeout starts again
/// with each chunk of the body.
async fn response_to<T>(
    body: &StreamingBody,
    limit: Duration,
    mut sending: Pin<Box<impl Future<Output = T>>>,
) -> Option<T> {
    loop {
        let deadline = body.last_read_at() + limit;
        if let Ok(response) = timeout_at(deadline, sending.as_mut()).await {
            return Some(response);
        }
        if body.last_read_at() + limit <= deadline {
            return None;
        }
    }
}

impl Http1 {
    async fn send(
        &mut self,
        upstream: &Upstream,
        request: Box<UpstreamRequest>,
        deadline: Instant,
    ) -> Result<(ResponseHead, Box<UpstreamRequest>), SendError> {
        match self.exchange(upstream, &request, deadline).await {
            Ok(head) => Ok((head, request)),
            Err(error) if self.has_started() || matches!(error, Http1Error::Timeout) => {
                Err(SendError::MaybeSent(error.into()))
            }
            Err(error) => Err(SendError::Unsent(request, error.into())),
        }
    }
}

// === impl Http2Connection ===

impl Drop for DriverTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http2Connection {
    pub(super) fn new(
        sender: http2::SendRequest<RequestBody>,
        task: DriverTask,
        max_streams: Rc<Cell<usize>>,
        lifetime: Lifetime,
    ) -> Self {
        Self {
            sender,
            _task: task,
            max_streams,
            streams: Cell::new(0),
            last_used: Cell::new(Instant::now()),
            closing: Cell::new(false),
            lifetime,
        }
    }

    /// Whether it was idle for too long, or takes no more streams. The open ones keep it
    /// until they end.
    pub(super) fn is_expired(
        &self,
        now: Instant,
        idle_timeout: Duration,
        resolver: &Resolver,
    ) -> bool {
        let is_idle = self.streams.get() == 0;
        let was_idle = is_idle && now.duration_since(self.last_used.get()) > idle_timeout;
        was_idle || self.has_ended(now, resolver)
    }

    /// Whether another stream may be opened.
    pub(super) fn has_capacity(&self, now: Instant, resolver: &Resolver) -> bool {
        self.streams.get() < self.max_streams.get().min(STREAMS_PER_CONNECTION)
            && !self.has_ended(now, resolver)
    }

    fn has_ended(&self, now: Instant, resolver: &Resolver) -> bool {
        self.closing.get() || self.sender.is_closed() || self.lifetime.has_ended(now, resolver)
    }
}

// === impl Http2Stream ===

impl Http2Stream {
    pub(super) fn open(connection: &Rc<Http2Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(Rc::clone(connection))
    }

    async fn send(
        &self,
        upstream: &Upstream,
        request: Box<UpstreamRequest>,
    ) -> Result<(ResponseHead, Box<UpstreamRequest>, Incoming), SendError> {
        let mut sender = self.0.sender.clone();
        match sender
            .try_send_request(upstream.http2_request(&request))
            .await
        {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let mut headers = parts.headers;
                header::strip_response(&mut headers);
                let head = ResponseHead {
                    status: parts.status,
                    headers,
                    keep_alive_hint: None,
                };
                Ok((head, request, body))
            }
            Err(mut failed) => {
                // Open streams may continue; a new one would fail as well.
                self.0.closing.set(true);
                let unsent = failed.take_message().is_some();
                let error = Error::from_hyper(failed.error());
                // Also returned if the peer did not process it, and the body is still
                // complete.
                let consumed = request
                    .body
                    .as_streaming()
                    .is_some_and(StreamingBody::has_started);
                let replayable = error.outcome() == AttemptOutcome::NotProcessed && !consumed;
                Err(if unsent || replayable {
                    SendError::Unsent(request, error)
                } else {
                    SendError::MaybeSent(error)
                })
            }
        }
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.last_used.set(Instant::now());
    }
}
