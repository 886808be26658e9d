use std::time::Duration;

use super::Trial;
use crate::config::MetricExport;

const COLLECTOR: &str = "[traces]\nendpoint = \"http://127.0.0.1:4318\"\nratio = \"0\"\n";
const NO_COLLECTOR: &str = "metrics.otlp: no collector is named; set traces.endpoint";

fn export(trial: &Trial) -> MetricExport {
    trial.config().metrics.unwrap()
}

fn with_collector(lines: &str) -> Trial {
    Trial::file(&format!("{COLLECTOR}[metrics]\n{lines}"))
}

#[test]
fn metrics_are_not_exported_unless_that_is_configured() {
    for text in ["", COLLECTOR, "[metrics]\notlp_interval = \"5s\""] {
        assert_eq!(Trial::file(text).config().metrics, None, "{text}");
    }
}

#[test]
fn metrics_go_to_the_collector_of_traces() {
    let text = format!(
        "{COLLECTOR}service_name = \"gate\"\nheaders = {{ x-a = \"sesame\" }}\n[metrics]\notlp = true"
    );
    let config = Trial::file(&text).config();
    let (traces, metrics) = (config.traces.unwrap(), config.metrics.unwrap());
    assert!(traces.ratio < f64::EPSILON);
    assert_eq!(metrics.interval, Duration::from_secs(60));
    assert_eq!(metrics.collector.headers, traces.collector.headers);
    assert_eq!(metrics.collector.service_name, "gate");
    assert!(!format!("{metrics:?}").contains("sesame"));
}

#[test]
fn the_path_of_metrics_replaces_that_of_traces() {
    for (base, complete) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics"),
        (
            "https://a.example/otlp/",
            "https://a.example/otlp/v1/metrics",
        ),
        ("http://a:4318/v1/traces", "http://a:4318/v1/metrics"),
    ] {
        let text =
            "[traces]\nendpoint_env = \"OTEL_EXPORTER_OTLP_ENDPOINT\"\n[metrics]\notlp = true";
        let trial = Trial::file(text).variable("OTEL_EXPORTER_OTLP_ENDPOINT", base);
        assert_eq!(export(&trial).collector.endpoint.as_str(), complete);
    }
}

#[test]
fn variables_override_both_keys() {
    let trial = with_collector("otlp = false")
        .variable("TRUNKLINE_METRICS__OTLP", "true")
        .variable("TRUNKLINE_METRICS__OTLP_INTERVAL", "1m 30s");
    assert_eq!(export(&trial).interval, Duration::from_secs(90));
}

#[test]
fn without_a_collector_the_error_names_the_cure() {
    for traces in [
        "",
        "[traces]\nendpoint = \"off\"",
        "[traces]\nendpoint_env = \"COLLECTOR\"",
    ] {
        let error = Trial::file(&format!("{traces}\n[metrics]\notlp = true")).error();
        assert!(error.contains(NO_COLLECTOR), "{traces}: {error}");
    }
}

#[test]
fn an_error_of_the_collector_is_reported_once() {
    for (traces, expected) in [
        ("endpoint = \"127.0.0.1:4318\"", "traces.endpoint: "),
        ("endpiont = \"http://127.0.0.1:4318\"", "traces.endpiont: "),
    ] {
        let text = format!("[traces]\n{traces}\n[metrics]\notlp = true");
        let error = Trial::file(&text).error();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_interval_is_a_duration_of_a_second_or_more() {
    for (interval, expected) in [
        (
            "\"999ms\"",
            "metrics.otlp_interval: must be at least \"1s\"",
        ),
        ("\"0s\"", "metrics.otlp_interval: must be more than zero"),
        ("\"soon\"", "metrics.otlp_interval: not a duration"),
        ("60", "metrics.otlp_interval: must be text in quotes"),
    ] {
        let error = with_collector(&format!("otlp_interval = {interval}")).error();
        assert!(error.contains(expected), "{error}");
    }
    assert!(
        with_collector("otlp = \"yes\"")
            .error()
            .contains("must be true or false")
    );
    let trial = with_collector("otlp = true\notlp_interval = \"1s\"");
    assert_eq!(export(&trial).interval, Duration::from_secs(1));
}
