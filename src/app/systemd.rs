//! What the service manager is told: `sd_notify(3)`. Nothing happens where
//! none asked, by `NOTIFY_SOCKET` and `WATCHDOG_USEC`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::interval;
use tracing::warn;

/// Callers are served from here on.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The configuration is read anew; [`ready`] follows, whatever comes of it.
pub fn reloading() {
    // The time is what systemd 253 tells this reload from an older one by.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// We drain, and want `limit` for it even where the unit grants less.
pub fn stopping(limit: Duration) {
    let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(limit)]);
}

/// Says at twice the pace asked for that this thread still takes its turns.
/// Runs for ever, or ends at once where no watchdog looks on.
pub async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return;
    };
    let mut round = interval(limit / 2);
    loop {
        round.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        warn!(error = %fault, "the service manager could not be told");
    }
}
