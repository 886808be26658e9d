//! The body of an answer, which holds its connection until it ends.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::Lease;

/// The body of an answer. At its end the connection goes back to rest; dropped
/// earlier, the connection (or its stream) is closed, which tells the upstream
/// that nobody listens any more.
#[derive(Debug)]
pub struct ReplyBody {
    incoming: Incoming,
    lease: Option<Lease>,
    rests_for: Option<Duration>,
}

type Fetched = Result<Frame<Bytes>, hyper::Error>;

impl ReplyBody {
    pub(super) fn new(incoming: Incoming, lease: Lease, rests_for: Option<Duration>) -> Self {
        let mut body = Self {
            incoming,
            lease: Some(lease),
            rests_for,
        };
        body.let_go_at_end();
        body
    }

    // Asking is what makes the connection fetch a frame, and driving it is what
    // fetches it: so the second time round there may be one.
    fn poll_incoming(&mut self, context: &mut Context<'_>) -> Poll<Option<Fetched>> {
        for _ in 0..2 {
            if let Some(lease) = &mut self.lease {
                lease.drive(context);
            }
            let polled = Pin::new(&mut self.incoming).poll_frame(context);
            if polled.is_ready() {
                return polled;
            }
        }
        Poll::Pending
    }

    // A reader that knows the length never asks for the end, so the last frame
    // must be recognised as such.
    fn let_go_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back(self.rests_for);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Poll::Ready(frame) = self.poll_incoming(context) else {
            return Poll::Pending;
        };
        match &frame {
            Some(Ok(_)) => self.let_go_at_end(),
            Some(Err(_)) => drop(self.lease.take()),
            None => self.let_go(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
