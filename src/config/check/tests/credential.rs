use crate::config::tests::Trial;
use crate::config::{Auth, Credential};

fn custom(lines: &str) -> Trial {
    Trial::file(&format!(
        "[providers.house]\nbase_url = \"https://house.example/v1\"\n{lines}\n"
    ))
}

fn credential(provider: &crate::config::ProviderConfig) -> (String, String) {
    match &provider.credentials[0] {
        Credential::NotNeeded => (String::new(), String::new()),
        Credential::Set { secret, source } => (secret.expose().to_owned(), source.clone()),
        Credential::Missing { variable } => ("missing".to_owned(), variable.clone()),
    }
}

fn pair(one: &str, two: &str) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

#[test]
fn keys_come_from_variables_files_or_the_config() {
    let provider = Trial::file("")
        .variable("GROQ_API_KEY", "k1")
        .provider("groq");
    assert_eq!(credential(&provider), pair("k1", "GROQ_API_KEY"));
    assert!(provider.is_ready() && !provider.configured);
    let provider = custom("api_key_env = \"HOUSE_KEY\"")
        .variable("HOUSE_KEY", "k2")
        .provider("house");
    assert_eq!(credential(&provider), pair("k2", "HOUSE_KEY"));
    let provider = custom("api_key_file = \"key\"")
        .with("key", "k3\r\n")
        .provider("house");
    assert_eq!(credential(&provider), pair("k3", "key"));
    let provider = custom("api_key = \"k4\"").provider("house");
    assert_eq!(credential(&provider), pair("k4", "config"));
    let provider = Trial::file("[providers.groq]\napi_key_file = \"key\"")
        .with("key", "k5")
        .provider("groq");
    assert_eq!(credential(&provider), pair("k5", "key"));
}

#[test]
fn a_provider_without_its_key_is_not_ready_but_not_an_error() {
    let trial = custom("api_key_env = \"HOUSE_KEY\"");
    assert_eq!(trial.provider("house").missing(), Some("HOUSE_KEY"));
    assert_eq!(
        trial.warnings(),
        ["provider \"house\" is not ready: set HOUSE_KEY"]
    );
    assert!(Trial::file("").warnings().is_empty());
    let trial = Trial::file("[models.a]\nprovider = \"groq\"");
    assert_eq!(
        trial.warnings(),
        ["provider \"groq\" is not ready: set GROQ_API_KEY"]
    );
}

#[test]
fn a_local_provider_is_ready_once_it_is_named() {
    assert!(!Trial::file("").provider("ollama").is_ready());
    assert!(
        Trial::file("[providers.ollama]")
            .provider("ollama")
            .is_ready()
    );
    assert!(
        Trial::file("")
            .variable("VLLM_BASE_URL", "http://gpu:8000/v1")
            .provider("vllm")
            .is_ready()
    );
    let provider = Trial::file("[providers.vllm]")
        .variable("VLLM_API_KEY", "k")
        .provider("vllm");
    assert_eq!(credential(&provider), pair("k", "VLLM_API_KEY"));
    let trial = Trial::file("").variable("TRUNKLINE_PROVIDERS__OLLAMA__HTTP", "http1");
    assert!(trial.provider("ollama").is_ready());
}

#[test]
fn invalid_keys_are_errors() {
    let errors = [
        custom("api_key = \"\"").error(),
        custom("api_key = \"a b\"").error(),
        custom("api_key = \"ä\"").error(),
        custom("api_key_file = \"key\"").with("key", "\n").error(),
        custom("api_key_file = \"key\"").with("key", "a\nb").error(),
        custom("api_key_file = \"key\"")
            .with("key", b"\xFF\xFE")
            .error(),
        custom("api_key_file = \"key\"")
            .with("key", vec![b'a'; 70_000])
            .error(),
        custom("api_key_file = \"gone\"").error(),
        custom("api_key_file = \"key\"")
            .with_directory("key")
            .error(),
        custom("api_key_env = \"\"").error(),
        custom("api_key_env = \"gsk_abcdef\"").error(),
        custom("api_key_env = \"1A\"").error(),
    ];
    for error in errors {
        assert!(
            error.starts_with("trunkline.toml:3: providers.house.api_key"),
            "{error}"
        );
    }
    let error = Trial::file("").variable("GROQ_API_KEY", "k\nl").error();
    assert!(
        error.starts_with("GROQ_API_KEY: the key contains"),
        "{error}"
    );
}

#[test]
fn two_sources_of_a_key_are_an_error() {
    let error = custom("api_key_env = \"A\"\napi_key_file = \"b\"").error();
    assert!(
        error.ends_with(
            "more than one of api_key, api_key_env, api_key_file and api_keys; keep one"
        )
    );
}

#[test]
fn keys_are_sent_in_clear_text_on_private_networks_only() {
    let load = |host: &str, more: &str| {
        let file = format!(
            "[providers.house]\nbase_url = \"http://{host}/v1\"\napi_key_env = \"K\"\n{more}"
        );
        Trial::file(&file).variable("K", "k").errors()
    };
    for host in [
        "localhost:1",
        "127.0.0.1",
        "0.0.0.0:8000",
        "[::]:8000",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "gpu",
        "gpu.local",
        "gpu.lan",
        "llm.ns.svc",
        "llm.ns.svc.cluster.local",
        "a.internal",
        "a.localhost",
        "a.local.",
    ] {
        assert!(load(host, "").is_empty(), "{host}");
    }
    for host in [
        "api.example.com",
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "[2001:db8::1]",
        "localhost.example.com",
    ] {
        let errors = load(host, "");
        assert_eq!(errors.len(), 1, "{host}");
        assert!(
            errors[0].contains("providers.house.base_url: would send the key in clear text"),
            "{errors:?}"
        );
        assert!(load(host, "insecure_http = true").is_empty());
    }
    let trial = Trial::file("")
        .variable("GROQ_API_KEY", "k")
        .variable("GROQ_BASE_URL", "http://groq.example/v1");
    assert!(
        trial
            .error()
            .starts_with("GROQ_BASE_URL: would send the key")
    );
    assert!(custom("").load().is_ok());
}

#[test]
fn keys_are_sent_as_the_provider_requires() {
    assert_eq!(
        custom("auth = \"Bearer\"").provider("house").auth,
        Auth::Bearer
    );
    let auth = custom("auth = \"X-API-Key\"").provider("house").auth;
    assert_eq!(auth, Auth::Header("x-api-key".parse().unwrap()));
    for auth in ["", "a b", "Host", "content-length"] {
        assert!(
            custom(&format!("auth = {auth:?}"))
                .error()
                .contains("providers.house.auth: ")
        );
    }
}

#[test]
fn a_provider_may_have_several_keys() {
    let trial = custom(
        "api_keys = [{ env = \"A\" }, { file = \"key\" }, { key = \"k3\" }, { env = \"B\" }]",
    )
    .variable("A", "k1")
    .with("key", "k2\n");
    let provider = trial.provider("house");
    assert!(provider.is_ready());
    let keys: Vec<_> = provider
        .usable_credentials()
        .map(|one| match one {
            Credential::Set { secret, .. } => secret.expose().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys, ["k1", "k2", "k3"]);
    assert_eq!(
        trial.warnings(),
        [
            "trunkline.toml:3: providers.house.api_keys[2].key: a key in the file; prefer env or file",
            "provider \"house\" is missing one of its keys: set B",
        ]
    );
    let none = custom("api_keys = [{ env = \"A\" }, { env = \"B\" }]");
    assert_eq!(none.provider("house").missing(), Some("A"));
}

#[test]
fn invalid_lists_of_keys_are_errors() {
    let error = custom("api_keys = [{ env = \"A\", file = \"b\" }]").error();
    assert!(
        error.ends_with("providers.house.api_keys[0]: needs exactly one of env, file and key"),
        "{error}"
    );
    let error = custom("api_keys = [{ envv = \"A\" }]").error();
    assert!(error.contains("api_keys[0].envv: unknown key"), "{error}");
    let error = custom("api_keys = [{ env = \"sk-secret\" }]").error();
    assert!(
        error.contains("api_keys[0].env: not the name of a variable")
            && !error.contains("sk-secret")
    );
    let error = custom("api_keys = [\"sk-secret\"]").error();
    assert!(
        error.contains("must be a table, not text") && !error.contains("sk-secret"),
        "{error}"
    );
    let error = custom("api_key = \"a\"\napi_keys = [{ env = \"A\" }]").error();
    assert!(error.ends_with("and api_keys; keep one"), "{error}");
    let many = vec!["{ env = \"A\" }"; 17].join(",");
    assert!(
        custom(&format!("api_keys = [{many}]"))
            .error()
            .ends_with("at most 16 keys are allowed; remove some")
    );
}

#[test]
fn wo04_one_line_end_of_a_key_file_is_ignored_and_all_else_is_an_error() {
    let load = |bytes: &[u8]| custom("api_key_file = \"key\"").with("key", bytes);
    for good in [&b"sk-a"[..], b"sk-a\n", b"sk-a\r\n"] {
        let provider = load(good).provider("house");
        assert_eq!(credential(&provider), pair("sk-a", "key"));
    }
    for (bytes, expected) in [
        (&b"sk-a\n\n"[..], "line break"),
        (b"sk-a\r\n\r\n", "line break"),
        (b"sk-a\nsk-b\n", "line break"),
        (b"\nsk-a", "line break"),
        (b"sk-a \n", "a space"),
        (b"\xEF\xBB\xBFsk-a\n", "byte order mark"),
        (b"\xFF\xFEs\0k\0-\0a\0", "UTF-16"),
        (b"\"sk-a\"\n", "quotes"),
        (b"'sk-a'", "quotes"),
        (b"OPENAI_API_KEY=sk-a\n", "NAME=value"),
    ] {
        let error = load(bytes).error();
        let location = "trunkline.toml:3: providers.house.api_key_file: ";
        assert!(error.starts_with(location), "{error}");
        assert!(
            error.contains(expected) && !error.contains("sk-a"),
            "{error}"
        );
    }
}

#[test]
fn wo04_one_line_end_of_a_variable_is_ignored_and_all_else_is_an_error() {
    let name = "TRUNKLINE_PROVIDERS__HOUSE__API_KEY";
    let trials = |text: &str| {
        [
            custom("api_key_env = \"HOUSE_KEY\"").variable("HOUSE_KEY", text),
            custom("api_keys = [{ env = \"HOUSE_KEY\" }]").variable("HOUSE_KEY", text),
            custom("").variable(name, text),
        ]
    };
    for good in ["sk-a", "sk-a\n", "sk-a\r\n"] {
        for trial in trials(good) {
            assert_eq!(credential(&trial.provider("house")).0, "sk-a");
        }
    }
    for bad in ["sk-a\n\n", "sk-a\nsk-b", "sk-a \n", "\nsk-a"] {
        for trial in trials(bad) {
            let error = trial.error();
            let location = ["HOUSE_KEY: ", name].iter().any(|it| error.contains(it));
            assert!(location && !error.contains("sk-a"), "{error}");
        }
    }
    let error = custom("api_key = \"sk-a\\n\"").error();
    assert!(error.contains("line break"), "{error}");
}

#[test]
fn wo04_a_key_in_quotes_or_with_its_name_is_an_error_wherever_it_is_written() {
    for text in ["'sk-a'", "OPENAI_API_KEY=sk-a"] {
        let trials = [
            (custom(&format!("api_key = \"{text}\"")), "api_key: "),
            (
                custom("api_key_env = \"HOUSE_KEY\"").variable("HOUSE_KEY", text),
                "HOUSE_KEY: ",
            ),
            (
                custom("api_key_env = \"HOUSE_KEY\"")
                    .with(".env", format!("HOUSE_KEY=\"{text}\"\n")),
                "HOUSE_KEY (from .env): ",
            ),
            (
                custom("api_key_file = \"key\"").with("key", text),
                "api_key_file: ",
            ),
            (
                custom(&format!("api_keys = [{{ key = \"{text}\" }}]")),
                "api_keys[0].key: ",
            ),
            (
                custom("api_keys = [{ env = \"K\" }]").variable("K", text),
                "K: ",
            ),
            (
                custom("api_keys = [{ file = \"key\" }]").with("key", text),
                "api_keys[0].file: ",
            ),
            (
                Trial::file("").variable("GROQ_API_KEY", text),
                "GROQ_API_KEY: ",
            ),
        ];
        for (trial, location) in trials {
            let error = trial.error();
            assert!(
                error.contains(location) && !error.contains("sk-a"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_placeholder_is_a_warning_that_does_not_quote_it() {
    let trial = custom("api_key_env = \"HOUSE_KEY\"").variable("HOUSE_KEY", "sk-your-key");
    assert_eq!(
        trial.warnings(),
        ["HOUSE_KEY: the key looks like a placeholder; write the key in its place"]
    );
    let trial = custom("api_key_file = \"key\"").with("key", "HOUSE_KEY\n");
    assert_eq!(
        trial.warnings(),
        [
            "trunkline.toml:3: providers.house.api_key_file: the key looks like the name of a variable; write its value, or name it in api_key_env"
        ]
    );
}
