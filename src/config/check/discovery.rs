//! `[discovery]`, and `discover` of a provider.

use std::time::Duration;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Discover, Discovery, raw};

/// Providers must not be queried for each request.
const MIN_TTL: Duration = Duration::from_secs(1);
/// Clients wait for a list that is not cached.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Discovery) -> Discovery {
    let path = KeyPath::new(["discovery"]);
    let (ttl, timeout) = (raw.ttl.get(), raw.timeout.get());
    if ttl < MIN_TTL {
        checker.error(&path.key("ttl"), "must be at least \"1s\"");
    }
    if timeout > MAX_TIMEOUT {
        let text = "must be at most \"60s\", since clients wait for it";
        checker.error(&path.key("timeout"), text);
    }
    Discovery { ttl, timeout }
}

/// When the provider's own models are listed: never, if they cannot be
/// requested.
pub fn resolve_provider(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    strict: bool,
) -> Discover {
    let why_not = if strict {
        "with strict_models, models without an alias cannot be requested"
    } else if raw.api_version.is_some() {
        "with api_version, Azure lists available models and not deployments"
    } else {
        return match raw.discover {
            None => Discover::OnRequest,
            Some(true) => Discover::Always,
            Some(false) => Discover::Never,
        };
    };
    if raw.discover == Some(true) {
        let key = path.key("discover");
        let text = format!("{key} has no effect: {why_not}");
        checker.warnings.push(text);
    }
    Discover::Never
}
