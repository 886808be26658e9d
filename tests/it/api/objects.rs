//! Objects live at the provider that made them: later calls find them there.

use crate::support::assert_response;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, reply};

/// An upstream that makes objects with this prefix to their ids.
fn maker(prefix: &'static str) -> Upstream {
    Upstream::start(move |exchange| {
        exchange.read_body();
        let request = exchange.request();
        let streams = memchr::memmem::find(&request.body, b"\"stream\":true").is_some();
        let answer = match (&*request.method, &*request.target) {
            ("POST", "/v1/responses") if streams => {
                let id = format!("{prefix}-stream");
                let created =
                    format!(r#"{{"type":"response.created","response":{{"id":"{id}"}}}}"#);
                let done = r#"{"type":"response.completed","response":{"id":"x"}}"#;
                reply::stream(&[reply::event(&created), reply::event(done)])
            }
            ("POST", "/v1/batches") => {
                let batch = format!(r#"{{"id":"{prefix}-batch","output_file_id":null}}"#);
                reply::json("200 OK", &batch)
            }
            ("POST", _) => reply::json("200 OK", &format!(r#"{{"id":"{prefix}-1"}}"#)),
            (_, target) if target.starts_with("/v1/batches/") => {
                let batch = format!(r#"{{"id":"b","output_file_id":"{prefix}-out"}}"#);
                reply::json("200 OK", &batch)
            }
            _ => reply::json("200 OK", r#"{"ok":true}"#),
        };
        exchange.send(answer);
    })
}

fn setup(one: &Upstream, two: &Upstream) -> Setup {
    Setup::new()
        .keyed_provider("one", &one.base_url(), "key-one", "")
        .keyed_provider("two", &two.base_url(), "key-two", "")
        .section("[models.both]\ntargets = [{ provider = \"one\", model = \"x\", weight = 100 }, { provider = \"two\", model = \"y\" }]")
        .model("b", "two", "y")
}

fn at(provider: &str, request: Request) -> Request {
    request.header("X-Trunkline-Provider", provider)
}

#[test]
fn an_object_is_found_where_it_was_made() {
    let (one, two) = (maker("one"), maker("two"));
    let gateway = setup(&one, &two).start();
    assert_eq!(
        gateway
            .ask(&at("two", Request::post("/v1/files", "{}")))
            .status,
        200
    );
    for request in [
        Request::get("/v1/files/two-1/content"),
        Request::new("DELETE", "/v1/files/two-1"),
        Request::post("/v1/vector_stores", r#"{"file_ids":["unknown","two-1"]}"#),
        Request::post("/v1/batches", r#"{"input_file_id":"two-1"}"#),
        Request::get("/v1/batches/two-batch"),
        // What came of the batch was told in the answer before.
        Request::get("/v1/files/two-out/content"),
    ] {
        let answer = gateway.ask(&request);
        assert_eq!(
            answer.header("x-trunkline-provider"),
            Some("two"),
            "{}",
            request.target
        );
    }
    assert!(one.requests().is_empty());
    let unknown = gateway.ask(&Request::get("/v1/files/one-1"));
    assert_response::error(&unknown, 400, "provider_unknown", None);
}

#[test]
fn a_response_goes_on_where_it_began() {
    let (one, two) = (maker("one"), maker("two"));
    let gateway = setup(&one, &two).start();
    let begin = Request::post(
        "/v1/responses",
        r#"{"model":"b","input":"i","stream":true}"#,
    );
    assert!(gateway.ask(&begin).complete);
    for _ in 0..8 {
        let next = r#"{"model":"both","input":"i","previous_response_id":"two-stream"}"#;
        let answer = gateway.ask(&Request::post("/v1/responses", next));
        assert_eq!(answer.header("x-trunkline-provider"), Some("two"));
    }
    assert_eq!(
        gateway
            .ask(&Request::get("/v1/responses/two-stream"))
            .status,
        200
    );
    assert!(one.requests().is_empty());
}

#[test]
fn a_completion_that_was_stored_is_found_again() {
    let (one, two) = (maker("one"), maker("two"));
    let gateway = setup(&one, &two).start();
    let chat = |store| {
        let body = format!(r#"{{"model":"b","store":{store},"messages":[]}}"#);
        assert_eq!(
            gateway
                .ask(&Request::post("/v1/chat/completions", body))
                .status,
            200
        );
        gateway.ask(&Request::get("/v1/chat/completions/two-1/messages"))
    };
    assert_response::error(&chat("false"), 400, "provider_unknown", None);
    assert_eq!(chat("true").header("x-trunkline-provider"), Some("two"));
}

#[test]
fn an_object_needs_the_key_that_it_was_made_with() {
    let upstream = maker("up");
    let gateway = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ env = \"K1\" }}, {{ env = \"K2\" }}]",
            upstream.base_url()
        ))
        .variable("K1", "key-one")
        .variable("K2", "key-two")
        .model("m", "up", "x")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"m","input":"i"}"#);
    for _ in 0..6 {
        assert_eq!(gateway.ask(&begin).status, 200);
        let made_with = upstream
            .requests()
            .pop()
            .unwrap()
            .all("authorization")
            .join("");
        assert_eq!(gateway.ask(&Request::get("/v1/responses/up-1")).status, 200);
        let asked_with = upstream
            .requests()
            .pop()
            .unwrap()
            .all("authorization")
            .join("");
        assert_eq!(asked_with, made_with);
    }
}

#[test]
fn a_narrow_key_reaches_what_it_had_made_and_nothing_else() {
    let (one, two) = (maker("one"), maker("two"));
    let gateway = setup(&one, &two)
        .key("narrow", "key-narrow", "models = [\"b\"]")
        .key("other", "key-other", "models = [\"b\"]")
        .key("wide", "key-wide", "")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"b","input":"i"}"#);
    assert_eq!(gateway.ask(&begin.key("key-narrow")).status, 200);
    let again = |key| gateway.ask(&Request::get("/v1/responses/two-1").key(key));
    assert_eq!(again("key-narrow").status, 200);
    assert_eq!(again("key-wide").status, 200);
    assert_response::error(&again("key-other"), 404, "provider_not_found", None);
    // Nor may it be gone on with by others, and being seen makes nobody an owner.
    let next = r#"{"model":"b","input":"i","previous_response_id":"two-1"}"#;
    let next = |key| gateway.ask(&Request::post("/v1/responses", next).key(key));
    assert_response::error(&next("key-other"), 404, "provider_not_found", None);
    assert_eq!(next("key-narrow").status, 200);
}

#[test]
fn a_narrow_key_has_its_own_objects_at_an_only_provider_as_well() {
    let upstream = maker("up");
    let gateway = Setup::over(&upstream)
        .key("narrow", "key-narrow", "models = [\"m\"]")
        .key("other", "key-other", "models = [\"m\"]")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"m","input":"i"}"#);
    assert_eq!(gateway.ask(&begin.key("key-narrow")).status, 200);
    let again = |key| gateway.ask(&Request::get("/v1/responses/up-1").key(key));
    assert_eq!(again("key-narrow").status, 200);
    assert_response::error(&again("key-other"), 404, "provider_not_found", None);
}

#[test]
fn objects_are_remembered_over_a_reload_and_only_so_many() {
    let (one, two) = (maker("one"), maker("two"));
    let gateway = setup(&one, &two).server("max_objects = 1").start();
    let make = |provider| gateway.ask(&at(provider, Request::post("/v1/files", "{}")));
    assert_eq!(make("two").status, 200);
    gateway.reload(|config| config + "\n[models.c]\nprovider = \"one\"\nmodel = \"z\"\n");
    let find = |id| gateway.ask(&Request::get(&format!("/v1/files/{id}")));
    assert_eq!(find("two-1").header("x-trunkline-provider"), Some("two"));
    assert_eq!(make("one").status, 200);
    assert_eq!(find("one-1").header("x-trunkline-provider"), Some("one"));
    assert_response::error(&find("two-1"), 400, "provider_unknown", None);
}
