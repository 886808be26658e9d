//! When an upstream says that it may be asked again.

use std::time::{Duration, SystemTime};

/// Longest time that is believed. What an upstream says beyond that is a slip,
/// or a quota of a day, which a probe finds renewed sooner than a clock does.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Milliseconds: OpenAI's and Azure's spellings, which go before the others.
const MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];
/// What is left of a limit, and when it is whole again.
const LIMITS: [(&str, &str); 2] = [
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
];

/// How long to wait by the headers of an answer: `retry-after-ms`, else
/// `retry-after` in seconds or as a date (RFC 9110, section 10.2.3), else the
/// reset of a limit of which nothing is left. None when nothing is said.
/// `field` looks a header up.
pub fn wait<'h>(field: impl Fn(&str) -> Option<&'h str>, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| field(name).map(str::trim);
    let milliseconds = MILLISECONDS
        .iter()
        .find_map(|name| seconds(text(name)?))
        .map(|seconds| seconds / 1000);
    let after = || {
        let value = text("retry-after")?;
        seconds(value).or_else(|| until(value, now))
    };
    let reset = || {
        let spent = LIMITS.iter().filter(|(left, _)| text(left) == Some("0"));
        spent.filter_map(|(_, reset)| duration(text(reset)?)).max()
    };
    let wait = milliseconds.or_else(after).or_else(reset)?;
    Some(wait.min(LONGEST))
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A duration as Go writes it (`2m59.56s`, `6ms`): what the upstreams of this
/// field send. A bare number is seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut sum = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| letter.is_ascii_alphabetic());
        let (number, unit) = rest.split_at_checked(digits.unwrap_or(rest.len()))?;
        let end = unit.find(|letter: char| !letter.is_ascii_alphabetic());
        let (unit, after) = unit.split_at_checked(end.unwrap_or(unit.len()))?;
        let number: f64 = number.parse().ok()?;
        sum += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" | "" => 1.0,
                "ms" => 1e-3,
                "us" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = after;
    }
    Duration::try_from_secs_f64(sum).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{duration, wait};

    fn told(fields: &[(&'static str, &'static str)]) -> Option<f64> {
        let field = |name: &str| {
            let mut fields = fields.iter();
            fields.find_map(|(known, value)| (*known == name).then_some(*value))
        };
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = wait(field, now);
        wait.map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn reads_every_way_to_say_when() {
        for (fields, expected) in [
            (&[("retry-after", "7")][..], Some(7.0)),
            (&[("retry-after", " 0.5 ")], Some(0.5)),
            (
                &[("retry-after", "7"), ("retry-after-ms", "250")],
                Some(0.25),
            ),
            (&[("x-ms-retry-after-ms", "40")], Some(0.04)),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")],
                Some(10.0),
            ),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT")],
                Some(0.0),
            ),
            (&[("retry-after", "86400")], Some(3600.0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "1e300")], None),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "2m59.5s"),
                    ("x-ratelimit-remaining-tokens", "12"),
                    ("x-ratelimit-reset-tokens", "9h"),
                ],
                Some(179.5),
            ),
            (&[("x-ratelimit-reset-requests", "3s")], None),
            (&[], None),
        ] {
            assert_eq!(told(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn reads_durations_as_go_writes_them() {
        for (text, expected) in [
            ("6ms", Some(6)),
            ("1h1m1s1ms", Some(3_661_001)),
            ("1.5", Some(1500)),
            ("", Some(0)),
            ("1d", None),
            ("ms", None),
            ("-1s", None),
            ("1s2", Some(3000)),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
