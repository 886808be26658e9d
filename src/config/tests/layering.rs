use super::Trial;
use crate::config::{Credential, Demo, LogFormat};

#[test]
fn flags_override_variables_and_those_override_the_file() {
    let file = || Trial::file("[server]\nlisten = \"127.0.0.1:1\"\n[log]\nformat = \"text\"");
    let variable = || file().variable("TRUNKLINE_SERVER__LISTEN", "127.0.0.1:2");
    let flag = || {
        variable()
            .listen_flag("127.0.0.1:3")
            .log_format_flag("json")
    };
    assert_eq!(file().config().server.listen.address().unwrap().port(), 1);
    assert_eq!(
        variable().config().server.listen.address().unwrap().port(),
        2
    );
    assert_eq!(flag().config().server.listen.address().unwrap().port(), 3);
    assert_eq!(flag().config().log.format, LogFormat::Json);
}

#[test]
fn variables_are_converted_to_the_types_in_the_schema() {
    let config = Trial::file("")
        .variable("TRUNKLINE_STRICT_MODELS", "True")
        .variable("TRUNKLINE_DEMO", "off")
        .variable("TRUNKLINE_SERVER__WORKERS", " 3 ")
        .variable("TRUNKLINE_SERVER__PAGE", "false")
        .variable("TRUNKLINE_SERVER__ALLOWED_HOSTS", "a.example, b.example,")
        .variable("TRUNKLINE_PROVIDERS__GROQ__API_KEY", "123456")
        .config();
    assert!(config.strict_models);
    assert_eq!(config.demo, Demo::Off);
    assert_eq!(config.server.workers, 3);
    assert!(!config.server.page);
    assert_eq!(config.server.allowed_hosts, ["a.example", "b.example"]);
    let Credential::Set { secret, source } = &config.providers["groq"].credentials[0] else {
        panic!("a key of digits is lost");
    };
    assert_eq!(secret.expose(), "123456");
    assert_eq!(source, "TRUNKLINE_PROVIDERS__GROQ__API_KEY");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn variables_reach_names_that_they_cannot_spell() {
    let config = Trial::file("[providers.my-house]\nbase_url = \"http://house/v1\"")
        .variable("TRUNKLINE_PROVIDERS__MY_HOUSE__HTTP", "http1")
        .variable("TRUNKLINE_MODELS__GPT_3_5_TURBO__MODEL", "gpt-5")
        .variable("TRUNKLINE_MODELS__NEW__PROVIDER", "my-house")
        .config();
    assert_eq!(
        config
            .providers
            .get("my_house")
            .map(|provider| &provider.name),
        None
    );
    assert_eq!(
        config.models["gpt-3.5-turbo"].targets[0].upstream_model,
        "gpt-5"
    );
    assert_eq!(config.models["new"].targets[0].provider, "my-house");
}

#[test]
fn variables_injected_by_kubernetes_are_ignored() {
    let trial = [
        "TRUNKLINE_SERVICE_HOST",
        "TRUNKLINE_SERVICE_PORT",
        "TRUNKLINE_SERVICE_PORT_HTTP",
        "TRUNKLINE_PORT",
        "TRUNKLINE_PORT_8080_TCP",
        "TRUNKLINE_PORT_8080_TCP_ADDR",
        "TRUNKLINE_PORT_8080_TCP_PROTO",
        "TRUNKLINE_SERVER",
        "TRUNKLINE_ADMIN_SERVICE_HOST",
    ]
    .into_iter()
    .fold(Trial::file(""), |trial, name| {
        trial.variable(name, "tcp://10.0.0.1:8080")
    });
    assert!(trial.warnings().is_empty());
}

#[test]
fn a_missing_underscore_is_a_warning() {
    let trial = Trial::file("").variable("TRUNKLINE_SERVER_LISTEN", "127.0.0.1:9");
    assert_eq!(
        trial.warnings(),
        [
            "TRUNKLINE_SERVER_LISTEN is ignored; did you mean TRUNKLINE_SERVER__LISTEN, with two underscores?"
        ]
    );
}

#[test]
fn errors_in_variables_name_the_variable_and_the_cure() {
    let cases = [
        (
            "TRUNKLINE_SERVR__PAGE",
            "true",
            "unknown key; did you mean TRUNKLINE_SERVER__...?",
        ),
        (
            "TRUNKLINE_SERVER__PAEG",
            "true",
            "unknown key; did you mean TRUNKLINE_SERVER__PAGE?",
        ),
        (
            "TRUNKLINE_SERVER__WORKERS",
            "four",
            "must be a whole number, 0 or more, not text",
        ),
        (
            "TRUNKLINE_SERVER__PAGE",
            "yes",
            "must be true or false, not text",
        ),
        (
            "TRUNKLINE_SERVER__LISTEN__X",
            "1",
            "must be text in quotes, such as \"127.0.0.1:8080\", not a table",
        ),
        (
            "TRUNKLINE_PROVIDERS__GROQ",
            "1",
            "must be a table, [providers.groq], not text",
        ),
        (
            "TRUNKLINE_LOG__LEVEL",
            "loud",
            "must be one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
        ),
    ];
    for (name, value, expected) in cases {
        let error = Trial::file("").variable(name, value).error();
        assert_eq!(error, format!("{name}: {expected}"));
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let trial = Trial::file("[server]\nlisten = \"127.0.0.1:1\"")
        .variable("TRUNKLINE_SERVER__LISTEN", "")
        .variable("ROOT_PATH", "")
        .variable("OPENAI_API_KEY", "")
        .variable("OPENAI_BASE_URL", "");
    let config = trial.config();
    assert_eq!(config.server.listen.address().unwrap().port(), 1);
    assert!(!config.providers["openai"].is_ready());
}

#[test]
fn the_variables_of_the_original_work() {
    let config = Trial::file("[cors]\nallow_origins = [\"https://a.example\"]")
        .variable("ROOT_PATH", "/api/")
        .variable("FRONTEND_URL", "http://localhost:3000")
        .variable(
            "ADDITIONAL_CORS_ORIGINS",
            "https://b.example, https://A.example:443",
        )
        .config();
    assert_eq!(config.server.root_path, "/api");
    assert_eq!(
        config.cors.allow_origins,
        [
            "https://a.example",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
            "https://b.example"
        ]
    );
}

#[test]
fn s7_a_local_page_is_allowed_under_each_name_of_this_machine() {
    let origins = |name: &str, value: &str| {
        let config = Trial::file("").variable(name, value).config();
        config.cors.allow_origins
    };
    let all = ["https://127.0.0.1", "https://localhost", "https://[::1]"];
    assert_eq!(origins("FRONTEND_URL", "https://127.0.0.1/"), all);
    for value in [
        "http://a.localhost:1",
        "http://10.0.0.1:1",
        "tauri://localhost",
    ] {
        assert_eq!(origins("FRONTEND_URL", value), [value]);
    }
    let exact = "http://localhost:5173";
    assert_eq!(origins("ADDITIONAL_CORS_ORIGINS", exact), [exact]);
}

#[test]
fn s7_everything_is_below_api_unless_the_root_path_is_set() {
    let root_path = |trial: Trial| trial.config().server.root_path;
    assert_eq!(root_path(Trial::file("")), "/api");
    assert_eq!(root_path(Trial::file("").variable("ROOT_PATH", "/")), "");
    assert_eq!(root_path(Trial::file("[server]\nroot_path = \"\"")), "");
}

#[test]
fn a_trunkline_variable_overrides_one_of_the_original() {
    let trial = Trial::file("")
        .variable("ROOT_PATH", "/a")
        .variable("TRUNKLINE_SERVER__ROOT_PATH", "/b");
    assert_eq!(trial.config().server.root_path, "/b");
}

#[test]
fn errors_in_the_variables_of_the_original_name_them() {
    let error = Trial::file("").variable("ROOT_PATH", "api").error();
    assert_eq!(error, "ROOT_PATH: must begin with \"/\", such as \"/api\"");
    let error = Trial::file("[cors]\nallow_origins = [\"http://a\"]")
        .variable("ADDITIONAL_CORS_ORIGINS", "http://b,http://c/d")
        .error();
    assert!(error.starts_with("ADDITIONAL_CORS_ORIGINS: "), "{error}");
}

#[test]
fn origins_in_the_variables_of_the_original_may_end_with_a_slash() {
    let config = Trial::file("")
        .variable("FRONTEND_URL", "http://a/")
        .variable("ADDITIONAL_CORS_ORIGINS", "http://b/, http://c")
        .config();
    assert_eq!(
        config.cors.allow_origins,
        ["http://a", "http://b", "http://c"]
    );
}

#[test]
fn errors_in_flags_name_the_flag() {
    let error = Trial::file("").listen_flag("8080").error();
    assert!(
        error.starts_with("--listen: not an IP address and port"),
        "{error}"
    );
}
