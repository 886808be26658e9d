//! What Prometheus asks of `/metrics`, and the series that exist from the start.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::prometheus::Metrics;
use crate::support::upstream::{Upstream, response};

const COMPLETION: &str = r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}"#;
const PRICE: &str = "[prices.\"up/real-model\"]\ninput = \"1\"\noutput = \"2\"";
/// Prometheus 3 asks for these.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

fn scrape(gateway: &Gateway, headers: &[(&str, &str)]) -> Response {
    let request = headers
        .iter()
        .fold(Request::get("/metrics"), |request, (name, value)| {
            request.header(name, value)
        });
    let mut client = Client::connect(gateway.admin);
    client.send(&request.bytes());
    client.response()
}

#[test]
fn wm05_every_scraper_gets_the_text_format() {
    let gateway = Setup::new().start();
    for accept in [
        ACCEPT,
        "text/plain",
        "application/openmetrics-text",
        "application/json",
    ] {
        let response = scrape(&gateway, &[("accept", accept)]);
        assert_eq!(response.status, 200);
        let media_type = response.header("content-type").unwrap();
        assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(response.header("content-encoding"), None);
        assert!(response.text().ends_with('\n'), "{}", response.text());
    }
}

#[test]
fn wm05_a_scrape_is_compressed_where_the_scraper_accepts_it() {
    let gateway = Setup::new().start();
    for accepted in ["gzip", "br, GZIP;q=0.5", "*"] {
        let response = scrape(&gateway, &[("accept-encoding", accepted)]);
        assert_eq!(
            response.header("content-encoding"),
            Some("gzip"),
            "{accepted}"
        );
        assert_eq!(response.header("vary"), Some("accept, accept-encoding"));
        let mut text = String::new();
        GzDecoder::new(&*response.body)
            .read_to_string(&mut text)
            .unwrap();
        let metrics = Metrics::parse(&text);
        assert_eq!(
            metrics.sum("trunkline_build_info", &[]),
            Some(1.0),
            "{text}"
        );
    }
    for refused in ["identity", "gzip;q=0", "br"] {
        let response = scrape(&gateway, &[("accept-encoding", refused)]);
        assert_eq!(response.header("content-encoding"), None, "{refused}");
        assert!(response.text().contains("trunkline_build_info"));
    }
}

#[test]
fn wm05_head_has_the_head_of_a_scrape_and_no_body() {
    let gateway = Setup::new().start();
    let mut client = Client::connect(gateway.admin);
    for _ in 0..2 {
        client.send(b"HEAD /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let head = client.head();
        assert_eq!(head.status, 200);
        assert!(head.text("content-type").unwrap().starts_with("text/plain"));
    }
}

#[test]
fn wm05_label_values_are_escaped_and_no_series_occurs_twice() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let model = |name: &str| format!("[models.'{name}']\nprovider = \"up\"\nmodel = \"x\"");
    let names = [r#"a"b"#, r"a\b", "ü"];
    let setup = names
        .into_iter()
        .fold(Setup::with_upstream(&upstream), |setup: Setup, name| {
            setup.section(&model(name))
        });
    let gateway = setup.start();
    for name in [r#"a\"b"#, r"a\\b", "ü"] {
        assert_eq!(gateway.send(&Request::chat(name)).status, 200, "{name}");
    }
    let text = scrape(&gateway, &[]).text();
    // In JSON and in this format, these characters are escaped alike.
    for escaped in [r#"a\"b"#, r"a\\b", "ü"] {
        let labels = format!("model=\"{escaped}\"");
        assert!(text.contains(&labels), "{labels} is not in {text}");
    }
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series.to_owned()), "{series} occurs twice");
    }
}

#[test]
fn what_alerts_need_exists_from_the_start() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let dead = "[providers.dead]\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key = \"k\"\n\
                [models.two]\ntargets = [{ provider = \"up\", model = \"a\" }, { provider = \"dead\", model = \"b\" }]";
    let gateway = Setup::with_upstream(&upstream).section(dead).start();
    let metrics = gateway.metrics();
    for (model, provider) in [("m", "up"), ("two", "up"), ("two", "dead"), ("up/*", "up")] {
        let [model, provider] = [("model", model), ("provider", provider)];
        for outcome in ["ok", "upstream_error", "timeout", "shed", "internal_error"] {
            let labels = [
                model,
                provider,
                ("outcome", outcome),
                ("endpoint", "chat_completions"),
            ];
            assert_eq!(
                metrics.sum("trunkline_requests_total", &labels),
                Some(0.0),
                "{labels:?}"
            );
        }
        for result in [
            "responded",
            "not_sent",
            "no_response",
            "throttled",
            "unauthorized",
            "failed",
        ] {
            let labels = [model, provider, ("result", result)];
            assert_eq!(
                metrics.sum("trunkline_attempts_total", &labels),
                Some(0.0),
                "{labels:?}"
            );
        }
        let tokens = metrics.sum(
            "trunkline_time_to_first_token_seconds_count",
            &[model, provider],
        );
        assert_eq!(tokens, Some(0.0));
    }
    for reason in [
        "connections",
        "requests_in_flight",
        "buffered_bytes",
        "spooled_bytes",
        "provider_in_flight",
    ] {
        assert_eq!(
            metrics.sum("trunkline_shed_total", &[("reason", reason)]),
            Some(0.0),
            "{reason}"
        );
    }
    for (name, value) in [
        ("trunkline_panics_total", 0.0),
        ("trunkline_log_lines_dropped_total", 0.0),
        ("trunkline_targets_ejected", 0.0),
        ("trunkline_overhead_seconds_count", 0.0),
        ("trunkline_config_last_reload_successful", 1.0),
    ] {
        assert_eq!(metrics.sum(name, &[]), Some(value), "{name}");
    }
    // Another endpoint's series exist once it is used.
    assert_eq!(
        gateway
            .send(&Request::post("/v1/embeddings", r#"{"model":"m"}"#))
            .status,
        200
    );
    gateway.access_lines(1);
    let labels = [
        ("model", "m"),
        ("endpoint", "embeddings"),
        ("outcome", "upstream_error"),
    ];
    gateway.await_metric("trunkline_requests_total", &labels, 0.0);
}

#[test]
fn a_reload_adds_the_series_of_new_models() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let gateway = Setup::with_upstream(&upstream).start();
    gateway.reload(|file| file + "\n[models.added]\nprovider = \"up\"\n");
    let labels = [("model", "added"), ("result", "unauthorized")];
    gateway.await_metric("trunkline_attempts_total", &labels, 0.0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_measured() {
    let gateway = Setup::new().start();
    let metrics = gateway.metrics();
    let value = |name: &str| metrics.sum(name, &[]).unwrap();
    let kib = gateway.resident_kib() as f64;
    let ratio = value("process_resident_memory_bytes") / 1024.0 / kib;
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
    let open = gateway.open_descriptors() as f64;
    assert!((value("process_open_fds") - open).abs() < 8.0, "{open}");
    assert!(value("process_max_fds") >= open);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(value("process_start_time_seconds") > 1.7e9);
}

#[test]
fn tokens_and_cost_are_counted_by_client_key() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let gateway = Setup::with_upstream(&upstream)
        .section(PRICE)
        .key("alice", "secret-a", "")
        .key("bob", "secret-b", "")
        .start();
    for key in ["secret-a", "secret-a", "secret-b"] {
        let request = Request::chat("m").header("authorization", &format!("Bearer {key}"));
        assert_eq!(gateway.send(&request).status, 200);
    }
    // No series for a credential that is not configured.
    let request = Request::chat("m").header("authorization", "Bearer mallory");
    assert_eq!(gateway.send(&request).status, 401);
    let tokens = "trunkline_key_tokens_total";
    for (key, input) in [("alice", 24.0), ("bob", 12.0)] {
        gateway.await_metric(tokens, &[("key", key), ("kind", "input")], input);
        let cost = input * 1e-6 + input / 12.0 * 34.0 * 2e-6;
        gateway.await_metric("trunkline_key_cost_usd_total", &[("key", key)], cost);
    }
    let metrics = gateway.metrics();
    let keys = metrics
        .select(tokens, &[])
        .map(|sample| &*sample.labels["key"]);
    assert_eq!(keys.collect::<BTreeSet<_>>(), ["alice", "bob"].into());
}

/// A scrape of many series that is not read.
#[test]
fn a_stalled_scraper_delays_no_request() {
    let upstream = Upstream::with_response(response::json("200 OK", COMPLETION));
    let models = (0..4000).map(|model| format!("[models.m{model}]\nprovider = \"up\"\n"));
    let gateway = Setup::with_upstream(&upstream)
        .section(&models.collect::<String>())
        .start();
    let mut stalled = Client::connect(gateway.admin);
    stalled.send(&Request::get("/metrics").bytes());
    assert_eq!(stalled.head().status, 200);
    assert_eq!(gateway.send(&Request::chat("m1")).status, 200);
    assert_eq!(
        gateway.metrics().sum("trunkline_build_info", &[]),
        Some(1.0)
    );
    let (body, complete) = stalled.read_body();
    assert!(complete && body.len() > 4_000_000, "{} bytes", body.len());
}
