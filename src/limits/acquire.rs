//! Waits until a rule has room for a request.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::caller::ModelLimits;
use super::clock::LimitClock;
use super::estimate::ExpectedUsage;
use super::lease::LeaseWait;
use super::quota::Shortage;
use super::rate::Tick;
use super::reservation::{LimitRefusal, Reservation};
use super::take::{Queue, Refused, Turn};
use super::wait_queue::Waiting;

/// A reservation, and how long the request waited for it.
#[derive(Debug, Default)]
pub struct Acquired {
    pub reservation: Reservation,
    /// The rule that it waited for last, and the whole time.
    pub waited: Option<(Box<str>, Duration)>,
}

/// How soon a request that waits for what others hold asks the store again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// One request for a reservation.
struct Acquisition<'r> {
    limits: &'r ModelLimits<'r>,
    user: Option<&'r str>,
    usage: &'r ExpectedUsage,
    start: Instant,
}

impl ModelLimits<'_> {
    /// Waits where the rules allow it, then reserves of all rules that hold for the
    /// request, or of none. Dropping the future leaves no trace.
    ///
    /// # Errors
    ///
    /// A rule is short, and the request may not wait so long.
    pub async fn acquire(
        &self,
        user: Option<&str>,
        usage: &ExpectedUsage,
    ) -> Result<Acquired, Box<LimitRefusal>> {
        match self.take(user, LimitClock::now(), usage, Turn::NEW) {
            Ok(reservation) => Ok(Acquired {
                reservation,
                waited: None,
            }),
            Err(refused) if refused.is_final() => Err(refused.refusal),
            Err(refused) => {
                let acquisition = Acquisition {
                    limits: self,
                    user,
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
            if !refused.leases.is_empty() {
                match self.lease(refused, true).await {
                    Ok(reservation) => {
                        return Ok(Acquired {
                            reservation,
                            waited: None,
                        });
                    }
                    Err(next) => refused = next,
                }
            }
            let Refused { refusal, queue, .. } = *refused;
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

    /// Waits for the store, for a moment, and takes what it leases. The error has no leases
    /// to wait for.
    async fn lease(
        &self,
        refused: Box<Refused>,
        is_new: bool,
    ) -> Result<Reservation, Box<Refused>> {
        let take = |asked| {
            let turn = Turn { is_new, asked };
            (self.limits).take(self.user, LimitClock::now(), self.usage, turn)
        };
        take_leased(refused, take).await
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
                leases: Vec::new(),
            }));
        };
        let turn = Turn {
            is_new: false,
            asked: None,
        };
        loop {
            let taken = (self.limits).take(self.user, LimitClock::now(), self.usage, turn);
            let taken = match taken {
                Err(refused) if !refused.leases.is_empty() => self.lease(refused, false).await,
                taken => taken,
            };
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
                // What other replicas give back wakes no request here.
                _ if queue.terms.link.is_some() => deadline.min(Instant::now() + ASK_AGAIN),
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

/// Waits for the store where what is leased is short, and takes again, until it is known
/// that there is enough or not, or the time is over. `take` gets the time at which the
/// store was asked first, once it is over.
pub(super) async fn take_leased<T>(
    mut refused: Box<Refused>,
    mut take: impl FnMut(Option<Tick>) -> Result<T, Box<Refused>>,
) -> Result<T, Box<Refused>> {
    let asked = LimitClock::now().tick;
    let timeout = refused.leases.first().map(LeaseWait::timeout);
    let deadline = Instant::now() + timeout.unwrap_or_default();
    loop {
        let mut leases = std::mem::take(&mut refused.leases);
        for lease in &mut leases {
            lease.wait(deadline).await;
        }
        drop(leases);
        let is_over = Instant::now() >= deadline;
        match take(is_over.then_some(asked)) {
            Err(next) if !next.leases.is_empty() => refused = next,
            taken => return taken,
        }
    }
}
