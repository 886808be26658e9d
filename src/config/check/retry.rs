//! `[retry]`, and what a model says instead.

use super::{Check, quantity};
use crate::config::error::KeyPath;
use crate::config::{Retry, raw};

/// Most attempts that can be asked for.
const MOST_ATTEMPTS: u64 = 20;

/// Checks `[retry]`: the rules for models, and the budget in percent.
pub fn settle(check: &mut Check<'_>, raw: &raw::Retry) -> (Retry, u32) {
    let path = KeyPath::new(["retry"]);
    let written = raw::ModelRetry {
        attempts: Some(raw.attempts),
        processed: Some(raw.processed),
        max_wait: Some(raw.max_wait.clone()),
    };
    let retry = Retry {
        attempts: 1,
        processed: false,
        max_wait: std::time::Duration::ZERO,
    };
    let budget = quantity::within(raw.budget, 0, 100);
    let budget = check.settle(&path.key("budget"), budget, 0);
    (model(check, &path, &written, retry), budget)
}

/// Checks what a model says over what holds for all.
pub fn model(check: &mut Check<'_>, path: &KeyPath, raw: &raw::ModelRetry, all: Retry) -> Retry {
    let mut retry = all;
    if let Some(attempts) = raw.attempts {
        let attempts = quantity::within(attempts, 1, MOST_ATTEMPTS);
        retry.attempts = check.settle(&path.key("attempts"), attempts, 1) as usize;
    }
    if let Some(processed) = raw.processed {
        retry.processed = processed;
    }
    if let Some(text) = &raw.max_wait {
        let time = quantity::duration(text);
        retry.max_wait = check.settle(&path.key("max_wait"), time, all.max_wait);
    }
    retry
}
