//! From a model's name to a provider; root path, hosts, strictness, sources.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, reply};

#[test]
fn provider_slash_model_reaches_any_model_of_a_provider() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    for (index, name) in [
        "llama-3.3-70b",
        "meta-llama/Llama-3",
        "accounts/fireworks/models/x",
        "real-model",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = gateway.ask(&Request::chat(&format!("up/{name}")));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let seen = upstream.arrived(index + 1)[index].text();
        assert!(
            seen.starts_with(&format!("{{\"model\":\"{name}\",")),
            "{seen}"
        );
    }
    for name in ["nowhere/x", "up/", "/x", "UP/x"] {
        assert_response::error(
            &gateway.ask(&Request::chat(name)),
            404,
            "model_not_found",
            Some("model"),
        );
    }
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_model_name_is_escaped_as_json_when_it_is_spliced() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    let body = r#"{"model":"up/a\"b\\c\u0001\u20ac/d"}"#;
    assert_eq!(
        gateway
            .ask(&Request::post("/v1/chat/completions", body))
            .status,
        200
    );
    let seen: serde_json::Value = serde_json::from_slice(&upstream.only().body).unwrap();
    assert_eq!(seen["model"], "a\"b\\c\u{1}€/d");
    assert_eq!(seen.as_object().unwrap().len(), 1);
}

#[test]
fn an_alias_wins_over_provider_slash_model() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .model("up/fast", "up", "the-fast-one")
        .start();
    assert_eq!(gateway.ask(&Request::chat("up/fast")).status, 200);
    assert!(
        upstream
            .only()
            .text()
            .contains("\"model\":\"the-fast-one\"")
    );
}

#[test]
fn strict_models_leaves_only_aliases() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).root("strict_models = true").start();
    assert_response::error(
        &gateway.ask(&Request::chat("up/real-model")),
        404,
        "model_not_found",
        Some("model"),
    );
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn each_model_goes_to_its_own_provider_with_its_own_key() {
    let [one, two] = [(); 2].map(|()| Upstream::answering(reply::completion("hi")));
    let gateway = Setup::new()
        .keyed_provider("one", &one.base_url(), "key-one", "")
        .keyed_provider("two", &two.base_url(), "key-two", "")
        .model("a", "one", "x")
        .model("b", "two", "y")
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.ask(&Request::chat("a")).status, 200);
        assert_eq!(gateway.ask(&Request::chat("b")).status, 200);
    }
    for (upstream, key) in [(&one, "Bearer key-one"), (&two, "Bearer key-two")] {
        let seen = upstream.requests();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|seen| seen.all("authorization") == [key]));
    }
}

#[test]
fn a_root_path_serves_everything_under_it_as_well() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("root_path = \"/api\"")
        .start();
    for prefix in ["", "/api"] {
        let mut chat = Request::chat("m");
        chat.target = format!("{prefix}/v1/chat/completions");
        assert_eq!(gateway.ask(&chat).status, 200, "{prefix}");
        for target in [
            "/v1/models",
            "/v1/models/m",
            "/health",
            "/openapi.json",
            "/",
        ] {
            let answer = gateway.ask(&Request::get(&format!("{prefix}{target}")));
            assert_eq!(answer.status, 200, "{prefix}{target}");
        }
    }
    for target in ["/apiv1/models", "/api/api/v1/models", "/API/v1/models"] {
        assert_response::error(
            &gateway.ask(&Request::get(target)),
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
fn the_originals_root_path_variable_works() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).variable("ROOT_PATH", "/llm").start();
    assert_eq!(gateway.ask(&Request::get("/llm/v1/models")).status, 200);
}

#[test]
fn r13_a_foreign_host_is_refused_while_access_is_open() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
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
        let answer = gateway.ask(&with_host(host));
        assert!(
            matches!(answer.status, 400 | 403),
            "{host}: {}",
            answer.status
        );
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(
            ["invalid_host", "forbidden_host", "forbidden_origin"].contains(&code.as_str()),
            "{host}: {code}"
        );
        assert_response::error(&answer, answer.status, &code, None);
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(gateway.ask(&with_host("gateway.internal")).status, 200);
    assert_eq!(gateway.ask(&with_host("Gateway.Internal:8080")).status, 200);
}

#[test]
fn with_keys_any_host_is_served() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).key("alice", "tk-alice", "").start();
    let request = Request::chat("m")
        .without("Host")
        .header("Host", "llm.example.com")
        .key("tk-alice");
    assert_eq!(gateway.ask(&request).status, 200);
}

#[test]
fn r01_many_unknown_names_make_no_new_series() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    gateway.ask(&Request::chat("nobody"));
    gateway.ask(&Request::chat("up/passing-through"));
    gateway.access_lines(2);
    gateway.settle();
    let before = gateway.metrics().len();
    let mut client = gateway.client();
    for n in 0..500 {
        let name = if n % 2 == 0 {
            format!("name-{n}")
        } else {
            format!("up/name-{n}")
        };
        client.send(&Request::chat(&name).header("User-Agent", &name).bytes());
        client.answer();
    }
    gateway.access_lines(502);
    gateway.settle();
    let after = gateway.metrics();
    assert_eq!(after.len(), before, "series grew with the callers' words");
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
fn r01_unknown_paths_and_methods_make_no_new_series() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    for method in ["GET", "POST", "BREW"] {
        gateway.ask(&Request::new(method, "/first").header("Content-Length", "0"));
    }
    gateway.settle();
    let before = gateway.metrics().len();
    for n in 0..60 {
        for method in ["GET", "POST", &format!("BREW{n}")] {
            gateway
                .ask(&Request::new(method, &format!("/nowhere/{n}")).header("Content-Length", "0"));
        }
    }
    gateway.settle();
    assert_eq!(gateway.metrics().len(), before);
}
