//! `GET /v1/models`: the models that the client may use and that are ready.

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
    let gateway = Setup::with_upstream(&upstream).start();
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
