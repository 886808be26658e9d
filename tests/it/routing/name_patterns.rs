//! Models of names that the configuration does not list one by one.

use serde_json::Value;

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, response};

fn upstream() -> Upstream {
    Upstream::with_response(response::completion("hi"))
}

/// The models that the upstream was asked for.
fn asked(upstream: &Upstream, count: usize) -> Vec<String> {
    let seen = upstream.wait_for_requests(count);
    let model = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["model"].clone();
    let models = seen.iter().map(|seen| model(&seen.body));
    models.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_ok(gateway: &Gateway, model: &str) {
    let response = gateway.send(&Request::chat(model));
    assert_eq!(response.status, 200, "{model}: {}", response.text());
}

#[test]
fn mn1_the_default_provider_takes_the_names_that_nothing_else_has() {
    let (local, other) = (upstream(), upstream());
    let gateway = Setup::new()
        .top_level("default_provider = \"local\"")
        .provider("local", &local.base_url(), "")
        .provider("other", &other.base_url(), "")
        .model("alias", "other", "x")
        .start();
    // The built-in table has gpt-4o, at a provider without a key.
    let names = [
        "claude-opus-5-5",
        "gpt-4o",
        "meta/llama",
        "anthropic/claude-x",
    ];
    for model in names {
        assert_ok(&gateway, model);
    }
    assert_eq!(asked(&local, 4), names);
    assert_ok(&gateway, "alias");
    assert_ok(&gateway, "other/y");
    assert_eq!(asked(&other, 2), ["x", "y"]);
    for line in gateway.access_lines(6).iter().take(4) {
        assert_eq!(text(line, "model"), "local/*");
        assert_eq!(text(line, "provider"), "local");
    }
    let labels = [
        ("model", "local/*"),
        ("provider", "local"),
        ("outcome", "ok"),
    ];
    gateway.await_metric("trunkline_requests_total", &labels, 4.0);
}

#[test]
fn mn1_without_a_default_provider_an_unknown_name_is_an_error() {
    let upstream = upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::chat("claude-opus-5-5"));
    assert_response::error(&response, 404, "model_not_found", Some("model"));
    let response = gateway.send(&Request::chat("gpt-4o"));
    assert_response::error(&response, 503, "upstream_not_configured", Some("model"));
    let strict = Setup::with_upstream(&upstream)
        .top_level("default_provider = \"up\"\nstrict_models = true")
        .start();
    let response = strict.send(&Request::chat("claude-opus-5-5"));
    assert_response::error(&response, 404, "model_not_found", Some("model"));
    assert!(upstream.requests().is_empty());
}

#[test]
fn mn1_a_pattern_leads_all_its_names_to_one_model() {
    let (local, rest) = (upstream(), upstream());
    let gateway = Setup::new()
        .top_level("strict_models = true")
        .provider("local", &local.base_url(), "")
        .provider("rest", &rest.base_url(), "")
        .model("claude-*", "local", "qwen3")
        .model("claude-haiku-*", "local", "qwen3-small")
        .section("[models.\"*\"]\nprovider = \"rest\"")
        .start();
    for model in ["claude-opus-5-5", "claude-haiku-4-5-20251001", "claude-"] {
        assert_ok(&gateway, model);
    }
    assert_eq!(asked(&local, 3), ["qwen3", "qwen3-small", "qwen3"]);
    // The name is spliced as JSON.
    assert_ok(&gateway, "gpt-4o");
    assert_ok(&gateway, "any/\\\"name\\\"");
    assert_eq!(asked(&rest, 2), ["gpt-4o", "any/\"name\""]);
    for (label, count) in [("claude-*", 2.0), ("claude-haiku-*", 1.0), ("*", 2.0)] {
        let labels = [("model", label), ("outcome", "ok")];
        gateway.await_metric("trunkline_requests_total", &labels, count);
    }
    let list = gateway.send(&Request::get("/v1/models")).json();
    assert_eq!(list["data"].as_array().unwrap().len(), 0, "{list}");
    let one = gateway.send(&Request::get("/v1/models/claude-opus-5-5"));
    assert_eq!(one.json()["id"], "claude-opus-5-5");
    assert!(!gateway.finish().contains("any/"));
}

#[test]
fn mn1_a_pattern_fails_over_like_an_alias() {
    let broken = Upstream::with_response(response::json("503 Service Unavailable", "{}"));
    let good = upstream();
    let gateway = Setup::new()
        .provider("broken", &broken.base_url(), "")
        .provider("good", &good.base_url(), "")
        .section(
            "[models.\"gpt-*\"]\ntargets = [{ provider = \"broken\" }, { provider = \"good\", priority = 1 }]",
        )
        .start();
    assert_ok(&gateway, "gpt-5.4");
    assert_eq!(asked(&broken, 1), ["gpt-5.4"]);
    assert_eq!(asked(&good, 1), ["gpt-5.4"]);
}

#[test]
fn mn1_a_key_uses_a_pattern_by_the_names_that_it_may_use() {
    let upstream = upstream();
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "")
        .section("[models.\"*\"]\nprovider = \"up\"\nmodel = \"x\"")
        .key("team", "tk-team", "models = [\"claude-*\"]")
        .start();
    let send = |model: &str| gateway.send(&Request::chat(model).key("tk-team"));
    assert_eq!(send("claude-opus-5-5").status, 200);
    let response = send("gpt-4o");
    assert_response::error(&response, 404, "model_not_found", Some("model"));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn mn1_a_named_provider_gets_its_own_names() {
    let (one, two) = (upstream(), upstream());
    let gateway = Setup::new()
        .provider("one", &one.base_url(), "")
        .provider("two", &two.base_url(), "")
        .model("*", "two", "fixed")
        .start();
    let body = r#"{"model":"own-name","messages":[]}"#;
    let response = gateway.send(&Request::post("/providers/one/v1/chat/completions", body));
    assert_eq!(response.status, 200);
    assert_eq!(asked(&one, 1), ["own-name"]);
    assert!(two.requests().is_empty());
}
