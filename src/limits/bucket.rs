//! The state of one amount of a rule for one subject.
//!
//! A subject of a rule that is per user has one for each amount, and there may be 100,000
//! of them, so it is small.

use super::clock::LimitClock;
use super::rate::ArrivalTime;
use super::window::{Calendar, CalendarWindow};

/// Minutes of a window that never ends.
const ALL_TIME: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bucket {
    Rate(ArrivalTime),
    /// A window begins and ends with a minute, and is at most a month long. Of 0 minutes:
    /// none has begun yet.
    Window {
        start_minute: u32,
        minutes: u16,
        used: u64,
        reserved: u64,
    },
    Concurrent {
        held: u64,
    },
}

// === impl Bucket ===

impl Bucket {
    pub const NEW_WINDOW: Self = Self::Window {
        start_minute: 0,
        minutes: 0,
        used: 0,
        reserved: 0,
    };

    /// The window that has begun, if any.
    pub fn window(&self) -> Option<CalendarWindow> {
        match *self {
            Self::Window { minutes: 0, .. } | Self::Rate(_) | Self::Concurrent { .. } => None,
            Self::Window {
                minutes: ALL_TIME, ..
            } => Some(CalendarWindow::ALL_TIME),
            Self::Window {
                start_minute,
                minutes,
                ..
            } => {
                let start = i64::from(start_minute) * 60;
                let end = start + i64::from(minutes) * 60;
                Some(CalendarWindow { start, end })
            }
        }
    }

    /// Whether a window has to begin. A clock that was set back does not begin an old one
    /// again.
    pub fn has_ended(&self, now: LimitClock) -> bool {
        matches!(self, Self::Window { .. })
            && self.window().is_none_or(|window| now.seconds >= window.end)
    }

    /// Begins the window of this time, of which so much was used before.
    pub fn begin(&mut self, window: CalendarWindow, used: u64) {
        let start = window.start.max(0) / 60;
        let length = window.end.saturating_sub(window.start.max(0)) / 60;
        *self = Self::Window {
            start_minute: u32::try_from(start).unwrap_or_default(),
            minutes: u16::try_from(length).unwrap_or(ALL_TIME),
            used,
            reserved: 0,
        };
    }

    /// Begins a new window if the current one has ended. `restored` is what was used of a
    /// window of which this process knows nothing.
    pub fn refresh(
        &mut self,
        calendar: &Calendar,
        now: LimitClock,
        restored: impl FnOnce(CalendarWindow) -> u64,
    ) {
        if self.has_ended(now) {
            let is_first = self.window().is_none();
            let window = calendar.window_at(now.seconds);
            let used = if is_first { restored(window) } else { 0 };
            self.begin(window, used);
        }
    }

    /// Used and reserved.
    pub fn taken(&self) -> u64 {
        match *self {
            Self::Window { used, reserved, .. } => used.saturating_add(reserved),
            Self::Concurrent { held } => held,
            Self::Rate(_) => 0,
        }
    }

    /// Tells the windows of one bucket apart.
    pub fn window_number(&self) -> u32 {
        match self {
            Self::Window { start_minute, .. } => *start_minute,
            Self::Rate(_) | Self::Concurrent { .. } => 0,
        }
    }

    /// It is as if it were new: nothing is lost with it.
    pub fn is_full(&self, now: LimitClock) -> bool {
        match self {
            Self::Rate(arrival) => arrival.is_full(now.tick),
            Self::Window { .. } => self.taken() == 0 || self.has_ended(now),
            Self::Concurrent { held } => *held == 0,
        }
    }
}
