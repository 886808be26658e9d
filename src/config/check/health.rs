//! `[providers.NAME.health]`.

use std::time::Duration;

use http::uri::PathAndQuery;
use url::Url;

use super::Checker;
use crate::config::HealthCheck;
use crate::config::error::KeyPath;
use crate::config::raw::{self, Count, PositiveDuration};

const MIN_INTERVAL: Duration = Duration::from_millis(100);

pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Health,
) -> Option<HealthCheck> {
    let request_path = raw.path.as_deref().unwrap_or("/models");
    if !request_path.starts_with('/') || request_path.parse::<PathAndQuery>().is_err() {
        let text = "not a path; write what follows the base URL, such as \"/models\"";
        checker.error(&path.key("path"), text);
    }
    let Some(interval) = raw.interval.map(PositiveDuration::get) else {
        let has_other_keys = raw.path.is_some()
            || raw.timeout.is_some()
            || raw.failures.is_some()
            || raw.successes.is_some();
        if has_other_keys && !checker.is_pruned(path) {
            let text = "interval is missing; set the time between two checks, such as \"10s\"";
            checker.error(path, text);
        }
        return None;
    };
    if interval < MIN_INTERVAL {
        checker.error(&path.key("interval"), "must be at least \"100ms\"");
    }
    Some(HealthCheck {
        path: request_path.to_owned(),
        interval,
        timeout: raw.timeout.unwrap_or(PositiveDuration::secs(5)).get(),
        failures: raw.failures.map_or(3, Count::get),
        successes: raw.successes.map_or(2, Count::get),
    })
}

/// Warns of a path that repeats the end of the base URL: each check would fail.
pub fn warn_of_prefix(
    checker: &mut Checker<'_>,
    provider: &KeyPath,
    health: Option<&HealthCheck>,
    base_url: &Url,
) {
    let repeats = |health: &HealthCheck| health.path.starts_with("/v1/");
    if base_url.path().ends_with("/v1") && health.is_some_and(repeats) {
        let path = provider.key("health").key("path");
        let location = checker.layers.location(&path);
        let text = "follows the base URL, which ends in \"/v1\" already; leave that out";
        checker.warn(location, &path, text);
    }
}
