//! A timer for timeouts that nearly never expire.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Not reset for each wait, which would touch the runtime's timer wheel each time. It
/// may fire early, and is then reset to the deadline; it is reset before only if it
/// would fire too late.
#[derive(Debug, Default)]
pub struct LazyTimer {
    /// None until first needed. Boxed: most owners never wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl LazyTimer {
    /// Ready with the current time once `due` has passed. The task may be woken before.
    pub fn poll(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<Instant> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= due {
                return Poll::Ready(now);
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    pub fn clear(&mut self) {
        self.timer = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::LazyTimer;

    async fn is_pending(timer: &mut LazyTimer, due: Instant) -> bool {
        poll_fn(|context| Poll::Ready(timer.poll(due, context).is_pending())).await
    }

    #[tokio::test(start_paused = true)]
    async fn expires_when_due_regardless_of_the_previous_deadline() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut timer = LazyTimer::default();
        assert!(is_pending(&mut timer, start + second * 5).await);
        // Sooner than it is set to.
        let due = start + second * 2;
        assert_eq!(poll_fn(|context| timer.poll(due, context)).await, due);
        // Later than it is set to: the earlier wait has ended.
        assert!(is_pending(&mut timer, start + second * 3).await);
        let due = start + second * 9;
        assert!(is_pending(&mut timer, due).await);
        advance(second * 5).await;
        assert!(is_pending(&mut timer, due).await);
        assert_eq!(poll_fn(|context| timer.poll(due, context)).await, due);
        assert_eq!(start.elapsed(), second * 9);
    }
}
