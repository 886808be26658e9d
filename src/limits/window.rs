//! Calendar windows: a day, a week or a month of a time zone, or all time.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::config::Period;

/// Which windows a counter has.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub period: Period,
    pub time_zone: TimeZone,
    /// From 1 to 28.
    pub month_starts_on: i8,
}

/// Seconds since 1970. The end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalendarWindow {
    pub start: i64,
    pub end: i64,
}

impl CalendarWindow {
    pub const ALL_TIME: Self = Self {
        start: i64::MIN,
        end: i64::MAX,
    };
}

impl Calendar {
    /// The window that contains this time. A window begins with the first moment of its
    /// day, which a change of the clock can move.
    #[must_use]
    pub fn window_at(&self, seconds: i64) -> CalendarWindow {
        let Ok(time) = Timestamp::from_second(seconds) else {
            return CalendarWindow::ALL_TIME;
        };
        let today = self.time_zone.to_datetime(time).date();
        let bounds = match self.period {
            Period::Day => today.tomorrow().ok().map(|end| (today, end)),
            // From Monday (ISO 8601).
            Period::Week => week_of(today),
            Period::Month => month_of(today, self.month_starts_on),
            // The others are rates.
            Period::Total | Period::Second | Period::Minute | Period::Hour => None,
        };
        let window = bounds.and_then(|(start, end)| {
            Some(CalendarWindow {
                start: self.first_second(start)?,
                end: self.first_second(end)?,
            })
        });
        window.unwrap_or(CalendarWindow::ALL_TIME)
    }

    fn first_second(&self, date: Date) -> Option<i64> {
        let start = date.to_zoned(self.time_zone.clone()).ok()?;
        Some(start.timestamp().as_second())
    }
}

fn week_of(today: Date) -> Option<(Date, Date)> {
    let since = i64::from(today.weekday().since(Weekday::Monday));
    let start = today.checked_sub(since.days()).ok()?;
    Some((start, start.checked_add(7.days()).ok()?))
}

fn month_of(today: Date, starts_on: i8) -> Option<(Date, Date)> {
    let start = today.with().day(starts_on).build().ok()?;
    let start = if today < start {
        start.checked_sub(1.month()).ok()?
    } else {
        start
    };
    Some((start, start.checked_add(1.month()).ok()?))
}
