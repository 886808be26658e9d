//! The export of metrics over OTLP: values, collectors that fail, reload, exit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::traces::{collector, traces_section};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::restarting::RestartingUpstream;
use crate::support::upstream::{RecordedRequest, Upstream, response};
use crate::support::wait::{Watched, until};

const EVERY_SECOND: &str = "[metrics]\notlp = true\notlp_interval = \"1s\"\n";
const REQUESTS: &str = "trunkline_requests_total";
const DURATION: &str = "gen_ai.client.operation.duration";
const TOKENS: &str = "gen_ai.client.token.usage";
const START: &str = "startTimeUnixNano";

fn upstream() -> Upstream {
    Upstream::with_response(response::completion("hi"))
}

/// Exports metrics, but no traces.
fn exporting(upstream: &Upstream, base_url: &str) -> Gateway {
    Setup::with_upstream(upstream)
        .section(&traces_section(base_url, "ratio = \"0\""))
        .section(EVERY_SECOND)
        .start()
}

#[track_caller]
fn send(gateway: &Gateway) {
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

/// The metrics in an export.
fn metrics(export: &RecordedRequest) -> Vec<Value> {
    assert_eq!(export.target, "/v1/metrics");
    assert_eq!(export.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_slice(&export.body).unwrap();
    let metrics = &body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    metrics.as_array().unwrap().clone()
}

/// The data point of a metric with these attributes among others.
fn point(export: &RecordedRequest, name: &str, attributes: &[(&str, &str)]) -> Option<Value> {
    let metric = metrics(export).into_iter().find(|it| it["name"] == name)?;
    let kinds = ["sum", "gauge", "histogram"];
    let data = kinds.iter().find_map(|kind| metric.get(kind))?;
    let has = |point: &Value, (key, value): &(&str, &str)| {
        let found = point["attributes"].as_array().unwrap();
        let mut found = found.iter().filter(|it| it["key"] == *key);
        found.any(|it| it["value"]["stringValue"] == *value)
    };
    let mut points = data["dataPoints"].as_array().unwrap().iter();
    points
        .find(|point| attributes.iter().all(|attribute| has(point, attribute)))
        .cloned()
}

/// The data point of an export that counts successful requests, if it counts so many.
fn requests(export: &RecordedRequest, count: u64) -> Option<Value> {
    let point = point(export, REQUESTS, &[("model", "m"), ("outcome", "ok")])?;
    (text(&point, "asInt").parse() == Ok(count)).then_some(point)
}

/// Waits until the last export passes a check.
#[track_caller]
fn await_export<T>(
    collector: impl Fn() -> Vec<RecordedRequest>,
    check: impl Fn(&RecordedRequest) -> Option<T>,
) -> T {
    until("an export", || {
        let mut exports = collector().into_iter().filter(|it| it.complete);
        check(&exports.next_back()?)
    })
}

/// Whether a histogram of the conventions has one value for the model, and this sum.
fn has_one(
    export: &RecordedRequest,
    name: &str,
    kind: Option<&str>,
    sum: Option<f64>,
) -> Option<()> {
    let model = [
        ("gen_ai.request.model", "m"),
        ("gen_ai.provider.name", "up"),
    ];
    let kind = kind.map(|kind| ("gen_ai.token.type", kind));
    let attributes: Vec<_> = model.into_iter().chain(kind).collect();
    let point = point(export, name, &attributes)?;
    let has_sum = sum.is_none_or(|sum| point["sum"] == sum);
    (point["count"] == "1" && has_sum).then_some(())
}

#[test]
fn values_arrive_and_are_cumulative() {
    let (upstream, collector) = (upstream(), collector());
    let gateway = exporting(&upstream, &collector.base_url());
    send(&gateway);
    let first = await_export(
        || collector.requests(),
        |export| {
            has_one(export, DURATION, None, None)?;
            has_one(export, TOKENS, Some("input"), Some(11.0))?;
            has_one(export, TOKENS, Some("output"), Some(7.0))?;
            point(export, "process_resident_memory_bytes", &[])?;
            point(export, "trunkline_build_info", &[])?;
            requests(export, 1)
        },
    );
    for _ in 0..2 {
        send(&gateway);
    }
    let last = await_export(|| collector.requests(), |export| requests(export, 3));
    assert_eq!(text(&first, START), text(&last, START));
    let time = |point: &Value| text(point, "timeUnixNano").parse::<u64>().unwrap();
    assert!(time(&first) < time(&last));
    let exports = gateway
        .metrics()
        .sum("trunkline_metric_exports_total", &[("result", "ok")]);
    assert!(exports >= Some(1.0), "{exports:?}");
    let targets = collector.requests().into_iter().map(|it| it.target);
    assert!(
        targets.into_iter().all(|target| target == "/v1/metrics"),
        "traces were exported with a ratio of 0"
    );
}

#[test]
fn the_collector_gets_its_headers_and_nothing_else_shows_them() {
    let (upstream, collector) = (upstream(), collector());
    let lines = "endpoint_env = \"COLLECTOR\"\nratio = \"0\"\nheaders = { x-scope = \"sesame-one\" }\nheaders_env = \"MORE\"";
    let gateway = Setup::with_upstream(&upstream)
        .section(&traces_section("off/v1", lines))
        .section(EVERY_SECOND)
        .env("COLLECTOR", collector.base_url().trim_end_matches("/v1"))
        .env("MORE", "authorization=Bearer%20sesame-two")
        .env("OTEL_SERVICE_NAME", "gate")
        .start();
    let export = await_export(|| collector.requests(), |export| Some(export.clone()));
    assert_eq!(export.header("x-scope"), Some("sesame-one"));
    assert_eq!(export.header("authorization"), Some("Bearer sesame-two"));
    assert!(export.text().contains("\"gate\""));
    let config = gateway.get_admin("/config").text();
    assert!(config.contains("/v1/metrics"), "{config}");
    assert!(config.contains("\"otlp_interval_s\":1.0"), "{config}");
    let shown = config + &gateway.get_admin("/metrics").text() + &gateway.finish();
    assert!(!shown.contains("sesame"));
}

#[test]
fn after_an_outage_of_the_collector_the_counts_are_complete() {
    let exports = Arc::new(Watched::new(Vec::new()));
    let received = Arc::clone(&exports);
    let mut collector = RestartingUpstream::start(move |exchange| {
        exchange.read_body();
        received.with(|exports| exports.push(exchange.request().clone()));
        exchange.send(response::json("200 OK", "{}"));
    });
    let upstream = upstream();
    let gateway = exporting(&upstream, &collector.base_url());
    send(&gateway);
    let exports = || exports.with(|exports: &mut Vec<RecordedRequest>| exports.clone());
    await_export(exports, |export| requests(export, 1));
    collector.kill();
    let warnings = gateway.await_log("WARN", &["metric export failed"], 1);
    send(&gateway);
    collector.restart();
    gateway.await_log("INFO", &["metric export restored"], 1);
    await_export(exports, |export| requests(export, 2));
    let warning = warnings.concat();
    assert!(warning.contains("no connection"), "{warning}");
    assert!(!warning.contains("127.0.0.1"), "{warning}");
}

#[test]
fn a_collector_that_refuses_is_logged_once() {
    let refuses = Arc::new(AtomicBool::new(true));
    let is_refusing = Arc::clone(&refuses);
    let collector = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(if is_refusing.load(Ordering::SeqCst) {
            response::json("400 Bad Request", "{}")
        } else {
            response::json("200 OK", "{}")
        });
    });
    let upstream = upstream();
    let gateway = exporting(&upstream, &collector.base_url());
    let failed = |count| {
        let labels = [("result", "failed")];
        gateway.await_metric("trunkline_metric_exports_total", &labels, count);
    };
    failed(1.0);
    failed(2.0);
    refuses.store(false, Ordering::SeqCst);
    gateway.await_log("INFO", &["metric export restored"], 1);
    let output = gateway.finish();
    assert!(output.contains("status 400"), "{output}");
    for message in ["metric export failed", "metric export restored"] {
        assert_eq!(output.matches(message).count(), 1, "{message}: {output}");
    }
}

#[test]
fn rejected_data_points_are_a_failure() {
    let body = r#"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"no"}}"#;
    let collector = Upstream::with_response(response::json("200 OK", body));
    let upstream = upstream();
    let gateway = exporting(&upstream, &collector.base_url());
    gateway.await_log("WARN", &["data points rejected"], 1);
    let ok = gateway
        .metrics()
        .sum("trunkline_metric_exports_total", &[("result", "ok")]);
    assert_eq!(ok, Some(0.0));
}

/// True while the exporter has its thread.
fn is_exporting(gateway: &Gateway) -> bool {
    let tasks = std::fs::read_dir(gateway.proc_dir().join("task")).unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    let mut names = tasks.filter_map(|task| name(task.ok()?).ok());
    names.any(|name| name.trim() == "metrics")
}

/// Waits until the tokens of so many requests are recorded.
#[track_caller]
fn await_tokens(gateway: &Gateway, requests: f64) {
    let labels = [("model", "m"), ("kind", "input")];
    gateway.await_metric("trunkline_request_tokens_count", &labels, requests);
}

#[test]
fn a_reload_enables_moves_and_disables_the_export() {
    let (upstream, one, two) = (upstream(), collector(), collector());
    let gateway = Setup::with_upstream(&upstream).start();
    send(&gateway);
    gateway.access_lines(1);
    let tokens = gateway.metrics().sum("trunkline_request_tokens_count", &[]);
    assert_eq!(tokens, None);
    assert!(!is_exporting(&gateway));

    let sections = traces_section(&one.base_url(), "ratio = \"0\"") + EVERY_SECOND;
    gateway.reload(|config| config + &sections);
    send(&gateway);
    let first = await_export(|| one.requests(), |export| requests(export, 2));
    await_tokens(&gateway, 1.0);

    let (from, into) = (one.port().to_string(), two.port().to_string());
    gateway.reload(|config| config.replace(&format!(":{from}\"\n"), &format!(":{into}\"\n")));
    send(&gateway);
    let moved = await_export(|| two.requests(), |export| requests(export, 3));
    assert_eq!(text(&first, START), text(&moved, START));
    await_tokens(&gateway, 2.0);

    gateway.reload(|config| config.replace("otlp = true", "otlp = false"));
    until("the end of the exporter", || {
        (!is_exporting(&gateway)).then_some(())
    });
    send(&gateway);
    gateway.access_lines(4);
    await_tokens(&gateway, 2.0);
    assert!(requests(two.requests().last().unwrap(), 3).is_some());
}

#[test]
fn the_last_values_are_exported_before_the_process_exits() {
    let (upstream, collector) = (upstream(), collector());
    let mut gateway = Setup::with_upstream(&upstream)
        .section(&traces_section(&collector.base_url(), ""))
        .section("[metrics]\notlp = true\notlp_interval = \"1h\"")
        .start();
    send(&gateway);
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
    let received = collector.requests().into_iter();
    let mut exports = received.filter(|it| it.target == "/v1/metrics");
    let export = exports.next().unwrap();
    assert!(exports.next().is_none(), "more than one export");
    assert!(requests(&export, 1).is_some());
}

#[test]
fn a_silent_collector_delays_neither_requests_nor_the_exit() {
    let collector = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let upstream = upstream();
    let mut gateway = exporting(&upstream, &collector.base_url());
    collector.wait_for_requests(1);
    send(&gateway);
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
}

#[test]
fn limits_are_exported_until_their_rule_is_removed() {
    const RULE: &str = "[limits.all]\nrequests = [\"4/total\"]";
    let (upstream, collector) = (upstream(), collector());
    let gateway = Setup::with_upstream(&upstream)
        .section(&traces_section(&collector.base_url(), "ratio = \"0\""))
        .section(EVERY_SECOND)
        .section(RULE)
        .start();
    send(&gateway);
    let used = |export: &RecordedRequest| {
        let labels = [("rule", "all"), ("subject", "all"), ("of", "requests")];
        point(export, "trunkline_limit_used_ratio", &labels)
    };
    let refused = |export: &RecordedRequest| {
        let labels = [("rule", "all"), ("of", "requests")];
        point(export, "trunkline_limit_refused_total", &labels)
    };
    await_export(
        || collector.requests(),
        |export| {
            assert_eq!(refused(export)?["asInt"], "0");
            (used(export)?["asDouble"] == 0.25).then_some(())
        },
    );
    gateway.reload(|file| file.replace(RULE, ""));
    await_export(
        || collector.requests(),
        |export| (used(export).is_none() && refused(export).is_none()).then_some(()),
    );
}
