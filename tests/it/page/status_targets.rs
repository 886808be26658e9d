//! `/trunkline/status`: where a model's requests can go, and how each place stands.

use serde_json::{Value, json};

use crate::routing::failover::good;
use crate::support::client::{Request, find};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;

const STATUS: &str = "/trunkline/status";

#[track_caller]
fn status(gateway: &Gateway, key: &str) -> Value {
    gateway.ask(&Request::get(STATUS).key(key)).json()
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
fn each_target_is_told_with_its_place_in_the_order() {
    let upstream = Upstream::answering(reply::completion("hi"));
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

/// Fails, is busy, refuses its key, and answers, in this order.
fn troubled() -> ([Upstream; 4], Gateway) {
    let busy = reply::whole(
        "429 Too Many Requests",
        &["Content-Type: application/json", "Retry-After: 20"],
        "{}",
    );
    let upstreams = [
        Upstream::answering(reply::json("500 Oops", "{}")),
        Upstream::answering(busy),
        Upstream::answering(reply::json("401 Unauthorized", "{}")),
        good(),
    ];
    let mut setup = Setup::new();
    let mut targets = Vec::new();
    for (place, upstream) in upstreams.iter().enumerate() {
        let name = format!("p{place}");
        setup = setup.keyed_provider(&name, &upstream.base_url(), UPSTREAM_KEY, "");
        targets.push(format!("{{ provider = \"{name}\", priority = {place} }}"));
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
fn a_target_that_is_left_out_says_why_and_until_when() {
    let (_upstreams, gateway) = troubled();
    let before = model(&status(&gateway, "tk-alice"), "m");
    assert_eq!(column(&before["targets"], "state"), ["ready"; 4]);
    let asked = gateway.ask(&Request::chat("m").key("tk-alice"));
    assert_eq!(asked.status, 200, "{}", asked.text());
    let out = status(&gateway, "tk-alice");
    let targets = model(&out, "m")["targets"].clone();
    let states = ["ejected", "cooling", "benched", "ready"];
    assert_eq!(column(&targets, "state"), states);
    let now = out["at"].as_u64().unwrap();
    let rest = |place: usize| targets[place]["until"].as_u64().unwrap() - now;
    for (place, most) in [40_000, 20_000, 60_000].into_iter().enumerate() {
        assert!(
            (1..=most).contains(&rest(place)),
            "{place}: {}",
            rest(place)
        );
    }
    assert!(rest(0) > 20_000);
    assert_eq!(targets[3]["until"], Value::Null);
}

#[test]
fn all_providers_of_a_model_are_told() {
    let (_upstreams, gateway) = troubled();
    gateway.ask(&Request::chat("m").key("tk-alice"));
    let settled = wait::until("the request in the status", || {
        let status = status(&gateway, "tk-alice");
        (status["requests"]["total"] == 1).then_some(status)
    });
    let providers = &settled["providers"];
    assert_eq!(column(providers, "name"), ["p0", "p1", "p2", "p3"]);
    let row = model(&settled, "m");
    assert_eq!((&row["total"], &row["in_flight"]), (&json!(1), &json!(0)));
}

#[test]
fn targets_are_told_to_those_who_may_use_the_model_and_keys_to_nobody() {
    let (_upstreams, gateway) = troubled();
    gateway.ask(&Request::chat("m").key("tk-alice"));
    let bobs = status(&gateway, "tk-bob");
    assert_eq!(column(&bobs["models"], "id"), ["other"]);
    assert_eq!(column(&bobs["providers"], "name"), ["p2"]);
    // A model is never without its only target.
    let targets = &model(&bobs, "other")["targets"];
    assert_eq!(column(targets, "state"), ["ready"]);
    let raw = gateway.ask(&Request::get(STATUS).key("tk-alice"));
    assert_eq!(find(&raw.body, UPSTREAM_KEY.as_bytes()), None);
}

#[test]
fn a_target_is_ready_again_when_its_time_is_over() {
    let busy = Upstream::answering(reply::whole(
        "429 Too Many Requests",
        &["Content-Type: application/json", "Retry-After: 1"],
        "{}",
    ));
    let fine = good();
    let gateway = crate::routing::failover::over(&[&busy, &fine], "");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let states = || column(&model(&status(&gateway, ""), "m")["targets"], "state");
    wait::until("a target that is back", || {
        (states() == ["ready", "ready"]).then_some(())
    });
}
