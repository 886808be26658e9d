//! Remaining rate limits of an upstream, from the headers of its responses.
//!
//! The headers follow no standard. Known forms: `x-ratelimit-WHAT-KIND` (OpenAI,
//! Azure, Groq, Together; with the suffix `-minute`, `-hour` or `-day` Mistral
//! and Cerebras), `x-ratelimit-WHAT` for requests (OpenRouter, Together),
//! `x-tokenlimit-WHAT` (Together), `ratelimitbysize-WHAT` (Mistral), and
//! `anthropic-ratelimit-KIND-WHAT`, where WHAT is `limit`, `remaining` or `reset`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::server_date::ServerDate;

/// Longer resets are capped: a later response shows the renewal of a daily quota
/// sooner than a timer.
const MAX_RESET: Duration = Duration::from_secs(60 * 60);
/// A larger number is a date in seconds since 1970; one a thousand times larger,
/// in milliseconds.
const MIN_UNIX_SECONDS: f64 = 1e9;

/// The rate limits of one credential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimitReport {
    /// Of the tightest limit, from 0 to 1.
    pub remaining_ratio: f64,
    pub remaining_requests: Option<u64>,
    /// Until the tightest limit is renewed.
    pub reset_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Limit<'h> {
    family: Family,
    kind: &'h str,
    total: Option<&'h str>,
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

/// `None` if no header is about limits. Header names are lower case. `now` is
/// the local time, used where the response has no date.
pub fn parse<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    now: SystemTime,
) -> Option<RateLimitReport> {
    let (limits, date) = collect_limits(headers);
    let requests = limits.iter().filter(|limit| limit.counts_requests());
    let requests = requests
        .filter_map(|limit| Some(limit.remaining()?.0))
        .min();
    let ratios = limits.iter().filter_map(|limit| Some(limit.remaining()?.1));
    let lowest = ratios.reduce(f64::min)?;
    let tightest = limits.iter().filter(|limit| {
        let remaining = limit.remaining();
        remaining.is_some_and(|(_, ratio)| ratio <= lowest)
    });
    let sent = ServerDate::new(date, now);
    Some(RateLimitReport {
        remaining_ratio: lowest,
        remaining_requests: requests,
        reset_after: tightest.filter_map(|limit| limit.reset_after(sent)).max(),
    })
}

/// Until all exhausted limits are renewed; `None` if there are none.
pub fn exhausted_for<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    now: SystemTime,
) -> Option<Duration> {
    parse(headers, now)
        .filter(|report| report.remaining_ratio <= 0.0)?
        .reset_after
}

/// All limits, and the response's date.
fn collect_limits<'h>(
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
        let index = known.unwrap_or_else(|| {
            limits.push(Limit::new(family, kind));
            limits.len() - 1
        });
        if let Some(limit) = limits.get_mut(index) {
            match what {
                "limit" => limit.total = Some(value.trim()),
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
            total: None,
            remaining: None,
            reset: None,
        }
    }

    fn counts_requests(&self) -> bool {
        self.family != Family::Tokens
            && (self.kind.starts_with("req")
                || self.family == Family::Plain && self.kind.is_empty())
    }

    /// The remaining amount and its ratio to the limit; of an unknown limit, the ratio
    /// is 1 or 0. `None` for a value that is not a limit: Azure's Responses API sends −1
    /// and 0.
    fn remaining(&self) -> Option<(u64, f64)> {
        let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
        let remaining = number(self.remaining?).filter(|number| *number >= 0.0)?;
        let ratio = match self.total {
            None => f64::from(u8::from(remaining > 0.0)),
            Some(total) => remaining / number(total).filter(|total| *total > 0.0)?,
        };
        // No amount exceeds 2^53; only a fraction of a request is cut off.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; too large a number saturates"
        )]
        Some((remaining as u64, ratio.min(1.0)))
    }

    fn reset_after(&self, sent: ServerDate<'_>) -> Option<Duration> {
        let stated = self.reset.and_then(|text| parse_reset(text, sent));
        let window = || match self.kind.rsplit('-').next() {
            Some("second") => Some(Duration::from_secs(1)),
            Some("minute") => Some(Duration::from_secs(60)),
            Some("hour" | "day" | "month") => Some(MAX_RESET),
            _ => None,
        };
        Some(stated.or_else(window)?.min(MAX_RESET))
    }
}

/// Parses a duration in Go's format (`6m0s`, `2m59.56s`, `6ms`), a number of
/// seconds, a date in seconds or milliseconds since 1970, or an RFC 3339 date.
fn parse_reset(text: &str, sent: ServerDate<'_>) -> Option<Duration> {
    let since_1970 = |date| UNIX_EPOCH.checked_add(date).map(|date| sent.until(date));
    if let Ok(number) = text.parse::<f64>() {
        let seconds = |number| Duration::try_from_secs_f64(number).ok();
        return match number {
            _ if number < MIN_UNIX_SECONDS => seconds(number),
            _ if number < MIN_UNIX_SECONDS * 1e3 => seconds(number).and_then(since_1970),
            _ => seconds(number / 1e3).and_then(since_1970),
        };
    }
    if let Ok(date) = text.parse::<Timestamp>() {
        return Some(sent.until(date.into()));
    }
    parse_go_duration(text)
}

fn parse_go_duration(text: &str) -> Option<Duration> {
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
