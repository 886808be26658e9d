//! The least rate at which a client may send a body.
//!
//! A timeout for each read is none for a client that sends a byte now and then.

use std::num::NonZeroU64;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::lazy_timer::LazyTimer;

/// One body's time: a grace period, and a second for each so many bytes, as in Apache's
/// `RequestReadTimeout body=20,MinRate=500` (`mod_reqtimeout`).
#[derive(Debug)]
pub(super) struct LeastRate {
    /// None for no limit.
    bytes_per_second: Option<NonZeroU64>,
    /// The end of the grace period.
    grace_until: Instant,
    /// Since when the body is not being read, as the upstream does not take it.
    paused_at: Option<Instant>,
    timer: LazyTimer,
}

impl LeastRate {
    pub(super) fn new(bytes_per_second: Option<NonZeroU64>, grace: Duration) -> Self {
        Self {
            bytes_per_second,
            grace_until: Instant::now() + grace,
            paused_at: None,
            timer: LazyTimer::default(),
        }
    }

    /// To be polled whenever the body is pending, with the number of bytes received.
    pub(super) fn poll_too_slow(&mut self, bytes: u64, context: &mut Context<'_>) -> Poll<()> {
        let Some(rate) = self.bytes_per_second else {
            return Poll::Pending;
        };
        let due = self.grace_until + Duration::from_millis(bytes.saturating_mul(1000) / rate);
        self.timer.poll(due, context).map(|_| ())
    }

    /// The time until [`Self::resume`] does not count.
    pub(super) fn pause(&mut self) {
        self.paused_at = Some(Instant::now());
    }

    pub(super) fn resume(&mut self) {
        if let Some(paused_at) = self.paused_at.take() {
            self.grace_until += paused_at.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::num::NonZeroU64;
    use std::time::Duration;

    use tokio::time::{Instant, advance, timeout};

    use super::LeastRate;

    const GRACE: Duration = Duration::from_secs(30);
    const RATE: u64 = 500;

    fn least_rate() -> LeastRate {
        LeastRate::new(NonZeroU64::new(RATE), GRACE)
    }

    /// Whether no deadline passes within so many seconds.
    async fn is_in_time(rate: &mut LeastRate, bytes: u64, seconds: u64) -> bool {
        let expired = poll_fn(|context| rate.poll_too_slow(bytes, context));
        timeout(Duration::from_secs(seconds), expired)
            .await
            .is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a3_a_byte_now_and_then_is_too_slow() {
        let start = Instant::now();
        let mut rate = least_rate();
        let mut bytes = 0;
        while is_in_time(&mut rate, bytes, 5).await {
            bytes += 1;
        }
        let took = start.elapsed();
        assert!(
            took >= GRACE && took <= GRACE + Duration::from_secs(1),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_at_the_least_rate_is_in_time() {
        let mut rate = least_rate();
        for second in 0..1000 {
            assert!(is_in_time(&mut rate, second * RATE, 1).await, "{second} s");
        }
        let mut unlimited = LeastRate::new(None, GRACE);
        assert!(is_in_time(&mut unlimited, 0, 1_000_000).await);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_body_is_not_read_does_not_count() {
        let mut rate = least_rate();
        rate.pause();
        advance(GRACE * 10).await;
        rate.resume();
        assert!(is_in_time(&mut rate, 0, GRACE.as_secs() - 1).await);
        assert!(!is_in_time(&mut rate, 0, 2).await);
    }
}
