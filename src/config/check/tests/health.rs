use std::time::Duration;

use crate::config::HealthCheck;
use crate::config::tests::Trial;

fn health(lines: &str) -> Option<HealthCheck> {
    let config = Trial::file(&format!("[providers.ollama.health]\n{lines}")).config();
    config.providers["ollama"].health.clone()
}

#[test]
fn a_provider_is_asked_when_an_interval_is_given() {
    assert_eq!(health(""), None);
    let seconds = Duration::from_secs;
    let usual = HealthCheck {
        path: "/models".to_owned(),
        interval: seconds(10),
        timeout: seconds(5),
        failures: 3,
        successes: 2,
    };
    assert_eq!(health("interval = \"10s\"").as_ref(), Some(&usual));
    let lines =
        "interval = \"1m\"\npath = \"/health?x=1\"\ntimeout = \"1s\"\nfailures = 1\nsuccesses = 5";
    let other = HealthCheck {
        path: "/health?x=1".to_owned(),
        interval: seconds(60),
        timeout: seconds(1),
        failures: 1,
        successes: 5,
    };
    assert_eq!(health(lines), Some(other));
}

#[test]
fn what_cannot_be_asked_is_a_fault() {
    for (line, expected) in [
        (
            "interval = \"1ms\"",
            ".interval: must be at least \"100ms\"",
        ),
        (
            "path = \"/x\"",
            ": interval is missing; it says how often to ask, such as \"10s\"",
        ),
        (
            "interval = \"9s\"\npath = \"models\"",
            ".path: not a path; write what stands behind the base URL, such as \"/models\"",
        ),
        (
            "interval = \"9s\"\npath = \"/a b\"",
            ".path: not a path; write what stands behind the base URL, such as \"/models\"",
        ),
        (
            "interval = \"9s\"\nfailures = 0",
            ".failures: must be from 1 to 100",
        ),
        (
            "interval = \"9s\"\ntimeout = \"0s\"",
            ".timeout: must be longer than nothing, such as \"10s\"",
        ),
    ] {
        let fault = Trial::file(&format!("[providers.ollama.health]\n{line}")).fault();
        let (place, text) = fault.split_once("providers.ollama.health").unwrap();
        assert!(place.starts_with("trunkline.toml:"), "{fault}");
        assert_eq!(text, expected);
    }
}
