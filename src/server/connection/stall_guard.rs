//! Ends the streams of an HTTP/2 connection that nobody reads.
//!
//! The system sees a caller who reads nothing at all, but not one who reads all
//! frames and opens no window for one of its streams (RFC 9113, section 5.2).

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::state::Vigil;
use crate::lazy_timer::Alarm;
use crate::routes::context::Site;
use crate::telemetry::metric::Counter;

/// Runs the streams of one connection on its own thread, and ends those that
/// are not read.
#[derive(Clone)]
pub struct Pacer {
    vigil: Rc<Vigil>,
    /// Longest time in which nothing of what waits is taken.
    limit: Duration,
    /// Counts those that were ended.
    ended: Counter,
}

/// One stream. Dropping hyper's work on it resets the stream.
struct Paced<F> {
    /// None once it was given up.
    work: Option<Pin<Box<F>>>,
    pacer: Pacer,
    /// Since when something waits to be taken.
    stuck: Option<Instant>,
    alarm: Alarm,
}

impl Pacer {
    /// For the connection that `vigil` watches over.
    pub fn new(vigil: &Rc<Vigil>, site: &Site) -> Self {
        Self {
            vigil: Rc::clone(vigil),
            limit: site.write_timeout,
            ended: site.errors.write_timeout.clone(),
        }
    }
}

impl<F> Executor<F> for Pacer
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, work: F) {
        spawn_local(Paced {
            work: Some(Box::pin(work)),
            pacer: self.clone(),
            stuck: None,
            alarm: Alarm::default(),
        });
    }
}

impl<F: Future<Output = ()>> Future for Paced<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(());
        };
        let polled = work.as_mut().poll(context);
        // Other streams of the connection use the same cell.
        let sends = self.pacer.vigil.sends();
        if polled.is_ready() {
            return polled;
        }
        // hyper asks a body for more once what it gave has been taken. So the
        // last word tells what the work waits for; without one, nothing has
        // changed.
        match sends {
            Some(true) => self.stuck = Some(Instant::now()),
            Some(false) => self.stuck = None,
            None => {}
        }
        let late = self.poll_late(context);
        if late.is_ready() {
            self.pacer.ended.increment(1);
            let work = self.work.take();
            self.pacer.vigil.give_up(work);
        }
        late
    }
}

impl<F> Paced<F> {
    /// Ready when nothing was taken for too long.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(stuck) = self.stuck else {
            return Poll::Pending;
        };
        let late = self.alarm.poll(stuck + self.pacer.limit, context);
        late.map(|_| ())
    }
}
