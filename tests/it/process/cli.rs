//! The commands: all errors at once with their remedies, and no secrets shown.

use crate::support::client::Request;
use crate::support::gateway::{Setup, run, sha256_hex};
use crate::support::upstream::{Upstream, response};

const SECRET: &str = "kQz7Hn2vLw9Rb-literal";

/// A configuration with five errors.
fn invalid() -> Setup {
    Setup::new()
        .top_level("demmo = \"on\"")
        .server("max_body = \"many\"\nheader_timeout = \"soon\"")
        .section("[providers.up]\nbase_url = \"ftp://example.com\"")
        .model("m", "nowhere", "x")
}

#[test]
fn five_errors_are_five_lines_each_with_its_location_and_its_remedy() {
    for command in [&["check"][..], &["serve"][..], &[][..]] {
        let (status, stdout, stderr) = run(&invalid(), command);
        assert_eq!(status.code(), Some(1), "{command:?}");
        let output = stdout + &stderr;
        let lines: Vec<&str> = output.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 5, "{command:?}: {output}");
        let errors = [
            ("demmo", "did you mean \"demo\""),
            ("server.max_body", "32MiB"),
            ("server.header_timeout", "s\""),
            ("providers.up.base_url", "https://"),
            ("models.m.provider", "[providers]"),
        ];
        for (key, remedy) in errors {
            let line = lines.iter().find(|line| line.contains(key));
            let line = line.unwrap_or_else(|| panic!("{key} is not named: {output}"));
            assert!(line.contains(remedy), "no cure: {line}");
            assert!(line.contains("test.toml:"), "no location: {line}");
        }
    }
}

#[test]
fn check_shows_the_resolved_config_and_no_secret() {
    let setup = Setup::new()
        .provider_with_key("up", "http://127.0.0.1:9/v1", SECRET, "")
        .model("quick", "up", "the-quick-one")
        .env("MISTRAL_API_KEY", SECRET);
    let (status, stdout, stderr) = run(&setup, &["check"]);
    assert_eq!(status.code(), Some(0), "{stderr}");
    let row = |name: &str| {
        let mut lines = stdout.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name}: {stdout}"))
    };
    for part in ["up", "the-quick-one", "ready"] {
        assert!(row("quick").contains(part), "{}", row("quick"));
    }
    assert!(row("mistral-large").contains("MISTRAL_API_KEY"));
    assert!(row("gpt-4o").contains("set OPENAI_API_KEY"));
    assert!(!(stdout + &stderr).contains(&SECRET[..8]));
}

#[test]
fn models_lists_the_ready_models() {
    let setup = Setup::new()
        .provider("up", "http://127.0.0.1:9/v1", "")
        .model("quick", "up", "x");
    let (status, stdout, _) = run(&setup, &["models"]);
    assert_eq!((status.code(), stdout.trim()), (Some(0), "quick"));
    let (_, stdout, _) = run(&Setup::new(), &["models"]);
    assert_eq!(stdout.trim(), "demo");
}

#[test]
fn a_key_from_keygen_is_accepted() {
    let (status, stdout, _) = run(&Setup::new(), &["keygen"]);
    assert_eq!(status.code(), Some(0));
    let (key, lines) = stdout.split_once('\n').unwrap();
    assert!(key.len() >= 32, "a short key: {key}");
    assert!(lines.contains(&sha256_hex(key)));
    assert_ne!(
        run(&Setup::new(), &["keygen"]).1.lines().next(),
        Some(key),
        "the same key twice"
    );
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).section(lines).start();
    assert_eq!(gateway.send(&Request::chat("m").key(key)).status, 200);
    assert_eq!(gateway.send(&Request::chat("m")).status, 401);
}

#[test]
fn the_schema_is_a_valid_json_schema() {
    let (status, stdout, _) = run(&Setup::new(), &["schema"]);
    assert_eq!(status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    for section in [
        "server",
        "admin",
        "cors",
        "log",
        "access",
        "providers",
        "models",
    ] {
        assert!(
            schema["properties"].get(section).is_some(),
            "{section} is not described"
        );
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let (status, stdout, _) = run(&Setup::new(), &["--version"]);
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        stdout.trim(),
        concat!("trunkline ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_port_in_use_fails_the_start_with_an_error() {
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let (status, stdout, stderr) = run(
        &Setup::new().top_level("demo = \"on\""),
        &["--listen", &address],
    );
    assert!(!status.success());
    assert!(
        (stdout + &stderr).contains(&address),
        "the address is not named"
    );
}
