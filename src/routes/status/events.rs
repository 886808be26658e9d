//! One caller who watches.

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

use super::state::State;
use super::{Reading, Watchers, reading, view};
use crate::access::Caller;
use crate::drain::{Ear, Phase};
use crate::proxy::{Snapshot, Worker};

/// Between two events.
const EVERY: Duration = Duration::from_secs(1);

/// The status as an event stream: all of it at once, then once a second what
/// has changed, until the gateway drains, its configuration changes or the
/// caller's key expires.
#[derive(Debug)]
pub struct Watch {
    snapshot: Arc<Snapshot>,
    latest: Arc<Mutex<Option<Reading>>>,
    dismissed: Arc<AtomicBool>,
    caller: Caller,
    ear: Ear,
    beat: Interval,
    /// What the caller was told last.
    told: Option<Arc<State>>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    pub fn new(
        worker: &Worker,
        watchers: &Watchers,
        caller: Caller,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let mut beat = interval(EVERY);
        // Events that could not be sent are not made up for.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            snapshot: Arc::clone(&worker.snapshot),
            latest: Arc::clone(&watchers.latest),
            dismissed: Arc::clone(&watchers.dismissed),
            caller,
            ear: worker.curfew.listen(),
            beat,
            told: None,
            ended: false,
            _place: place,
        }
    }
}

impl Body for Watch {
    type Data = Bytes;
    type Error = Infallible;

    /// An event is made when it can be written, so that none waits for a
    /// reader that does not read.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended || !self.caller.is_valid() {
            return Poll::Ready(None);
        }
        let state = if self.ear.poll(context) > Phase::Serving {
            self.ended = true;
            Arc::new(view::read(&self.snapshot, &self.caller, true))
        } else {
            ready!(self.beat.poll_tick(context));
            if self.dismissed.load(Ordering::Relaxed) {
                return Poll::Ready(None);
            }
            reading(&self.latest, &self.snapshot, &self.caller)
        };
        let event = state.event(self.told.as_deref());
        self.told = Some(state);
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}
