//! Notifications to the service manager, `sd_notify(3)`. No-ops unless it set
//! `NOTIFY_SOCKET` and, for the watchdog, `WATCHDOG_USEC`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::interval;
use tracing::warn;

pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// Call [`ready`] afterwards, whether the reload was applied or not.
pub fn reloading() {
    // systemd 253 distinguishes reloads by this time.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// Asks for `limit` to drain, even if the unit's stop timeout is shorter.
pub fn stopping(limit: Duration) {
    let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(limit)]);
}

/// Notifies the watchdog at twice the requested rate, which shows that this thread
/// still runs. Returns at once if there is no watchdog.
pub async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return;
    };
    let mut interval = interval(limit / 2);
    loop {
        interval.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot notify the service manager");
    }
}
