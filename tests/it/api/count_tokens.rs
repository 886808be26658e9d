//! `POST /v1/messages/count_tokens` for models whose provider has no call for it.

use serde_json::json;

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const COUNT: &str = r#"{"input_tokens":7}"#;

fn count(gateway: &Gateway, model: &str, text: &str) -> Response {
    let body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
    let request = Request::post("/v1/messages/count_tokens", body.to_string());
    gateway.send(&request.header("anthropic-version", "2023-06-01"))
}

/// Responds to chat requests.
fn chat_only() -> Upstream {
    let body = json!({
        "id": "c",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2000, "completion_tokens": 1},
    });
    Upstream::with_response(response::json("200 OK", &body.to_string()))
}

#[test]
fn an_estimate_is_made_where_the_alias_asks_for_it_and_learned_from_usage() {
    let upstream = chat_only();
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .section("[models.m]\nprovider = \"up\"\nmodel = \"m\"\ncount_tokens = \"estimate\"")
        .model("plain", "up", "m")
        .start();
    let text = "x".repeat(4000);
    let response = count(&gateway, "m", &text);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("x-trunkline-estimate"), Some("true"));
    assert!(response.header("x-request-id").is_some());
    let first = response.json()["input_tokens"].as_u64().unwrap();
    assert!((1000..1100).contains(&first), "{first}");
    // A request whose usage is known: the body has the length of the prompt to count.
    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
    let sent = gateway.send(&Request::post("/v1/messages", body.to_string()));
    assert_eq!(sent.status, 200, "{}", sent.text());
    let labels = [("model", "m"), ("kind", "input")];
    gateway.await_metric("trunkline_tokens_total", &labels, 2000.0);
    let learned = count(&gateway, "m", &text).json()["input_tokens"]
        .as_u64()
        .unwrap();
    assert!((1950..2100).contains(&learned), "{learned}");
    let labels = [
        ("model", "m"),
        ("endpoint", "messages_count_tokens"),
        ("outcome", "ok"),
    ];
    gateway.await_metric("trunkline_requests_total", &labels, 2.0);
    // Off by default.
    let response = count(&gateway, "plain", &text);
    assert_eq!(response.status, 400);
    assert_eq!(response.json()["error"]["type"], "invalid_request_error");
    assert_eq!(response.header("x-trunkline-estimate"), None);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_provider_that_counts_is_asked() {
    let native = Upstream::with_response(response::json("200 OK", COUNT));
    let broken = Upstream::with_response(response::json("500 Internal Server Error", "{}"));
    let gateway = Setup::new()
        .provider("native", &native.base_url(), "dialects = [\"messages\"]")
        .provider("broken", &broken.base_url(), "dialects = [\"messages\"]")
        .section("[models.m]\nprovider = \"native\"\nmodel = \"c\"\ncount_tokens = \"estimate\"")
        .section("[models.b]\nprovider = \"broken\"\nmodel = \"c\"\ncount_tokens = \"estimate\"")
        .start();
    let response = count(&gateway, "m", "hi");
    assert_eq!(response.json()["input_tokens"], 7);
    assert_eq!(response.header("x-trunkline-estimate"), None);
    // Its failure is no reason to guess.
    assert_eq!(count(&gateway, "b", "hi").status, 500);
}

#[test]
fn an_invalid_body_is_not_counted() {
    let upstream = chat_only();
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "dialects = [\"chat\"]")
        .section("[models.m]\nprovider = \"up\"\nmodel = \"m\"\ncount_tokens = \"estimate\"")
        .start();
    let request = Request::post("/v1/messages/count_tokens", r#"{"model":"m","messages":["#);
    let response = gateway.send(&request);
    assert_eq!(response.status, 400, "{}", response.text());
    let unknown = count(&gateway, "nothing", "hi");
    assert_eq!(unknown.status, 404);
}
