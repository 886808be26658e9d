//! Resolving model names; root path, hosts, strict models.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};

#[test]
fn a_provider_without_its_credential_names_the_variable_where_access_is_open() {
    let gateway = Setup::new().top_level("demo = \"on\"").start();
    for (model, missing) in [
        ("anthropic/claude-x", "ANTHROPIC_API_KEY"),
        ("openai/gpt-4o", "OPENAI_API_KEY"),
        ("ollama/llama3", "[providers.ollama] in the config"),
        ("azure/x", "AZURE_OPENAI_API_KEY"),
    ] {
        let response = gateway.send(&Request::chat(model));
        let code = "upstream_not_configured";
        let message = assert_response::error(&response, 503, code, Some("model"));
        assert!(message.contains(missing), "{model}: {message}");
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    let gateway = Setup::new()
        .top_level("demo = \"on\"")
        .key("a", "tk-a", "")
        .start();
    let response = gateway.send(&Request::chat("anthropic/claude-x").key("tk-a"));
    let message = assert_response::error(&response, 404, "model_not_found", Some("model"));
    assert!(!message.contains("ANTHROPIC"), "{message}");
}

#[test]
fn provider_slash_model_reaches_any_model_of_a_provider() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for (index, name) in [
        "llama-3.3-70b",
        "meta-llama/Llama-3",
        "accounts/fireworks/models/x",
        "real-model",
    ]
    .into_iter()
    .enumerate()
    {
        let response = gateway.send(&Request::chat(&format!("up/{name}")));
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        let seen = upstream.wait_for_requests(index + 1)[index].text();
        assert!(
            seen.starts_with(&format!("{{\"model\":\"{name}\",")),
            "{seen}"
        );
    }
    for name in ["nowhere/x", "up/", "/x", "UP/x"] {
        assert_response::error(
            &gateway.send(&Request::chat(name)),
            404,
            "model_not_found",
            Some("model"),
        );
    }
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_model_name_is_escaped_as_json_when_it_is_spliced() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let body = r#"{"model":"up/a\"b\\c\u0001\u20ac/d"}"#;
    assert_eq!(
        gateway
            .send(&Request::post("/v1/chat/completions", body))
            .status,
        200
    );
    let seen: serde_json::Value = serde_json::from_slice(&upstream.only_request().body).unwrap();
    assert_eq!(seen["model"], "a\"b\\c\u{1}€/d");
    assert_eq!(seen.as_object().unwrap().len(), 1);
}

#[test]
fn an_alias_wins_over_provider_slash_model() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .model("up/fast", "up", "the-fast-one")
        .start();
    assert_eq!(gateway.send(&Request::chat("up/fast")).status, 200);
    assert!(
        upstream
            .only_request()
            .text()
            .contains("\"model\":\"the-fast-one\"")
    );
}

#[test]
fn strict_models_leaves_only_aliases() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .top_level("strict_models = true")
        .start();
    assert_response::error(
        &gateway.send(&Request::chat("up/real-model")),
        404,
        "model_not_found",
        Some("model"),
    );
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn each_model_is_sent_to_its_own_provider_with_its_own_key() {
    let [one, two] = [(); 2].map(|()| Upstream::with_response(response::completion("hi")));
    let gateway = Setup::new()
        .provider_with_key("one", &one.base_url(), "key-one", "")
        .provider_with_key("two", &two.base_url(), "key-two", "")
        .model("a", "one", "x")
        .model("b", "two", "y")
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.send(&Request::chat("a")).status, 200);
        assert_eq!(gateway.send(&Request::chat("b")).status, 200);
    }
    for (upstream, key) in [(&one, "Bearer key-one"), (&two, "Bearer key-two")] {
        let seen = upstream.requests();
        assert_eq!(seen.len(), 3);
        assert!(
            seen.iter()
                .all(|seen| seen.header_values("authorization") == [key])
        );
    }
}

#[test]
fn a_root_path_serves_everything_under_it_as_well() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("root_path = \"/api\"")
        .start();
    for prefix in ["", "/api"] {
        let mut chat = Request::chat("m");
        chat.target = format!("{prefix}/v1/chat/completions");
        assert_eq!(gateway.send(&chat).status, 200, "{prefix}");
        for target in [
            "/v1/models",
            "/v1/models/m",
            "/health",
            "/openapi.json",
            "/",
        ] {
            let response = gateway.send(&Request::get(&format!("{prefix}{target}")));
            assert_eq!(response.status, 200, "{prefix}{target}");
        }
    }
    for target in ["/apiv1/models", "/api/api/v1/models", "/API/v1/models"] {
        assert_response::error(
            &gateway.send(&Request::get(target)),
            404,
            "unknown_url",
            None,
        );
    }
    assert!(
        upstream
            .requests()
            .iter()
            .all(|seen| seen.target == "/v1/chat/completions")
    );
}

#[test]
fn the_legacy_root_path_variable_works() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .env("ROOT_PATH", "/llm")
        .start();
    assert_eq!(gateway.send(&Request::get("/llm/v1/models")).status, 200);
}

#[test]
fn r13_a_foreign_host_is_rejected_while_access_is_open() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("allowed_hosts = [\"gateway.internal\"]")
        .start();
    let with_host = |host: &str| Request::chat("m").without("Host").header("Host", host);
    for host in [
        "attacker.example",
        "127.0.0.1.attacker.example",
        "localhost.attacker.example",
        "10.0.0.1",
        "attacker.example:80",
    ] {
        let response = gateway.send(&with_host(host));
        assert!(
            matches!(response.status, 400 | 403),
            "{host}: {}",
            response.status
        );
        let code = response.json()["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            ["invalid_host", "forbidden_host", "forbidden_origin"].contains(&code.as_str()),
            "{host}: {code}"
        );
        assert_response::error(&response, response.status, &code, None);
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.send(&with_host("gateway.internal")).status, 200);
    assert_eq!(
        gateway.send(&with_host("Gateway.Internal:8080")).status,
        200
    );
}

#[test]
fn with_keys_any_host_is_served() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    let request = Request::chat("m")
        .without("Host")
        .header("Host", "llm.example.com")
        .key("tk-alice");
    assert_eq!(gateway.send(&request).status, 200);
}

#[test]
fn r01_unknown_model_names_create_no_series() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.send(&Request::chat("no-such-model"));
    gateway.send(&Request::chat("up/passing-through"));
    gateway.access_lines(2);
    gateway.wait_until_idle();
    let before = gateway.metrics().len();
    let mut client = gateway.client();
    for n in 0..500 {
        let name = if n % 2 == 0 {
            format!("name-{n}")
        } else {
            format!("up/name-{n}")
        };
        client.send(&Request::chat(&name).header("User-Agent", &name).bytes());
        client.response();
    }
    gateway.access_lines(502);
    gateway.wait_until_idle();
    let after = gateway.metrics();
    assert_eq!(after.len(), before, "series grew with client input");
    for label in ["model", "endpoint", "provider"] {
        assert!(
            after
                .values_of(label)
                .iter()
                .all(|value| !value.contains("name-")),
            "{label}"
        );
    }
}

#[test]
fn r01_unknown_paths_and_methods_create_no_series() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for method in ["GET", "POST", "BREW"] {
        gateway.send(&Request::new(method, "/first").header("Content-Length", "0"));
    }
    gateway.wait_until_idle();
    let before = gateway.metrics().len();
    for n in 0..60 {
        for method in ["GET", "POST", &format!("BREW{n}")] {
            gateway.send(
                &Request::new(method, &format!("/nowhere/{n}")).header("Content-Length", "0"),
            );
        }
    }
    gateway.wait_until_idle();
    assert_eq!(gateway.metrics().len(), before);
}
