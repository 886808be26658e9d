//! What is left of an upstream's rate limits, by the headers of its answers.
//!
//! There is no standard that they follow. Known are `x-ratelimit-WHAT-KIND`
//! (OpenAI, Azure, Groq, Together; with `-minute`, `-hour` or `-day` behind it
//! Mistral and Cerebras), `x-ratelimit-WHAT` for requests (OpenRouter, Together),
//! `x-tokenlimit-WHAT` (Together), `ratelimitbysize-WHAT` (Mistral), and
//! `anthropic-ratelimit-KIND-WHAT`, where WHAT is `limit`, `remaining` or `reset`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::server_date::Moment;

/// Longest time that is believed: of a quota of a day, a later answer tells
/// sooner than a clock that it was renewed.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// A number of seconds beyond this is a date, in seconds since 1970; beyond a
/// thousand times this, in milliseconds.
const DATES_FROM: f64 = 1e9;

/// What is left of the limits of one credential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Share that is left of the limit of which least is left, from 0 to 1.
    pub share: f64,
    /// Requests that are left, where that is told.
    pub requests: Option<u64>,
    /// When the tightest limit is whole again, where that is told.
    pub reset: Option<Duration>,
}

/// One limit, as far as it was met.
#[derive(Debug, Clone, Copy)]
struct Limit<'h> {
    family: Family,
    kind: &'h str,
    whole: Option<&'h str>,
    remaining: Option<&'h str>,
    reset: Option<&'h str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Plain,
    Tokens,
    BySize,
    Anthropic,
}

const FAMILIES: [(&str, Family); 5] = [
    ("x-ratelimit-", Family::Plain),
    ("x-tokenlimit-", Family::Tokens),
    ("ratelimitbysize-", Family::BySize),
    ("x-ratelimitbysize-", Family::BySize),
    ("anthropic-ratelimit-", Family::Anthropic),
];

/// What the headers of an answer say; none when they say nothing of limits.
/// Names are in lower case. `now` is the time of day here, for answers without
/// one.
pub fn report<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    now: SystemTime,
) -> Option<Report> {
    let (limits, date) = limits(headers);
    let requests = limits.iter().filter(|limit| limit.counts_requests());
    let requests = requests.filter_map(|limit| Some(limit.left()?.0)).min();
    let shares = limits.iter().filter_map(|limit| Some(limit.left()?.1));
    let least = shares.reduce(f64::min)?;
    let tightest = limits.iter().filter(|limit| {
        let left = limit.left();
        left.is_some_and(|(_, share)| share <= least)
    });
    let moment = Moment::new(date, now);
    Some(Report {
        share: least,
        requests,
        reset: tightest.filter_map(|limit| limit.reset(moment)).max(),
    })
}

/// When the limits are whole again of which nothing is left; none when there
/// are none.
pub fn exhausted_for<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    now: SystemTime,
) -> Option<Duration> {
    report(headers, now)
        .filter(|report| report.share <= 0.0)?
        .reset
}

/// All limits that are told of, and the answer's date.
fn limits<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
) -> (Vec<Limit<'h>>, Option<&'h str>) {
    let mut limits: Vec<Limit<'h>> = Vec::new();
    let mut date = None;
    for (name, value) in headers {
        if name == "date" {
            date = Some(value);
            continue;
        }
        let found = FAMILIES
            .iter()
            .find_map(|(prefix, family)| Some((*family, name.strip_prefix(prefix)?)));
        let Some((family, rest)) = found else {
            continue;
        };
        let parts = match family {
            Family::Anthropic => rest.rsplit_once('-').map(|(kind, what)| (what, kind)),
            _ => Some(rest.split_once('-').unwrap_or((rest, ""))),
        };
        let Some((what @ ("limit" | "remaining" | "reset"), kind)) = parts else {
            continue;
        };
        let mut known = limits.iter();
        let known = known.position(|limit| (limit.family, limit.kind) == (family, kind));
        let place = known.unwrap_or_else(|| {
            limits.push(Limit::new(family, kind));
            limits.len() - 1
        });
        if let Some(limit) = limits.get_mut(place) {
            match what {
                "limit" => limit.whole = Some(value.trim()),
                "remaining" => limit.remaining = Some(value.trim()),
                _ => limit.reset = Some(value.trim()),
            }
        }
    }
    (limits, date)
}

impl<'h> Limit<'h> {
    fn new(family: Family, kind: &'h str) -> Self {
        Self {
            family,
            kind,
            whole: None,
            remaining: None,
            reset: None,
        }
    }

    fn counts_requests(&self) -> bool {
        self.family != Family::Tokens
            && (self.kind.starts_with("req")
                || self.family == Family::Plain && self.kind.is_empty())
    }

    /// How much is left, and what share that is; of an unknown limit, all or
    /// nothing. None for what is no limit: Azure's Responses API says −1 and 0.
    fn left(&self) -> Option<(u64, f64)> {
        let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
        let remaining = number(self.remaining?).filter(|left| *left >= 0.0)?;
        let share = match self.whole {
            None => f64::from(u8::from(remaining > 0.0)),
            Some(whole) => remaining / number(whole).filter(|whole| *whole > 0.0)?,
        };
        // Beyond 2^53 nothing is counted; what is cut off is part of a request.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and what is too large becomes the largest"
        )]
        Some((remaining as u64, share.min(1.0)))
    }

    fn reset(&self, moment: Moment<'_>) -> Option<Duration> {
        let told = self.reset.and_then(|text| reset(text, moment));
        let window = || match self.kind.rsplit('-').next() {
            Some("second") => Some(Duration::from_secs(1)),
            Some("minute") => Some(Duration::from_secs(60)),
            Some("hour" | "day" | "month") => Some(LONGEST),
            _ => None,
        };
        Some(told.or_else(window)?.min(LONGEST))
    }
}

/// How long until then: a duration as Go writes it (`6m0s`, `2m59.56s`, `6ms`), a
/// number of seconds, a date in seconds or milliseconds since 1970, or one as in
/// RFC 3339.
fn reset(text: &str, moment: Moment<'_>) -> Option<Duration> {
    let since_1970 = |date| UNIX_EPOCH.checked_add(date).map(|date| moment.until(date));
    if let Ok(number) = text.parse::<f64>() {
        let seconds = |number| Duration::try_from_secs_f64(number).ok();
        return match number {
            _ if number < DATES_FROM => seconds(number),
            _ if number < DATES_FROM * 1e3 => seconds(number).and_then(since_1970),
            _ => seconds(number / 1e3).and_then(since_1970),
        };
    }
    if let Ok(date) = text.parse::<Timestamp>() {
        return Some(moment.until(date.into()));
    }
    go_duration(text)
}

fn go_duration(text: &str) -> Option<Duration> {
    let mut sum = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let end = unit.find(|letter: char| !letter.is_ascii_alphabetic());
        let (unit, after) = unit.split_at_checked(end.unwrap_or(unit.len()))?;
        let number: f64 = number.parse().ok()?;
        sum += number
            * match unit {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = after;
    }
    (!text.is_empty()).then_some(())?;
    Duration::try_from_secs_f64(sum).ok()
}

#[cfg(test)]
mod tests;
