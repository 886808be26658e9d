//! Objects stay at the provider that created them: later requests are routed there.

use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

/// An upstream that creates objects whose ids have this prefix.
pub fn creator(prefix: &'static str) -> Upstream {
    Upstream::start(move |exchange| {
        exchange.read_body();
        let request = exchange.request();
        let streams = memchr::memmem::find(&request.body, b"\"stream\":true").is_some();
        let response = match (&*request.method, &*request.target) {
            ("POST", "/v1/responses") if streams => {
                let id = format!("{prefix}-stream");
                let created =
                    format!(r#"{{"type":"response.created","response":{{"id":"{id}"}}}}"#);
                let done = r#"{"type":"response.completed","response":{"id":"x"}}"#;
                response::stream(&[response::event(&created), response::event(done)])
            }
            ("POST", "/v1/batches") => {
                let batch = format!(r#"{{"id":"{prefix}-batch","output_file_id":null}}"#);
                response::json("200 OK", &batch)
            }
            ("POST", _) => response::json("200 OK", &format!(r#"{{"id":"{prefix}-1"}}"#)),
            (_, target) if target.starts_with("/v1/batches/") => {
                let batch = format!(r#"{{"id":"b","output_file_id":"{prefix}-out"}}"#);
                response::json("200 OK", &batch)
            }
            _ => response::json("200 OK", r#"{"ok":true}"#),
        };
        exchange.send(response);
    })
}

pub fn setup(one: &Upstream, two: &Upstream) -> Setup {
    Setup::new()
        .provider_with_key("one", &one.base_url(), "key-one", "")
        .provider_with_key("two", &two.base_url(), "key-two", "")
        .section("[models.both]\ntargets = [{ provider = \"one\", model = \"x\", weight = 100 }, { provider = \"two\", model = \"y\" }]")
        .model("b", "two", "y")
}

pub fn at_provider(provider: &str, request: Request) -> Request {
    request.header("X-Trunkline-Provider", provider)
}

#[test]
fn an_object_is_found_at_the_provider_that_created_it() {
    let (one, two) = (creator("one"), creator("two"));
    let gateway = setup(&one, &two).start();
    assert_eq!(
        gateway
            .send(&at_provider("two", Request::post("/v1/files", "{}")))
            .status,
        200
    );
    for request in [
        Request::get("/v1/files/two-1/content"),
        Request::new("DELETE", "/v1/files/two-1"),
        Request::post("/v1/vector_stores", r#"{"file_ids":["unknown","two-1"]}"#),
        Request::post("/v1/batches", r#"{"input_file_id":"two-1"}"#),
        Request::get("/v1/batches/two-batch"),
        // The response above named the outputs of the batch.
        Request::get("/v1/files/two-out/content"),
    ] {
        let response = gateway.send(&request);
        assert_eq!(
            response.header("x-trunkline-provider"),
            Some("two"),
            "{}",
            request.target
        );
    }
    assert!(one.requests().is_empty());
    let unknown = gateway.send(&Request::get("/v1/files/one-1"));
    assert_response::error(&unknown, 400, "provider_unknown", None);
}

#[test]
fn a_response_continues_at_the_provider_that_created_it() {
    let (one, two) = (creator("one"), creator("two"));
    let gateway = setup(&one, &two).start();
    let begin = Request::post(
        "/v1/responses",
        r#"{"model":"b","input":"i","stream":true}"#,
    );
    assert!(gateway.send(&begin).complete);
    for _ in 0..8 {
        let next = r#"{"model":"both","input":"i","previous_response_id":"two-stream"}"#;
        let response = gateway.send(&Request::post("/v1/responses", next));
        assert_eq!(response.header("x-trunkline-provider"), Some("two"));
    }
    assert_eq!(
        gateway
            .send(&Request::get("/v1/responses/two-stream"))
            .status,
        200
    );
    assert!(one.requests().is_empty());
}

#[test]
fn a_stored_completion_is_found_again() {
    let (one, two) = (creator("one"), creator("two"));
    let gateway = setup(&one, &two).start();
    let chat = |store| {
        let body = format!(r#"{{"model":"b","store":{store},"messages":[]}}"#);
        assert_eq!(
            gateway
                .send(&Request::post("/v1/chat/completions", body))
                .status,
            200
        );
        gateway.send(&Request::get("/v1/chat/completions/two-1/messages"))
    };
    assert_response::error(&chat("false"), 400, "provider_unknown", None);
    assert_eq!(chat("true").header("x-trunkline-provider"), Some("two"));
}

#[test]
fn an_object_needs_the_credential_that_created_it() {
    let upstream = creator("up");
    let gateway = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ env = \"K1\" }}, {{ env = \"K2\" }}]",
            upstream.base_url()
        ))
        .env("K1", "key-one")
        .env("K2", "key-two")
        .model("m", "up", "x")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"m","input":"i"}"#);
    for _ in 0..6 {
        assert_eq!(gateway.send(&begin).status, 200);
        let created_with = upstream
            .requests()
            .pop()
            .unwrap()
            .header_values("authorization")
            .join("");
        assert_eq!(
            gateway.send(&Request::get("/v1/responses/up-1")).status,
            200
        );
        let read_with = upstream
            .requests()
            .pop()
            .unwrap()
            .header_values("authorization")
            .join("");
        assert_eq!(read_with, created_with);
    }
}

#[test]
fn a_restricted_key_reaches_only_the_objects_it_created() {
    let (one, two) = (creator("one"), creator("two"));
    let gateway = setup(&one, &two)
        .key("narrow", "key-narrow", "models = [\"b\"]")
        .key("other", "key-other", "models = [\"b\"]")
        .key("wide", "key-wide", "")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"b","input":"i"}"#);
    assert_eq!(gateway.send(&begin.key("key-narrow")).status, 200);
    let again = |key| gateway.send(&Request::get("/v1/responses/two-1").key(key));
    assert_eq!(again("key-narrow").status, 200);
    assert_eq!(again("key-wide").status, 200);
    assert_response::error(&again("key-other"), 404, "provider_not_found", None);
    // Another key may not continue it, and reading it does not make a key its owner.
    let next = r#"{"model":"b","input":"i","previous_response_id":"two-1"}"#;
    let next = |key| gateway.send(&Request::post("/v1/responses", next).key(key));
    assert_response::error(&next("key-other"), 404, "provider_not_found", None);
    assert_eq!(next("key-narrow").status, 200);
}

#[test]
fn a_restricted_key_reaches_only_its_own_objects_even_with_a_single_provider() {
    let upstream = creator("up");
    let gateway = Setup::with_upstream(&upstream)
        .key("narrow", "key-narrow", "models = [\"m\"]")
        .key("other", "key-other", "models = [\"m\"]")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"m","input":"i"}"#);
    assert_eq!(gateway.send(&begin.key("key-narrow")).status, 200);
    let again = |key| gateway.send(&Request::get("/v1/responses/up-1").key(key));
    assert_eq!(again("key-narrow").status, 200);
    assert_response::error(&again("key-other"), 404, "provider_not_found", None);
}

#[test]
fn object_locations_survive_a_reload_and_are_bounded() {
    let (one, two) = (creator("one"), creator("two"));
    let gateway = setup(&one, &two).server("max_objects = 1").start();
    let make = |provider| gateway.send(&at_provider(provider, Request::post("/v1/files", "{}")));
    assert_eq!(make("two").status, 200);
    gateway.reload(|config| config + "\n[models.c]\nprovider = \"one\"\nmodel = \"z\"\n");
    let find = |id| gateway.send(&Request::get(&format!("/v1/files/{id}")));
    assert_eq!(find("two-1").header("x-trunkline-provider"), Some("two"));
    assert_eq!(make("one").status, 200);
    assert_eq!(find("one-1").header("x-trunkline-provider"), Some("one"));
    assert_response::error(&find("two-1"), 400, "provider_unknown", None);
}
