use std::time::Duration;

use crate::config::HealthCheck;
use crate::config::tests::Trial;

fn health(lines: &str) -> Option<HealthCheck> {
    let config = Trial::file(&format!("[providers.ollama.health]\n{lines}")).config();
    config.providers["ollama"].health.clone()
}

#[test]
fn health_checks_need_an_interval() {
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
fn invalid_health_checks_are_errors() {
    for (line, expected) in [
        (
            "interval = \"1ms\"",
            ".interval: must be at least \"100ms\"",
        ),
        (
            "path = \"/x\"",
            ": interval is missing; set the time between two checks, such as \"10s\"",
        ),
        (
            "interval = \"9s\"\npath = \"models\"",
            ".path: not a path; write what follows the base URL, such as \"/models\"",
        ),
        (
            "interval = \"9s\"\npath = \"/a b\"",
            ".path: not a path; write what follows the base URL, such as \"/models\"",
        ),
        (
            "interval = \"9s\"\nfailures = 0",
            ".failures: must be from 1 to 100",
        ),
        (
            "interval = \"9s\"\ntimeout = \"0s\"",
            ".timeout: must be more than zero, such as \"10s\"",
        ),
    ] {
        let error = Trial::file(&format!("[providers.ollama.health]\n{line}")).error();
        let (location, text) = error.split_once("providers.ollama.health").unwrap();
        assert!(location.starts_with("trunkline.toml:"), "{error}");
        assert_eq!(text, expected);
    }
}

#[test]
fn wc06_check_warns_of_a_health_path_that_repeats_the_base_url() {
    let warnings = |path: &str| {
        let lines = format!("interval = \"9s\"\npath = {path:?}");
        Trial::file(&format!("[providers.ollama.health]\n{lines}")).warnings()
    };
    assert_eq!(
        warnings("/v1/models"),
        [
            "trunkline.toml:3: providers.ollama.health.path: follows the base URL, which ends in \"/v1\" already; leave that out"
        ]
    );
    assert!(warnings("/models").is_empty() && warnings("/v1").is_empty());
}
