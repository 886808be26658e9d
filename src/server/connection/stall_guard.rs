//! Resets the streams of an HTTP/2 connection that the client does not read.
//!
//! The kernel detects a client that reads nothing at all, but not one that reads
//! all frames and opens no window for one of its streams (RFC 9113, section 5.2).

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use metrics::Counter;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::state::ConnState;
use crate::lazy_timer::LazyTimer;
use crate::routes::context::HttpContext;

/// Executor of one connection's streams; resets those that are not read.
#[derive(Clone)]
pub struct H2StallGuard {
    state: Rc<ConnState>,
    /// How long a stream may stay blocked.
    limit: Duration,
    timed_out: Counter,
}

/// One stream. Dropping hyper's future resets it.
struct GuardedStream<F> {
    /// None after the reset.
    future: Option<Pin<Box<F>>>,
    guard: H2StallGuard,
    blocked_since: Option<Instant>,
    timer: LazyTimer,
}

// === impl H2StallGuard ===

impl H2StallGuard {
    pub fn new(state: &Rc<ConnState>, context: &HttpContext) -> Self {
        Self {
            state: Rc::clone(state),
            limit: context.write_timeout,
            timed_out: context.errors.write_timeout.clone(),
        }
    }
}

impl<F> Executor<F> for H2StallGuard
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(GuardedStream {
            future: Some(Box::pin(future)),
            guard: self.clone(),
            blocked_since: None,
            timer: LazyTimer::default(),
        });
    }
}

// === impl GuardedStream ===

impl<F: Future<Output = ()>> Future for GuardedStream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(());
        };
        let polled = future.as_mut().poll(context);
        // Other streams of the connection use the same cell.
        let last_poll = self.guard.state.take_last_poll();
        if polled.is_ready() {
            return polled;
        }
        // hyper polls a body again once its last frame has been sent. So if the
        // last poll returned a frame, the stream waits for its window; without a
        // poll, nothing has changed.
        match last_poll {
            Some(true) => self.blocked_since = Some(Instant::now()),
            Some(false) => self.blocked_since = None,
            None => {}
        }
        let timeout = self.poll_timeout(context);
        if timeout.is_ready() {
            self.guard.timed_out.increment(1);
            let future = self.future.take();
            self.guard.state.reset_stalled(future);
        }
        timeout
    }
}

impl<F> GuardedStream<F> {
    /// Ready once the stream has been blocked for too long.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(since) = self.blocked_since else {
            return Poll::Pending;
        };
        let timeout = self.timer.poll(since + self.guard.limit, context);
        timeout.map(|_| ())
    }
}
