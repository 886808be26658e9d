//! `/trunkline/status`: the targets of each model and their states.

use serde_json::{Value, json};

use crate::routing::failover::healthy_upstream;
use crate::support::client::{Request, find};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

const STATUS: &str = "/trunkline/status";

#[track_caller]
fn status(gateway: &Gateway, key: &str) -> Value {
    gateway.send(&Request::get(STATUS).key(key)).json()
}

#[track_caller]
fn model(status: &Value, id: &str) -> Value {
    let mut models = status["models"].as_array().unwrap().iter();
    models.find(|row| row["id"] == id).unwrap().clone()
}

fn column(rows: &Value, field: &str) -> Vec<Value> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[field].clone()).collect()
}

#[test]
fn each_target_is_listed_with_its_rank() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let base = upstream.base_url();
    let gateway = Setup::new()
        .section(&format!(
            "[providers.two]\nbase_url = \"{base}\"\napi_keys = [{{ key = \"{UPSTREAM_KEY}\" }}, {{ key = \"{UPSTREAM_KEY}2\" }}]\n\
             [providers.lacking]\nbase_url = \"{base}\"\napi_key_env = \"LACKING_KEY\"\n\
             [models.m]\nfallbacks = [\"spare\"]\ntargets = [{{ provider = \"lacking\", model = \"a\", weight = 3 }}, \
             {{ provider = \"two\", model = \"b\", weight = 7 }}]\n\
             [models.spare]\nprovider = \"two\"\nmodel = \"c\""
        ))
        .start();
    let status = status(&gateway, "");
    let targets = model(&status, "m")["targets"].clone();
    let row = |provider: &str, model: &str, key: Value, priority: u32, weight: u32| {
        json!({
            "provider": provider, "upstream_model": model, "key": key, "priority": priority,
            "weight": weight, "fallback": priority > 0,
            "state": if key.is_null() { "not_configured" } else { "ready" }, "until": null
        })
    };
    assert_eq!(
        targets,
        json!([
            row("two", "b", json!(0), 0, 7),
            row("two", "b", json!(1), 0, 7),
            row("lacking", "a", Value::Null, 0, 3),
            row("two", "c", json!(0), 1, 1),
            row("two", "c", json!(1), 1, 1),
        ])
    );
    let providers = column(&status["providers"], "name");
    assert!(providers.contains(&json!("two")) && providers.contains(&json!("lacking")));
}

/// Four targets: one fails, one is busy, one rejects its key, one works.
fn faulty_targets() -> ([Upstream; 4], Gateway) {
    let busy = response::with_body(
        "429 Too Many Requests",
        &["Content-Type: application/json", "Retry-After: 20"],
        "{}",
    );
    let upstreams = [
        Upstream::with_response(response::json("500 Oops", "{}")),
        Upstream::with_response(busy),
        Upstream::with_response(response::json("401 Unauthorized", "{}")),
        healthy_upstream(),
    ];
    let mut setup = Setup::new();
    let mut targets = Vec::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        let name = format!("p{index}");
        setup = setup.provider_with_key(&name, &upstream.base_url(), UPSTREAM_KEY, "");
        targets.push(format!("{{ provider = \"{name}\", priority = {index} }}"));
    }
    let gateway = setup
        .section(&format!(
            "[models.m]\ntargets = [{}]\n[models.m.retry]\nattempts = 4",
            targets.join(", ")
        ))
        .section("[models.other]\nprovider = \"p2\"")
        .section("[breaker]\nfailures = 1\ncooldown = \"40s\"")
        .key("alice", "tk-alice", "models = [\"m\"]")
        .key("bob", "tk-bob", "models = [\"other\"]")
        .start();
    (upstreams, gateway)
}

#[test]
fn an_ejected_target_shows_why_and_until_when() {
    let (_upstreams, gateway) = faulty_targets();
    let before = model(&status(&gateway, "tk-alice"), "m");
    assert_eq!(column(&before["targets"], "state"), ["ready"; 4]);
    let response = gateway.send(&Request::chat("m").key("tk-alice"));
    assert_eq!(response.status, 200, "{}", response.text());
    let out = status(&gateway, "tk-alice");
    let targets = model(&out, "m")["targets"].clone();
    let states = ["ejected", "cooldown", "unauthorized", "ready"];
    assert_eq!(column(&targets, "state"), states);
    let now = out["at"].as_u64().unwrap();
    let remaining = |index: usize| targets[index]["until"].as_u64().unwrap() - now;
    for (index, most) in [40_000, 20_000, 60_000].into_iter().enumerate() {
        assert!(
            (1..=most).contains(&remaining(index)),
            "{index}: {}",
            remaining(index)
        );
    }
    assert!(remaining(0) > 20_000);
    assert_eq!(targets[3]["until"], Value::Null);
}

#[test]
fn all_providers_of_a_model_are_listed() {
    let (_upstreams, gateway) = faulty_targets();
    gateway.send(&Request::chat("m").key("tk-alice"));
    let status = wait::until("the request in the status", || {
        let status = status(&gateway, "tk-alice");
        (status["requests"]["total"] == 1).then_some(status)
    });
    let providers = &status["providers"];
    assert_eq!(column(providers, "name"), ["p0", "p1", "p2", "p3"]);
    let row = model(&status, "m");
    assert_eq!((&row["total"], &row["in_flight"]), (&json!(1), &json!(0)));
}

#[test]
fn targets_are_shown_to_keys_that_may_use_the_model_and_credentials_never() {
    let (_upstreams, gateway) = faulty_targets();
    gateway.send(&Request::chat("m").key("tk-alice"));
    let bobs = status(&gateway, "tk-bob");
    assert_eq!(column(&bobs["models"], "id"), ["other"]);
    assert_eq!(column(&bobs["providers"], "name"), ["p2"]);
    // A model is never without its only target.
    let targets = &model(&bobs, "other")["targets"];
    assert_eq!(column(targets, "state"), ["ready"]);
    let raw = gateway.send(&Request::get(STATUS).key("tk-alice"));
    assert_eq!(find(&raw.body, UPSTREAM_KEY.as_bytes()), None);
}

#[test]
fn a_target_is_ready_again_after_its_cooldown() {
    let busy = Upstream::with_response(response::with_body(
        "429 Too Many Requests",
        &["Content-Type: application/json", "Retry-After: 1"],
        "{}",
    ));
    let fine = healthy_upstream();
    let gateway = crate::routing::failover::gateway_over(&[&busy, &fine], "");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let states = || column(&model(&status(&gateway, ""), "m")["targets"], "state");
    wait::until("a restored target", || {
        (states() == ["ready", "ready"]).then_some(())
    });
}
