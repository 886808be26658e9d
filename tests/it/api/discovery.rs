//! Models that providers list themselves, in `GET /v1/models`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

pub const DISCOVERIES: &str = "trunkline_discoveries_total";
pub const ALL: &str = "/v1/models?discover=true";

/// A model list in OpenAI's format.
pub fn list(ids: &[&str]) -> Vec<u8> {
    let models = ids
        .iter()
        .map(|id| json!({ "id": id, "created": 7, "object": "model" }));
    let models: Vec<Value> = models.collect();
    response::json(
        "200 OK",
        &json!({ "object": "list", "data": models }).to_string(),
    )
}

/// An upstream that lists these models and serves requests.
pub fn listing(ids: &'static [&'static str]) -> Upstream {
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(match exchange.request().method.as_str() {
            "GET" => list(ids),
            _ => response::completion("hi"),
        });
    })
}

pub fn models(gateway: &Gateway, request: &Request) -> Vec<Value> {
    let response = gateway.send(request);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["data"].as_array().unwrap().clone()
}

pub fn ids_of(response: &Response) -> Vec<String> {
    assert_eq!(response.status, 200, "{}", response.text());
    let list = response.json();
    let models = list["data"].as_array().unwrap().iter();
    models
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

pub fn ids(gateway: &Gateway, target: &str) -> Vec<String> {
    ids_of(&gateway.send(&Request::get(target)))
}

fn discovery_requests(upstream: &Upstream) -> usize {
    let requests = upstream.requests();
    requests.iter().filter(|it| it.method == "GET").count()
}

pub fn await_discoveries(gateway: &Gateway, provider: &str, result: &str, times: f64) {
    let labels = [("provider", provider), ("result", result)];
    gateway.await_metric(DISCOVERIES, &labels, times);
}

#[test]
fn discovered_models_are_listed_after_the_aliases() {
    let big = listing(&["zeta", "alpha", "org/beta", "alpha", "taken"]);
    let small = listing(&["one"]);
    let gateway = Setup::new()
        .provider("big", &big.base_url(), "discover = true")
        .provider("also", &small.base_url(), "discover = true")
        .model("m", "big", "alpha")
        .model("big/taken", "also", "one")
        .start();
    let expected = [
        "big/taken",
        "m",
        "also/one",
        "big/alpha",
        "big/org/beta",
        "big/zeta",
    ];
    assert_eq!(ids(&gateway, "/v1/models"), expected);
    let models = models(&gateway, &Request::get("/v1/models"));
    let alpha = json!({ "id": "big/alpha", "object": "model", "created": 7, "owned_by": "big" });
    assert_eq!(models[3], alpha);
    assert_eq!(models[0]["owned_by"], "also");
    for target in ["/v1/models/big%2Falpha", "/v1/models/big/alpha"] {
        assert_eq!(
            gateway.send(&Request::get(target)).json(),
            alpha,
            "{target}"
        );
    }
    for model in &models {
        let model = model["id"].as_str().unwrap();
        let response = gateway.send(&Request::chat(model));
        assert_eq!(response.status, 200, "{model}: {}", response.text());
    }
    let question = &big.requests()[0];
    assert_eq!(
        (question.method.as_str(), question.target.as_str()),
        ("GET", "/v1/models")
    );
    assert_eq!(question.header_values("authorization").len(), 1);
    assert_eq!(question.header("anthropic-version"), None);
    assert_eq!(
        ids(&gateway, "/v1/models?discover=false"),
        ["big/taken", "m"]
    );
    assert_eq!(
        (discovery_requests(&big), discovery_requests(&small)),
        (1, 1)
    );
    await_discoveries(&gateway, "big", "found", 1.0);
}

#[test]
fn discovery_happens_by_default_on_request_or_never() {
    let [always, open, closed] = [(); 3].map(|()| listing(&["x"]));
    let gateway = Setup::new()
        .provider("always", &always.base_url(), "discover = true")
        .provider("open", &open.base_url(), "")
        .provider("closed", &closed.base_url(), "discover = false")
        .model("m", "open", "x")
        .start();
    assert_eq!(ids(&gateway, "/v1/models"), ["m", "always/x"]);
    assert_eq!(discovery_requests(&open), 0);
    for _ in 0..3 {
        assert_eq!(ids(&gateway, ALL), ["m", "always/x", "open/x"]);
        assert_eq!(ids(&gateway, "/v1/models?discover=false"), ["m"]);
        assert_eq!(
            ids(&gateway, "/v1/models?discover=maybe"),
            ["m", "always/x"]
        );
    }
    assert_eq!([&always, &open, &closed].map(discovery_requests), [1, 1, 0]);
}

#[test]
fn a_key_sees_only_the_models_it_may_use() {
    let upstream = listing(&["org/a", "org/b", "c"]);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "discover = true")
        .model("m", "up", "c")
        .key("some", "tk-some", "models = [\"up/org/*\"]")
        .key("all", "tk-all", "")
        .start();
    let send = |key: &str, target: &str| gateway.send(&Request::get(target).key(key));
    assert_eq!(
        ids_of(&send("tk-some", "/v1/models")),
        ["up/org/a", "up/org/b"]
    );
    assert_eq!(ids_of(&send("tk-all", "/v1/models")).len(), 4);
    assert_eq!(send("tk-some", "/v1/models/up%2Forg%2Fa").status, 200);
    let hidden = send("tk-some", "/v1/models/up%2Fc");
    assert_response::error(&hidden, 404, "model_not_found", Some("model"));
    assert_response::error(&send("wrong", ALL), 401, "invalid_api_key", None);
}

#[test]
fn clients_share_one_discovery_request_and_wait_for_it() {
    let gate = Arc::new(Semaphore::default());
    let waits = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
        waits.acquire();
        exchange.send(list(&["x"]));
    });
    let gateway = Setup::new()
        .server("workers = 3")
        .section("[discovery]\ntimeout = \"60s\"")
        .provider("up", &upstream.base_url(), "")
        .start();
    let clients = [(); 6].map(|()| {
        let mut client = gateway.client();
        client.send(&Request::get(ALL).bytes());
        client
    });
    upstream.wait_for_requests(1);
    gate.release_all();
    for mut client in clients {
        assert_eq!(ids_of(&client.response()), ["up/x"]);
    }
    assert_eq!(discovery_requests(&upstream), 1);
}

#[test]
fn a_stale_list_is_served_while_it_is_refreshed() {
    let (gate, turn) = (
        Arc::new(Semaphore::default()),
        Arc::new(AtomicUsize::new(0)),
    );
    let waits = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        if turn > 0 {
            waits.acquire();
        }
        exchange.send(list(&[["old", "new"][turn.min(1)]]));
    });
    let gateway = Setup::new()
        .section("[discovery]\nttl = \"1s\"\ntimeout = \"60s\"")
        .provider("up", &upstream.base_url(), "discover = true")
        .start();
    assert_eq!(ids(&gateway, "/v1/models"), ["up/old"]);
    wait::until("the list to be old", || {
        // No request waits for the discovery request that stalls.
        assert_eq!(ids(&gateway, "/v1/models"), ["up/old"]);
        (discovery_requests(&upstream) == 2).then_some(())
    });
    assert_eq!(ids(&gateway, "/v1/models"), ["up/old"]);
    gate.release_all();
    wait::until("the new list", || {
        (ids(&gateway, "/v1/models") == ["up/new"]).then_some(())
    });
}

#[test]
fn a_provider_that_does_not_respond_delays_the_list_only_briefly() {
    let silent = Upstream::start(|exchange| {
        exchange.wait_for_disconnect();
    });
    let fine = listing(&["x"]);
    let gateway = Setup::new()
        .section("[discovery]\ntimeout = \"200ms\"")
        .provider("silent", &silent.base_url(), "discover = true")
        .provider("gone", &refused_base_url(), "discover = true")
        .provider("fine", &fine.base_url(), "discover = true")
        .model("m", "silent", "x")
        .start();
    for _ in 0..3 {
        assert_eq!(ids(&gateway, "/v1/models"), ["m", "fine/x"]);
    }
    await_discoveries(&gateway, "silent", "failed", 1.0);
    await_discoveries(&gateway, "gone", "failed", 1.0);
    for provider in ["silent", "gone"] {
        let warnings = gateway.await_log("WARN", &["cannot list models", provider], 1);
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
    }
    // The failure is cached: there is no second request.
    assert_eq!(discovery_requests(&silent), 1);
}

#[test]
fn a_reload_keeps_known_lists_and_discovers_new_providers() {
    let (first, second) = (listing(&["x"]), listing(&["y"]));
    let gateway = Setup::new()
        .provider("first", &first.base_url(), "discover = true")
        .start();
    assert_eq!(ids(&gateway, "/v1/models"), ["first/x"]);
    let added = format!(
        "[providers.second]\nbase_url = \"{}\"\napi_key = \"k\"\ndiscover = true\n",
        second.base_url()
    );
    gateway.reload(|text| text + &added);
    wait::until("the new provider's models", || {
        (ids(&gateway, "/v1/models") == ["first/x", "second/y"]).then_some(())
    });
    assert_eq!(
        (discovery_requests(&first), discovery_requests(&second)),
        (1, 1)
    );
    // The key has changed and may have access to other models.
    gateway.reload(|text| text.replace("api_key = \"k\"", "api_key = \"other\""));
    wait::until("the list request with the other key", || {
        assert!(ids(&gateway, "/v1/models").contains(&"first/x".to_owned()));
        (discovery_requests(&second) == 2).then_some(())
    });
    assert_eq!(discovery_requests(&first), 1);
    gateway.reload(|text| text.replace("discover = true", "discover = false"));
    wait::until("nothing to be listed", || {
        ids(&gateway, ALL).is_empty().then_some(())
    });
}

#[test]
fn models_that_cannot_be_called_are_not_listed() {
    let upstream = listing(&["x"]);
    let setup = Setup::new()
        .top_level("strict_models = true")
        .provider("up", &upstream.base_url(), "discover = true")
        .model("m", "up", "x");
    let (status, stdout, _) = run(&setup, &["check"]);
    assert_eq!(status.code(), Some(0));
    assert!(
        stdout.contains("providers.up.discover has no effect"),
        "{stdout}"
    );
    let gateway = setup.start();
    assert_eq!(ids(&gateway, ALL), ["m"]);
    assert_eq!(discovery_requests(&upstream), 0);
}

#[test]
fn an_unhealthy_providers_models_are_not_listed() {
    let upstream = Upstream::start(|exchange| {
        let is_checkup = exchange.request().target.ends_with("/health");
        exchange.send(if is_checkup {
            response::json("500 Internal Server Error", "{}")
        } else {
            list(&["x"])
        });
    });
    let health =
        "discover = true\nhealth = { interval = \"100ms\", path = \"/health\", failures = 1 }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), health)
        .start();
    gateway.await_metric("trunkline_provider_healthy", &[], 0.0);
    assert_eq!(ids(&gateway, ALL), [""; 0]);
}

#[test]
fn the_commands_and_the_page_mention_discovery() {
    let upstream = listing(&["x"]);
    let setup = Setup::new()
        .provider("up", &upstream.base_url(), "discover = true")
        .provider("other", &upstream.base_url(), "")
        .model("m", "up", "x");
    let (_, stdout, _) = run(&setup, &["check"]);
    assert!(
        stdout.contains("Also listed, from the providers' own lists: up/*"),
        "{stdout}"
    );
    let (_, stdout, _) = run(&setup, &["models"]);
    assert_eq!(stdout, "m");
    let (_, stdout, _) = run(&setup, &["models", "--all"]);
    assert!(
        stdout.contains("up/*\tthe models that up lists"),
        "{stdout}"
    );
    assert!(!stdout.contains("other/*"), "{stdout}");
    let gateway = setup.start();
    for path in ["/trunkline/page", "/trunkline/status"] {
        assert_eq!(
            gateway.send(&Request::get(path)).json()["discovers"],
            true,
            "{path}"
        );
    }
}
