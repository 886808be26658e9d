//! `[providers.NAME.health]`.

use std::time::Duration;

use http::uri::PathAndQuery;

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{HealthCheck, raw};

/// Shortest pause between two questions.
const SHORTEST: Duration = Duration::from_millis(100);
/// Most answers in a row that can be asked for.
const MOST: u64 = 100;

/// Checks how a provider is asked whether it is well, if it is.
pub fn settle(check: &mut Check<'_>, path: &KeyPath, raw: &raw::Health) -> Option<HealthCheck> {
    let interval = raw.interval.as_deref().map(|text| {
        let interval = quantity::positive_duration(text).and_then(|interval| {
            let is_long = interval >= SHORTEST;
            is_long
                .then_some(interval)
                .ok_or_else(|| "must be at least \"100ms\"".into())
        });
        check.settle(&path.key("interval"), interval, SHORTEST)
    });
    let asked = raw.path.as_deref().unwrap_or("/models");
    if !asked.starts_with('/') || asked.parse::<PathAndQuery>().is_err() {
        let text = "not a path; write what stands behind the base URL, such as \"/models\"";
        check.fault(&path.key("path"), text);
    }
    let timeout = quantity::positive_duration(raw.timeout.as_deref().unwrap_or("5s"));
    let timeout = check.settle(&path.key("timeout"), timeout, Duration::MAX);
    let mut count = |key, number: Option<u64>, default| {
        let number = quantity::within(number.unwrap_or(default), 1, MOST);
        check.settle(&path.key(key), number, 1)
    };
    let failures = count("failures", raw.failures, 3);
    let successes = count("successes", raw.successes, 2);
    let Some(interval) = interval else {
        let says_more = raw.path.is_some()
            || raw.timeout.is_some()
            || raw.failures.is_some()
            || raw.successes.is_some();
        if says_more && !check.is_spoiled(path) {
            let text = "interval is missing; it says how often to ask, such as \"10s\"";
            check.fault(path, text);
        }
        return None;
    };
    Some(HealthCheck {
        path: asked.to_owned(),
        interval,
        timeout,
        failures,
        successes,
    })
}
