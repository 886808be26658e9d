//! The listener for operators: health, readiness, metrics, the resolved config.

use crate::support::client::Request;
use crate::support::gateway::{Setup, value};
use crate::support::upstream::{Upstream, reply};

#[test]
fn the_admin_routes_answer() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    for path in ["/livez", "/readyz", "/metrics", "/config", "/log"] {
        assert_eq!(gateway.ask_admin(path).status, 200, "{path}");
    }
    for path in ["/", "/v1/models", "/health", "/metrics/", "/nothing"] {
        assert_eq!(gateway.ask_admin(path).status, 404, "{path}");
    }
}

#[test]
fn r12_the_admin_routes_are_not_on_the_data_port() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("root_path = \"/api\"")
        .start();
    for path in [
        "/livez",
        "/readyz",
        "/metrics",
        "/config",
        "/log",
        "/api/metrics",
        "/api/config",
        "/api/log",
    ] {
        let answer = gateway.ask(&Request::get(path));
        crate::support::assert_response::error(&answer, 404, "unknown_url", None);
    }
}

#[test]
fn metrics_are_described_and_named_as_promised() {
    let upstream = Upstream::answering(reply::good_stream());
    let gateway = Setup::over(&upstream).start();
    assert!(gateway.ask(&Request::stream("m")).complete);
    gateway.access_lines(1);
    gateway.settle();
    let answer = gateway.ask_admin("/metrics");
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let text = answer.text();
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
fn streams_in_flight_are_counted_while_they_are() {
    let gate = std::sync::Arc::new(crate::support::wait::Gate::default());
    let passed = std::sync::Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        passed.pass();
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    gateway.await_metric("trunkline_streams_in_flight", &[], 1.0);
    gate.open();
    assert!(client.rest().1);
    gateway.settle();
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
fn the_config_is_shown_as_it_was_resolved() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .section("[models.quick]\nprovider = \"up\"\nmodel = \"the-quick-one\"")
        .server("max_in_flight = 77")
        .start();
    let text = gateway.ask_admin("/config").text();
    for word in ["quick", "the-quick-one", "up", "77"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(!text.contains(crate::support::gateway::UPSTREAM_KEY));
}

#[test]
fn the_first_line_says_where_and_what() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    let line = gateway.said();
    let line = line
        .lines()
        .find(|line| line.contains("\"listening\""))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(value(&line, "listen"), gateway.listen.to_string());
    assert_eq!(value(&line, "admin"), gateway.admin.to_string());
    assert!(value(&line, "models").to_string().contains('m'));
}

#[test]
fn every_line_of_the_log_is_json() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let mut gateway = Setup::over(&upstream).log("level = \"debug\"").start();
    gateway.ask(&Request::chat("m"));
    gateway.ask(&Request::chat("nobody"));
    gateway.access_lines(2);
    gateway.signal("TERM");
    gateway.ended();
    for line in gateway.said().lines().filter(|line| !line.is_empty()) {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn access_lines_can_be_switched_off() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let mut gateway = Setup::over(&upstream).log("access = false").start();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    gateway.signal("TERM");
    gateway.ended();
    assert!(
        !gateway.said().contains("\"message\":\"request\""),
        "{}",
        gateway.said()
    );
}
