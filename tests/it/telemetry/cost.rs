//! The cost of requests in log, metrics and status: exact, or absent.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

const COST: &str = "trunkline_cost_usd_total";
/// Usage: 12 tokens in, 5 of them cached, and 34 out.
const COMPLETION: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":5}}}"#;
const PRICE: &str = "input = \"2.50\"\ncached_input = \"1.25\"\noutput = \"10\"";

fn priced(setup: Setup, model: &str, price: &str) -> Setup {
    setup.section(&format!("[prices.\"{model}\"]\n{price}"))
}

#[track_caller]
fn status(gateway: &Gateway, total: u64) -> Value {
    wait::until(&format!("{total} requests in the status"), || {
        let status = gateway.send(&Request::get("/trunkline/status")).json();
        (status["requests"]["total"] == total).then_some(status)
    })
}

fn row<'a>(status: &'a Value, model: &str) -> &'a Value {
    let mut rows = status["models"].as_array().unwrap().iter();
    rows.find(|row| row["id"] == model).unwrap()
}

#[test]
fn a_cost_is_exact_everywhere() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let gateway = priced(Setup::with_upstream(&upstream), "up/real-model", PRICE).start();
    for _ in 0..3 {
        gateway.send(&Request::chat("m"));
    }
    // 7 × 2.50 + 5 × 1.25 + 34 × 10 millionths.
    for line in gateway.access_lines(3) {
        assert_eq!(text(&line, "cost_usd"), "0.00036375");
    }
    let status = status(&gateway, 3);
    assert_eq!(status["cost"], json!({ "usd": "0.00109125", "unknown": 0 }));
    assert_eq!(status["recent"][0]["cost_usd"], "0.00036375");
    let model = row(&status, "m");
    assert_eq!(model["cost"], status["cost"]);
    assert_eq!(
        model["price"],
        json!({
            "input_per_million": "2.5",
            "cached_input_per_million": "1.25",
            "output_per_million": "10"
        })
    );
    let labels = [("model", "m"), ("provider", "up")];
    gateway.await_metric(COST, &labels, 0.001_091_25);
}

#[test]
fn a_request_without_a_price_has_no_cost_rather_than_zero() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.send(&Request::chat("m"));
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "input_tokens"), 12);
    assert_eq!(line.get("cost_usd"), None, "{line}");
    let status = status(&gateway, 1);
    assert_eq!(status["cost"], json!({ "usd": null, "unknown": 1 }));
    assert_eq!(status["recent"][0]["cost_usd"], Value::Null);
    assert_eq!(row(&status, "m")["price"], Value::Null);
    let metrics = gateway.get_admin("/metrics").text();
    assert!(!metrics.contains(COST), "{metrics}");
}

#[test]
fn a_sum_counts_the_requests_it_does_not_include() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("silent") {
            response::json("200 OK", r#"{"choices":[]}"#)
        } else if body.contains("broken") {
            response::json("500 Internal Server Error", "{}")
        } else {
            response::json("200 OK", COMPLETION)
        });
    });
    let setup = Setup::with_upstream(&upstream)
        .model("silent", "up", "silent")
        .model("broken", "up", "broken")
        .model("dear", "up", "dear");
    let gateway = priced(setup, "up/*", "input = \"1000000\"\noutput = \"0\"").start();
    for model in ["m", "silent", "broken", "no-such-model"] {
        gateway.send(&Request::chat(model));
    }
    let status = status(&gateway, 4);
    assert_eq!(status["cost"], json!({ "usd": "12", "unknown": 1 }));
    assert_eq!(
        row(&status, "silent")["cost"],
        json!({ "usd": null, "unknown": 1 })
    );
    gateway.await_metric(COST, &[], 12.0);
}

#[test]
fn a_free_model_has_a_known_cost_of_zero() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let free = "input = \"0\"\noutput = \"0\"";
    let gateway = priced(Setup::with_upstream(&upstream), "up/*", free).start();
    gateway.send(&Request::chat("m"));
    assert_eq!(text(&gateway.access_lines(1)[0], "cost_usd"), "0");
    let status = status(&gateway, 1);
    assert_eq!(status["cost"], json!({ "usd": "0", "unknown": 0 }));
}

#[test]
fn a_model_without_an_alias_is_priced_by_its_own_name() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let gateway = priced(Setup::with_upstream(&upstream), "up/vendor/x", PRICE).start();
    gateway.send(&Request::chat("up/vendor/x"));
    gateway.send(&Request::chat("up/vendor/y"));
    let lines = gateway.access_lines(2);
    assert_eq!(text(&lines[0], "cost_usd"), "0.00036375");
    assert_eq!(lines[1].get("cost_usd"), None);
    let labels = [("model", "up/*"), ("provider", "up")];
    gateway.await_metric(COST, &labels, 0.000_363_75);
}

#[test]
fn the_target_that_responds_sets_the_price() {
    let failing = Upstream::with_response(response::json("500 Internal Server Error", "{}"));
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let setup = Setup::new()
        .provider("first", &failing.base_url(), "")
        .provider("second", &upstream.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"first\" }, { provider = \"second\", priority = 1 }]\n\
             [models.m.retry]\nnon_idempotent = true",
        );
    let setup = priced(setup, "first/m", "input = \"1\"\noutput = \"1\"");
    let gateway = priced(setup, "second/m", PRICE).start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(text(&gateway.access_lines(1)[0], "cost_usd"), "0.00036375");
    let labels = [("model", "m"), ("provider", "second")];
    gateway.await_metric(COST, &labels, 0.000_363_75);
    // The target decides, so no single price can be shown in advance.
    assert_eq!(row(&status(&gateway, 1), "m")["price"], Value::Null);
}

#[test]
fn a_stream_is_priced_by_its_usage() {
    let events = [
        response::delta("one"),
        response::finish(),
        response::usage(30, 12),
        response::DONE.to_owned(),
    ];
    let upstream = Upstream::with_response(response::stream(&events));
    let gateway = priced(Setup::injecting_usage(&upstream), "up/*", PRICE).start();
    assert!(gateway.send(&Request::stream("m")).complete);
    assert_eq!(text(&gateway.access_lines(1)[0], "cost_usd"), "0.000195");
}

#[test]
fn the_config_shows_the_effective_price() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let gateway = priced(Setup::with_upstream(&upstream), "up/*", "input = \"0.10\"").start();
    let config = gateway.get_admin("/config").json();
    assert_eq!(
        config["models"]["m"]["targets"][0]["price"],
        json!({
            "input_per_million": "0.1",
            "cached_input_per_million": "0.1",
            "output_per_million": null
        })
    );
    assert_eq!(
        config["models"]["mistral-small"]["targets"][0]["price"],
        Value::Null
    );
}
