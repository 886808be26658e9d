//! Windows of the calendar.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::at;
use crate::config::Period;
use crate::limits::LimitClock;
use crate::limits::bucket::Bucket;
use crate::limits::window::{Calendar, CalendarWindow};

fn seconds(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn calendar(zone: &str, period: Period, month_starts_on: i8) -> Calendar {
    Calendar {
        period,
        time_zone: TimeZone::get(zone).unwrap(),
        month_starts_on,
    }
}

fn window(zone: &str, period: Period, time: &str) -> CalendarWindow {
    let window = calendar(zone, period, 1).window_at(seconds(time));
    assert!((window.start..window.end).contains(&seconds(time)));
    window
}

fn hours(window: CalendarWindow) -> i64 {
    (window.end - window.start) / 3_600
}

#[test]
fn days_follow_the_clock_changes() {
    for (zone, time, expected) in [
        ("Europe/Berlin", "2026-03-29T12:00:00Z", 23),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", 25),
        ("America/New_York", "2026-03-08T12:00:00Z", 23),
        ("America/New_York", "2026-11-01T12:00:00Z", 25),
        // Half an hour.
        ("Australia/Lord_Howe", "2026-10-04T00:00:00Z", 23),
        ("UTC", "2026-10-25T12:00:00Z", 24),
    ] {
        assert_eq!(
            hours(window(zone, Period::Day, time)),
            expected,
            "{zone} {time}"
        );
    }
    // Midnight does not exist: the day begins at one.
    let day = window("Africa/Cairo", Period::Day, "2026-04-24T12:00:00Z");
    assert_eq!(hours(day), 23);
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    let week = window("Europe/Berlin", Period::Week, "2026-11-29T22:59:59Z");
    assert_eq!(week.start, seconds("2026-11-22T23:00:00Z"));
    assert_eq!(week.end, seconds("2026-11-29T23:00:00Z"));
    let month = window("Europe/Berlin", Period::Month, "2026-02-28T22:59:59Z");
    assert_eq!(month.start, seconds("2026-01-31T23:00:00Z"));
    assert_eq!(month.end, seconds("2026-02-28T23:00:00Z"));
    let december = window("UTC", Period::Month, "2026-12-31T23:59:59Z");
    assert_eq!(december.end, seconds("2027-01-01T00:00:00Z"));
    let total = window("UTC", Period::Total, "2026-12-31T23:59:59Z");
    assert_eq!((total.start, total.end), (i64::MIN, i64::MAX));
}

#[test]
fn windows_are_adjacent() {
    for zone in [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
    ] {
        for period in [Period::Day, Period::Week, Period::Month] {
            let calendar = calendar(zone, period, 1);
            let mut end = calendar.window_at(seconds("2026-01-01T12:00:00Z")).end;
            for _ in 0..400 {
                let next = calendar.window_at(end);
                assert_eq!(next.start, end);
                assert_eq!(calendar.window_at(end - 1).end, end);
                end = next.end;
            }
        }
    }
}

#[test]
fn a_month_may_begin_on_another_day() {
    for (zone, time, start, end) in [
        (
            "UTC",
            "2026-03-14T23:59:59Z",
            "2026-02-15T00:00:00Z",
            "2026-03-15T00:00:00Z",
        ),
        (
            "UTC",
            "2026-03-15T00:00:00Z",
            "2026-03-15T00:00:00Z",
            "2026-04-15T00:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-01-03T00:00:00Z",
            "2025-12-14T23:00:00Z",
            "2026-01-14T23:00:00Z",
        ),
        // Over a change of the clock.
        (
            "Europe/Berlin",
            "2026-03-20T00:00:00Z",
            "2026-03-14T23:00:00Z",
            "2026-04-14T22:00:00Z",
        ),
        (
            "America/New_York",
            "2026-11-15T04:59:59Z",
            "2026-10-15T04:00:00Z",
            "2026-11-15T05:00:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-14T13:00:00Z",
            "2026-10-14T13:00:00Z",
            "2026-11-14T13:00:00Z",
        ),
    ] {
        let window = calendar(zone, Period::Month, 15).window_at(seconds(time));
        let expected = CalendarWindow {
            start: seconds(start),
            end: seconds(end),
        };
        assert_eq!(window, expected, "{zone} {time}");
    }
}

#[test]
fn months_end_with_their_last_day() {
    for (zone, offset) in [
        ("Europe/Berlin", "+01:00"),
        ("America/New_York", "-05:00"),
        ("Australia/Lord_Howe", "+11:00"),
    ] {
        // A leap year.
        let time = format!("2028-02-29T23:59:59{offset}");
        let month = window(zone, Period::Month, &time);
        assert_eq!(month.end, seconds(&time) + 1, "{zone}");
        assert_eq!(hours(month), 29 * 24, "{zone}");
        let next = calendar(zone, Period::Month, 28).window_at(month.end);
        assert_eq!(
            hours(CalendarWindow {
                end: month.end,
                ..next
            }),
            48,
            "{zone}"
        );
    }
}

/// What a bucket keeps of a window.
#[test]
fn a_bucket_keeps_every_window_whole() {
    for zone in [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
    ] {
        for period in [Period::Day, Period::Week, Period::Month, Period::Total] {
            let calendar = calendar(zone, period, 28);
            for day in 0..800 {
                let now = LimitClock {
                    seconds: seconds("2026-01-01T12:00:00Z") + day * 86_400,
                    ..at(0)
                };
                let mut bucket = Bucket::NEW_WINDOW;
                bucket.refresh(&calendar, now, |_| 0);
                assert_eq!(bucket.window(), Some(calendar.window_at(now.seconds)));
            }
        }
    }
}
