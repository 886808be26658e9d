//! Waits until a rule has room for a request.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::caller::{CallerLimits, RequestSubject};
use super::clock::LimitClock;
use super::estimate::ExpectedUsage;
use super::quota::Shortage;
use super::reservation::{LimitRefusal, Reservation};
use super::take::{Queue, Refused};
use super::wait_queue::Waiting;

/// A reservation, and how long the request waited for it.
#[derive(Debug)]
pub struct Acquired {
    pub reservation: Reservation,
    /// The rule that it waited for last, and the whole time.
    pub waited: Option<(Box<str>, Duration)>,
}

/// One request for a reservation.
struct Acquisition<'r> {
    limits: &'r CallerLimits,
    subject: RequestSubject<'r>,
    usage: &'r ExpectedUsage,
    start: Instant,
}

impl CallerLimits {
    /// Waits where the rules allow it, then reserves of all rules that hold for the
    /// request, or of none. Dropping the future leaves no trace.
    ///
    /// # Errors
    ///
    /// A rule is short, and the request may not wait so long.
    pub async fn acquire(
        &self,
        subject: &RequestSubject<'_>,
        usage: &ExpectedUsage,
    ) -> Result<Acquired, Box<LimitRefusal>> {
        match self.take(subject, LimitClock::now(), usage, true) {
            Ok(reservation) => Ok(Acquired {
                reservation,
                waited: None,
            }),
            Err(refused) if refused.queue.is_none() => Err(refused.refusal),
            Err(refused) => {
                let acquisition = Acquisition {
                    limits: self,
                    subject: *subject,
                    usage,
                    start: Instant::now(),
                };
                Box::pin(acquisition.wait(refused)).await
            }
        }
    }
}

// === impl Acquisition ===

impl Acquisition<'_> {
    async fn wait(&self, mut refused: Box<Refused>) -> Result<Acquired, Box<LimitRefusal>> {
        // A request that is first in one queue may have to wait in another one then; it
        // leaves the first, so that it holds up nothing that it does not wait for.
        loop {
            let Refused { refusal, queue } = *refused;
            let Some(queue) = queue else {
                return Err(refusal);
            };
            let waiting = Waiting::join(&queue.terms, &queue.subject, &queue.expected);
            let Some(waiting) = waiting else {
                return Err(refusal);
            };
            let rule = refusal.rule.clone();
            match self.wait_in(&queue, &waiting, refusal).await {
                Ok(reservation) => {
                    return Ok(Acquired {
                        reservation,
                        waited: Some((rule, self.start.elapsed())),
                    });
                }
                Err(next) => refused = next,
            }
        }
    }

    /// The error is another queue, or final.
    async fn wait_in(
        &self,
        queue: &Queue,
        waiting: &Waiting,
        refusal: Box<LimitRefusal>,
    ) -> Result<Reservation, Box<Refused>> {
        let deadline = self.start + queue.terms.wait;
        let Ok(_turn) = timeout_at(deadline, waiting.turn()).await else {
            return Err(Box::new(Refused {
                refusal,
                queue: None,
            }));
        };
        loop {
            let taken = (self.limits).take(&self.subject, LimitClock::now(), self.usage, false);
            let refused = match taken {
                Ok(reservation) => return Ok(reservation),
                Err(refused) => refused,
            };
            let is_same = |other: &Queue| other.is_same(queue);
            if !refused.queue.as_ref().is_some_and(is_same) {
                return Err(refused);
            }
            let until = match refused.refusal.shortage {
                Shortage::Wait(wait) => Instant::now() + wait,
                _ => deadline,
            };
            if until > deadline || Instant::now() >= deadline {
                return Err(Box::new(Refused {
                    queue: None,
                    ..*refused
                }));
            }
            tokio::select! {
                () = sleep_until(until) => {}
                () = waiting.changed() => {}
            }
        }
    }
}
