//! `[breaker]`.

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Breaker, raw};

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Breaker) -> Breaker {
    let path = KeyPath::new(["breaker"]);
    let (cooldown, max_cooldown) = (raw.cooldown.get(), raw.max_cooldown.get());
    if max_cooldown < cooldown && !checker.is_pruned(&path) {
        let text = "must be at least breaker.cooldown";
        checker.error(&path.key("max_cooldown"), text);
    }
    Breaker {
        failures: raw.failures.get(),
        error_rate: raw.error_rate.get(),
        broken_responses: raw.broken_responses.get(),
        min_requests: raw.min_requests.get(),
        window: raw.window.get(),
        cooldown,
        max_cooldown,
    }
}
