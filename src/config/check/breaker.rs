//! `[breaker]`.

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{Breaker, raw};

/// Most that can be counted in a window.
const MOST: u64 = 1_000_000;

/// Checks when a target is left out.
pub fn settle(check: &mut Check<'_>, raw: &raw::Breaker) -> Breaker {
    let path = KeyPath::new(["breaker"]);
    let mut number = |key, number, least, most| {
        let number = quantity::within(number, least, most);
        check.settle(&path.key(key), number, 0)
    };
    let failures = number("failures", raw.failures, 0, MOST);
    let error_rate = number("error_rate", raw.error_rate, 0, 100);
    let min_requests = number("min_requests", raw.min_requests, 1, MOST);
    let mut time = |key, text: &str| {
        let time = quantity::positive_duration(text);
        check.settle(&path.key(key), time, std::time::Duration::MAX)
    };
    let window = time("window", &raw.window);
    let cooldown = time("cooldown", &raw.cooldown);
    let max_cooldown = time("max_cooldown", &raw.max_cooldown);
    if max_cooldown < cooldown {
        check.fault(
            &path.key("max_cooldown"),
            "must be at least breaker.cooldown",
        );
    }
    Breaker {
        failures,
        error_rate,
        min_requests,
        window,
        cooldown,
        max_cooldown,
    }
}
