use std::time::Duration;

use crate::config::Retry;
use crate::config::tests::Trial;

#[test]
fn a_model_overrides_single_keys() {
    let config = Trial::file(
        "[retry]\nattempts = 5\nmax_wait = \"2s\"\n[models.gpt-4o.retry]\nattempts = 2\nnon_idempotent = true",
    )
    .config();
    let all = Retry {
        attempts: 5,
        non_idempotent: false,
        max_wait: Duration::from_secs(2),
    };
    assert_eq!(config.retry, all);
    assert_eq!(config.retry_budget, 10);
    assert_eq!(config.models["mistral-small"].retry, all);
    let own = Retry {
        attempts: 2,
        non_idempotent: true,
        ..all
    };
    assert_eq!(config.models["gpt-4o"].retry, own);
}

#[test]
fn numbers_out_of_range_are_errors() {
    for (line, expected) in [
        ("attempts = 0", "retry.attempts: must be from 1 to 20"),
        ("attempts = 21", "retry.attempts: must be from 1 to 20"),
        ("budget = 101", "retry.budget: must be from 0 to 100"),
        (
            "max_wait = \"soon\"",
            "retry.max_wait: not a duration; write a number with a unit, such as \"10s\" or \"5m\"",
        ),
    ] {
        let error = Trial::file(&format!("[retry]\n{line}")).error();
        assert_eq!(error, format!("trunkline.toml:2: {expected}"));
    }
    let error = Trial::file("[models.gpt-4o]\nretry = { attempts = 0 }").error();
    assert!(
        error.ends_with("models.gpt-4o.retry.attempts: must be from 1 to 20"),
        "{error}"
    );
}

#[test]
fn the_breakers_numbers_are_checked() {
    for (line, expected) in [
        (
            "error_rate = 101",
            "breaker.error_rate: must be from 0 to 100",
        ),
        (
            "min_requests = 0",
            "breaker.min_requests: must be from 1 to 1000000",
        ),
        (
            "window = \"0s\"",
            "breaker.window: must be more than zero, such as \"10s\"",
        ),
        (
            "max_cooldown = \"1s\"",
            "breaker.max_cooldown: must be at least breaker.cooldown",
        ),
    ] {
        let error = Trial::file(&format!("[breaker]\n{line}")).error();
        assert_eq!(error, format!("trunkline.toml:2: {expected}"));
    }
}
