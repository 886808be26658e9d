use std::time::Duration;

use crate::config::Discover;
use crate::config::tests::Trial;

fn discover(text: &str) -> Discover {
    let config = Trial::file(text).config();
    config.providers["ollama"].discover
}

#[test]
fn discover_sets_when_models_are_listed() {
    assert_eq!(discover("[providers.ollama]"), Discover::OnRequest);
    let with = |value| format!("[providers.ollama]\ndiscover = {value}");
    assert_eq!(discover(&with("true")), Discover::Always);
    assert_eq!(discover(&with("false")), Discover::Never);
}

#[test]
fn models_that_cannot_be_requested_are_not_listed() {
    let strict = "strict_models = true\n[providers.ollama]\n";
    assert_eq!(discover(strict), Discover::Never);
    let config = Trial::file(&format!("{strict}discover = true")).config();
    assert_eq!(config.providers["ollama"].discover, Discover::Never);
    let error = |text: &&String| text.starts_with("providers.ollama.discover has no effect");
    assert_eq!(config.warnings.iter().filter(error).count(), 1);
    let config = Trial::file(&format!("{strict}discover = false")).config();
    assert!(!config.warnings.iter().any(|text| text.contains("discover")));
}

#[test]
fn deployments_are_not_listed() {
    let azure = "[providers.a]\nbase_url = \"http://127.0.0.1:9/\"\napi_version = \"2024-10-21\"\n";
    let config = Trial::file(&format!("{azure}discover = true")).config();
    assert_eq!(config.providers["a"].discover, Discover::Never);
    assert!(
        config
            .warnings
            .iter()
            .any(|text| text.contains("with api_version"))
    );
    let config = Trial::file(azure).config();
    assert_eq!(config.providers["a"].discover, Discover::Never);
}

#[test]
fn durations_of_discovery_are_checked() {
    let config = Trial::file("").config();
    assert_eq!(config.discovery.ttl, Duration::from_secs(300));
    assert_eq!(config.discovery.timeout, Duration::from_secs(5));
    for (line, expected) in [
        ("ttl = \"10ms\"", ".ttl: must be at least \"1s\""),
        (
            "timeout = \"0s\"",
            ".timeout: must be more than zero, such as \"10s\"",
        ),
        (
            "timeout = \"5m\"",
            ".timeout: must be at most \"60s\", since clients wait for it",
        ),
    ] {
        let error = Trial::file(&format!("[discovery]\n{line}")).error();
        assert_eq!(error.split_once(" discovery").unwrap().1, expected);
    }
}
