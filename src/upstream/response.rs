//! The body of an answer, which holds its connection until it ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use super::pool::Lease;

/// The body of an answer. At its end the connection goes back to rest; dropped
/// earlier, the connection (or its stream) is closed, which tells the upstream
/// that nobody listens any more.
#[derive(Debug)]
pub struct ReplyBody {
    /// None once the body has ended.
    lease: Option<Lease>,
    /// Where it comes from over HTTP/2; over HTTP/1.1, it comes from the lease.
    stream: Option<Incoming>,
    rests_for: Option<Duration>,
}

/// The answer breaks off here.
#[derive(Debug)]
pub struct BrokenOff;

impl ReplyBody {
    pub(super) fn new(lease: Lease, stream: Option<Incoming>, rests_for: Option<Duration>) -> Self {
        let ended = match &stream {
            Some(stream) => stream.is_end_stream(),
            None => lease.has_ended(),
        };
        let mut body = Self {
            lease: Some(lease),
            stream,
            rests_for,
        };
        if ended {
            body.let_go();
        }
        body
    }

    /// Whether there is nothing more to come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lease.is_none()
    }

    /// The next piece, as soon as it is there; none at the end.
    pub fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let Some(lease) = &mut self.lease else {
            return Poll::Ready(None);
        };
        let polled = match &mut self.stream {
            Some(stream) => ready!(poll_stream(stream, context)),
            None => ready!(lease.poll_body(context)).map(|piece| piece.map_err(|_| BrokenOff)),
        };
        Poll::Ready(match polled {
            // The last piece must be recognised as such, so that the connection
            // rests before the caller's next request wants one.
            Some(Ok((piece, last))) => {
                if last {
                    self.let_go();
                }
                Some(Ok(piece))
            }
            Some(Err(broken)) => {
                self.lease = None;
                Some(Err(broken))
            }
            None => {
                self.let_go();
                None
            }
        })
    }

    fn let_go(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back(self.rests_for);
        }
    }
}

/// The next piece of a stream, and whether it is the last. Trailers speak of the
/// upstream's connection and are passed over.
fn poll_stream(
    stream: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<Result<(Bytes, bool), BrokenOff>>> {
    loop {
        let frame = ready!(Pin::new(&mut *stream).poll_frame(context));
        match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(piece))) => {
                return Poll::Ready(Some(Ok((piece, stream.is_end_stream()))));
            }
            Some(Ok(Err(_))) => {}
            Some(Err(_)) => return Poll::Ready(Some(Err(BrokenOff))),
            None => return Poll::Ready(None),
        }
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the upstream's answer broke off")
    }
}

impl std::error::Error for BrokenOff {}
