//! `GET /v1/models`: the models that the client may use and that are ready.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

fn ids(gateway: &Gateway, key: Option<&str>) -> Vec<String> {
    let request = Request::get("/v1/models");
    let response = gateway.send(&key.map_or(request.clone(), |key| request.key(key)));
    assert_eq!(response.status, 200, "{}", response.text());
    let list = response.json();
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().unwrap();
    models
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn models_have_openais_shape() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::get("/v1/models"));
    assert!(
        response
            .header("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    let list = response.json();
    let model = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["id"] == "m")
        .unwrap();
    assert_eq!(model["object"], "model");
    assert_eq!(model["owned_by"], "up");
    assert!(model["created"].is_u64(), "{model}");
    assert_eq!(gateway.send(&Request::get("/v1/models/m")).json(), *model);
    assert!(upstream.requests().is_empty());
}

/// What clients size their prompts by: the configuration, else what providers list.
#[test]
fn limits_and_names_for_people_are_listed() {
    let models = r#"{"data":[{"id":"listed","max_model_len":40960},{"id":"small","context_length":8192,"max_output_tokens":512}]}"#;
    let upstream = Upstream::with_response(response::json("200 OK", models));
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "discover = true")
        .model("a", "up", "listed")
        .section("[models.b]\nprovider = \"up\"\nmodel = \"listed\"\ncontext = 16384\nmax_output = 4096\ndisplay_name = \"Model B\"")
        .section("[models.c]\ntargets = [{ provider = \"up\", model = \"listed\" }, { provider = \"up\", model = \"small\" }]")
        .model("d", "up", "unlisted")
        .start();
    let list = gateway.send(&Request::get("/v1/models")).json();
    let model = |id: &str| {
        let mut models = list["data"].as_array().unwrap().iter();
        let model = models.find(|model| model["id"] == id).unwrap();
        let members = [
            "context_length",
            "context_window",
            "max_output_tokens",
            "display_name",
        ];
        members.map(|name| model[name].clone())
    };
    assert_eq!(
        model("a"),
        [json!(40_960), json!(40_960), Value::Null, Value::Null]
    );
    assert_eq!(
        model("b"),
        [json!(16_384), json!(16_384), json!(4096), json!("Model B")]
    );
    // Each target may get the request.
    assert_eq!(
        model("c"),
        [json!(8192), json!(8192), json!(512), Value::Null]
    );
    assert_eq!(
        model("d"),
        [Value::Null, Value::Null, Value::Null, Value::Null]
    );
    assert_eq!(
        model("up/small"),
        [json!(8192), json!(8192), json!(512), Value::Null]
    );
    let one = gateway.send(&Request::get("/v1/models/b")).json();
    assert_eq!(one["display_name"], "Model B");
    // As Claude Code asks, which shows the names.
    let request = Request::get("/v1/models?limit=1000").header("anthropic-version", "2023-06-01");
    let list = gateway.send(&request).json();
    let b = &list["data"][1];
    assert_eq!(
        (&b["id"], &b["display_name"]),
        (&json!("b"), &json!("Model B"))
    );
    assert_eq!(
        (&b["max_input_tokens"], &b["max_tokens"]),
        (&json!(16_384), &json!(4096))
    );
    assert_eq!(list["data"][0]["display_name"], "a");
    assert_eq!(list["has_more"], false);
}

#[test]
fn only_ready_models_are_listed() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.later]\nbase_url = \"https://later.example/v1\"\napi_key_env = \"LATER_KEY\"")
        .model("not-yet", "later", "x")
        .env("MISTRAL_API_KEY", "mk")
        .start();
    let ids = ids(&gateway, None);
    for ready in ["m", "mistral-large", "mistral-small"] {
        assert!(
            ids.iter().any(|id| id == ready),
            "{ready} is not in {ids:?}"
        );
    }
    for missing in ["not-yet", "gpt-4o", "llama3-70b-groq", "demo"] {
        assert!(
            !ids.iter().any(|id| id == missing),
            "{missing} is in {ids:?}"
        );
    }
    let response = gateway.send(&Request::chat("not-yet"));
    let message = assert_response::error(&response, 503, "upstream_not_configured", Some("model"));
    assert!(message.contains("LATER_KEY"), "{message}");
}

#[test]
fn a_client_sees_the_models_its_key_may_use() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .model("gpt-large", "up", "big")
        .model("gpt-small", "up", "small")
        .key("alice", "tk-alice", "")
        .key("bob", "tk-bob", "models = [\"gpt-*\"]")
        .start();
    assert_eq!(
        ids(&gateway, Some("tk-alice")),
        ["gpt-large", "gpt-small", "m"]
    );
    assert_eq!(ids(&gateway, Some("tk-bob")), ["gpt-large", "gpt-small"]);
    let one =
        |model: &str| gateway.send(&Request::get(&format!("/v1/models/{model}")).key("tk-bob"));
    assert_eq!(one("gpt-small").json()["id"], "gpt-small");
    assert_response::error(&one("m"), 404, "model_not_found", Some("model"));
    assert_response::error(&one("nothing"), 404, "model_not_found", Some("model"));
}

#[test]
fn names_with_slashes_can_be_requested() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .model("team/fast one", "up", "x")
        .start();
    for target in [
        "/v1/models/team/fast%20one",
        "/v1/models/team%2Ffast%20one",
        "/v1/models/team%2ffast%20one",
    ] {
        let response = gateway.send(&Request::get(target));
        assert_eq!(response.status, 200, "{target}: {}", response.text());
        assert_eq!(response.json()["id"], "team/fast one");
    }
}

#[test]
fn the_health_route_needs_no_key() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .key("alice", "tk-alice", "")
        .start();
    let response = gateway.send(&Request::get("/health"));
    assert_eq!(response.status, 200);
    assert!(upstream.requests().is_empty());
}

#[test]
fn the_page_and_the_openapi_description_are_served() {
    let gateway = Setup::new().start();
    let page = gateway.send(&Request::get("/"));
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let description = gateway.send(&Request::get("/openapi.json")).json();
    assert!(
        description["openapi"].as_str().unwrap().starts_with("3.1"),
        "{description}"
    );
    let paths = description["paths"].as_object().unwrap();
    for endpoint in crate::api::drop_in::ENDPOINTS
        .into_iter()
        .chain(["/v1/models", "/health"])
    {
        assert!(paths.contains_key(endpoint), "{endpoint} is not described");
    }
}

#[test]
fn every_described_route_is_served() {
    let upstream = Upstream::with_response(response::json("200 OK", "{}"));
    let dialects = "dialects = [\"chat\", \"messages\", \"responses\"]";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), dialects)
        .model("m", "up", "m")
        .start();
    let description = gateway.send(&Request::get("/openapi.json")).json();
    let mut checked = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        let target = path
            .split('/')
            .map(|part| if part.starts_with('{') { "m" } else { part });
        let target = target.collect::<Vec<_>>().join("/");
        for method in ["get", "post", "delete", "put"] {
            let method_described = methods.get(method).is_some();
            let request = Request::new(&method.to_uppercase(), &target)
                .header("Content-Type", "application/json");
            let mut client = gateway.client();
            client.send(&request.body(r#"{"model":"m","messages":[]}"#).bytes());
            // Some of these bodies are endless event streams.
            let status = client.head().status;
            // Unknown methods on the API's paths are forwarded to the upstream.
            if method_described || !path.starts_with("/v1/") {
                assert_eq!(status < 300, method_described, "{method} {path}: {status}");
            }
            checked += usize::from(method_described);
        }
    }
    assert!(checked >= 10, "only {checked} routes are described");
}
