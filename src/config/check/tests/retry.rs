use std::time::Duration;

use crate::config::Retry;
use crate::config::tests::Trial;

#[test]
fn a_model_says_what_differs() {
    let config = Trial::file(
        "[retry]\nattempts = 5\nmax_wait = \"2s\"\n[models.gpt-4o.retry]\nattempts = 2\nprocessed = true",
    )
    .config();
    let all = Retry {
        attempts: 5,
        processed: false,
        max_wait: Duration::from_secs(2),
    };
    assert_eq!(config.retry, all);
    assert_eq!(config.retry_budget, 10);
    assert_eq!(config.models["mistral-small"].retry, all);
    let own = Retry {
        attempts: 2,
        processed: true,
        ..all
    };
    assert_eq!(config.models["gpt-4o"].retry, own);
}

#[test]
fn numbers_out_of_bounds_are_faults() {
    for (line, expected) in [
        ("attempts = 0", "retry.attempts: must be from 1 to 20"),
        ("attempts = 21", "retry.attempts: must be from 1 to 20"),
        ("budget = 101", "retry.budget: must be from 0 to 100"),
        (
            "max_wait = \"soon\"",
            "retry.max_wait: not a duration; write a number with a unit, such as \"10s\" or \"5m\"",
        ),
    ] {
        let fault = Trial::file(&format!("[retry]\n{line}")).fault();
        assert_eq!(fault, format!("trunkline.toml:2: {expected}"));
    }
    let fault = Trial::file("[models.gpt-4o]\nretry = { attempts = 0 }").fault();
    assert!(
        fault.ends_with("models.gpt-4o.retry.attempts: must be from 1 to 20"),
        "{fault}"
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
            "breaker.window: must be longer than nothing, such as \"10s\"",
        ),
        (
            "max_cooldown = \"1s\"",
            "breaker.max_cooldown: must be at least breaker.cooldown",
        ),
    ] {
        let fault = Trial::file(&format!("[breaker]\n{line}")).fault();
        assert_eq!(fault, format!("trunkline.toml:2: {expected}"));
    }
}
