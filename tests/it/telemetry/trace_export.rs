//! The export of traces: collectors that fail, are busy or slow; TLS, reload, exit.

use std::sync::Arc;

use super::traces::{CLIENT, collector, one_trace, spans, traces_section, tracing};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::wait::Semaphore;

#[test]
fn a_collectors_certificate_is_verified_with_the_configured_ca() {
    let authority = CertificateAuthority::new();
    let secure = |flaw| {
        Upstream::start_tls(authority.server(flaw, &[]), |exchange| {
            exchange.read_body();
            exchange.send(response::json("200 OK", "{}"));
        })
    };
    let upstream = Upstream::with_response(response::completion("hi"));
    let start = |collector: &Upstream, lines: &str| {
        let setup = Setup::with_upstream(&upstream);
        setup.file("ca.pem", authority.pem().as_bytes());
        setup
            .section(&traces_section(&collector.base_url(), lines))
            .start()
    };
    let collector = secure(Flaw::None);
    let gateway = start(&collector, "ca_file = \"ca.pem\"");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    one_trace(&spans(&collector, 2));
    for (flaw, lines) in [(Flaw::None, ""), (Flaw::WrongName, "ca_file = \"ca.pem\"")] {
        let collector = secure(flaw);
        let gateway = start(&collector, lines);
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
        gateway.await_metric("trunkline_spans_dropped_total", &[], 2.0);
        assert!(collector.requests().is_empty());
        let cure = "unknown issuer of its certificate";
        if matches!(flaw, Flaw::None) {
            gateway.await_log("WARN", &[cure], 1);
        } else {
            assert!(!gateway.finish().contains(cure));
        }
    }
}

/// Asserts that requests succeed and this many spans are dropped.
#[track_caller]
fn assert_spans_dropped(gateway: &Gateway, dropped: f64) {
    for _ in 0..3 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    gateway.await_metric("trunkline_spans_dropped_total", &[], dropped);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn an_unreachable_or_failing_collector_loses_spans_but_no_request() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let failing = Upstream::with_response(response::json("500 Oops", "{}"));
    let unwilling = Upstream::with_response(response::json(
        "200 OK",
        r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}"#,
    ));
    for base in [refused_base_url(), failing.base_url()] {
        let gateway = Setup::with_upstream(&upstream)
            .section(&traces_section(&base, ""))
            .start();
        assert_spans_dropped(&gateway, 6.0);
        let warnings = gateway.await_log("WARN", &["trace export failed"], 1);
        assert!(!warnings.concat().contains("127.0.0.1"), "{warnings:?}");
    }
    let gateway = tracing(Setup::with_upstream(&upstream), &unwilling);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.await_metric("trunkline_spans_dropped_total", &[], 2.0);
}

#[test]
fn a_busy_collector_is_retried() {
    let first = Arc::new(Semaphore::default());
    first.release();
    let collector = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(if first.try_acquire() {
            let head = ["Content-Type: application/json", "Retry-After: 1"];
            response::with_body("503 Busy", &head, "{}")
        } else {
            response::json("200 OK", "{}")
        });
    });
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = tracing(Setup::with_upstream(&upstream), &collector);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let exports = collector.wait_for_requests(2);
    assert_eq!(
        exports[0].header("content-length"),
        exports[1].header("content-length")
    );
    let dropped = gateway.metrics().sum("trunkline_spans_dropped_total", &[]);
    assert_eq!(dropped, Some(0.0));
}

#[test]
fn a_silent_collector_delays_neither_requests_nor_the_exit() {
    let collector = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let upstream = Upstream::with_response(response::completion("hi"));
    let mut gateway = tracing(Setup::with_upstream(&upstream), &collector);
    for _ in 0..50 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    collector.wait_for_requests(1);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
}

#[test]
fn the_last_spans_are_exported_before_the_process_exits() {
    let (upstream, collector) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
    );
    let mut gateway = tracing(Setup::with_upstream(&upstream), &collector);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
    assert_eq!(spans(&collector, 2).len(), 2);
}

#[test]
fn a_reload_enables_moves_and_disables_traces() {
    let (upstream, one, two) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
        collector(),
    );
    let gateway = Setup::with_upstream(&upstream).start();
    let send = || gateway.send(&Request::chat("m").header("traceparent", CLIENT));
    assert_eq!(send().status, 200);
    gateway.reload(|config| config + &traces_section(&one.base_url(), ""));
    assert_eq!(send().status, 200);
    let (from, into) = (one.port().to_string(), two.port().to_string());
    gateway.reload(|config| config.replace(&format!(":{from}\"\n"), &format!(":{into}\"\n")));
    assert_eq!(send().status, 200);
    let off =
        |config: String| config.replace(&format!("endpoint = \"http://127.0.0.1:{into}\""), "");
    gateway.reload(off);
    assert_eq!(send().status, 200);
    assert_eq!((spans(&one, 2).len(), spans(&two, 2).len()), (2, 2));
    assert_eq!(
        upstream.requests()[3].header_values("traceparent"),
        [CLIENT]
    );
}

#[test]
fn the_collector_gets_its_headers_and_nothing_else_shows_them() {
    let (upstream, collector) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
    );
    let lines = "endpoint_env = \"COLLECTOR\"\nheaders = { x-scope = \"sesame-one\" }\nheaders_env = \"MORE\"";
    let endpoint = collector.base_url().replace("/v1", "/tenant/");
    let gateway = Setup::with_upstream(&upstream)
        .section(&traces_section("off/v1", lines))
        .env("COLLECTOR", &endpoint.replace("/tenant/", ""))
        .env("MORE", "authorization=Bearer%20sesame-two, x-other = 3")
        .env("OTEL_SERVICE_NAME", "gate")
        .start();
    gateway.send(&Request::chat("m"));
    let export = &collector.wait_for_requests(1)[0];
    assert_eq!(export.header("x-scope"), Some("sesame-one"));
    assert_eq!(export.header("authorization"), Some("Bearer sesame-two"));
    assert_eq!(export.header("x-other"), Some("3"));
    spans(&collector, 2);
    assert!(collector.only_request().text().contains("\"gate\""));
    let config = gateway.get_admin("/config").text();
    assert!(config.contains("\"gate\""), "{config}");
    assert!(!(config + &gateway.finish()).contains("sesame"));
}
