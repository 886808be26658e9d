use std::time::{Duration, SystemTime};

use super::{exhausted_for, parse, parse_reset};
use crate::wire::server_date::ServerDate;

/// 2026-01-01T00:00:00Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

type Fields = &'static [(&'static str, &'static str)];

fn parsed(fields: Fields) -> Option<(f64, Option<u64>, Option<u64>)> {
    let report = parse(fields.iter().copied(), now())?;
    let reset = report.reset_after;
    let reset = reset.map(|reset| u64::try_from(reset.as_millis()).unwrap());
    Some((report.remaining_ratio, report.remaining_requests, reset))
}

/// Provider, headers, and the expected ratio, requests and milliseconds.
type Case = (
    &'static str,
    Fields,
    Option<(f64, Option<u64>, Option<u64>)>,
);

const TABLE: [Case; 14] = [
    (
        "OpenAI",
        &[
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-limit-tokens", "160000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-remaining-tokens", "40000"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ],
        Some((0.25, Some(4999), Some(360_000))),
    ),
    (
        "Groq: requests per day, tokens per minute",
        &[
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-limit-tokens", "18000"),
            ("x-ratelimit-remaining-requests", "144"),
            ("x-ratelimit-remaining-tokens", "17997"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ],
        Some((0.01, Some(144), Some(179_560))),
    ),
    (
        "Anthropic",
        &[
            ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-remaining", "999"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"),
            ("anthropic-ratelimit-input-tokens-limit", "80000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            (
                "anthropic-ratelimit-input-tokens-reset",
                "2026-01-01T01:00:30+01:00",
            ),
        ],
        Some((0.0, Some(999), Some(30_000))),
    ),
    (
        "Azure, Responses API",
        &[
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-limit-requests", "0"),
            ("x-ratelimit-remaining-requests", "-1"),
        ],
        None,
    ),
    (
        "Azure",
        &[
            ("x-ratelimit-remaining-tokens", "12345"),
            ("x-ratelimit-remaining-requests", "3"),
        ],
        Some((1.0, Some(3), None)),
    ),
    (
        "Mistral, today",
        &[
            ("x-ratelimit-limit-tokens-minute", "5000000"),
            ("x-ratelimit-remaining-tokens-minute", "4999911"),
            ("x-ratelimit-tokens-query-cost", "52"),
            ("x-ratelimit-limit-req-minute", "720"),
            ("x-ratelimit-remaining-req-minute", "72"),
        ],
        Some((0.1, Some(72), Some(60_000))),
    ),
    (
        "Mistral, before",
        &[
            ("ratelimitbysize-limit", "500000"),
            ("ratelimitbysize-remaining", "0"),
            ("ratelimitbysize-reset", "28"),
            ("x-ratelimitbysize-limit-month", "1000000000"),
            ("x-ratelimitbysize-remaining-month", "900000000"),
        ],
        Some((0.0, None, Some(28_000))),
    ),
    (
        "Cerebras",
        &[
            ("x-ratelimit-limit-requests-day", "1000"),
            ("x-ratelimit-remaining-requests-day", "10"),
            ("x-ratelimit-reset-requests-day", "33011.382867"),
            ("x-ratelimit-limit-tokens-minute", "60000"),
            ("x-ratelimit-remaining-tokens-minute", "51000"),
            ("x-ratelimit-reset-tokens-minute", "11.38"),
        ],
        Some((0.01, Some(10), Some(3_600_000))),
    ),
    (
        "Together",
        &[
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "5"),
            ("x-ratelimit-reset", "1"),
            ("x-tokenlimit-limit", "3000"),
            ("x-tokenlimit-remaining", "2999"),
        ],
        Some((0.5, Some(5), Some(1000))),
    ),
    (
        "OpenRouter",
        &[
            ("x-ratelimit-limit", "20"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1767225660000"),
        ],
        Some((0.0, Some(0), Some(60_000))),
    ),
    (
        "two exhausted limits: the later reset",
        &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "3s"),
        ],
        Some((0.0, Some(0), Some(3000))),
    ),
    (
        "more than the limit",
        &[
            ("x-ratelimit-limit-requests", "10"),
            ("x-ratelimit-remaining-requests", " 12 "),
            ("x-ratelimit-reset-requests", "1767225540"),
        ],
        Some((1.0, Some(12), Some(0))),
    ),
    (
        "invalid values",
        &[
            ("x-ratelimit-limit-requests", "NaN"),
            ("x-ratelimit-remaining-requests", "7"),
            ("x-ratelimit-limit-tokens", "inf"),
            ("x-ratelimit-remaining-tokens", "many"),
            ("x-ratelimit-remaining-x", ""),
            ("anthropic-ratelimit-unified", "allowed"),
            ("x-ratelimit-", "1"),
            ("x-ratelimit", "1"),
        ],
        None,
    ),
    ("nothing", &[("content-type", "text/plain")], None),
];
#[test]
fn reads_the_limits_of_every_provider() {
    for (name, fields, expected) in TABLE {
        assert_eq!(parsed(fields), expected, "{name}");
        let reversed = parse(fields.iter().rev().copied(), now());
        assert_eq!(reversed, parse(fields.iter().copied(), now()), "{name}");
    }
}

#[test]
fn reads_every_format() {
    for (text, expected) in [
        ("6ms", Some(6)),
        ("1h1m1s1ms", Some(3_661_001)),
        ("1d", Some(86_400_000)),
        ("1.5", Some(1500)),
        ("0", Some(0)),
        ("1767225610", Some(10_000)),
        ("1767225610500", Some(10_500)),
        ("2026-01-01T00:00:10.5Z", Some(10_500)),
        ("2025-12-31T23:59:59Z", Some(0)),
        ("", None),
        ("ms", None),
        ("-1", None),
        ("-1s", None),
        ("1s2", None),
        ("1y", None),
        ("NaN", None),
        ("inf", None),
        ("1e300s", None),
        ("soon", None),
    ] {
        let expected = expected.map(Duration::from_millis);
        let sent = ServerDate::new(None, now());
        assert_eq!(parse_reset(text, sent), expected, "{text}");
    }
}

#[test]
fn only_exhausted_limits_delay() {
    let fields = |remaining| {
        [
            ("x-ratelimit-remaining-requests", remaining),
            ("x-ratelimit-reset-requests", "5s"),
        ]
    };
    assert_eq!(exhausted_for(fields("1"), now()), None);
    let five = Some(Duration::from_secs(5));
    assert_eq!(exhausted_for(fields("0"), now()), five);
}
