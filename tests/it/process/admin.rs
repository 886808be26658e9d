//! The admin listener: health, readiness, metrics, the resolved configuration.

use crate::support::client::Request;
use crate::support::gateway::{Setup, value};
use crate::support::upstream::{Upstream, response};

#[test]
fn the_admin_routes_are_served() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    for path in [
        "/livez", "/readyz", "/metrics", "/config", "/log", "/limits",
    ] {
        assert_eq!(gateway.get_admin(path).status, 200, "{path}");
    }
    for path in ["/", "/v1/models", "/health", "/metrics/", "/nothing"] {
        assert_eq!(gateway.get_admin(path).status, 404, "{path}");
    }
}

#[test]
fn r12_the_admin_routes_are_not_on_the_data_port() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("root_path = \"/api\"")
        .start();
    for path in [
        "/livez",
        "/readyz",
        "/metrics",
        "/config",
        "/log",
        "/limits",
        "/api/metrics",
        "/api/config",
        "/api/log",
        "/api/limits",
    ] {
        let response = gateway.send(&Request::get(path));
        crate::support::assert_response::error(&response, 404, "unknown_url", None);
    }
}

#[test]
fn metrics_are_described_and_named_as_documented() {
    let upstream = Upstream::with_response(response::good_stream());
    let gateway = Setup::with_upstream(&upstream).start();
    assert!(gateway.send(&Request::stream("m")).complete);
    gateway.access_lines(1);
    gateway.wait_until_idle();
    let response = gateway.get_admin("/metrics");
    let kind = response.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let text = response.text();
    for name in [
        "requests_total",
        "request_duration_seconds",
        "time_to_first_byte_seconds",
        "time_to_first_token_seconds",
        "overhead_seconds",
        "attempts_total",
        "requests_in_flight",
        "streams_in_flight",
        "upstream_connections",
        "buffered_bytes",
        "build_info",
    ] {
        assert!(
            text.contains(&format!("# HELP trunkline_{name} ")),
            "{name} has no help"
        );
        assert!(
            text.contains(&format!("# TYPE trunkline_{name} ")),
            "{name} has no type"
        );
    }
    assert!(
        text.contains("trunkline_request_duration_seconds_bucket{"),
        "a summary, not a histogram"
    );
    let foreign = text.lines().filter(|line| {
        !line.starts_with('#')
            && !line.is_empty()
            && !line.starts_with("trunkline_")
            && !line.starts_with("process_")
    });
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn streams_in_flight_are_counted() {
    let gate = std::sync::Arc::new(crate::support::wait::Semaphore::default());
    let passed = std::sync::Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        passed.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    gateway.await_metric("trunkline_streams_in_flight", &[], 1.0);
    gate.release();
    assert!(client.read_body().1);
    gateway.wait_until_idle();
}

#[test]
fn the_build_is_named() {
    let gateway = Setup::new().start();
    let metrics = gateway.metrics();
    let build = metrics
        .select("trunkline_build_info", &[])
        .next()
        .expect("trunkline_build_info");
    assert_eq!(build.labels["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_resolved_config_is_shown() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .section("[models.quick]\nprovider = \"up\"\nmodel = \"the-quick-one\"")
        .server("max_in_flight = 77")
        .start();
    let text = gateway.get_admin("/config").text();
    for part in ["quick", "the-quick-one", "up", "77"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains(crate::support::gateway::UPSTREAM_KEY));
}

#[test]
fn the_first_log_line_has_addresses_and_version() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let lines = gateway.await_log("INFO", &["\"listening\""], 1);
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(value(&line, "listen"), gateway.listen.to_string());
    assert_eq!(value(&line, "admin"), gateway.admin.to_string());
    assert!(value(&line, "models").to_string().contains('m'));
}

#[test]
fn every_line_of_the_log_is_json() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let mut gateway = Setup::with_upstream(&upstream)
        .log("level = \"debug\"")
        .start();
    gateway.send(&Request::chat("m"));
    gateway.send(&Request::chat("no-such-model"));
    gateway.access_lines(2);
    gateway.signal("TERM");
    gateway.wait_for_exit();
    for line in gateway.output().lines().filter(|line| !line.is_empty()) {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn the_access_log_can_be_disabled() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let mut gateway = Setup::with_upstream(&upstream)
        .log("access = false")
        .start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.signal("TERM");
    gateway.wait_for_exit();
    assert!(
        !gateway.output().contains("\"message\":\"request\""),
        "{}",
        gateway.output()
    );
}
