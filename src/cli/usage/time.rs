//! Times on the command line, and the labels of hours, days and months.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use thiserror::Error;

#[derive(Debug, Error, PartialEq)]
pub enum TimeError {
    #[error("--time-zone {0:?} is unknown; write a name such as \"Europe/Berlin\", or \"UTC\"")]
    Zone(String),
    #[error(
        "--{option} {text:?} is not a time; write 2026-11-01, \"2026-11-01 08:00\" or 2026-11-01T08:00:00Z"
    )]
    Time { option: &'static str, text: String },
    #[error("--since is not before --until; no hour is between them")]
    Empty,
}

/// Seconds since 1970; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    since: i64,
    until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Hour,
    Day,
    Month,
}

/// The time zone of this name.
pub fn zone(name: &str) -> Result<TimeZone, TimeError> {
    TimeZone::get(name).map_err(|_| TimeError::Zone(name.to_owned()))
}

// === impl TimeSpan ===

impl TimeSpan {
    pub fn new(
        since: Option<&str>,
        until: Option<&str>,
        zone: &TimeZone,
    ) -> Result<Self, TimeError> {
        let parsed = |option, text: Option<&str>| {
            text.map(|text| parse(text, zone).ok_or_else(|| error(option, text)))
                .transpose()
        };
        let since = parsed("since", since)?.unwrap_or(i64::MIN);
        let until = parsed("until", until)?.unwrap_or(i64::MAX);
        if since >= until {
            return Err(TimeError::Empty);
        }
        Ok(Self { since, until })
    }

    /// The hours that begin in it.
    pub fn hours(&self) -> Range<i64> {
        self.since..self.until
    }
}

fn error(option: &'static str, text: &str) -> TimeError {
    let text = text.to_owned();
    TimeError::Time { option, text }
}

/// A time with an offset, else one of the time zone: a date begins with its first moment.
fn parse(text: &str, zone: &TimeZone) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_second());
    }
    // A date alone also parses as a time, of a midnight that may not exist.
    let civil = match text.parse::<Date>() {
        Ok(date) if text.len() <= "2026-11-01".len() => date.to_zoned(zone.clone()),
        _ => text.parse::<DateTime>().ok()?.to_zoned(zone.clone()),
    };
    Some(civil.ok()?.timestamp().as_second())
}

// === impl TimeUnit ===

impl TimeUnit {
    /// The hour, day or month that begins at this time or has it.
    pub fn label(self, seconds: i64, zone: &TimeZone) -> String {
        let format = match self {
            Self::Hour => "%Y-%m-%dT%H:%M%:z",
            Self::Day => "%Y-%m-%d",
            Self::Month => "%Y-%m",
        };
        text(seconds, zone, format)
    }
}

/// Empty for the ends of all time.
pub fn moment(seconds: i64, zone: &TimeZone) -> String {
    text(seconds, zone, "%Y-%m-%dT%H:%M:%S%:z")
}

fn text(seconds: i64, zone: &TimeZone, format: &str) -> String {
    let time = Timestamp::from_second(seconds).ok();
    let time = time.map(|time| time.to_zoned(zone.clone()).strftime(format).to_string());
    time.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_begin_with_their_first_moment_in_the_time_zone() {
        let berlin = zone("Europe/Berlin").unwrap();
        let hours = |since, until| TimeSpan::new(since, until, &berlin).map(|it| it.hours());
        // 2026-03-29 has 23 hours there.
        let day = hours(Some("2026-03-29"), Some("2026-03-30")).unwrap();
        assert_eq!((day.end - day.start) / 3600, 23);
        assert_eq!(hours(None, None).unwrap(), i64::MIN..i64::MAX);
        let start = hours(Some("1970-01-01T00:00:00Z"), None).unwrap().start;
        assert_eq!(start, 0);
        let start = hours(Some("1970-01-01 01:00"), None).unwrap().start;
        assert_eq!(start, 0);
        assert_eq!(TimeUnit::Hour.label(0, &berlin), "1970-01-01T01:00+01:00");
        assert_eq!(TimeUnit::Day.label(-3600, &berlin), "1970-01-01");
        assert_eq!(TimeUnit::Day.label(-3601, &berlin), "1969-12-31");
        assert_eq!(TimeUnit::Month.label(-3601, &berlin), "1969-12");
        assert_eq!(moment(0, &berlin), "1970-01-01T01:00:00+01:00");
        assert_eq!(moment(i64::MAX, &berlin), "");
    }

    #[test]
    fn what_is_no_time_is_refused_by_name() {
        let span = |since, until| TimeSpan::new(since, until, &TimeZone::UTC).unwrap_err();
        for text in ["yesterday", "2026-13-01", "", "2026-11"] {
            let found = span(Some(text), None).to_string();
            assert!(found.starts_with(&format!("--since {text:?}")), "{found}");
            assert!(span(None, Some(text)).to_string().starts_with("--until"));
        }
        let same = Some("2026-11-01");
        assert_eq!(span(same, same), TimeError::Empty);
        assert!(matches!(zone("Atlantis/Port"), Err(TimeError::Zone(_))));
    }
}
