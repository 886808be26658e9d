//! What requests cost: in the log, in the metrics and in the status, exactly
//! or not at all.

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;

const COST: &str = "trunkline_cost_usd_total";
/// Twelve tokens in, five of them cached, 34 out.
const ANSWER: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":5}}}"#;
const PRICE: &str = "input = \"2.50\"\ncached_input = \"1.25\"\noutput = \"10\"";

fn priced(setup: Setup, model: &str, price: &str) -> Setup {
    setup.section(&format!("[prices.\"{model}\"]\n{price}"))
}

#[track_caller]
fn status(gateway: &Gateway, total: u64) -> Value {
    wait::until(&format!("{total} requests in the status"), || {
        let status = gateway.ask(&Request::get("/trunkline/status")).json();
        (status["requests"]["total"] == total).then_some(status)
    })
}

fn row<'a>(status: &'a Value, model: &str) -> &'a Value {
    let mut rows = status["models"].as_array().unwrap().iter();
    rows.find(|row| row["id"] == model).unwrap()
}

#[test]
fn a_cost_is_told_to_the_last_digit_everywhere() {
    let upstream = Upstream::answering(reply::json("200 OK", ANSWER));
    let gateway = priced(Setup::over(&upstream), "up/real-model", PRICE).start();
    for _ in 0..3 {
        gateway.ask(&Request::chat("m"));
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
fn what_has_no_price_has_no_cost_and_not_nothing() {
    let upstream = Upstream::answering(reply::json("200 OK", ANSWER));
    let gateway = Setup::over(&upstream).start();
    gateway.ask(&Request::chat("m"));
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "input_tokens"), 12);
    assert_eq!(line.get("cost_usd"), None, "{line}");
    let status = status(&gateway, 1);
    assert_eq!(status["cost"], json!({ "usd": null, "unknown": 1 }));
    assert_eq!(status["recent"][0]["cost_usd"], Value::Null);
    assert_eq!(row(&status, "m")["price"], Value::Null);
    let metrics = gateway.ask_admin("/metrics").text();
    assert!(!metrics.contains(COST), "{metrics}");
}

#[test]
fn a_sum_says_how_many_requests_are_not_in_it() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(if body.contains("silent") {
            reply::json("200 OK", r#"{"choices":[]}"#)
        } else if body.contains("broken") {
            reply::json("500 Internal Server Error", "{}")
        } else {
            reply::json("200 OK", ANSWER)
        });
    });
    let setup = Setup::over(&upstream)
        .model("silent", "up", "silent")
        .model("broken", "up", "broken")
        .model("dear", "up", "dear");
    let gateway = priced(setup, "up/*", "input = \"1000000\"\noutput = \"0\"").start();
    for model in ["m", "silent", "broken", "nobody"] {
        gateway.ask(&Request::chat(model));
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
fn a_free_model_costs_nothing_and_that_is_known() {
    let upstream = Upstream::answering(reply::json("200 OK", ANSWER));
    let free = "input = \"0\"\noutput = \"0\"";
    let gateway = priced(Setup::over(&upstream), "up/*", free).start();
    gateway.ask(&Request::chat("m"));
    assert_eq!(text(&gateway.access_lines(1)[0], "cost_usd"), "0");
    let status = status(&gateway, 1);
    assert_eq!(status["cost"], json!({ "usd": "0", "unknown": 0 }));
}

#[test]
fn a_model_without_an_alias_is_priced_by_its_own_name() {
    let upstream = Upstream::answering(reply::json("200 OK", ANSWER));
    let gateway = priced(Setup::over(&upstream), "up/vendor/x", PRICE).start();
    gateway.ask(&Request::chat("up/vendor/x"));
    gateway.ask(&Request::chat("up/vendor/y"));
    let lines = gateway.access_lines(2);
    assert_eq!(text(&lines[0], "cost_usd"), "0.00036375");
    assert_eq!(lines[1].get("cost_usd"), None);
    let labels = [("model", "up/*"), ("provider", "up")];
    gateway.await_metric(COST, &labels, 0.000_363_75);
}

#[test]
fn the_target_that_answers_sets_the_price() {
    let broken = Upstream::answering(reply::json("500 Internal Server Error", "{}"));
    let upstream = Upstream::answering(reply::json("200 OK", ANSWER));
    let setup = Setup::new()
        .provider("first", &broken.base_url(), "")
        .provider("second", &upstream.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"first\" }, { provider = \"second\", priority = 1 }]\n\
             [models.m.retry]\nprocessed = true",
        );
    let setup = priced(setup, "first/m", "input = \"1\"\noutput = \"1\"");
    let gateway = priced(setup, "second/m", PRICE).start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(text(&gateway.access_lines(1)[0], "cost_usd"), "0.00036375");
    let labels = [("model", "m"), ("provider", "second")];
    gateway.await_metric(COST, &labels, 0.000_363_75);
    // Where it goes decides, so no one price can be told beforehand.
    assert_eq!(row(&status(&gateway, 1), "m")["price"], Value::Null);
}

#[test]
fn a_stream_costs_what_its_usage_says() {
    let events = [
        reply::delta("one"),
        reply::finish(),
        reply::usage(30, 12),
        reply::DONE.to_owned(),
    ];
    let upstream = Upstream::answering(reply::stream(&events));
    let gateway = priced(Setup::injecting(&upstream), "up/*", PRICE).start();
    assert!(gateway.ask(&Request::stream("m")).complete);
    assert_eq!(text(&gateway.access_lines(1)[0], "cost_usd"), "0.000195");
}

#[test]
fn the_config_shows_the_price_that_holds() {
    let upstream = Upstream::answering(reply::json("200 OK", ANSWER));
    let gateway = priced(Setup::over(&upstream), "up/*", "input = \"0.10\"").start();
    let config = gateway.ask_admin("/config").json();
    assert_eq!(
        config["models"]["m"]["targets"][0]["price"],
        json!({
            "input_per_million": "0.1",
            "cached_input_per_million": "0.1",
            "output_per_million": null
        })
    );
    assert_eq!(
        config["models"]["llama3-8b-groq"]["targets"][0]["price"],
        Value::Null
    );
}
