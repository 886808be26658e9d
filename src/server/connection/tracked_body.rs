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
        let ended = body.is_end_stream();
        // A request's body without a length is chunked (RFC 9112, section 6.3).
        state.start_body(|| !ended && body.size_hint().exact().is_none());
        Self {
            ended,
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
        if let Some(request) = &self.request
            && request.poll_writable(context).is_pending()
        {
            return Poll::Pending;
        }
        let polled = catch_panic::poll_frame(&mut self.body, context);
        if let Some(request) = &self.request {
            request.on_body_poll(polled.is_ready());
            if let Poll::Ready(Some(Ok(frame))) = &polled {
                request.on_frame(frame.data_ref().map_or(0, Bytes::len));
            }
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::Duration;

    use http_body::Body;

    use super::{ConnState, TrackedBody};
    use crate::drain::DrainSignal;
    use crate::proxy::ResponseBody;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn body(length: usize) -> (Rc<ConnState>, TrackedBody) {
        let drain = DrainSignal::new();
        let state = ConnState::new(drain.watch(), Duration::MAX, Duration::MAX);
        let body = TrackedBody {
            body: ResponseBody::full("x".repeat(length).into()),
            request: Some(state.start_request()),
        };
        (state, body)
    }

    #[test]
    fn no_frame_is_taken_while_the_client_takes_none() {
        let mut context = Context::from_waker(Waker::noop());
        let (state, mut body) = body(10);
        let _ = state.on_write(Poll::<()>::Pending);
        assert!(Pin::new(&mut body).poll_frame(&mut context).is_pending());
        let _ = state.on_write(Poll::Ready(()));
        assert!(Pin::new(&mut body).poll_frame(&mut context).is_ready());
    }

    #[test]
    fn frames_are_written_before_more_are_taken() {
        let count = Arc::<Wakes>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        for (length, is_written_first) in [(1000, false), (40_000, true)] {
            let (state, mut body) = body(length);
            assert!(Pin::new(&mut body).poll_frame(&mut context).is_ready());
            let before = count.0.load(Ordering::Relaxed);
            let end = Pin::new(&mut body).poll_frame(&mut context);
            assert_eq!(end.is_pending(), is_written_first);
            // hyper may have nothing else to wait for once it has written.
            let woken = count.0.load(Ordering::Relaxed) - before;
            assert_eq!(woken, usize::from(is_written_first));
            let _ = state.on_write(Poll::Ready(()));
            assert!(Pin::new(&mut body).poll_frame(&mut context).is_ready());
        }
    }
}
