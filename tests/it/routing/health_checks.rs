//! Health checks of providers, run by one task of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::wait;

const OFTEN: &str =
    "health = { interval = \"100ms\", timeout = \"2s\", failures = 2, successes = 2 }";

/// Serves all requests, but health checks only while `is_healthy`.
fn checked_upstream(is_healthy: &Arc<AtomicBool>) -> Upstream {
    let is_healthy = Arc::clone(is_healthy);
    Upstream::start(move |exchange| {
        exchange.read_body();
        let response = match exchange.request().method.as_str() {
            "GET" if is_healthy.load(Ordering::SeqCst) => response::json("200 OK", "{\"data\":[]}"),
            "GET" => response::json("503 Service Unavailable", "{}"),
            _ => response::completion("hi"),
        };
        exchange.send(response);
    })
}

fn provider_of_response(gateway: &Gateway, model: &str) -> String {
    let response = gateway.send(&Request::chat(model));
    assert_eq!(response.status, 200, "{}", response.text());
    response.header("x-trunkline-provider").unwrap().to_owned()
}

fn is_listed(gateway: &Gateway, model: &str) -> bool {
    let response = gateway.send(&Request::get("/v1/models"));
    let list: Value = serde_json::from_str(&response.text()).unwrap();
    let models = list["data"].as_array().unwrap();
    models.iter().any(|entry| entry["id"] == model)
}

fn await_health(gateway: &Gateway, provider: &str, healthy: f64) {
    let labels = [("provider", provider)];
    gateway.await_metric("trunkline_provider_healthy", &labels, healthy);
}

#[test]
fn an_unhealthy_provider_is_skipped_until_it_recovers() {
    let is_healthy = Arc::new(AtomicBool::new(true));
    let (first, spare) = (checked_upstream(&is_healthy), healthy_upstream());
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
    assert_eq!(provider_of_response(&gateway, "both"), "first");
    for _ in 0..2 {
        is_healthy.store(false, Ordering::SeqCst);
        await_health(&gateway, "first", 0.0);
        for _ in 0..4 {
            assert_eq!(provider_of_response(&gateway, "both"), "spare");
        }
        assert!(is_listed(&gateway, "both") && !is_listed(&gateway, "one"));
        // It is the only target, so it is tried all the same.
        assert_eq!(provider_of_response(&gateway, "one"), "first");
        is_healthy.store(true, Ordering::SeqCst);
        await_health(&gateway, "first", 1.0);
        assert_eq!(provider_of_response(&gateway, "both"), "first");
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
    let output = gateway.finish();
    for message in ["provider healthy again", "provider unhealthy"] {
        assert_eq!(output.matches(message).count(), 2, "{message}: {output}");
    }
}

#[test]
fn with_no_healthy_provider_all_are_tried() {
    let is_healthy = Arc::new(AtomicBool::new(false));
    let both = [checked_upstream(&is_healthy), checked_upstream(&is_healthy)];
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
        assert_eq!(provider_of_response(&gateway, "m"), "one");
    }
}

#[test]
fn health_checks_use_each_key_in_turn_and_the_configured_path() {
    let upstream = Upstream::start(|exchange| {
        let response = match exchange.request().header("authorization") {
            Some("Bearer bad") => response::json("401 Unauthorized", "{}"),
            _ => response::with_body("204 No Content", &[], ""),
        };
        exchange.send(response);
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
    let seen = upstream.wait_for_requests(8);
    for (turn, seen) in seen.iter().enumerate() {
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("GET", "/v1/ping?deep=1")
        );
        let key = ["Bearer bad", "Bearer fine"][turn % 2];
        assert_eq!(seen.header_values("authorization"), [key]);
        assert_eq!(seen.header("x-team"), Some("a"));
        // Each on its own connection, and one after the other.
        assert_eq!(seen.connection, turn);
    }
    // One bad key of several does not make the provider unhealthy.
    await_health(&gateway, "up", 1.0);
    let text = gateway.finish();
    assert!(!text.contains("provider unhealthy") && !text.contains("Bearer"));
}

#[test]
fn an_unreachable_or_silent_provider_is_unhealthy() {
    let silent = Upstream::start(|exchange| {
        exchange.wait_for_disconnect();
    });
    let quick = "health = { interval = \"100ms\", timeout = \"100ms\", failures = 1 }";
    let gateway = Setup::new()
        .provider("gone", &refused_base_url(), quick)
        .provider("silent", &silent.base_url(), quick)
        .start();
    await_health(&gateway, "gone", 0.0);
    await_health(&gateway, "silent", 0.0);
    for reason in ["no response in time", "Connect"] {
        gateway.await_log("WARN", &[reason], 1);
    }
}

#[test]
fn a_reload_starts_and_stops_health_checks_and_keeps_their_results() {
    let is_healthy = Arc::new(AtomicBool::new(false));
    let (first, spare) = (checked_upstream(&is_healthy), healthy_upstream());
    let gateway = Setup::new()
        .provider("first", &first.base_url(), OFTEN)
        .provider("spare", &spare.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"first\" }, { provider = \"spare\", priority = 1 }]",
        )
        .start();
    await_health(&gateway, "first", 0.0);
    assert_eq!(provider_of_response(&gateway, "m"), "spare");
    gateway.edit(|text| text + "[models.late]\nprovider = \"spare\"\n");
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    wait::until("the new model", || {
        is_listed(&gateway, "late").then_some(())
    });
    // The state is kept, and the checks continue.
    assert_eq!(provider_of_response(&gateway, "m"), "spare");
    is_healthy.store(true, Ordering::SeqCst);
    await_health(&gateway, "first", 1.0);
    is_healthy.store(false, Ordering::SeqCst);
    await_health(&gateway, "first", 0.0);
    gateway.edit(|text| text.replace(OFTEN, ""));
    gateway.await_metric("trunkline_config_generation", &[], 3.0);
    await_health(&gateway, "first", 1.0);
    wait::until("the provider to get requests again", || {
        (provider_of_response(&gateway, "m") == "first").then_some(())
    });
}
