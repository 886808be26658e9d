//! The bodies of one request and of its response, whose ends the connection notes.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::catch_panic;
use super::state::{ActiveRequest, ConnState};
use crate::proxy::{Aborted, ResponseBody};

/// A request body that records a drop before its end.
#[derive(Debug)]
pub struct ServerRequestBody {
    body: Incoming,
    /// hyper does not report the end of a chunked body.
    ended: bool,
    state: Rc<ConnState>,
}

/// A response body that ends its request when dropped.
pub struct TrackedBody {
    pub body: ResponseBody,
    pub request: Option<ActiveRequest>,
}

// === impl ServerRequestBody ===

impl ServerRequestBody {
    pub fn new(body: Incoming, state: &Rc<ConnState>) -> Self {
        Self {
            ended: body.is_end_stream(),
            body,
            state: Rc::clone(state),
        }
    }
}

impl Body for ServerRequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.ended |= matches!(polled, Poll::Ready(None)) || self.body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ServerRequestBody {
    fn drop(&mut self) {
        if !self.ended {
            self.state.set_unread_body();
        }
    }
}

// === impl TrackedBody ===

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let polled = catch_panic::poll_frame(&mut self.body, context);
        if let Some(request) = &self.request {
            request.on_body_poll(polled.is_ready());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(request) = &self.request
            && request.is_stalled()
        {
            self.body.on_client_stalled();
        }
    }
}
