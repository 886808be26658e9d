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

#[test]
fn wo01_variables_that_kubernetes_makes_for_services_change_nothing() {
    let mut setup = Setup::new();
    let (status, expected, _) = run(&setup, &["check"]);
    assert!(status.success());
    for service in [
        "TRUNKLINE",
        "TRUNKLINE_SERVER",
        "TRUNKLINE_ADMIN",
        "TRUNKLINE_DEMO",
        "TRUNKLINE_CONFIG",
        "TRUNKLINE_LOG",
        "TRUNKLINE_MODELS",
        "TRUNKLINE_POOL",
        "TRUNKLINE_PROVIDERS",
        "VLLM",
        "OLLAMA",
        "OPENAI",
        "OPENAI_BASE_URL",
        "SSL_CERT",
    ] {
        for (ending, value) in [
            ("PORT", "tcp://10.0.0.9:8080"),
            ("SERVICE_HOST", "10.0.0.9"),
            ("SERVICE_PORT", "8080"),
            ("SERVICE_PORT_HTTP", "8080"),
            ("PORT_8080_TCP", "tcp://10.0.0.9:8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.9"),
            ("PORT_8080_TCP_PORT", "8080"),
            ("PORT_8080_TCP_PROTO", "tcp"),
        ] {
            setup = setup.env(&format!("{service}_{ending}"), value);
        }
    }
    let (status, stdout, stderr) = run(&setup, &["check"]);
    assert!(status.success(), "{stderr}");
    assert_eq!((stdout, stderr.as_str()), (expected, ""));
    let setup = setup.env("TRUNKLINE_SERVER_LISTEN", "127.0.0.1:1");
    let (_, stdout, _) = run(&setup, &["check"]);
    assert!(
        stdout.contains(
            "warning: TRUNKLINE_SERVER_LISTEN is ignored; did you mean TRUNKLINE_SERVER__LISTEN"
        ),
        "{stdout}"
    );
}

#[test]
fn a11_a_variable_that_is_nearly_a_setting_is_named() {
    for (name, value, meant) in [
        (
            "TRUNKLINE_LISTEN",
            "127.0.0.1:1",
            "TRUNKLINE_SERVER__LISTEN",
        ),
        ("TRUNKLINE_HOST", "0.0.0.0", "TRUNKLINE_SERVER__LISTEN"),
        ("TRUNKLINE_PORT", "9000", "TRUNKLINE_SERVER__LISTEN"),
        ("TRUNKLINE_SERVER_LISTN", "x", "TRUNKLINE_SERVER__LISTEN"),
        ("TRUNKLINE_SERVER_PORT", "9000", "TRUNKLINE_SERVER__LISTEN"),
        ("TRUNKLINE_ADMIN_PORT", "9001", "TRUNKLINE_ADMIN__LISTEN"),
        ("TRUNKLINE_CONFIG_FILE", "x.toml", "TRUNKLINE_CONFIG?"),
        ("TRUNKLINE_MAX_BODY", "1MiB", "TRUNKLINE_SERVER__MAX_BODY"),
        (
            "TRUNKLINE_ALLOW_ORIGINS",
            "x",
            "TRUNKLINE_CORS__ALLOW_ORIGINS",
        ),
        (
            "TRUNKLINE_DEFAULT_PROVIDR",
            "x",
            "TRUNKLINE_DEFAULT_PROVIDER",
        ),
        ("TRUNKLINE_LOG_LEVEL", "debug", "TRUNKLINE_LOG__LEVEL"),
    ] {
        let (status, stdout, stderr) = run(&Setup::new().env(name, value), &["check"]);
        assert!(status.success(), "{stderr}");
        let expected = format!("warning: {name} is ignored; did you mean {meant}");
        assert!(stdout.contains(&expected), "{expected}: {stdout}");
    }
    for (name, value) in [
        ("TRUNKLINE_BIN", "/usr/bin/trunkline"),
        ("TRUNKLINE_VERSION", "1"),
        ("TRUNKLINE_LISTEN_PORT_80_UDP_ADDR", "10.0.0.9"),
    ] {
        let (_, stdout, _) = run(&Setup::new().env(name, value), &["check"]);
        assert!(!stdout.contains("is ignored"), "{stdout}");
    }
}

#[test]
fn a09_check_names_the_file_and_what_it_sets() {
    let setup = Setup::new()
        .server("root_path = \"/api\"\nmax_body = \"3MiB\"")
        .env("FRONTEND_URL", "https://chat.example.com");
    setup.file(".env", b"# nothing\n");
    let (status, stdout, stderr) = run(&setup, &["check"]);
    assert!(status.success(), "{stderr}");
    for part in [
        "test.toml, .env (empty)\n",
        "\nRoot path: /api\n",
        "\nOrigins allowed by CORS: https://chat.example.com\n",
        "\nTLS: off\n",
        "bodies of 3 MiB, 512 MiB buffered",
    ] {
        assert!(stdout.contains(part), "{part:?} is not in {stdout}");
    }
    let gateway = setup.start();
    gateway.await_log("INFO", &["configuration read"], 1);
    let files = gateway.get_admin("/config").json()["files"].clone();
    assert_eq!(files.as_array().map(Vec::len), Some(2), "{files}");
    assert!(files[0].as_str().unwrap().ends_with("test.toml"), "{files}");
    let model = gateway.send(&Request::get("/v1/models"));
    assert!(!model.text().contains("test.toml"));
}

#[test]
fn wc06_check_warns_of_a_base_url_with_an_endpoint_in_it() {
    let setup = Setup::new()
        .provider("up", "http://127.0.0.1:9/v1/chat/completions", "")
        .model("m", "up", "x");
    let (status, stdout, _) = run(&setup, &["check"]);
    assert!(status.success());
    let start = "warning: base URL http://127.0.0.1:9/v1/chat/completions (set by config)";
    let warning = stdout.lines().find(|line| line.starts_with(start));
    let warning = warning.unwrap_or_else(|| panic!("no warning: {stdout}"));
    assert!(
        warning.ends_with("should it be http://127.0.0.1:9/v1?"),
        "{warning}"
    );
}

#[test]
fn wo04_a_key_in_quotes_is_named_by_its_location_and_never_shown() {
    for (key, cure) in [
        (format!("\"{SECRET}\""), "quotes"),
        (format!("OPENAI_API_KEY={SECRET}"), "NAME=value"),
        (format!("{SECRET}\n\n"), "line break"),
        (format!("\u{feff}{SECRET}"), "byte order mark"),
    ] {
        let setup = Setup::new().section(
            "[providers.up]\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key_file = \"key\"",
        );
        setup.file("key", key.as_bytes());
        for command in [&["check"][..], &["serve"]] {
            let (status, stdout, stderr) = run(&setup, command);
            assert_eq!(status.code(), Some(1));
            let output = stdout + &stderr;
            assert!(output.contains("providers.up.api_key_file: "), "{output}");
            assert!(output.contains(cure), "{output}");
            assert!(!output.contains(&SECRET[..8]), "{output}");
        }
    }
}
