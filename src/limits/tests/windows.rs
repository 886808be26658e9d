//! Windows of the calendar.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Period;
use crate::limits::window::{Calendar, Window};

fn seconds(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn window(zone: &str, period: Period, time: &str) -> Window {
    let time_zone = TimeZone::get(zone).unwrap();
    let window = Calendar { period, time_zone }.window_at(seconds(time));
    assert!((window.start..window.end).contains(&seconds(time)));
    window
}

fn hours(window: Window) -> i64 {
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
    for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
        for period in [Period::Day, Period::Week, Period::Month] {
            let time_zone = TimeZone::get(zone).unwrap();
            let calendar = Calendar { period, time_zone };
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
