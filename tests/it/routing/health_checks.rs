//! Providers that are asked whether they are well, by one task of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::routing::failover::good;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, refused_base_url, reply};
use crate::support::wait;

const OFTEN: &str =
    "health = { interval = \"100ms\", timeout = \"2s\", failures = 2, successes = 2 }";

/// Answers requests in any case, and health checks while it is well.
fn patient(is_well: &Arc<AtomicBool>) -> Upstream {
    let is_well = Arc::clone(is_well);
    Upstream::start(move |exchange| {
        exchange.read_body();
        let answer = match exchange.request().method.as_str() {
            "GET" if is_well.load(Ordering::SeqCst) => reply::json("200 OK", "{\"data\":[]}"),
            "GET" => reply::json("503 Service Unavailable", "{}"),
            _ => reply::completion("hi"),
        };
        exchange.send(answer);
    })
}

fn answered_by(gateway: &Gateway, model: &str) -> String {
    let answer = gateway.ask(&Request::chat(model));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-trunkline-provider").unwrap().to_owned()
}

fn is_listed(gateway: &Gateway, model: &str) -> bool {
    let answer = gateway.ask(&Request::get("/v1/models"));
    let list: Value = serde_json::from_str(&answer.text()).unwrap();
    let models = list["data"].as_array().unwrap();
    models.iter().any(|entry| entry["id"] == model)
}

fn await_health(gateway: &Gateway, provider: &str, healthy: f64) {
    let labels = [("provider", provider)];
    gateway.await_metric("trunkline_provider_healthy", &labels, healthy);
}

#[test]
fn a_provider_that_is_not_well_is_left_out_until_it_is() {
    let is_well = Arc::new(AtomicBool::new(true));
    let (first, spare) = (patient(&is_well), good());
    let gateway = Setup::new()
        .server("workers = 3")
        .provider("first", &first.base_url(), OFTEN)
        .provider("spare", &spare.base_url(), "")
        .section(
            "[models.both]\ntargets = [{ provider = \"first\" }, { provider = \"spare\", priority = 1 }]\n\
             [models.one]\nprovider = \"first\"",
        )
        .start();
    await_health(&gateway, "first", 1.0);
    assert_eq!(answered_by(&gateway, "both"), "first");
    for _ in 0..2 {
        is_well.store(false, Ordering::SeqCst);
        await_health(&gateway, "first", 0.0);
        for _ in 0..4 {
            assert_eq!(answered_by(&gateway, "both"), "spare");
        }
        assert!(is_listed(&gateway, "both") && !is_listed(&gateway, "one"));
        // It is the only one, so it is asked all the same.
        assert_eq!(answered_by(&gateway, "one"), "first");
        is_well.store(true, Ordering::SeqCst);
        await_health(&gateway, "first", 1.0);
        assert_eq!(answered_by(&gateway, "both"), "first");
        assert!(is_listed(&gateway, "one"));
    }
    let metrics = gateway.metrics();
    for result in ["passed", "failed"] {
        let labels = [("provider", "first"), ("result", result)];
        let count = metrics.sum("trunkline_health_checks_total", &labels);
        assert!(count >= Some(4.0), "{result}: {count:?}");
    }
    assert_eq!(
        metrics.sum("trunkline_provider_healthy", &[("provider", "spare")]),
        None
    );
    let warnings = gateway.lines_at("WARN");
    let left_out = warnings.iter().filter(|line| line.contains("is left out"));
    assert_eq!(left_out.count(), 2, "{warnings:#?}");
    let notes = gateway.lines_at("INFO");
    let back = notes.iter().filter(|line| line.contains("is well again"));
    assert_eq!(back.count(), 2);
}

#[test]
fn with_nobody_well_everybody_is_asked() {
    let is_well = Arc::new(AtomicBool::new(false));
    let both = [patient(&is_well), patient(&is_well)];
    let [one, two] = &both;
    let gateway = Setup::new()
        .provider("one", &one.base_url(), OFTEN)
        .provider("two", &two.base_url(), OFTEN)
        .section(
            "[models.m]\ntargets = [{ provider = \"one\" }, { provider = \"two\", priority = 1 }]",
        )
        .start();
    await_health(&gateway, "one", 0.0);
    await_health(&gateway, "two", 0.0);
    assert!(!is_listed(&gateway, "m"));
    for _ in 0..10 {
        assert_eq!(answered_by(&gateway, "m"), "one");
    }
}

#[test]
fn the_question_carries_each_key_in_turn_and_asks_for_what_it_should() {
    let upstream = Upstream::start(|exchange| {
        let answer = match exchange.request().header("authorization") {
            Some("Bearer bad") => reply::json("401 Unauthorized", "{}"),
            _ => reply::whole("204 No Content", &[], ""),
        };
        exchange.send(answer);
    });
    let gateway = Setup::new()
        .server("workers = 3")
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ key = \"bad\" }}, {{ key = \"fine\" }}]\n\
             headers = {{ x-team = \"a\" }}\n\
             health = {{ interval = \"100ms\", path = \"/ping?deep=1\", failures = 2 }}\n\
             [models.m]\nprovider = \"up\"",
            upstream.base_url()
        ))
        .start();
    let seen = upstream.arrived(8);
    for (turn, seen) in seen.iter().enumerate() {
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("GET", "/v1/ping?deep=1")
        );
        let key = ["Bearer bad", "Bearer fine"][turn % 2];
        assert_eq!(seen.all("authorization"), [key]);
        assert_eq!(seen.header("x-team"), Some("a"));
        // Each on a connection of its own, and one after the other.
        assert_eq!(seen.connection, turn);
    }
    // One bad key of several does not speak for the provider.
    await_health(&gateway, "up", 1.0);
    let text = gateway.said();
    assert!(!text.contains("is left out") && !text.contains("Bearer"));
}

#[test]
fn one_that_cannot_be_reached_or_does_not_answer_is_not_well() {
    let silent = Upstream::start(|exchange| {
        exchange.gateway_left();
    });
    let quick = "health = { interval = \"100ms\", timeout = \"100ms\", failures = 1 }";
    let gateway = Setup::new()
        .provider("gone", &refused_base_url(), quick)
        .provider("silent", &silent.base_url(), quick)
        .start();
    await_health(&gateway, "gone", 0.0);
    await_health(&gateway, "silent", 0.0);
    let warnings = gateway.lines_at("WARN").join("\n");
    assert!(warnings.contains("no answer in time"), "{warnings}");
    assert!(warnings.contains("Connect"), "{warnings}");
}

#[test]
fn a_reload_begins_and_ends_the_asking_and_forgets_nothing_in_between() {
    let is_well = Arc::new(AtomicBool::new(false));
    let (first, spare) = (patient(&is_well), good());
    let gateway = Setup::new()
        .provider("first", &first.base_url(), OFTEN)
        .provider("spare", &spare.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"first\" }, { provider = \"spare\", priority = 1 }]",
        )
        .start();
    await_health(&gateway, "first", 0.0);
    assert_eq!(answered_by(&gateway, "m"), "spare");
    gateway.edit(|text| text + "[models.late]\nprovider = \"spare\"\n");
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    wait::until("the new model", || {
        is_listed(&gateway, "late").then_some(())
    });
    // What was known is still known, and somebody still asks.
    assert_eq!(answered_by(&gateway, "m"), "spare");
    is_well.store(true, Ordering::SeqCst);
    await_health(&gateway, "first", 1.0);
    is_well.store(false, Ordering::SeqCst);
    await_health(&gateway, "first", 0.0);
    gateway.edit(|text| text.replace(OFTEN, ""));
    gateway.await_metric("trunkline_config_generation", &[], 3.0);
    await_health(&gateway, "first", 1.0);
    wait::until("the provider to be asked for completions", || {
        (answered_by(&gateway, "m") == "first").then_some(())
    });
}
