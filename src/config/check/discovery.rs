//! `[discovery]`, and `discover` of a provider.

use std::time::Duration;

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{Discover, Discovery, raw};

/// Shortest time that a list is kept: providers are not asked for each request.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest time that a caller may have to wait for a list.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Checks `[discovery]`.
pub fn settle(check: &mut Check<'_>, raw: &raw::Discovery) -> Discovery {
    let path = KeyPath::new(["discovery"]);
    let ttl = quantity::positive_duration(&raw.ttl).and_then(|ttl| {
        let is_long = ttl >= SHORTEST;
        let text = "must be at least \"1s\"";
        is_long.then_some(ttl).ok_or_else(|| text.into())
    });
    let timeout = quantity::positive_duration(&raw.timeout).and_then(|timeout| {
        let is_short = timeout <= LONGEST_WAIT;
        let text = "must be at most \"60s\", since callers wait for it";
        is_short.then_some(timeout).ok_or_else(|| text.into())
    });
    Discovery {
        ttl: check.settle(&path.key("ttl"), ttl, SHORTEST),
        timeout: check.settle(&path.key("timeout"), timeout, LONGEST_WAIT),
    }
}

/// Checks whether this provider's own models are told of. What cannot be called
/// is not.
pub fn of_provider(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    strict: bool,
) -> Discover {
    let why_not = if strict {
        "strict_models is set: without an alias its models cannot be called"
    } else if raw.api_version.is_some() {
        "api_version is set: Azure tells of models there, not of what is deployed"
    } else {
        return match raw.discover {
            None => Discover::OnRequest,
            Some(true) => Discover::Always,
            Some(false) => Discover::Never,
        };
    };
    if raw.discover == Some(true) {
        let key = path.key("discover");
        let text = format!("{key} lists nothing, since {why_not}");
        check.warnings.push(text);
    }
    Discover::Never
}
