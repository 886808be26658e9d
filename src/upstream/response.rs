//! Responses of upstreams.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::pool::Lease;

#[derive(Debug)]
pub struct UpstreamResponse {
    pub status: StatusCode,
    /// Only those that are forwarded downstream.
    pub headers: HeaderMap,
    /// When the request began to be sent.
    pub sent_at: Instant,
    pub body: UpstreamBody,
}

/// Holds its connection until it ends. The connection then returns to the pool; if the
/// body is dropped earlier, the connection (HTTP/1.1) or its stream is closed, so that
/// the upstream stops.
#[derive(Debug)]
pub struct UpstreamBody {
    /// None once the body has ended.
    lease: Option<Lease>,
    /// Source of the body over HTTP/2; over HTTP/1.1 it is the lease.
    stream: Option<Incoming>,
    keep_alive_hint: Option<Duration>,
}

#[derive(Debug)]
pub struct IncompleteResponse;

impl UpstreamBody {
    pub(super) fn new(
        lease: Lease,
        stream: Option<Incoming>,
        keep_alive_hint: Option<Duration>,
    ) -> Self {
        let ended = match &stream {
            Some(stream) => stream.is_end_stream(),
            None => lease.has_ended(),
        };
        let mut body = Self {
            lease: Some(lease),
            stream,
            keep_alive_hint,
        };
        if ended {
            body.release();
        }
        body
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lease.is_none()
    }

    pub fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, IncompleteResponse>>> {
        let Some(lease) = &mut self.lease else {
            return Poll::Ready(None);
        };
        let polled = match &mut self.stream {
            Some(stream) => ready!(poll_stream(stream, context)),
            None => {
                ready!(lease.poll_body(context)).map(|chunk| chunk.map_err(|_| IncompleteResponse))
            }
        };
        Poll::Ready(match polled {
            // The last chunk is recognised as such, so that the connection is idle
            // before the client's next request needs one.
            Some(Ok((chunk, last))) => {
                if last {
                    self.release();
                }
                Some(Ok(chunk))
            }
            Some(Err(error)) => {
                self.lease = None;
                Some(Err(error))
            }
            None => {
                self.release();
                None
            }
        })
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release(self.keep_alive_hint);
        }
    }
}

/// The next chunk of an HTTP/2 stream, and whether it is the last. Trailers belong to
/// the upstream's connection and are dropped.
fn poll_stream(
    stream: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<Result<(Bytes, bool), IncompleteResponse>>> {
    loop {
        let frame = ready!(Pin::new(&mut *stream).poll_frame(context));
        match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(chunk))) => {
                return Poll::Ready(Some(Ok((chunk, stream.is_end_stream()))));
            }
            Some(Ok(Err(_))) => {}
            Some(Err(_)) => return Poll::Ready(Some(Err(IncompleteResponse))),
            None => return Poll::Ready(None),
        }
    }
}

impl fmt::Display for IncompleteResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the upstream's response is incomplete")
    }
}

impl std::error::Error for IncompleteResponse {}
