use std::time::Duration;

use crate::config::tests::Trial;
use crate::config::{Auth, BaseUrl, Credential, HttpVersion, StreamUsage};

fn house(lines: &str) -> Trial {
    Trial::file(&format!(
        "[providers.house]\nbase_url = \"https://house.example/v1\"\n{lines}\n"
    ))
}

fn url(provider: &crate::config::Provider) -> (String, String) {
    match &provider.base_url {
        BaseUrl::Set { url, source } => (url.to_string(), source.clone()),
        BaseUrl::Missing { variable } => (String::new(), variable.clone()),
    }
}

fn pair(one: &str, two: &str) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

#[test]
fn a_provider_of_ones_own_needs_an_address_and_no_key() {
    let provider = house("").provider("house");
    assert!(provider.is_ready() && provider.named);
    assert_eq!(url(&provider), pair("https://house.example/v1", "config"));
    assert!(matches!(provider.credentials[..], [Credential::NotNeeded]));
    assert_eq!(
        (provider.auth, provider.stream_usage),
        (Auth::Bearer, StreamUsage::Observe)
    );
    assert_eq!(provider.http, HttpVersion::Auto);
    let fault = Trial::file("[providers.opnai]").fault();
    assert_eq!(
        fault,
        "trunkline.toml:1: providers.opnai: base_url is missing; set it or base_url_env, or did you mean the built-in \"openai\"?"
    );
}

#[test]
fn an_address_may_come_from_a_variable_alone() {
    let file = "[providers.house]\nbase_url_env = \"HOUSE_URL\"";
    let provider = Trial::file(file).provider("house");
    assert_eq!(provider.missing(), Some("HOUSE_URL"));
    assert_eq!(
        Trial::file(file).warnings(),
        ["provider \"house\" is left out: set HOUSE_URL"]
    );
    let provider = Trial::file(file)
        .variable("HOUSE_URL", "http://house")
        .provider("house");
    assert_eq!(url(&provider), pair("http://house/", "HOUSE_URL"));
}

#[test]
fn the_address_nearest_to_the_process_wins() {
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
    assert!(!preset().provider("groq").named);
    assert!(
        preset()
            .variable("GROQ_BASE_URL", "https://a/v1")
            .provider("groq")
            .named
    );
}

#[test]
fn addresses_are_plain() {
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
        let fault = Trial::file(&file).fault();
        assert!(
            fault.starts_with("trunkline.toml:2: providers.house.base_url: "),
            "{text}: {fault}"
        );
    }
    let fault = Trial::file("")
        .variable("OLLAMA_BASE_URL", "localhost:11434")
        .fault();
    assert!(fault.starts_with("OLLAMA_BASE_URL: "), "{fault}");
}

#[test]
fn an_address_without_its_usual_path_is_warned_of() {
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
fn a_provider_is_not_trunkline_itself() {
    let fault = Trial::file("")
        .variable("OPENAI_API_KEY", "k")
        .variable("OPENAI_BASE_URL", "http://localhost:8080/v1")
        .fault();
    assert_eq!(
        fault,
        "OPENAI_BASE_URL: leads back to server.listen, in a circle; change one of the two"
    );
    assert!(
        Trial::file("[providers.llamacpp]")
            .fault()
            .contains("in a circle")
    );
    assert!(
        Trial::file("[providers.llamacpp]")
            .listen_flag("127.0.0.1:9")
            .outcome()
            .is_ok()
    );
    assert!(Trial::file("").outcome().is_ok());
}

#[test]
fn a_circle_is_seen_by_every_name_of_this_machine() {
    let leads_back = |listen: &str, url: &str| {
        let file = format!("[access]\nopen = true\n[providers.house]\nbase_url = {url:?}");
        !Trial::file(&file).listen_flag(listen).faults().is_empty()
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
        house("headers = { X-Title = \"Chat\" }\norganization = \"org-1\"\nproject = \"p-1\"")
            .provider("house");
    assert_eq!(provider.headers["x-title"], "Chat");
    assert!(provider.headers["x-title"].is_sensitive());
    assert_eq!(provider.headers["openai-organization"], "org-1");
    assert_eq!(provider.headers["openai-project"], "p-1");
}

#[test]
fn headers_that_are_not_for_the_config_are_refused() {
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
        let fault = house(&format!("headers = {{ {name:?} = \"x\" }}")).fault();
        assert!(
            fault.contains("providers.house.headers."),
            "{name}: {fault}"
        );
    }
    house("auth = \"api-key\"\nheaders = { api-key = \"x\" }").fault();
    house("organization = \"a\"\nheaders = { openai-organization = \"x\" }").fault();
    house("headers = { x-a = \"1\", X-A = \"2\" }").fault();
    house("organization = \"\"").fault();
    house("project = \"a\\nb\"").fault();
}

#[test]
fn limits_are_inherited_one_by_one() {
    let trial = house(
        "timeouts = { head = \"1s\", total = \"9s\" }\npool = { max_in_flight = 5, wait = \"0s\" }\n[timeouts]\ngap = \"2s\"\n[pool]\nmax_idle = 0",
    );
    let provider = trial.provider("house");
    assert_eq!(provider.timeouts.head, Duration::from_secs(1));
    assert_eq!(provider.timeouts.gap, Duration::from_secs(2));
    assert_eq!(provider.timeouts.connect, Duration::from_secs(5));
    assert_eq!(provider.timeouts.total, Some(Duration::from_secs(9)));
    assert_eq!(
        (
            provider.pool.max_in_flight,
            provider.pool.wait,
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
fn a_fault_in_the_shared_limits_is_told_once() {
    let fault = Trial::file("[timeouts]\nhead = \"0s\"").fault();
    assert_eq!(
        fault,
        "trunkline.toml:2: timeouts.head: must be longer than nothing, such as \"10s\""
    );
    let fault = house("timeouts = { total = \"never\" }").fault();
    assert!(fault.ends_with("or \"off\" for no limit"), "{fault}");
}

#[test]
fn certificates_are_read_at_once() {
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let trial = house("ca_file = \"ca.pem\"");
    assert!(
        trial
            .fault()
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
            .fault()
            .contains("holds no PEM certificate")
    );
}

#[test]
fn names_can_stand_before_a_slash() {
    for name in ["a/b", "", "a b", "ä"] {
        let file = format!("[providers.{name:?}]\nbase_url = \"https://a/v1\"");
        assert!(Trial::file(&file).fault().contains("a name has 1 to 64"));
    }
}

#[test]
fn the_rest_is_taken_over() {
    let provider = house("stream_usage = \"inject\"\nhttp = \"http2\"").provider("house");
    assert_eq!(
        (provider.stream_usage, provider.http),
        (StreamUsage::Inject, HttpVersion::Http2)
    );
    let provider = Trial::file("[providers.openai]\nstream_usage = \"observe\"").provider("openai");
    assert_eq!(provider.stream_usage, StreamUsage::Observe);
}
