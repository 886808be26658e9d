//! What is counted and logged when a limit refuses, delays or moves a request.

use super::limits::{COMPLETION, REFUSED, alice, completions, setup};
use super::traces::{assert_attributes, collector, one_trace, spans, tracing};
use crate::support::client::Request;
use crate::support::gateway::{text, value};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::until;

const WITHOUT_USAGE: &str = r#"{"choices":[{"message":{"content":"as long as it is"}}]}"#;

#[test]
fn refusals_are_counted_and_name_the_limit_in_the_log() {
    let upstream = completions();
    let gateway = setup(
        &upstream,
        "[limits.each-key]\nper = [\"key\"]\nrequests = [\"1/total\"]\ntokens = [\"9000/total\"]",
    )
    .start();
    assert_eq!(gateway.send(&alice()).status, 200);
    let refused = gateway.send(&alice());
    assert_eq!(refused.status, 429);
    let line = gateway.access_line(&refused.request_id());
    for (field, expected) in [
        ("limit", "each-key"),
        ("outcome", "limited"),
        ("key", "alice"),
        ("team", "search"),
        ("code", "insufficient_quota"),
    ] {
        assert_eq!(text(&line, field), expected, "{field} of {line}");
    }
    assert_eq!(text(&line, "limit_wait_ms"), "");
    let [rule, requests] = [("rule", "each-key"), ("of", "requests")];
    gateway.await_metric(REFUSED, &[rule, requests], 1.0);
    gateway.await_metric(REFUSED, &[rule, ("of", "tokens")], 0.0);
    // Bob has an amount of his own; without a team there is no field.
    let other = gateway.send(&Request::chat("m").key("key-b"));
    let line = gateway.access_line(&other.request_id());
    assert_eq!((text(&line, "team"), text(&line, "limit")), <_>::default());
    assert_eq!(value(&line, "cost_estimated"), serde_json::Value::Null);
    gateway.await_metric(REFUSED, &[], 1.0);
}

#[test]
fn a_limit_that_only_observes_counts_what_it_would_have_refused() {
    let upstream = completions();
    let gateway = setup(
        &upstream,
        "[limits.trial]\nrequests = [\"1/total\"]\nat_limit = \"observe\"",
    )
    .start();
    let observed = "trunkline_limit_observed_total";
    let labels = [("rule", "trial"), ("of", "requests")];
    gateway.await_metric(observed, &labels, 0.0);
    for _ in 0..3 {
        assert_eq!(gateway.send(&alice()).status, 200);
    }
    gateway.await_metric(observed, &labels, 2.0);
    assert_eq!(gateway.metrics().sum(REFUSED, &[]), None);
    for line in gateway.access_lines(3) {
        assert_eq!(text(&line, "limit"), "", "{line}");
    }
}

#[test]
fn waits_are_timed_and_counted_while_they_last() {
    let upstream = completions();
    let gateway = setup(
        &upstream,
        "[limits.slow]\nrequests = [\"2/second burst 1\"]\nwait = \"10s\"",
    )
    .start();
    let rule = [("rule", "slow")];
    gateway.await_metric("trunkline_limit_waiting", &rule, 0.0);
    gateway.await_metric("trunkline_limit_waits_seconds_count", &rule, 0.0);
    assert_eq!(gateway.send(&alice()).status, 200);
    let waited = gateway.send(&alice());
    assert_eq!(waited.status, 200);
    let line = gateway.access_line(&waited.request_id());
    let time = value(&line, "limit_wait_ms").as_f64().unwrap();
    assert!((1.0..10_000.0).contains(&time), "{line}");
    gateway.await_metric("trunkline_limit_waits_seconds_count", &rule, 1.0);
    let sum = gateway
        .metrics()
        .sum("trunkline_limit_waits_seconds_sum", &rule);
    assert!((sum.unwrap() * 1000.0 - time).abs() < 1.0, "{sum:?} {line}");
}

#[test]
fn requests_that_go_to_a_fallback_are_counted_by_where_they_went() {
    let upstream = completions();
    let gateway = setup(
        &upstream,
        "[models.small]\nprovider = \"up\"\nmodel = \"small\"\n[limits.big]\nmodels = [\"m\"]\n\
         requests = [\"1/total\"]\nat_limit = \"fallback:small\"",
    )
    .start();
    let labels = [("rule", "big"), ("model", "small")];
    gateway.await_metric("trunkline_limit_fallbacks_total", &labels, 0.0);
    for model in ["m", "small", "small"] {
        let response = gateway.send(&alice());
        assert_eq!(response.status, 200);
        let line = gateway.access_line(&response.request_id());
        assert_eq!(text(&line, "model"), model);
        assert_eq!(text(&line, "limit"), "");
    }
    gateway.await_metric("trunkline_limit_fallbacks_total", &labels, 2.0);
    gateway.await_metric(REFUSED, &[("rule", "big")], 0.0);
}

#[test]
fn charges_by_an_estimate_are_counted_and_marked() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let is_silent = body.contains("silent");
        let body = if is_silent { WITHOUT_USAGE } else { COMPLETION };
        exchange.send(response::json("200 OK", body));
    });
    let gateway = setup(
        &upstream,
        "[models.silent]\nprovider = \"up\"\nmodel = \"silent\"\n[limits.all]\n\
         tokens = [\"900000/total\"]",
    )
    .start();
    let ratios = "trunkline_limit_estimate_ratio_count";
    let counted = gateway.send(&alice());
    let line = gateway.access_line(&counted.request_id());
    assert_eq!(value(&line, "cost_estimated"), serde_json::Value::Null);
    gateway.await_metric(ratios, &[("of", "input_tokens")], 1.0);
    gateway.await_metric(ratios, &[("of", "output_tokens")], 1.0);

    let estimated = gateway.send(&Request::chat("silent").key("key-a"));
    assert_eq!(estimated.status, 200);
    let line = gateway.access_line(&estimated.request_id());
    assert_eq!(value(&line, "cost_estimated"), true, "{line}");
    let labels = [("model", "silent"), ("provider", "up")];
    gateway.await_metric("trunkline_limit_estimated_total", &labels, 1.0);
    gateway.await_metric("trunkline_limit_estimated_total", &[], 1.0);
    // The model has a price.
    gateway.await_metric(ratios, &[("of", "budget")], 1.0);
    assert_eq!(gateway.metrics().sum(ratios, &[]), Some(3.0));
}

#[test]
fn tokens_and_cost_are_counted_by_team() {
    let upstream = completions();
    let gateway = setup(&upstream, "").start();
    for key in ["key-a", "key-b"] {
        assert_eq!(gateway.send(&Request::chat("m").key(key)).status, 200);
    }
    let tokens = "trunkline_key_tokens_total";
    for (key, team) in [("alice", "search"), ("bob", "none")] {
        let labels = [("key", key), ("team", team)];
        gateway.await_metric("trunkline_key_cost_usd_total", &labels, 80e-6);
        let [key, team] = labels;
        gateway.await_metric(tokens, &[key, team, ("kind", "output")], 34.0);
    }
    // A key that changes its team goes on in a series of its own.
    gateway.reload(|file| file.replace("\"search\"", "\"ads\""));
    assert_eq!(gateway.send(&alice()).status, 200);
    for team in ["search", "ads"] {
        let labels = [("key", "alice"), ("team", team), ("kind", "input")];
        gateway.await_metric(tokens, &labels, 12.0);
    }
}

#[test]
fn a_limit_is_no_fault_of_the_model() {
    let upstream = completions();
    let gateway = setup(&upstream, "[limits.all]\nrequests = [\"1/total\"]").start();
    for expected in [200, 429] {
        assert_eq!(gateway.send(&alice()).status, expected);
    }
    let limited = [("outcome", "limited"), ("status", "4xx"), ("model", "m")];
    gateway.await_metric("trunkline_requests_total", &limited, 1.0);
    gateway.await_metric("trunkline_requests_total", &[("outcome", "shed")], 0.0);
    until("one attempt", || {
        let attempts = gateway.metrics().sum("trunkline_attempts_total", &[])?;
        ((attempts - 1.0).abs() < 0.1).then_some(())
    });
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn the_span_of_a_refused_request_names_the_limit_and_is_no_error_of_the_server() {
    let (upstream, collector) = (completions(), collector());
    let setup = setup(&upstream, "[limits.none]\nrequests = [\"0/total\"]");
    let gateway = tracing(setup, &collector);
    let refused = gateway.send(&alice());
    assert_eq!(refused.status, 403);
    let spans = spans(&collector, 1);
    let (server, attempts) = one_trace(&spans);
    assert_attributes(
        server,
        &[
            ("trunkline.limit", "none"),
            ("trunkline.key", "alice"),
            ("trunkline.team", "search"),
            ("trunkline.outcome", "limited"),
            ("error.type", "blocked"),
        ],
    );
    assert_eq!(server["status"]["code"], 0, "{server:#}");
    assert!(attempts.is_empty());
}
