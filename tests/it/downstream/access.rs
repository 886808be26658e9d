//! Client keys: where they are accepted, globs, expiry, and what an outsider can
//! learn.

use std::time::Duration;

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, run, text};
use crate::support::upstream::{Upstream, response};

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .model("gpt-large", "up", "big")
        .model("gpt-small", "up", "small")
        .model("qqq-hidden-1", "up", "hidden")
        .key("alice", "tk-alice", "")
        .key("bob", "tk-bob", "models = [\"gpt-*\"]")
        .key("carol", "tk-carol", "models = [\"gpt-small\", \"m\"]")
        .key("old", "tk-old", "expires = \"2020-01-01T00:00:00Z\"")
        .key("young", "tk-young", "expires = \"2999-01-01T00:00:00Z\"")
        .start();
    (upstream, gateway)
}

#[test]
fn a_key_is_accepted_in_any_of_three_headers() {
    let (upstream, gateway) = start();
    let ways = [
        ("Authorization", "Bearer tk-alice"),
        ("Authorization", "bearer tk-alice"),
        ("authorization", "BEARER   tk-alice"),
        ("api-key", "tk-alice"),
        ("X-Api-Key", "tk-alice"),
    ];
    for (name, value) in ways {
        let response = gateway.send(&Request::chat("m").header(name, value));
        assert_eq!(response.status, 200, "{name}: {value}");
        assert_eq!(
            text(&gateway.access_line(&response.request_id()), "key"),
            "alice"
        );
    }
    for seen in upstream.requests() {
        assert!(!String::from_utf8_lossy(&seen.head).contains("tk-alice"));
    }
}

#[test]
fn r02_all_invalid_keys_get_the_same_response() {
    let (upstream, gateway) = start();
    let long = format!("Bearer {}", "x".repeat(5000));
    let values = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic dGstYWxpY2U6",
        "tk-alice",
        "Bearer tk-old",
        "Bearer tk-alic",
        "Bearer tk-alicee",
        "Bearer TK-ALICE",
        "Bearer tk-alice tk-alice",
        "Bearer tk-älice",
        &long,
    ];
    let first = gateway.send(&Request::chat("m"));
    assert_response::error(&first, 401, "invalid_api_key", None);
    for value in values {
        let response = gateway.send(&Request::chat("m").header("Authorization", value));
        assert_response::error(&response, 401, "invalid_api_key", None);
        assert!(response.header("www-authenticate").is_some());
        assert_eq!(response.json(), first.json(), "{value}");
    }
    let mut in_query = Request::chat("m");
    in_query
        .target
        .push_str("?api_key=tk-alice&key=tk-alice&access_token=tk-alice");
    assert_response::error(&gateway.send(&in_query), 401, "invalid_api_key", None);
    assert!(upstream.requests().is_empty());
    gateway.wait_until_idle();
}

#[test]
fn a_key_that_has_not_expired_is_accepted() {
    let (_upstream, gateway) = start();
    assert_eq!(
        gateway.send(&Request::chat("m").key("tk-young")).status,
        200
    );
}

#[test]
fn an_expired_key_is_rejected() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let soon = jiff::Timestamp::now() + Duration::from_secs(3);
    let gateway = Setup::with_upstream(&upstream)
        .key("brief", "tk-brief", &format!("expires = \"{soon}\""))
        .start();
    let request = Request::chat("m").key("tk-brief");
    let first = gateway.send(&request);
    if jiff::Timestamp::now() < soon {
        assert_eq!(first.status, 200);
    }
    crate::support::wait::until("the key's end", || {
        (gateway.send(&request).status == 401).then_some(())
    });
    assert!(jiff::Timestamp::now() >= soon, "it ended early");
}

#[test]
fn r04_a_model_that_a_key_may_not_use_looks_unknown() {
    let (upstream, gateway) = start();
    let send = |key: &str, model: &str| gateway.send(&Request::chat(model).key(key));
    for (key, model) in [
        ("tk-bob", "gpt-large"),
        ("tk-bob", "gpt-small"),
        ("tk-carol", "m"),
        ("tk-carol", "gpt-small"),
    ] {
        assert_eq!(send(key, model).status, 200, "{key} {model}");
    }
    let served = upstream.requests().len();
    let strip = |response: &Response, name: &str| response.text().replace(name, "NAME");
    let forbidden = send("tk-bob", "qqq-hidden-1");
    assert_response::error(&forbidden, 404, "model_not_found", Some("model"));
    let unknown = send("tk-bob", "qqq-hidden-2");
    assert_response::error(&unknown, 404, "model_not_found", Some("model"));
    assert_eq!(
        strip(&forbidden, "qqq-hidden-1"),
        strip(&unknown, "qqq-hidden-2"),
        "the responses differ"
    );
    let message = assert_response::error(
        &send("tk-carol", "gpt-larg"),
        404,
        "model_not_found",
        Some("model"),
    );
    assert!(
        !message.contains("gpt-large"),
        "a name that the client may not see: {message}"
    );
    assert_response::error(
        &send("tk-carol", "up/anything"),
        404,
        "model_not_found",
        Some("model"),
    );
    assert_eq!(upstream.requests().len(), served);
}

#[test]
fn a_glob_can_allow_a_providers_models() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("dave", "tk-dave", "models = [\"up/llama-*\"]")
        .start();
    assert_eq!(
        gateway
            .send(&Request::chat("up/llama-3").key("tk-dave"))
            .status,
        200
    );
    assert_response::error(
        &gateway.send(&Request::chat("up/qwen").key("tk-dave")),
        404,
        "model_not_found",
        Some("model"),
    );
    assert_response::error(
        &gateway.send(&Request::chat("m").key("tk-dave")),
        404,
        "model_not_found",
        Some("model"),
    );
}

#[test]
fn keys_protect_the_list_of_models_but_not_health() {
    let (_upstream, gateway) = start();
    assert_response::error(
        &gateway.send(&Request::get("/v1/models")),
        401,
        "invalid_api_key",
        None,
    );
    assert_response::error(
        &gateway.send(&Request::get("/v1/models/m")),
        401,
        "invalid_api_key",
        None,
    );
    assert_eq!(gateway.send(&Request::get("/health")).status, 200);
}

#[test]
fn an_invalid_key_is_reported_before_an_invalid_body() {
    let (_upstream, gateway) = start();
    let response = gateway.send(&Request::post("/v1/chat/completions", "no json").key("wrong"));
    assert_response::error(&response, 401, "invalid_api_key", None);
}

#[test]
fn a_large_body_with_an_invalid_key_gets_a_response_and_a_close() {
    let (_upstream, gateway) = start();
    let mut client = gateway.client();
    let request = Request::post("/v1/chat/completions", "").key("wrong");
    client.send(&request.head("Content-Length: 30000000\r\n"));
    let response = client.response();
    assert_response::error(&response, 401, "invalid_api_key", None);
    // However much of the body follows, the connection ends.
    while client.try_send(&[b'x'; 64 * 1024]).is_ok() {}
}

#[test]
fn open_access_must_be_configured_explicitly() {
    let setup = Setup::new().top_level("demo = \"on\"");
    let (status, stdout, stderr) = run(&setup, &["--listen", "0.0.0.0:0"]);
    assert!(!status.success());
    let output = stdout + &stderr;
    assert!(
        output.contains("access.open") || output.contains("open = true"),
        "the message names no remedy: {output}"
    );
}
