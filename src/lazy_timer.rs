//! A timer for waits that nearly always end in time.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is not set anew for every wait, since that would touch the
/// runtime's timers each time. It may ring early, and is then set to when it
/// should; it is set back only where it would ring too late.
#[derive(Debug, Default)]
pub struct Alarm {
    /// None until it is first needed. Boxed: most of what has an alarm never
    /// waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// The time now, once that is `due`. The task is woken then, if not before.
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

    /// Gives up what it holds.
    pub fn drop_timer(&mut self) {
        self.timer = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Alarm;

    async fn is_silent(alarm: &mut Alarm, due: Instant) -> bool {
        poll_fn(|context| Poll::Ready(alarm.poll(due, context).is_pending())).await
    }

    #[tokio::test(start_paused = true)]
    async fn rings_when_it_is_due_whatever_it_was_set_to_before() {
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let mut alarm = Alarm::default();
        assert!(is_silent(&mut alarm, began + second * 5).await);
        // Sooner than what it is set to.
        let due = began + second * 2;
        assert_eq!(poll_fn(|context| alarm.poll(due, context)).await, due);
        // Later: what it rings for in between is over.
        assert!(is_silent(&mut alarm, began + second * 3).await);
        let due = began + second * 9;
        assert!(is_silent(&mut alarm, due).await);
        advance(second * 5).await;
        assert!(is_silent(&mut alarm, due).await);
        assert_eq!(poll_fn(|context| alarm.poll(due, context)).await, due);
        assert_eq!(began.elapsed(), second * 9);
    }
}
