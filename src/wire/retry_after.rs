//! The delay that an upstream requests before the next request.

use std::time::{Duration, SystemTime};

use super::rate_limit;
use super::server_date;
use super::server_date::ServerDate;

/// Longer delays are capped: they are a mistake, or a daily quota, which a probe
/// finds renewed sooner than a timer.
const MAX_DELAY: Duration = Duration::from_secs(60 * 60);

/// In milliseconds: the headers of OpenAI and Azure, which take precedence.
const MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// The delay by `retry-after-ms`, else `retry-after` in seconds or as a date (RFC
/// 9110, section 10.2.3), else the reset of an exhausted rate limit. Header names
/// are lower case. `now` is the local time, used where the response has no date.
#[must_use]
pub fn delay(headers: &[(&str, &str)], now: SystemTime) -> Option<Duration> {
    let text = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.trim())
    };
    let milliseconds = MILLISECONDS
        .iter()
        .find_map(|name| seconds(text(name)?))
        .map(|seconds| seconds / 1000);
    let after = || {
        let value = text("retry-after")?;
        seconds(value).or_else(|| {
            let sent = ServerDate::new(text("date"), now);
            Some(sent.until(server_date::parse_http_date(value)?))
        })
    };
    let reset = || rate_limit::exhausted_for(headers.iter().copied(), now);
    let delay = milliseconds.or_else(after).or_else(reset)?;
    Some(delay.min(MAX_DELAY))
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::delay;

    fn parsed(fields: &[(&'static str, &'static str)]) -> Option<f64> {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let delay = delay(fields, now);
        delay.map(|it| it.as_secs_f64())
    }

    #[test]
    fn reads_every_format() {
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
            // By the server's clock, which is an hour slow, or fast.
            (
                &[
                    ("date", "Sun, 06 Nov 1994 07:49:37 GMT"),
                    ("retry-after", "Sun, 06 Nov 1994 07:49:47 GMT"),
                ],
                Some(10.0),
            ),
            (
                &[
                    ("date", "Sun, 06 Nov 1994 09:49:37 GMT"),
                    ("retry-after", "Sun, 06 Nov 1994 09:49:47 GMT"),
                ],
                Some(10.0),
            ),
            (
                &[
                    ("date", "now"),
                    ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"),
                ],
                Some(10.0),
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
            assert_eq!(parsed(fields), expected, "{fields:?}");
        }
    }
}
