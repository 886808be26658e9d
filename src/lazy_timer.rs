//! Timers for timeouts that nearly never expire.
//!
//! A process that was halted (SIGSTOP, a suspended machine) finds its timers expired
//! before it has read what arrived in the meantime, and so does a thread that was kept
//! busy. A timer that is checked late therefore waits once more, shortly, while the
//! sockets are read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant as StdInstant};

use hyper::rt::{Sleep as HyperSleep, Timer as HyperTimer};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is checked this much after its deadline is late. The runtime's timers
/// have a resolution of 1 ms.
const LATE_AFTER: Duration = Duration::from_millis(50);
/// Time for reading the sockets after that: the runtime takes up to 1,024 events in one
/// turn, and a connection may have a task of its own.
const GRACE: Duration = Duration::from_millis(100);

/// Not reset for each wait, which would touch the runtime's timer wheel each time. It
/// may fire early, and is then reset to the deadline; it is reset before only if it
/// would fire too late.
#[derive(Debug, Default)]
pub struct LazyTimer {
    /// None until first needed. Boxed: most owners never wait.
    timer: Option<Pin<Box<Sleep>>>,
    extension: Option<Extension>,
}

/// Of a deadline at which the timer was late. Each is extended once.
#[derive(Debug, Clone, Copy)]
struct Extension {
    due: Instant,
    until: Instant,
}

pin_project! {
    /// See [`timeout_at`].
    pub struct Timeout<F> {
        #[pin]
        work: F,
        #[pin]
        timer: Sleep,
        is_extended: bool,
    }
}

/// The end of a [`Timeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// [`LazyTimer`] for hyper.
#[derive(Debug, Clone, Copy)]
pub struct LazyHyperTimer;

#[derive(Debug)]
struct LazySleep {
    due: Instant,
    timer: LazyTimer,
}

impl LazyTimer {
    /// Ready with the current time once `due` has passed. The task may be woken before.
    pub fn poll(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<Instant> {
        let extension = self.extension.filter(|extension| extension.due == due);
        let mut end = extension.map_or(due, |extension| extension.until);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            if now >= end {
                if extension.is_some() || !is_late(due, now) {
                    return Poll::Ready(now);
                }
                end = now + GRACE;
                self.extension = Some(Extension { due, until: end });
            }
            timer.as_mut().reset(end);
        }
    }

    pub fn clear(&mut self) {
        self.timer = None;
    }
}

fn is_late(due: Instant, now: Instant) -> bool {
    now.saturating_duration_since(due) > LATE_AFTER
}

/// As the runtime's `timeout_at`; a late timeout leaves time to read the sockets.
pub fn timeout_at<F: Future>(due: Instant, work: F) -> Timeout<F> {
    Timeout {
        work,
        timer: sleep_until(due),
        is_extended: false,
    }
}

/// [`timeout_at`] from now on.
pub fn timeout<F: Future>(limit: Duration, work: F) -> Timeout<F> {
    // tokio's own choice for a limit that no clock can represent.
    let distant = || Instant::now() + Duration::from_secs(30 * 365 * 24 * 60 * 60);
    let due = Instant::now().checked_add(limit);
    timeout_at(due.unwrap_or_else(distant), work)
}

// === impl Timeout ===

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.work.poll(context) {
            return Poll::Ready(Ok(output));
        }
        ready!(this.timer.as_mut().poll(context));
        let now = Instant::now();
        if *this.is_extended || !is_late(this.timer.deadline(), now) {
            return Poll::Ready(Err(Elapsed));
        }
        *this.is_extended = true;
        this.timer.as_mut().reset(now + GRACE);
        this.timer.poll(context).map(|()| Err(Elapsed))
    }
}

// === impl LazyHyperTimer ===

impl HyperTimer for LazyHyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(LazySleep::new(Instant::now() + duration))
    }

    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(LazySleep::new(deadline.into()))
    }

    fn now(&self) -> StdInstant {
        Instant::now().into()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn HyperSleep>>, new_deadline: StdInstant) {
        match sleep.as_mut().downcast_mut_pin::<LazySleep>() {
            Some(mut sleep) => sleep.due = new_deadline.into(),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

// === impl LazySleep ===

impl LazySleep {
    fn new(due: Instant) -> Self {
        Self {
            due,
            timer: LazyTimer::default(),
        }
    }
}

impl Future for LazySleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let due = self.due;
        self.timer.poll(due, context).map(|_| ())
    }
}

impl HyperSleep for LazySleep {}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::task::Poll;
    use std::time::Duration;

    use hyper::rt::Timer;
    use tokio::time::{Instant, advance, sleep};

    use super::{GRACE, LazyHyperTimer, LazyTimer, timeout, timeout_at};

    const SECOND: Duration = Duration::from_secs(1);

    async fn is_pending(timer: &mut LazyTimer, due: Instant) -> bool {
        poll_fn(|context| Poll::Ready(timer.poll(due, context).is_pending())).await
    }

    async fn expire(timer: &mut LazyTimer, due: Instant) -> Instant {
        poll_fn(|context| timer.poll(due, context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn expires_when_due_regardless_of_the_previous_deadline() {
        let start = Instant::now();
        let mut timer = LazyTimer::default();
        assert!(is_pending(&mut timer, start + SECOND * 5).await);
        // Sooner than it is set to.
        let due = start + SECOND * 2;
        assert_eq!(expire(&mut timer, due).await, due);
        // Later than it is set to: the earlier wait has ended.
        assert!(is_pending(&mut timer, start + SECOND * 3).await);
        let due = start + SECOND * 9;
        assert!(is_pending(&mut timer, due).await);
        advance(SECOND * 5).await;
        assert!(is_pending(&mut timer, due).await);
        assert_eq!(expire(&mut timer, due).await, due);
        assert_eq!(start.elapsed(), SECOND * 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_timer_waits_once_more_for_each_deadline() {
        let mut timer = LazyTimer::default();
        for _ in 0..2 {
            let due = Instant::now() + SECOND;
            assert!(is_pending(&mut timer, due).await);
            advance(SECOND * 30).await;
            let resumed = Instant::now();
            assert!(is_pending(&mut timer, due).await);
            assert_eq!(expire(&mut timer, due).await, resumed + GRACE);
            // And no longer, however late it is then.
            assert_eq!(expire(&mut timer, due).await, resumed + GRACE);
        }
        let due = Instant::now() + SECOND;
        assert_eq!(expire(&mut timer, due).await, due);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_ready_shortly_after_a_halt_has_not_timed_out() {
        for (work_takes, in_time) in [(GRACE / 2, true), (GRACE * 2, false)] {
            let due = Instant::now() + SECOND;
            let work = async {
                // The halt: the thread does not run.
                advance(SECOND * 30).await;
                sleep(work_takes).await;
            };
            assert_eq!(timeout_at(due, work).await.is_ok(), in_time);
        }
        let start = Instant::now();
        assert!(timeout(SECOND, pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), SECOND);
        assert!(timeout(Duration::MAX, async {}).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hyper_may_move_its_deadline() {
        let start = Instant::now();
        let mut moved = LazyHyperTimer.sleep(SECOND);
        LazyHyperTimer.reset(&mut moved, (start + SECOND * 3).into());
        moved.await;
        assert_eq!(start.elapsed(), SECOND * 3);
        LazyHyperTimer
            .sleep_until((start + SECOND * 4).into())
            .await;
        assert_eq!(start.elapsed(), SECOND * 4);
    }
}
