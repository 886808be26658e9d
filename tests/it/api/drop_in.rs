//! Drop-in: an SDK works with only its base URL changed.

use crate::support::client::Request;
use crate::support::gateway::{Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, response};

/// Every JSON endpoint with a model in its body.
pub const ENDPOINTS: [&str; 7] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/audio/speech",
];

#[test]
fn every_endpoint_is_forwarded_to_its_path_under_the_base_url() {
    let upstream = Upstream::with_response(response::json("200 OK", r#"{"result":"unchanged"}"#));
    let gateway = Setup::with_upstream(&upstream).start();
    for (index, endpoint) in ENDPOINTS.iter().enumerate() {
        let response = gateway.send(&Request::post(endpoint, r#"{"model":"m","input":"x"}"#));
        assert_eq!(response.status, 200, "{endpoint}: {}", response.text());
        assert_eq!(response.text(), r#"{"result":"unchanged"}"#);
        let seen = &upstream.wait_for_requests(index + 1)[index];
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("POST", *endpoint)
        );
        assert_eq!(seen.text(), r#"{"model":"real-model","input":"x"}"#);
        assert_eq!(
            seen.header_values("authorization"),
            [format!("Bearer {UPSTREAM_KEY}")]
        );
        assert_eq!(
            seen.header_values("host"),
            [format!("127.0.0.1:{}", upstream.port())]
        );
        assert_eq!(seen.header_values("content-type"), ["application/json"]);
    }
    gateway.wait_until_idle();
}

#[test]
fn a_base_url_may_have_any_path_and_a_trailing_slash() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let base = format!("http://127.0.0.1:{}", upstream.port());
    let gateway = Setup::new()
        .provider("azure", &format!("{base}/openai/v1/"), "")
        .provider("bare", &base, "")
        .model("a", "azure", "x")
        .model("b", "bare", "x")
        .start();
    assert_eq!(gateway.send(&Request::chat("a")).status, 200);
    assert_eq!(gateway.send(&Request::chat("b")).status, 200);
    let targets: Vec<String> = upstream
        .requests()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(
        targets,
        ["/openai/v1/chat/completions", "/chat/completions"]
    );
}

#[test]
fn a_query_is_forwarded_as_spelled() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let mut request = Request::chat("m");
    request.target =
        "/v1/chat/completions?api-version=2026-01&x=%0d%0aEvil:%201&y=%2F%c3%a4".to_owned();
    assert_eq!(gateway.send(&request).status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.target, request.target);
    assert_eq!(seen.header("evil"), None);
}

#[test]
fn an_sdks_identifying_headers_are_forwarded() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let headers = [
        ("User-Agent", "OpenAI/Python 3.54.0"),
        ("X-Stainless-Lang", "python"),
        ("X-Stainless-Retry-Count", "0"),
        ("OpenAI-Beta", "assistants=v2"),
        ("Idempotency-Key", "stainless-node-retry-1"),
        ("Accept", "application/json"),
    ];
    let request = headers
        .iter()
        .fold(Request::chat("m"), |request, (name, value)| {
            request.header(name, value)
        });
    assert_eq!(gateway.send(&request).status, 200);
    let seen = upstream.only_request();
    for (name, value) in headers {
        assert_eq!(seen.header_values(name), [value], "{name}");
    }
}

#[test]
fn a_key_can_be_sent_in_a_header_of_the_providers_choice() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "auth = \"api-key\"")
        .model("m", "up", "real-model")
        .start();
    assert_eq!(
        gateway
            .send(&Request::chat("m").key("the-clients-own"))
            .status,
        200
    );
    let seen = upstream.only_request();
    assert_eq!(seen.header_values("api-key"), [UPSTREAM_KEY]);
    assert_eq!(seen.header("authorization"), None);
}

#[test]
fn a_provider_adds_its_headers_organization_and_project() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let lines =
        "organization = \"org-1\"\nproject = \"proj-1\"\nheaders = { \"X-Title\" = \"ours\" }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let request = Request::chat("m")
        .header("OpenAI-Organization", "org-of-the-client")
        .header("OpenAI-Project", "proj-of-the-client")
        .header("X-Title", "theirs");
    assert_eq!(gateway.send(&request).status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.header_values("openai-organization"), ["org-1"]);
    assert_eq!(seen.header_values("openai-project"), ["proj-1"]);
    assert_eq!(seen.header_values("x-title"), ["ours"]);
}

#[test]
fn a_key_can_come_from_the_environment_or_a_file() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let setup = Setup::new();
    let file = setup.file("secret", b"key-from-a-file\n");
    let gateway = setup
        .section("[providers.one]\nbase_url_env = \"ONE_URL\"\napi_key_env = \"ONE_KEY\"")
        .env("ONE_URL", &upstream.base_url())
        .env("ONE_KEY", "key-from-the-environment")
        .section(&format!(
            "[providers.two]\nbase_url = \"{}\"\napi_key_file = \"{}\"",
            upstream.base_url(),
            file.display()
        ))
        .model("m1", "one", "x")
        .model("m2", "two", "x")
        .start();
    assert_eq!(gateway.send(&Request::chat("m1")).status, 200);
    assert_eq!(gateway.send(&Request::chat("m2")).status, 200);
    let keys: Vec<String> = upstream
        .requests()
        .iter()
        .map(|seen| seen.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(
        keys,
        ["Bearer key-from-the-environment", "Bearer key-from-a-file"]
    );
}

#[test]
fn the_legacy_variable_names_work_unchanged() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::new()
        .env("GROQ_API_KEY", "gsk-1")
        .env("GROQ_BASE_URL", &upstream.base_url())
        .env("MISTRAL_API_KEY", "mk-1")
        .env("MISTRAL_BASE_URL", &upstream.base_url())
        .env("OPENAI_API_KEY", "sk-1")
        .env("OPENAI_BASE_URL", &upstream.base_url())
        .start();
    let expected = [
        ("llama3-70b-groq", "openai/gpt-oss-120b", "gsk-1"),
        ("llama3-8b-groq", "openai/gpt-oss-20b", "gsk-1"),
        ("mistral-large", "mistral-large-latest", "mk-1"),
        ("mistral-small", "mistral-small-latest", "mk-1"),
        ("gpt-4o", "gpt-4o", "sk-1"),
        ("gpt-4-turbo", "gpt-5.6-sol", "sk-1"),
        ("gpt-3.5-turbo", "gpt-5.6-terra", "sk-1"),
    ];
    for (index, (alias, model, key)) in expected.into_iter().enumerate() {
        let response = gateway.send(&Request::chat(alias));
        assert_eq!(response.status, 200, "{alias}: {}", response.text());
        let seen = &upstream.wait_for_requests(index + 1)[index];
        assert!(
            seen.text()
                .starts_with(&format!("{{\"model\":\"{model}\",")),
            "{}",
            seen.text()
        );
        assert_eq!(
            seen.header_values("authorization"),
            [format!("Bearer {key}")]
        );
    }
}

#[test]
fn a_response_that_is_not_json_is_forwarded_byte_for_byte() {
    let sound: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let upstream = Upstream::with_response(response::with_body(
        "200 OK",
        &["Content-Type: audio/mpeg"],
        &sound,
    ));
    let gateway = Setup::with_upstream(&upstream).start();
    let body = r#"{"model":"m","input":"say it","voice":"alloy"}"#;
    let response = gateway.send(&Request::post("/v1/audio/speech", body));
    assert_eq!(response.header("content-type"), Some("audio/mpeg"));
    assert!(response.body == sound, "the audio was changed");
    gateway.wait_until_idle();
}

#[test]
fn one_connection_carries_many_requests() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    for _ in 0..50 {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(upstream.requests().len(), 50);
    assert_eq!(
        upstream.connections(),
        1,
        "the upstream's connection was not used again"
    );
}
