//! How long a relay waits for the upstream.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Two limits on one timer: the silence between two pieces, and the end of all
/// patience. The timer is not set anew at every piece: when it rings, it is
/// looked up whether it should have, and set to when it should.
#[derive(Debug)]
pub(super) struct Patience {
    gap: Duration,
    deadline: Option<Instant>,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    Silent,
    TooLong,
}

/// A century: further than any answer, near enough to be added to a clock.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Patience {
    pub(super) fn new(gap: Duration, deadline: Option<Instant>) -> Self {
        Self {
            gap: gap.min(NEVER),
            deadline,
            waiting_since: None,
            timer: None,
        }
    }

    /// A piece has come.
    pub(super) fn fed(&mut self) {
        self.waiting_since = None;
    }

    /// To be asked whenever there is nothing to relay. Time in which the
    /// caller did not read does not count as the upstream's silence.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Late> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let silent = since + self.gap;
        let (due, late) = match self.deadline {
            Some(deadline) if deadline < silent => (deadline, Late::TooLong),
            _ => (silent, Late::Silent),
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(late);
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Late, Patience};

    const GAP: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_piece_starts_the_wait_anew() {
        let begun = Instant::now();
        let mut patience = Patience::new(GAP, None);
        assert!(futures_pending(&mut patience).await);
        advance(Duration::from_secs(6)).await;
        patience.fed();
        assert!(futures_pending(&mut patience).await);
        assert_eq!(
            poll_fn(|context| patience.poll_late(context)).await,
            Late::Silent
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(16));
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_do_not_move_the_deadline() {
        let begun = Instant::now();
        let mut patience = Patience::new(GAP, Some(begun + Duration::from_secs(15)));
        for _ in 0..2 {
            assert!(futures_pending(&mut patience).await);
            advance(Duration::from_secs(6)).await;
            patience.fed();
        }
        assert_eq!(
            poll_fn(|context| patience.poll_late(context)).await,
            Late::TooLong
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(15));
    }

    async fn futures_pending(patience: &mut Patience) -> bool {
        poll_fn(|context| std::task::Poll::Ready(patience.poll_late(context).is_pending())).await
    }
}
