//! Attempts and their outcomes in headers, log and metrics.

use crate::routing::failover::{BUSY, healthy_upstream, in_order, unary_and_stream};
use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, refused_base_url, response};

#[test]
fn each_failed_attempt_has_a_line_in_the_log() {
    let failing = Upstream::with_response(response::json("500 Oops", BUSY));
    let bases = [refused_base_url(), failing.base_url(), refused_base_url()];
    let gateway = in_order(&bases, "").start();
    gateway.send(&Request::chat("m"));
    let attempts = gateway.await_log("WARN", &["attempt failed"], 3);
    assert_eq!(attempts.len(), 3, "{attempts:#?}");
    assert!(
        attempts[0].contains("\"result\":\"not_sent\"")
            && attempts[0].contains("\"next_provider\":\"p1\"")
    );
    assert!(
        attempts[1].contains("\"status\":500") && attempts[1].contains("\"result\":\"failed\"")
    );
    assert!(attempts[2].contains("no attempts left"));
}

#[test]
fn responses_and_metrics_show_the_attempts() {
    let failing = Upstream::with_response(response::json("500 Oops", BUSY));
    let fine = healthy_upstream();
    let gateway = Setup::new()
        .provider("gone", &refused_base_url(), "")
        .provider("failing", &failing.base_url(), "")
        .provider("fine", &fine.base_url(), "")
        .section(
            "[models.m]\nfallbacks = [\"spare\"]\ntargets = [{ provider = \"gone\" }, { provider = \"failing\", priority = 1 }]\n\
             [models.spare]\nprovider = \"fine\"\n[models.bad]\nprovider = \"gone\"\nfallbacks = [\"worse\"]\n\
             [models.worse]\nprovider = \"failing\"",
        )
        .start();
    for request in unary_and_stream() {
        let response = gateway.send(&request);
        assert_eq!(response.header("x-trunkline-attempts"), Some("3"));
        assert_eq!(response.header("x-trunkline-provider"), Some("fine"));
        assert_eq!(response.header("x-trunkline-model"), Some("spare"));
        let line = gateway.access_line(&response.request_id());
        assert_eq!(text(&line, "provider"), "fine");
        assert_eq!(text(&line, "attempts"), "3");
    }
    assert_eq!(
        gateway
            .send(&Request::chat("bad"))
            .header("x-trunkline-attempts"),
        Some("2")
    );
    assert_eq!(
        gateway
            .send(&Request::chat("spare"))
            .header("x-trunkline-attempts"),
        None
    );
    gateway.access_lines(4);
    let metrics = gateway.metrics();
    let counts = |name: &str, labels: &[(&str, &str)]| {
        metrics
            .sum(&format!("trunkline_{name}_total"), labels)
            .unwrap_or(0.0)
    };
    for (provider, result) in [
        ("gone", "not_sent"),
        ("failing", "failed"),
        ("fine", "responded"),
    ] {
        let labels = [("model", "m"), ("provider", provider), ("result", result)];
        assert!(
            (counts("attempts", &labels) - 2.0).abs() < 0.1,
            "{provider}"
        );
    }
    let retried = [("model", "m"), ("provider", "fine"), ("after", "failed")];
    assert!((counts("retries", &retried) - 2.0).abs() < 0.1);
    let fallback = [("model", "m"), ("provider", "fine")];
    assert!((counts("fallbacks", &fallback) - 2.0).abs() < 0.1);
    assert!((counts("requests", &fallback) - 2.0).abs() < 0.1);
    let last = [("model", "bad"), ("provider", "failing"), ("status", "5xx")];
    assert!((counts("requests", &last) - 1.0).abs() < 0.1);
}

#[test]
fn a_client_supplied_model_name_is_in_no_log() {
    let failing = Upstream::with_response(response::json("429 Too Many Requests", BUSY));
    let gateway = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ key = \"a\" }}, {{ key = \"b\" }}]",
            failing.base_url()
        ))
        .start();
    assert_eq!(gateway.send(&Request::chat("up/canary-7")).status, 429);
    gateway.access_lines(1);
    let output = gateway.finish();
    assert!(output.contains("target ejected"), "{output}");
    assert!(!output.contains("canary-7"), "{output}");
}
