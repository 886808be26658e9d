use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use super::batches::Batches;
use super::encoding::{MetricsRequest, Window};
use super::otlp::Resource;
use super::{Failure, points};
use crate::config::Collector;
use crate::telemetry::metric::label::{attempt_result, shed_reason};
use crate::telemetry::metric::{
    ALL, ATTEMPTS, BUFFERED_BYTES, CONNECTIONS, COST, FamilySnapshot, Metric, OVERHEAD,
    REQUEST_DURATION, REQUEST_TOKENS, Registry, SHED, TIME_TO_FIRST_TOKEN,
};

const START_NS: u64 = 1_544_712_660_000_000_001;

fn at(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn resource() -> Resource {
    Resource::new(&Collector {
        endpoint: Url::parse("http://127.0.0.1:4318/v1/metrics").unwrap(),
        service_name: "gate".to_owned(),
        authorities: Vec::new(),
        headers: HeaderMap::new(),
    })
}

/// The body of a request with all series.
fn body(registry: &Registry, end_ns: u64) -> Value {
    let families: Vec<_> = registry.snapshots().collect();
    let window = Window::until_now(at(START_NS), at(end_ns));
    let resource = resource();
    serde_json::to_value(MetricsRequest::new(&resource, &families, window)).unwrap()
}

/// The metrics in a body.
fn metrics(body: &Value) -> &Vec<Value> {
    let scope = &body["resourceMetrics"][0]["scopeMetrics"][0];
    scope["metrics"].as_array().unwrap()
}

/// The only metric in a body.
#[track_caller]
fn only_metric(registry: &Registry) -> Value {
    let body = body(registry, START_NS + 60);
    let [metric] = &metrics(&body)[..] else {
        panic!("not one metric: {body:#}");
    };
    metric.clone()
}

#[test]
fn a_request_names_the_process_and_the_scope() {
    let registry = Registry::new();
    registry.gauge(&CONNECTIONS, &[]).set(1.0);
    let body = body(&registry, START_NS);
    let resource = body["resourceMetrics"][0]["resource"]["attributes"].clone();
    let version = env!("CARGO_PKG_VERSION");
    let name = json!({ "key": "service.name", "value": { "stringValue": "gate" } });
    assert_eq!(resource[0], name);
    assert_eq!(resource[1]["value"]["stringValue"], version);
    assert_eq!(resource[2]["key"], "service.instance.id");
    let id = resource[2]["value"]["stringValue"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    let scope = &body["resourceMetrics"][0]["scopeMetrics"][0]["scope"];
    assert_eq!(*scope, json!({ "name": "trunkline", "version": version }));
}

#[test]
fn a_counter_is_a_cumulative_monotonic_sum() {
    let registry = Registry::new();
    let labels = [("reason", shed_reason::CONNECTIONS)];
    registry.counter(&SHED, &labels).increment(1 << 60);
    let expected = json!({
        "name": "trunkline_shed_total",
        "description": SHED.help,
        "unit": "1",
        "sum": {
            "dataPoints": [{
                "attributes": [{ "key": "reason", "value": { "stringValue": "connections" } }],
                "startTimeUnixNano": "1544712660000000001",
                "timeUnixNano": "1544712660000000061",
                "asInt": "1152921504606846976",
            }],
            "aggregationTemporality": 2,
            "isMonotonic": true,
        },
    });
    assert_eq!(only_metric(&registry), expected);
}

#[test]
fn an_integer_is_at_most_what_otlp_can_carry() {
    let registry = Registry::new();
    let labels = [("reason", shed_reason::CONNECTIONS)];
    registry.counter(&SHED, &labels).increment(u64::MAX);
    let points = &only_metric(&registry)["sum"]["dataPoints"];
    assert_eq!(points[0]["asInt"], i64::MAX.to_string());
}

#[test]
fn a_counter_of_parts_is_exported_in_its_unit() {
    let registry = Registry::new();
    let labels = [("model", "m"), ("provider", "up")];
    registry
        .counter(&COST, &labels)
        .increment(1_500_000_000_000);
    let points = &only_metric(&registry)["sum"]["dataPoints"];
    assert_eq!(points[0]["asDouble"], 1.5);
    assert_eq!(points[0].get("asInt"), None);
}

#[test]
fn a_gauge_covers_no_time() {
    let registry = Registry::new();
    registry.gauge(&BUFFERED_BYTES, &[]).set(512.0);
    let expected = json!({
        "name": "trunkline_buffered_bytes",
        "description": BUFFERED_BYTES.help,
        "unit": "By",
        "gauge": {
            "dataPoints": [{
                "attributes": [],
                "timeUnixNano": "1544712660000000061",
                "asDouble": 512.0,
            }],
        },
    });
    assert_eq!(only_metric(&registry), expected);
}

#[test]
fn a_histogram_has_bounds_and_plain_counts() {
    let registry = Registry::new();
    let histogram = registry.histogram(&OVERHEAD, &[]);
    for seconds in [0.000_025, 0.000_03, 0.5] {
        histogram.record(seconds);
    }
    let expected = json!({
        "name": "trunkline_overhead_seconds",
        "description": OVERHEAD.help,
        "unit": "s",
        "histogram": {
            "dataPoints": [{
                "attributes": [],
                "startTimeUnixNano": "1544712660000000001",
                "timeUnixNano": "1544712660000000061",
                "count": "3",
                "sum": 0.000_025 + 0.000_03 + 0.5,
                "bucketCounts": ["1", "1", "0", "0", "0", "0", "0", "0", "0", "0", "1"],
                "explicitBounds":
                    [0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05],
            }],
            "aggregationTemporality": 2,
        },
    });
    assert_eq!(only_metric(&registry), expected);
}

/// The attributes of the first data point of a histogram, as pairs.
fn attributes(metric: &Value) -> Vec<(String, String)> {
    let attributes = metric["histogram"]["dataPoints"][0]["attributes"]
        .as_array()
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pair = |it: &Value| (text(&it["key"]), text(&it["value"]["stringValue"]));
    attributes.iter().map(pair).collect()
}

#[test]
fn what_the_conventions_define_has_their_name_and_attributes() {
    for (metric, name, unit) in [
        (&REQUEST_DURATION, "gen_ai.client.operation.duration", "s"),
        (
            &TIME_TO_FIRST_TOKEN,
            "gen_ai.server.time_to_first_token",
            "s",
        ),
        (&REQUEST_TOKENS, "gen_ai.client.token.usage", "{token}"),
    ] {
        let registry = Registry::new();
        let mut labels = vec![("model", "gpt-4o"), ("provider", "azure")];
        let mut expected = vec![
            ("gen_ai.request.model", "gpt-4o"),
            ("gen_ai.provider.name", "azure.ai.openai"),
            ("trunkline.provider", "azure"),
        ];
        if metric.labels.len() == 3 {
            labels.push(("kind", "output"));
            expected.push(("gen_ai.token.type", "output"));
        }
        registry.histogram(metric, &labels).record(1.0);
        let exported = only_metric(&registry);
        assert_eq!(exported["name"], name);
        assert_eq!(exported["unit"], unit);
        let attributes = attributes(&exported);
        let attributes = attributes.iter().map(|(key, value)| (&**key, &**value));
        assert_eq!(attributes.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn names_are_unique_and_counts_are_no_ratios() {
    let name = |metric: &'static Metric| super::names::name(metric);
    let names: HashSet<_> = ALL.iter().map(name).collect();
    assert_eq!(names.len(), ALL.len());
    assert_eq!(super::names::unit(&CONNECTIONS), "");
}

#[test]
fn values_end_no_earlier_than_they_start() {
    let registry = Registry::new();
    registry.gauge(&CONNECTIONS, &[]).set(1.0);
    let body = body(&registry, START_NS - 1_000_000_000);
    let point = &metrics(&body)[0]["gauge"]["dataPoints"][0];
    assert_eq!(point["timeUnixNano"], START_NS.to_string());
}

/// Models and results of all attempts in a batch.
fn series(batch: &[FamilySnapshot]) -> impl Iterator<Item = String> {
    let samples = batch.iter().flat_map(|family| &family.samples);
    samples.map(|sample| sample.key.to_string())
}

#[test]
fn many_series_are_split_into_batches_of_which_each_has_every_series_once() {
    let registry = Registry::new();
    for number in 0..50 {
        let model = format!("alias-{number}");
        let [model, provider] = [("model", &*model), ("provider", "up")];
        let _ = registry.counter(&COST, &[model, provider]);
        for result in [attempt_result::RESPONDED, attempt_result::FAILED] {
            let _ = registry.counter(&ATTEMPTS, &[model, provider, ("result", result)]);
        }
    }
    registry.gauge(&CONNECTIONS, &[]).set(1.0);
    let batches: Vec<_> = Batches::new(registry.snapshots(), 40).collect();
    let sizes: Vec<_> = batches.iter().map(|batch| points(batch)).collect();
    assert_eq!(sizes, [40, 40, 40, 31]);
    let names = |batch: &[FamilySnapshot]| -> Vec<_> {
        batch.iter().map(|family| family.metric.name).collect()
    };
    assert_eq!(names(&batches[0]), [COST.name]);
    assert_eq!(names(&batches[1]), [COST.name, ATTEMPTS.name]);
    assert_eq!(names(&batches[3]), [ATTEMPTS.name, CONNECTIONS.name]);
    let all: HashSet<_> = batches.iter().flat_map(|batch| series(batch)).collect();
    assert_eq!(all.len(), 151);
    assert_eq!(Batches::new(Registry::new().snapshots(), 40).count(), 0);
}

#[test]
fn the_first_reason_of_a_failure_is_logged() {
    let mut failure = None;
    Failure::add(&mut failure, "status 413", 2000);
    Failure::add(&mut failure, "no connection", 7);
    let expected = Failure {
        reason: "status 413".to_owned(),
        points: 2007,
    };
    assert_eq!(failure, Some(expected));
}
