//! The body of an answer, which holds its connection until it ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
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
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
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
