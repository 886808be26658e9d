use std::time::Duration;

use crate::config::tests::Trial;
use crate::config::{Auth, BaseUrl, Credential, HttpVersion, StreamUsageMode};

pub(super) fn custom(lines: &str) -> Trial {
    Trial::file(&format!(
        "[providers.house]\nbase_url = \"https://house.example/v1\"\n{lines}\n"
    ))
}

fn url(provider: &crate::config::ProviderConfig) -> (String, String) {
    match &provider.base_url {
        BaseUrl::Set { url, source } => (url.to_string(), source.clone()),
        BaseUrl::Missing { variable } => (String::new(), variable.clone()),
    }
}

fn pair(one: &str, two: &str) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

#[test]
fn a_custom_provider_needs_a_base_url_and_no_key() {
    let provider = custom("").provider("house");
    assert!(provider.is_ready() && provider.configured);
    assert_eq!(url(&provider), pair("https://house.example/v1", "config"));
    assert!(matches!(provider.credentials[..], [Credential::NotNeeded]));
    assert_eq!(
        (provider.auth, provider.stream_usage),
        (Auth::Bearer, StreamUsageMode::Translated)
    );
    assert_eq!(provider.http, HttpVersion::Auto);
    let error = Trial::file("[providers.opnai]").error();
    assert_eq!(
        error,
        "trunkline.toml:1: providers.opnai: base_url is missing; set it or base_url_env, or did you mean the built-in \"openai\"?"
    );
}

#[test]
fn a_base_url_may_come_from_a_variable_alone() {
    let file = "[providers.house]\nbase_url_env = \"HOUSE_URL\"";
    let provider = Trial::file(file).provider("house");
    assert_eq!(provider.missing(), Some("HOUSE_URL"));
    assert_eq!(
        Trial::file(file).warnings(),
        ["provider \"house\" is not ready: set HOUSE_URL"]
    );
    let provider = Trial::file(file)
        .variable("HOUSE_URL", "http://house")
        .provider("house");
    assert_eq!(url(&provider), pair("http://house/", "HOUSE_URL"));
}

#[test]
fn sources_of_the_base_url_have_an_order() {
    let name = "TRUNKLINE_PROVIDERS__GROQ__BASE_URL";
    let preset = || Trial::file("");
    let file = || Trial::file("[providers.groq]\nbase_url = \"https://file/v1\"");
    let variable = || file().variable("GROQ_BASE_URL", "https://variable/v1/");
    let over = || variable().variable(name, "https://over/v1");
    assert_eq!(
        url(&preset().provider("groq")),
        pair("https://api.groq.com/openai/v1", "preset")
    );
    assert_eq!(
        url(&file().provider("groq")),
        pair("https://file/v1", "config")
    );
    assert_eq!(
        url(&variable().provider("groq")),
        pair("https://variable/v1", "GROQ_BASE_URL")
    );
    assert_eq!(url(&over().provider("groq")), pair("https://over/v1", name));
    assert!(!preset().provider("groq").configured);
    assert!(
        preset()
            .variable("GROQ_BASE_URL", "https://a/v1")
            .provider("groq")
            .configured
    );
}

#[test]
fn base_urls_are_validated() {
    for text in [
        "",
        "house",
        "house:8000",
        "/v1",
        "ftp://house/v1",
        "https://",
        "https://u@h/v1",
        "https://u:p@h/v1",
        "https://h/v1?a=b",
        "https://h/v1#a",
        "https://h:99999/v1",
        "file:///etc/passwd",
        "https:///v1?",
    ] {
        let file = format!("[providers.house]\nbase_url = {text:?}");
        let error = Trial::file(&file).error();
        assert!(
            error.starts_with("trunkline.toml:2: providers.house.base_url: "),
            "{text}: {error}"
        );
    }
    let error = Trial::file("")
        .variable("OLLAMA_BASE_URL", "localhost:11434")
        .error();
    assert!(error.starts_with("OLLAMA_BASE_URL: "), "{error}");
}

#[test]
fn a_base_url_without_its_usual_path_is_a_warning() {
    let warnings = Trial::file("")
        .variable("OLLAMA_BASE_URL", "http://localhost:11434")
        .warnings();
    assert_eq!(
        warnings,
        [
            "base URL http://localhost:11434/ (set by OLLAMA_BASE_URL) has no path; should it end in \"/v1\"?"
        ]
    );
    assert!(
        Trial::file("")
            .variable("DEEPSEEK_BASE_URL", "https://d.example")
            .warnings()
            .is_empty()
    );
}

#[test]
fn a_provider_cannot_be_the_gateway_itself() {
    let error = Trial::file("")
        .variable("OPENAI_API_KEY", "k")
        .variable("OPENAI_BASE_URL", "http://localhost:8080/v1")
        .error();
    assert_eq!(
        error,
        "OPENAI_BASE_URL: points to server.listen, which makes a loop; set \
         TRUNKLINE_PROVIDERS__OPENAI__BASE_URL, which goes before it, to the provider's own URL"
    );
    let cured = Trial::file("")
        .variable("OPENAI_API_KEY", "k")
        .variable("OPENAI_BASE_URL", "http://localhost:8080/v1")
        .variable(
            "TRUNKLINE_PROVIDERS__OPENAI__BASE_URL",
            "https://api.openai.com/v1",
        );
    assert!(cured.load().is_ok());
    assert!(
        Trial::file("[providers.llamacpp]")
            .error()
            .contains("makes a loop")
    );
    assert!(
        Trial::file("[providers.llamacpp]")
            .listen_flag("127.0.0.1:9")
            .load()
            .is_ok()
    );
    assert!(Trial::file("").load().is_ok());
}

#[test]
fn a_loop_is_detected_by_every_name_of_this_machine() {
    let leads_back = |listen: &str, url: &str| {
        let file = format!("[access]\nopen = true\n[providers.house]\nbase_url = {url:?}");
        !Trial::file(&file).listen_flag(listen).errors().is_empty()
    };
    for url in [
        "http://localhost:80",
        "http://127.0.0.1:80/v1",
        "http://0.0.0.0",
        "http://[::1]",
        "http://[::]",
    ] {
        for listen in ["127.0.0.1:80", "0.0.0.0:80", "[::1]:80", "[::]:80"] {
            assert!(leads_back(listen, url), "{listen} {url}");
        }
        assert!(!leads_back("127.0.0.1:81", url));
        assert!(!leads_back("10.0.0.1:80", url));
    }
    assert!(leads_back("10.0.0.1:80", "http://10.0.0.1/v1"));
    assert!(!leads_back("127.0.0.1:443", "https://localhost/v1"));
    assert!(!leads_back("127.0.0.1:80", "http://house/v1"));
}

#[test]
fn headers_are_added_and_not_shown() {
    let provider =
        custom("headers = { X-Title = \"Chat\" }\norganization = \"org-1\"\nproject = \"p-1\"")
            .provider("house");
    assert_eq!(provider.headers["x-title"], "Chat");
    assert!(provider.headers["x-title"].is_sensitive());
    assert_eq!(provider.headers["openai-organization"], "org-1");
    assert_eq!(provider.headers["openai-project"], "p-1");
}

#[test]
fn a17_headers_to_forward_are_names_that_belong_to_the_client() {
    let provider = custom("forward_headers = [\"X-Forwarded-For\", \"cookie\"]").provider("house");
    assert_eq!(provider.forward_headers, ["x-forwarded-for", "cookie"]);
    assert!(custom("").provider("house").forward_headers.is_empty());
    for (name, expected) in [
        ("Authorization", "the client's key"),
        ("api-key", "the client's key"),
        ("x-api-key", "the client's key"),
        ("x-key", "set by Trunkline for this provider"),
        ("x-title", "set by Trunkline for this provider"),
        ("host", "belongs to one connection"),
        ("http2-settings", "belongs to one connection"),
        ("proxy-authorization", "belongs to one connection"),
        ("x-trunkline-hops", "belongs to one connection"),
        ("x-forwarded-*", "write each name"),
        ("", "not a header name"),
    ] {
        let lines = format!(
            "auth = \"x-key\"\nheaders = {{ x-title = \"a\" }}\nforward_headers = [\"via\", {name:?}]"
        );
        let error = custom(&lines).error();
        assert!(
            error.contains("providers.house.forward_headers[1]: ") && error.contains(expected),
            "{name}: {error}"
        );
    }
}

#[test]
fn reserved_headers_are_rejected() {
    for name in [
        "authorization",
        "Connection",
        "host",
        "transfer-encoding",
        "te",
        "accept-encoding",
        "a b",
        "",
    ] {
        let error = custom(&format!("headers = {{ {name:?} = \"x\" }}")).error();
        assert!(
            error.contains("providers.house.headers."),
            "{name}: {error}"
        );
    }
    custom("auth = \"api-key\"\nheaders = { api-key = \"x\" }").error();
    custom("organization = \"a\"\nheaders = { openai-organization = \"x\" }").error();
    custom("headers = { x-a = \"1\", X-A = \"2\" }").error();
    custom("organization = \"\"").error();
    custom("project = \"a\\nb\"").error();
}

#[test]
fn limits_are_inherited_individually() {
    let trial = custom(
        "timeouts = { response_header = \"1s\", total = \"9s\" }\npool = { max_in_flight = 5, acquire_timeout = \"0s\" }\n[timeouts]\nidle = \"2s\"\n[pool]\nmax_idle = 0",
    );
    let provider = trial.provider("house");
    assert_eq!(provider.timeouts.response_header, Duration::from_secs(1));
    assert_eq!(provider.timeouts.idle, Duration::from_secs(2));
    assert_eq!(provider.timeouts.connect, Duration::from_secs(5));
    assert_eq!(provider.timeouts.total, Some(Duration::from_secs(9)));
    assert_eq!(
        (
            provider.pool.max_in_flight,
            provider.pool.acquire_timeout,
            provider.pool.max_idle
        ),
        (Some(5), Duration::ZERO, 0)
    );
    let other = trial.provider("groq");
    assert_eq!(
        (other.timeouts.total, other.pool.max_in_flight),
        (None, None)
    );
    assert_eq!(other.pool.idle_timeout, Duration::from_secs(20));
}

#[test]
fn an_error_in_the_shared_limits_is_reported_once() {
    let error = Trial::file("[timeouts]\nresponse_header = \"0s\"").error();
    assert_eq!(
        error,
        "trunkline.toml:2: timeouts.response_header: must be more than zero, such as \"10s\""
    );
    let error = custom("timeouts = { total = \"never\" }").error();
    assert!(error.ends_with("or \"off\" for no limit"), "{error}");
}

#[test]
fn certificates_are_read_on_load() {
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let trial = custom("ca_file = \"ca.pem\"");
    assert!(
        trial
            .error()
            .contains("providers.house.ca_file: the file cannot be read")
    );
    let trial = trial.with("ca.pem", pair.cert.pem());
    assert_eq!(
        trial.provider("house").ca_pem.unwrap(),
        pair.cert.pem().as_bytes()
    );
    assert!(
        trial
            .with("ca.pem", "hello")
            .error()
            .contains("contains no PEM certificate")
    );
}

#[test]
fn provider_names_contain_no_slash() {
    for name in ["a/b", "", "a b", "ä"] {
        let file = format!("[providers.{name:?}]\nbase_url = \"https://a/v1\"");
        assert!(Trial::file(&file).error().contains("use 1 to 64 letters"));
    }
}

#[test]
fn other_keys_are_copied() {
    let provider = custom("stream_usage = \"inject\"\nhttp = \"http2\"").provider("house");
    assert_eq!(
        (provider.stream_usage, provider.http),
        (StreamUsageMode::Inject, HttpVersion::Http2)
    );
    let provider = Trial::file("[providers.openai]\nstream_usage = \"observe\"").provider("openai");
    assert_eq!(provider.stream_usage, StreamUsageMode::Observe);
}

#[test]
fn the_header_with_the_clients_name_is_trunklines_own() {
    let up = |line: &str| format!("[providers.up]\nbase_url = \"http://127.0.0.1:1/v1\"\n{line}");
    let config = Trial::file(&up(
        "caller_header = \"X-Gateway-Inference-Fairness-Id\"\nobjective = \"interactive\"",
    ))
    .config();
    let provider = &config.providers["up"];
    let name = provider.caller_header.as_ref().unwrap();
    assert_eq!(name.as_str(), "x-gateway-inference-fairness-id");
    assert_eq!(
        provider.headers["x-gateway-inference-objective"],
        "interactive"
    );
    for (lines, expected) in [
        ("caller_header = \"a b\"", "not a header name"),
        ("caller_header = \"authorization\"", "never forwarded"),
        ("caller_header = \"host\"", "set by Trunkline"),
        (
            "caller_header = \"x-a\"\nheaders = { x-a = \"1\" }",
            "set by Trunkline",
        ),
        (
            "caller_header = \"x-a\"\nforward_headers = [\"X-A\"]",
            "also in forward_headers",
        ),
    ] {
        let error = Trial::file(&up(lines)).error();
        assert!(
            error.starts_with("trunkline.toml:3: providers.up.caller_header: "),
            "{error}"
        );
        assert!(error.contains(expected), "{error}");
    }
    let error = Trial::file(&up("objective = \"\"")).error();
    assert!(
        error.contains("providers.up.objective: must be visible text"),
        "{error}"
    );
}

#[test]
fn late_system_messages_stay_where_the_provider_takes_them() {
    use crate::config::SystemMessages;
    let config = Trial::file(
        "[providers.up]\nbase_url = \"http://127.0.0.1:1/v1\"\n[providers.first]\nbase_url = \"http://127.0.0.1:2/v1\"\nsystem_messages = \"first\"\n\
         [models.a]\nprovider = \"up\"\nsystem_messages = \"keep\"",
    )
    .config();
    let of = |name: &str| config.providers[name].api.system_messages;
    assert_eq!(of("up"), SystemMessages::User);
    assert_eq!(of("first"), SystemMessages::First);
    assert_eq!(of("openai"), SystemMessages::Keep);
    assert_eq!(of("groq"), SystemMessages::User);
    assert_eq!(
        config.models["a"].system_messages,
        Some(SystemMessages::Keep)
    );
}
