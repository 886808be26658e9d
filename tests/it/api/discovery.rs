//! The models that providers list themselves, in `GET /v1/models`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, reply};
use crate::support::wait;
use crate::support::wait::Gate;

const ASKED: &str = "trunkline_discoveries_total";
const ALL: &str = "/v1/models?discover=true";

/// A list in OpenAI's shape.
fn list(ids: &[&str]) -> Vec<u8> {
    let models = ids
        .iter()
        .map(|id| json!({ "id": id, "created": 7, "object": "model" }));
    let models: Vec<Value> = models.collect();
    reply::json(
        "200 OK",
        &json!({ "object": "list", "data": models }).to_string(),
    )
}

/// Lists these, and answers calls.
fn listing(ids: &'static [&'static str]) -> Upstream {
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(match exchange.request().method.as_str() {
            "GET" => list(ids),
            _ => reply::completion("hi"),
        });
    })
}

fn models(gateway: &Gateway, request: &Request) -> Vec<Value> {
    let answer = gateway.ask(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].as_array().unwrap().clone()
}

fn ids_of(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    let models = list["data"].as_array().unwrap().iter();
    models
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

fn ids(gateway: &Gateway, target: &str) -> Vec<String> {
    ids_of(&gateway.ask(&Request::get(target)))
}

fn questions(upstream: &Upstream) -> usize {
    let requests = upstream.requests();
    requests.iter().filter(|it| it.method == "GET").count()
}

fn await_asked(gateway: &Gateway, provider: &str, result: &str, times: f64) {
    let labels = [("provider", provider), ("result", result)];
    gateway.await_metric(ASKED, &labels, times);
}

#[test]
fn what_a_provider_lists_stands_behind_the_aliases() {
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
        assert_eq!(gateway.ask(&Request::get(target)).json(), alpha, "{target}");
    }
    for model in &models {
        let model = model["id"].as_str().unwrap();
        let answer = gateway.ask(&Request::chat(model));
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
    }
    let question = &big.requests()[0];
    assert_eq!(
        (question.method.as_str(), question.target.as_str()),
        ("GET", "/v1/models")
    );
    assert_eq!(question.all("authorization").len(), 1);
    assert_eq!(question.header("anthropic-version"), None);
    assert_eq!(
        ids(&gateway, "/v1/models?discover=false"),
        ["big/taken", "m"]
    );
    assert_eq!((questions(&big), questions(&small)), (1, 1));
    await_asked(&gateway, "big", "found", 1.0);
}

#[test]
fn others_are_asked_on_request_and_some_never() {
    let [always, open, closed] = [(); 3].map(|()| listing(&["x"]));
    let gateway = Setup::new()
        .provider("always", &always.base_url(), "discover = true")
        .provider("open", &open.base_url(), "")
        .provider("closed", &closed.base_url(), "discover = false")
        .model("m", "open", "x")
        .start();
    assert_eq!(ids(&gateway, "/v1/models"), ["m", "always/x"]);
    assert_eq!(questions(&open), 0);
    for _ in 0..3 {
        assert_eq!(ids(&gateway, ALL), ["m", "always/x", "open/x"]);
        assert_eq!(ids(&gateway, "/v1/models?discover=false"), ["m"]);
        assert_eq!(
            ids(&gateway, "/v1/models?discover=maybe"),
            ["m", "always/x"]
        );
    }
    assert_eq!([&always, &open, &closed].map(questions), [1, 1, 0]);
}

#[test]
fn a_key_is_shown_what_it_may_use_alone() {
    let upstream = listing(&["org/a", "org/b", "c"]);
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "discover = true")
        .model("m", "up", "c")
        .key("some", "tk-some", "models = [\"up/org/*\"]")
        .key("all", "tk-all", "")
        .start();
    let ask = |key: &str, target: &str| gateway.ask(&Request::get(target).key(key));
    assert_eq!(
        ids_of(&ask("tk-some", "/v1/models")),
        ["up/org/a", "up/org/b"]
    );
    assert_eq!(ids_of(&ask("tk-all", "/v1/models")).len(), 4);
    assert_eq!(ask("tk-some", "/v1/models/up%2Forg%2Fa").status, 200);
    let hidden = ask("tk-some", "/v1/models/up%2Fc");
    assert_response::error(&hidden, 404, "model_not_found", Some("model"));
    assert_response::error(&ask("wrong", ALL), 401, "invalid_api_key", None);
}

#[test]
fn callers_share_one_question_and_wait_for_its_answer() {
    let gate = Arc::new(Gate::default());
    let waits = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
        waits.pass();
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
    upstream.arrived(1);
    gate.open_for_good();
    for mut client in clients {
        assert_eq!(ids_of(&client.answer()), ["up/x"]);
    }
    assert_eq!(questions(&upstream), 1);
}

#[test]
fn what_is_old_is_told_while_it_is_asked_for_anew() {
    let (gate, turn) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let waits = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        if turn > 0 {
            waits.pass();
        }
        exchange.send(list(&[["old", "new"][turn.min(1)]]));
    });
    let gateway = Setup::new()
        .section("[discovery]\nttl = \"1s\"\ntimeout = \"60s\"")
        .provider("up", &upstream.base_url(), "discover = true")
        .start();
    assert_eq!(ids(&gateway, "/v1/models"), ["up/old"]);
    wait::until("the list to be old", || {
        // Nobody waits for the question that hangs.
        assert_eq!(ids(&gateway, "/v1/models"), ["up/old"]);
        (questions(&upstream) == 2).then_some(())
    });
    assert_eq!(ids(&gateway, "/v1/models"), ["up/old"]);
    gate.open_for_good();
    wait::until("the new list", || {
        (ids(&gateway, "/v1/models") == ["up/new"]).then_some(())
    });
}

#[test]
fn one_that_does_not_answer_keeps_nobody_waiting_for_long() {
    let silent = Upstream::start(|exchange| {
        exchange.gateway_left();
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
    await_asked(&gateway, "silent", "failed", 1.0);
    await_asked(&gateway, "gone", "failed", 1.0);
    for provider in ["silent", "gone"] {
        let told = |line: &&String| line.contains("does not list") && line.contains(provider);
        let warnings = wait::until("the word on it", || {
            let warnings = gateway.lines_at("WARN");
            warnings.iter().any(|line| told(&line)).then_some(warnings)
        });
        assert_eq!(warnings.iter().filter(told).count(), 1, "{warnings:#?}");
    }
    // The failure is remembered: nobody has asked again.
    assert_eq!(questions(&silent), 1);
}

#[test]
fn what_is_no_list_adds_nothing_and_is_not_repeated() {
    let huge = format!("[{}{{\"id\":\"x\"}}]", "{\"id\":\"a\"},".repeat(220_000));
    let bodies = [
        ("401 Unauthorized", "{\"error\":\"sk-secret\"}".to_owned()),
        ("302 Found", String::new()),
        ("200 OK", "<html>sk-secret</html>".to_owned()),
        ("200 OK", "{\"data\":[{\"id\":\"a\"}".to_owned()),
        ("200 OK", huge),
    ];
    let upstreams = bodies.map(|(status, body)| Upstream::answering(reply::json(status, &body)));
    let mut setup = Setup::new();
    for (number, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{number}"), &upstream.base_url(), "");
    }
    let cut = Upstream::start(|exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{\"id\":\"a\"}]");
        exchange.close();
    });
    let gateway = setup
        .provider("cut", &cut.base_url(), "")
        .model("m", "p0", "x")
        .start();
    for _ in 0..2 {
        assert_eq!(ids(&gateway, ALL), ["m"]);
    }
    for (provider, why) in [
        ("p0", "status 401"),
        ("p1", "status 302"),
        ("p2", "no list of models"),
        ("p3", "no list of models"),
        ("p4", "larger than"),
        ("cut", "broke off"),
    ] {
        let told = |line: &String| line.contains(&format!("\"{provider}\"")) && line.contains(why);
        wait::until(&format!("the word on {provider}"), || {
            let warnings = gateway.lines_at("WARN");
            warnings.iter().any(told).then_some(())
        });
        await_asked(&gateway, provider, "failed", 1.0);
    }
    let said = gateway.said();
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn large_lists_and_odd_names_are_cut_to_what_can_be_used() {
    let mut models: Vec<Value> = (0..10_500)
        .map(|n| json!({ "id": format!("m{n}") }))
        .collect();
    models.insert(0, json!({ "id": "line\nbreak" }));
    models.insert(0, json!({ "id": "x".repeat(300) }));
    models.insert(0, json!({ "id": 7 }));
    let body = json!(models).to_string();
    let upstream = Upstream::answering(reply::json("200 OK", &body));
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), "")
        .start();
    let ids = ids(&gateway, ALL);
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|id| id.starts_with("up/m")));
}

/// Two pages, as Anthropic's API has them.
fn claude() -> Upstream {
    Upstream::start(|exchange| {
        let model = |id: &str| {
            json!({
                "type": "model", "id": id, "display_name": id.to_uppercase(),
                "created_at": "2025-02-19T00:00:00Z",
            })
        };
        let page = if exchange.request().target.contains("after_id=b%2Db") {
            json!({ "data": [model("c")], "has_more": false, "first_id": "c", "last_id": "c" })
        } else {
            let data = [model("a"), model("b-b")];
            json!({ "data": data, "has_more": true, "first_id": "a", "last_id": "b-b" })
        };
        exchange.send(reply::json("200 OK", &page.to_string()));
    })
}

#[test]
fn lists_in_pages_are_read_to_their_end() {
    let upstream = claude();
    let gateway = Setup::new()
        .provider(
            "claude",
            &upstream.base_url(),
            "discover = true\nauth = \"x-api-key\"\ndialect = \"anthropic\"",
        )
        .start();
    let models = models(&gateway, &Request::get("/v1/models"));
    let ids: Vec<_> = models.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["claude/a", "claude/b-b", "claude/c"]);
    assert_eq!(models[0]["created"], 1_739_923_200);
    assert!(upstream.requests().iter().all(
        |it| it.header("x-api-key").is_some() && it.all("anthropic-version") == ["2023-06-01"]
    ));
}

#[test]
fn anthropics_sdk_is_answered_in_its_own_shape() {
    let upstream = claude();
    let gateway = Setup::new()
        .provider("claude", &upstream.base_url(), "discover = true")
        .model("m", "claude", "a")
        .key("k", "tk", "models = [\"m\", \"claude/a\"]")
        .start();
    let ask = |key: &str, target: &str| {
        let request = Request::get(target).header("anthropic-version", "2023-06-01");
        gateway.ask(&request.header("x-api-key", key))
    };
    let alias = json!({
        "type": "model", "id": "m", "display_name": "m", "created_at": "1970-01-01T00:00:00Z",
    });
    let listed = json!({
        "type": "model", "id": "claude/a", "display_name": "A",
        "created_at": "2025-02-19T00:00:00Z",
    });
    let expected = json!({
        "data": [alias, listed], "has_more": false, "first_id": "m", "last_id": "claude/a",
    });
    assert_eq!(ask("tk", "/v1/models?limit=20").json(), expected);
    assert_eq!(ask("tk", "/v1/models/m").json(), alias);
    assert_eq!(ask("tk", "/v1/models/claude%2Fa").json(), listed);
    for (key, target, status, kind) in [
        ("tk", "/v1/models/nothing", 404, "not_found_error"),
        ("wrong", "/v1/models/m", 401, "authentication_error"),
        ("wrong", "/v1/models", 401, "authentication_error"),
    ] {
        let answer = ask(key, target);
        assert_eq!(answer.status, status);
        let error = answer.json();
        assert_eq!(error["type"], "error");
        assert_eq!(error["error"]["type"], kind);
        assert!(error["error"]["message"].as_str().unwrap().len() > 20);
        assert_eq!(error["request_id"], answer.request_id());
    }
}

#[test]
fn a_reload_keeps_what_is_known_and_asks_those_that_are_new() {
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
    assert_eq!((questions(&first), questions(&second)), (1, 1));
    // The key is another one, and may open other models.
    gateway.reload(|text| text.replace("api_key = \"k\"", "api_key = \"other\""));
    wait::until("the question with the other key", || {
        assert!(ids(&gateway, "/v1/models").contains(&"first/x".to_owned()));
        (questions(&second) == 2).then_some(())
    });
    assert_eq!(questions(&first), 1);
    gateway.reload(|text| text.replace("discover = true", "discover = false"));
    wait::until("nothing to be listed", || {
        ids(&gateway, ALL).is_empty().then_some(())
    });
}

#[test]
fn what_cannot_be_called_is_not_listed() {
    let upstream = listing(&["x"]);
    let setup = Setup::new()
        .root("strict_models = true")
        .provider("up", &upstream.base_url(), "discover = true")
        .model("m", "up", "x");
    let (status, said, _) = run(&setup, &["check"]);
    assert_eq!(status.code(), Some(0));
    assert!(
        said.contains("providers.up.discover lists nothing"),
        "{said}"
    );
    let gateway = setup.start();
    assert_eq!(ids(&gateway, ALL), ["m"]);
    assert_eq!(questions(&upstream), 0);
}

#[test]
fn one_that_is_not_well_is_not_listed() {
    let upstream = Upstream::start(|exchange| {
        let is_checkup = exchange.request().target.ends_with("/health");
        exchange.send(if is_checkup {
            reply::json("500 Internal Server Error", "{}")
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
fn the_commands_and_the_page_tell_of_it() {
    let upstream = listing(&["x"]);
    let setup = Setup::new()
        .provider("up", &upstream.base_url(), "discover = true")
        .provider("other", &upstream.base_url(), "")
        .model("m", "up", "x");
    let (_, said, _) = run(&setup, &["check"]);
    assert!(
        said.contains("Listed by providers themselves, too: up/*"),
        "{said}"
    );
    let (_, said, _) = run(&setup, &["models"]);
    assert_eq!(said, "m");
    let (_, said, _) = run(&setup, &["models", "--all"]);
    assert!(said.contains("up/*\tas up lists them"), "{said}");
    assert!(!said.contains("other/*"), "{said}");
    let gateway = setup.start();
    for path in ["/trunkline/page", "/trunkline/status"] {
        assert_eq!(
            gateway.ask(&Request::get(path)).json()["discovers"],
            true,
            "{path}"
        );
    }
}
