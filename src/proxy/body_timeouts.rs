//! Timeouts of a body that is received: idle, first event, total.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Timeouts;
use crate::lazy_timer::LazyTimer;

#[derive(Debug, Clone, Copy)]
pub(super) struct BodyTimeouts {
    pub idle: Duration,
    /// Deadline of the first event of a stream, or the first byte of anything else.
    pub first_event_by: Option<Instant>,
    /// Deadline of the whole body.
    pub deadline: Option<Instant>,
}

impl BodyTimeouts {
    pub(super) fn new(limits: &Timeouts, sent_at: Instant, deadline: Option<Instant>) -> Self {
        Self {
            idle: limits.idle,
            first_event_by: limits.first_event.map(|limit| sent_at + limit),
            deadline,
        }
    }

    /// Deadline of the next chunk, before the first event or byte.
    pub(super) fn next_deadline(&self) -> Instant {
        let idle_by = Instant::now() + self.idle;
        let others = [self.first_event_by, self.deadline];
        others.into_iter().flatten().fold(idle_by, Instant::min)
    }
}

/// All timeouts on one timer, which is not reset for each chunk.
#[derive(Debug)]
pub(super) struct BodyTimer {
    timeouts: BodyTimeouts,
    /// Idle time after which the client gets a keep-alive comment.
    keep_alive: Option<Duration>,
    waiting_since: Option<Instant>,
    /// The last expiry of [`Self::keep_alive`], if later.
    last_keep_alive: Option<Instant>,
    timer: LazyTimer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    Idle,
    Total,
    /// Not an error: a keep-alive comment is due.
    KeepAlive,
}

// === impl BodyTimer ===

impl BodyTimer {
    pub(super) fn new(timeouts: BodyTimeouts, keep_alive: Option<Duration>) -> Self {
        Self {
            timeouts,
            keep_alive,
            waiting_since: None,
            last_keep_alive: None,
            timer: LazyTimer::default(),
        }
    }

    pub(super) fn on_data(&mut self) {
        self.waiting_since = None;
    }

    pub(super) fn on_first_event(&mut self) {
        self.timeouts.first_event_by = None;
    }

    /// To be polled whenever the body is pending. Time in which the client did not
    /// read does not count as idle.
    pub(super) fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<Expired> {
        let (due, expired) = self.due();
        let now = std::task::ready!(self.timer.poll(due, context));
        self.last_keep_alive = Some(now);
        Poll::Ready(expired)
    }

    /// The earliest deadline.
    fn due(&mut self) -> (Instant, Expired) {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let keep_alive = self.keep_alive.map(|interval| {
            let last = self.last_keep_alive.map_or(since, |last| last.max(since));
            (last + interval, Expired::KeepAlive)
        });
        let others = [
            self.timeouts.first_event_by.map(|by| (by, Expired::Idle)),
            self.timeouts.deadline.map(|by| (by, Expired::Total)),
            keep_alive,
        ];
        let idle = (since + self.timeouts.idle, Expired::Idle);
        let others = others.into_iter().flatten();
        others.fold(
            idle,
            |first, next| {
                if next.0 < first.0 { next } else { first }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{BodyTimeouts, BodyTimer, Expired};

    const IDLE: Duration = Duration::from_secs(10);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn new_timer(first_event_by: Option<Instant>, deadline: Option<Instant>) -> BodyTimer {
        let timeouts = BodyTimeouts {
            idle: IDLE,
            first_event_by,
            deadline,
        };
        BodyTimer::new(timeouts, None)
    }

    async fn expired(timer: &mut BodyTimer) -> Expired {
        poll_fn(|context| timer.poll_expired(context)).await
    }

    async fn is_pending(timer: &mut BodyTimer) -> bool {
        poll_fn(|context| Poll::Ready(timer.poll_expired(context).is_pending())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunk_resets_the_idle_timeout() {
        let started = Instant::now();
        let mut timer = new_timer(None, None);
        assert!(is_pending(&mut timer).await);
        advance(seconds(6)).await;
        timer.on_data();
        assert!(is_pending(&mut timer).await);
        assert_eq!(expired(&mut timer).await, Expired::Idle);
        assert_eq!(started.elapsed(), seconds(16));
    }

    #[tokio::test(start_paused = true)]
    async fn chunks_do_not_move_the_total_deadline() {
        let started = Instant::now();
        let mut timer = new_timer(None, Some(started + seconds(15)));
        for _ in 0..2 {
            assert!(is_pending(&mut timer).await);
            advance(seconds(6)).await;
            timer.on_data();
        }
        assert_eq!(expired(&mut timer).await, Expired::Total);
        assert_eq!(started.elapsed(), seconds(15));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_event_has_its_own_deadline_until_it_arrives() {
        let started = Instant::now();
        let first_event_by = Some(started + seconds(5));
        let mut waiting = new_timer(first_event_by, None);
        for _ in 0..2 {
            assert!(is_pending(&mut waiting).await);
            advance(seconds(2)).await;
            waiting.on_data();
        }
        assert_eq!(expired(&mut waiting).await, Expired::Idle);
        assert_eq!(started.elapsed(), seconds(5));
        let mut started_timer = new_timer(first_event_by, None);
        started_timer.on_first_event();
        assert_eq!(expired(&mut started_timer).await, Expired::Idle);
        assert_eq!(started.elapsed(), seconds(15));
    }

    #[tokio::test(start_paused = true)]
    async fn keep_alives_repeat_while_the_body_is_idle() {
        let started = Instant::now();
        let mut timer = new_timer(None, None);
        timer.keep_alive = Some(seconds(4));
        for expected in [4, 8] {
            assert_eq!(expired(&mut timer).await, Expired::KeepAlive);
            assert_eq!(started.elapsed(), seconds(expected));
        }
        assert_eq!(expired(&mut timer).await, Expired::Idle);
        assert_eq!(started.elapsed(), seconds(10));
        timer.on_data();
        assert_eq!(expired(&mut timer).await, Expired::KeepAlive);
        assert_eq!(started.elapsed(), seconds(14));
    }
}
