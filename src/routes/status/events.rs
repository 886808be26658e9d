//! The event stream of one status subscriber.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::state::StatusState;
use super::{CachedState, Subscribers, cached_state, view};
use crate::access::Caller;
use crate::drain::{DrainWatch, Phase};
use crate::proxy::{Snapshot, Worker};

const INTERVAL: Duration = Duration::from_secs(1);

/// Sends the complete status, then its changes once a second, until the gateway
/// drains, its configuration changes, or the client's key expires.
#[derive(Debug)]
pub struct StatusStream {
    snapshot: Arc<Snapshot>,
    cache: Arc<Mutex<Option<CachedState>>>,
    disconnected: Arc<AtomicBool>,
    caller: Caller,
    drain: DrainWatch,
    tick: Interval,
    last_sent: Option<Arc<StatusState>>,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl StatusStream {
    pub fn new(
        worker: &Worker,
        subscribers: &Subscribers,
        caller: Caller,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let mut tick = interval(INTERVAL);
        // Missed events are skipped.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            snapshot: Arc::clone(&worker.snapshot),
            cache: Arc::clone(&subscribers.cache),
            disconnected: Arc::clone(&subscribers.disconnected),
            caller,
            drain: worker.drain.watch(),
            tick,
            last_sent: None,
            ended: false,
            _permit: permit,
        }
    }
}

impl Body for StatusStream {
    type Data = Bytes;
    type Error = Infallible;

    /// Creates an event only when hyper can write it, so that none is buffered for a
    /// slow reader.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended || !self.caller.is_valid() {
            return Poll::Ready(None);
        }
        let state = if self.drain.poll(context) > Phase::Serving {
            self.ended = true;
            Arc::new(view::read(&self.snapshot, &self.caller, true))
        } else {
            ready!(self.tick.poll_tick(context));
            if self.disconnected.load(Ordering::Relaxed) {
                return Poll::Ready(None);
            }
            cached_state(&self.cache, &self.snapshot, &self.caller)
        };
        let event = state.event(self.last_sent.as_deref());
        self.last_sent = Some(state);
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}
