//! How long a relay waits for the upstream.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::lazy_timer::Alarm;

/// Limits in time on what is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Longest silence.
    pub gap: Duration,
    /// When the first event of a stream, or the first byte of anything else,
    /// must have come.
    pub first_by: Option<Instant>,
    /// When all of it must have come.
    pub deadline: Option<Instant>,
}

impl Bounds {
    /// When the first piece must have come, or, while nothing that counts as
    /// the first has, the next one.
    pub(super) fn due(&self) -> Instant {
        let silent = Instant::now() + self.gap;
        let others = [self.first_by, self.deadline];
        others.into_iter().flatten().fold(silent, Instant::min)
    }
}

/// All limits on one timer, which is not set anew at every piece.
#[derive(Debug)]
pub(super) struct Patience {
    bounds: Bounds,
    /// Silence after which the caller is to hear something.
    quiet: Option<Duration>,
    waiting_since: Option<Instant>,
    /// When the caller was last to hear something, if that was later.
    heard: Option<Instant>,
    alarm: Alarm,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    Silent,
    TooLong,
    /// No end: the caller is to hear something.
    Quiet,
}

impl Patience {
    pub(super) fn new(bounds: Bounds, quiet: Option<Duration>) -> Self {
        Self {
            bounds,
            quiet,
            waiting_since: None,
            heard: None,
            alarm: Alarm::default(),
        }
    }

    /// A piece has come.
    pub(super) fn fed(&mut self) {
        self.waiting_since = None;
    }

    /// The first event, or byte, has come.
    pub(super) fn begun(&mut self) {
        self.bounds.first_by = None;
    }

    /// To be asked whenever there is nothing to relay. Time in which the
    /// caller did not read does not count as the upstream's silence.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Late> {
        let (due, late) = self.due();
        let now = std::task::ready!(self.alarm.poll(due, context));
        self.heard = Some(now);
        Poll::Ready(late)
    }

    /// What is due first.
    fn due(&mut self) -> (Instant, Late) {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let quiet = self.quiet.map(|quiet| {
            let heard = self.heard.map_or(since, |heard| heard.max(since));
            (heard + quiet, Late::Quiet)
        });
        let others = [
            self.bounds.first_by.map(|by| (by, Late::Silent)),
            self.bounds.deadline.map(|by| (by, Late::TooLong)),
            quiet,
        ];
        let silent = (since + self.bounds.gap, Late::Silent);
        let others = others.into_iter().flatten();
        others.fold(
            silent,
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

    use super::{Bounds, Late, Patience};

    const GAP: Duration = Duration::from_secs(10);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn patience(first_by: Option<Instant>, deadline: Option<Instant>) -> Patience {
        let bounds = Bounds {
            gap: GAP,
            first_by,
            deadline,
        };
        Patience::new(bounds, None)
    }

    async fn late(patience: &mut Patience) -> Late {
        poll_fn(|context| patience.poll_late(context)).await
    }

    async fn is_patient(patience: &mut Patience) -> bool {
        poll_fn(|context| Poll::Ready(patience.poll_late(context).is_pending())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_starts_the_wait_anew() {
        let begun = Instant::now();
        let mut patience = patience(None, None);
        assert!(is_patient(&mut patience).await);
        advance(seconds(6)).await;
        patience.fed();
        assert!(is_patient(&mut patience).await);
        assert_eq!(late(&mut patience).await, Late::Silent);
        assert_eq!(begun.elapsed(), seconds(16));
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_do_not_move_the_deadline() {
        let begun = Instant::now();
        let mut patience = patience(None, Some(begun + seconds(15)));
        for _ in 0..2 {
            assert!(is_patient(&mut patience).await);
            advance(seconds(6)).await;
            patience.fed();
        }
        assert_eq!(late(&mut patience).await, Late::TooLong);
        assert_eq!(begun.elapsed(), seconds(15));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_event_has_a_limit_of_its_own_until_it_comes() {
        let begun = Instant::now();
        let first_by = Some(begun + seconds(5));
        let mut waits = patience(first_by, None);
        for _ in 0..2 {
            assert!(is_patient(&mut waits).await);
            advance(seconds(2)).await;
            waits.fed();
        }
        assert_eq!(late(&mut waits).await, Late::Silent);
        assert_eq!(begun.elapsed(), seconds(5));
        let mut served = patience(first_by, None);
        served.begun();
        assert_eq!(late(&mut served).await, Late::Silent);
        assert_eq!(begun.elapsed(), seconds(15));
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_long_silence_the_caller_is_to_hear_something_now_and_then() {
        let begun = Instant::now();
        let mut patience = patience(None, None);
        patience.quiet = Some(seconds(4));
        for expected in [4, 8] {
            assert_eq!(late(&mut patience).await, Late::Quiet);
            assert_eq!(begun.elapsed(), seconds(expected));
        }
        assert_eq!(late(&mut patience).await, Late::Silent);
        assert_eq!(begun.elapsed(), seconds(10));
        patience.fed();
        assert_eq!(late(&mut patience).await, Late::Quiet);
        assert_eq!(begun.elapsed(), seconds(14));
    }
}
