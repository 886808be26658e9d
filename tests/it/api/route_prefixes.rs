//! Passthrough: the routing of requests other than chat, embeddings and the like.

use crate::support::assert_response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::setup::Setup;
use crate::support::upstream::{Upstream, response};

const LIST: &str = r#"{"object":"list","data":[]}"#;

/// Two providers, `one` with the alias `a` and `two` with the alias `b`.
struct TwoProviders {
    one: Upstream,
    two: Upstream,
}

impl TwoProviders {
    fn new() -> Self {
        let upstream = || Upstream::with_response(response::json("200 OK", LIST));
        Self {
            one: upstream(),
            two: upstream(),
        }
    }

    fn setup(&self) -> Setup {
        Setup::new()
            .provider_with_key("one", &self.one.base_url(), "key-one", "")
            .provider_with_key("two", &self.two.base_url(), "key-two", "")
            .model("a", "one", "real-a")
            .model("b", "two", "real-b")
    }

    fn start(&self) -> Gateway {
        self.setup().start()
    }
}

#[test]
fn a_path_names_its_provider() {
    let pair = TwoProviders::new();
    let gateway = pair.start();
    let target = "/providers/two/v1/files?limit=2&after=%66";
    assert_eq!(gateway.send(&Request::get(target)).status, 200);
    let seen = pair.two.only_request();
    assert_eq!(
        (&*seen.method, &*seen.target),
        ("GET", "/v1/files?limit=2&after=%66")
    );
    assert_eq!(seen.header_values("authorization"), ["Bearer key-two"]);
    assert!(pair.one.requests().is_empty());
}

#[test]
fn a_header_names_its_provider_and_is_not_forwarded() {
    let pair = TwoProviders::new();
    let gateway = pair.start();
    let named = Request::get("/v1/files").header("X-Trunkline-Provider", "one");
    let response = gateway.send(&named);
    assert_eq!(response.header("x-trunkline-provider"), Some("one"));
    let seen = pair.one.only_request();
    assert!(seen.header_values("x-trunkline-provider").is_empty());
    assert!(
        seen.header_values("content-length").is_empty(),
        "{:?}",
        seen.headers
    );
    assert!(seen.header_values("transfer-encoding").is_empty());
    // The list of models is then that of the provider.
    let models = Request::get("/v1/models").header("X-Trunkline-Provider", "one");
    assert_eq!(gateway.send(&models).text(), LIST);
    for name in ["no-such-provider", ""] {
        let request = Request::get("/v1/files").header("X-Trunkline-Provider", name);
        assert_response::error(&gateway.send(&request), 404, "provider_not_found", None);
    }
    let twice = named.header("X-Trunkline-Provider", "two");
    assert_response::error(&gateway.send(&twice), 400, "duplicate_header", None);
}

#[test]
fn core_endpoints_are_routed_to_the_named_provider() {
    let pair = TwoProviders::new();
    let gateway = pair.start();
    for (model, sent) in [("b", "real-b"), ("two/x", "x"), ("whatever", "whatever")] {
        let mut chat = Request::chat(model);
        chat.target = "/providers/two/v1/chat/completions".to_owned();
        assert_eq!(gateway.send(&chat).status, 200, "{model}");
        let seen = pair.two.requests().pop().unwrap();
        assert_eq!(seen.target, "/v1/chat/completions");
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body["model"], sent);
    }
    let mut empty = Request::post("/providers/two/v1/chat/completions", "{}");
    assert_response::error(&gateway.send(&empty), 400, "missing_field", Some("model"));
    empty.body = Some(b"{".to_vec());
    assert_response::error(&gateway.send(&empty), 400, "invalid_json", None);
}

#[test]
fn every_method_and_body_is_forwarded_unchanged() {
    let pair = TwoProviders::new();
    let gateway = pair.setup().top_level("default_provider = \"one\"").start();
    let json = "{ \"purpose\" : \"x\",\n\"n\":1.0e0 }";
    for (method, body) in [
        ("GET", None),
        ("DELETE", None),
        ("POST", Some(json)),
        ("PATCH", Some(json)),
        ("PUT", Some(json)),
        ("POST", Some("[1, 2]")),
        ("POST", Some("")),
        ("DELETE", Some(json)),
    ] {
        let mut request = Request::new(method, "/v1/next/years/path/?q=a%2Fb&q");
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body);
        }
        let response = gateway.send(&request);
        assert_eq!(
            (response.status, &*response.text()),
            (200, LIST),
            "{method} {body:?}"
        );
        let seen = pair.one.requests().pop().unwrap();
        assert_eq!(seen.method, method);
        assert_eq!(seen.target, "/v1/next/years/path/?q=a%2Fb&q");
        assert_eq!(seen.body, body.unwrap_or_default().as_bytes());
        let length = body.map(|body| body.len().to_string());
        assert_eq!(
            seen.header_values("content-length"),
            Vec::from_iter(length.as_deref()),
            "{method}"
        );
    }
    let labels = [("endpoint", "other"), ("model", "one/*"), ("outcome", "ok")];
    gateway.await_metric("trunkline_requests_total", &labels, 8.0);
}

#[test]
fn without_a_provider_name_the_only_provider_is_used() {
    let upstream = Upstream::with_response(response::json("200 OK", LIST));
    let gateway = Setup::with_upstream(&upstream).start();
    assert_eq!(gateway.send(&Request::get("/v1/files")).status, 200);
    assert_eq!(upstream.only_request().target, "/v1/files");
}

#[test]
fn without_a_provider_name_and_with_a_choice_nothing_is_guessed() {
    let pair = TwoProviders::new();
    let gateway = pair.start();
    let message = assert_response::error(
        &gateway.send(&Request::get("/v1/files")),
        400,
        "provider_unknown",
        None,
    );
    assert!(message.contains("x-trunkline-provider"), "{message}");
    assert!(message.contains("default_provider"), "{message}");
    let moderation = Request::post("/v1/moderations", r#"{"input":"x"}"#);
    assert_response::error(
        &gateway.send(&moderation),
        400,
        "missing_field",
        Some("model"),
    );
}

#[test]
fn a_model_in_the_body_of_any_call_is_replaced() {
    let pair = TwoProviders::new();
    let gateway = pair.setup().top_level("default_provider = \"one\"").start();
    let job = r#"{"training_file":"f", "model":"b","seed":1}"#;
    assert_eq!(
        gateway
            .send(&Request::post("/v1/fine_tuning/jobs", job))
            .status,
        200
    );
    assert_eq!(
        pair.two.only_request().body,
        br#"{"training_file":"f", "model":"real-b","seed":1}"#
    );
    // Without a provider, a provider's own model name can only mean the default one.
    let job = r#"{"training_file":"f","model":"gpt-4o-mini-2024-07-18"}"#;
    assert_eq!(
        gateway
            .send(&Request::post("/v1/fine_tuning/jobs", job))
            .status,
        200
    );
    assert_eq!(pair.one.only_request().body, job.as_bytes());
    // Even if it looks like that of a built-in provider without a key.
    let job = r#"{"training_file":"f","model":"anthropic/x"}"#;
    let sent = gateway.send(&Request::post("/v1/fine_tuning/jobs", job));
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert_eq!(pair.one.wait_for_requests(2)[1].body, job.as_bytes());
    let compact = Request::post("/v1/responses/compact", r#"{"model":"gpt-x","input":"i"}"#);
    assert_eq!(gateway.send(&compact).status, 200);
    let seen = pair.one.wait_for_requests(3).swap_remove(2);
    assert_eq!(Some(seen.body), compact.body);
}

#[test]
fn a_model_in_the_path_is_replaced() {
    let pair = TwoProviders::new();
    let gateway = pair.setup().top_level("default_provider = \"one\"").start();
    for (path, sent) in [
        ("/v1/models/b", "/v1/models/real-b"),
        ("/v1/models/two%2Fft:gpt%2Fx", "/v1/models/ft:gpt%2Fx"),
    ] {
        assert_eq!(
            gateway.send(&Request::new("DELETE", path)).status,
            200,
            "{path}"
        );
        assert_eq!(pair.two.requests().pop().unwrap().target, sent);
    }
    let own = Request::new("DELETE", "/v1/models/ft:gpt-4o:org");
    assert_eq!(gateway.send(&own).status, 200);
    assert_eq!(pair.one.only_request().target, "/v1/models/ft:gpt-4o:org");
}

#[test]
fn a_model_in_the_query_is_replaced() {
    let pair = TwoProviders::new();
    let gateway = pair.start();
    let listed = Request::get("/v1/chat/completions?limit=1&model=b&order=asc");
    assert_eq!(gateway.send(&listed).status, 200);
    let seen = pair.two.only_request();
    assert_eq!(
        seen.target,
        "/v1/chat/completions?limit=1&model=real-b&order=asc"
    );
    let twice = Request::get("/v1/chat/completions?model=a&model=b");
    assert_response::error(&gateway.send(&twice), 400, "duplicate_field", Some("model"));
}

#[test]
fn azure_deployments_are_models() {
    let pair = TwoProviders::new();
    let gateway = pair.start();
    let call = |body: &str| {
        let target = "/openai/deployments/b/chat/completions?api-version=2024-10-21";
        Request::post(target, body).header("api-key", "whatever")
    };
    for (body, sent) in [
        (
            r#"{"model":"b","messages":[]}"#,
            r#"{"model":"real-b","messages":[]}"#,
        ),
        (r#"{"model":"other","n":1}"#, r#"{"model":"real-b","n":1}"#),
        (
            r#"{ "messages":[]}"#,
            r#"{"model":"real-b", "messages":[]}"#,
        ),
        ("{ }", r#"{"model":"real-b" }"#),
    ] {
        assert_eq!(gateway.send(&call(body)).status, 200, "{body}");
        let seen = pair.two.requests().pop().unwrap();
        assert_eq!(seen.target, "/v1/chat/completions");
        assert_eq!(String::from_utf8(seen.body.clone()).unwrap(), sent);
        assert_eq!(seen.header_values("authorization"), ["Bearer key-two"]);
        assert!(seen.header_values("api-key").is_empty());
    }
    assert_response::error(&gateway.send(&call("[]")), 400, "invalid_json", None);
    let mut v1 = Request::chat("a");
    v1.target = "/openai/v1/chat/completions".to_owned();
    assert_eq!(gateway.send(&v1).status, 200);
    assert_eq!(pair.one.only_request().target, "/v1/chat/completions");
}

#[test]
fn passthrough_needs_a_key_without_model_restrictions() {
    let pair = TwoProviders::new();
    let gateway = pair
        .setup()
        .top_level("default_provider = \"one\"")
        .key("narrow", "key-narrow", "models = [\"a\"]")
        .key("wide", "key-wide", "models = [\"one/*\"]")
        .start();
    let files = |key| Request::get("/v1/files").key(key);
    assert_response::error(
        &gateway.send(&files("key-narrow")),
        404,
        "provider_not_found",
        None,
    );
    assert_eq!(gateway.send(&files("key-wide")).status, 200);
    let other = files("key-wide").header("X-Trunkline-Provider", "two");
    assert_response::error(&gateway.send(&other), 404, "provider_not_found", None);
    assert_response::error(
        &gateway.send(&files("key-none")),
        401,
        "invalid_api_key",
        None,
    );
    // A body that is not parsed could name any model.
    let target = "/openai/deployments/a/next/year";
    let hidden = |key| {
        let body = r#"{"model":"b"}"#;
        let request = Request::new("POST", target).header("Content-Type", "text/plain");
        gateway.send(&request.body(body).key(key))
    };
    assert_response::error(&hidden("key-narrow"), 404, "provider_not_found", None);
    let mut chat = Request::chat("real-a").key("key-narrow");
    chat.target = "/providers/one/v1/chat/completions".to_owned();
    assert_response::error(&gateway.send(&chat), 404, "model_not_found", Some("model"));
}

#[test]
fn stored_content_is_returned_unchanged() {
    let page = "<html>mine</html>";
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let response = match &*exchange.request().target {
            "/v1/files/page/content" => {
                let kind = ["content-type: text/html", "etag: \"x\""];
                response::with_body("200 OK", &kind, page)
            }
            "/v1/files/part/content" => {
                let range = ["content-type: audio/wav", "content-range: bytes 2-3/9"];
                response::with_body("206 Partial Content", &range, [0, 255])
            }
            "/v1/files/same/content" => response::head("304 Not Modified", &["etag: \"x\""]).into(),
            _ => response::with_body("204 No Content", &[], ""),
        };
        exchange.send(response);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::get("/v1/files/page/content"));
    assert_eq!((response.status, &*response.text()), (200, page));
    assert_eq!(response.header("etag"), Some("\"x\""));
    let part = Request::get("/v1/files/part/content").header("Range", "bytes=2-3");
    let response = gateway.send(&part);
    assert_eq!((response.status, &response.body[..]), (206, &[0, 255][..]));
    assert_eq!(response.header("content-range"), Some("bytes 2-3/9"));
    let same = Request::get("/v1/files/same/content").header("If-None-Match", "\"x\"");
    assert_eq!(gateway.send(&same).status, 304);
    let deleted = gateway.send(&Request::new("DELETE", "/v1/files/x"));
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(upstream.requests()[1].header_values("range"), ["bytes=2-3"]);
}
