//! The log level, read and changed at runtime.

use serde_json::json;

use crate::support::client::{Client, Request, Response};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

fn send(gateway: &Gateway, request: &Request) -> Response {
    let mut client = Client::connect(gateway.admin);
    client.send(&request.bytes());
    client.response()
}

fn put(body: &str) -> Request {
    Request::new("PUT", "/log").body(body)
}

fn messages(output: &str, message: &str) -> usize {
    let quoted = format!("\"message\":\"{message}\"");
    output.matches(&quoted).count()
}

#[test]
fn lines_follow_the_level() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let shown = |level: &str| json!({ "level": level, "configured": "info" });
    assert_eq!(send(&gateway, &Request::get("/log")).json(), shown("info"));
    gateway.send(&Request::chat("m"));
    gateway.access_lines(1);

    let response = send(&gateway, &put("debug"));
    assert_eq!((response.status, response.json()), (200, shown("debug")));
    gateway.send(&Request::chat("m"));
    gateway.access_lines(2);
    gateway.await_log("DEBUG", &["attempt started"], 1);

    let response = send(&gateway, &put("{\"level\": \"error\"}"));
    assert_eq!((response.status, response.json()), (200, shown("error")));
    gateway.send(&Request::chat("m"));
    gateway.wait_until_idle();
    assert_eq!(send(&gateway, &put("info\n")).json(), shown("info"));
    assert_eq!(send(&gateway, &Request::get("/log")).json(), shown("info"));
    gateway.send(&Request::chat("m"));
    let output = gateway.finish();
    assert_eq!(messages(&output, "request"), 3);
    assert_eq!(messages(&output, "attempt started"), 1);
    let levels: Vec<String> = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line| text(line, "message") == "log level changed")
        .map(|line| text(&line, "from") + " " + &text(&line, "to"))
        .collect();
    assert_eq!(levels, ["info debug", "debug error", "error info"]);
}

#[test]
fn an_invalid_level_changes_nothing_and_lists_the_valid_ones() {
    let gateway = Setup::new().start();
    for body in ["", "loud", "DEBUG", "{\"level\":7}", &"x".repeat(10_000)] {
        let response = send(&gateway, &put(body));
        assert_eq!(response.status, 400, "{body}");
        assert!(response.text().contains("error, warn, info, debug, trace"));
    }
    for method in ["POST", "DELETE", "PATCH"] {
        let response = send(&gateway, &Request::new(method, "/log").body("debug"));
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, PUT"));
    }
    let elsewhere = send(&gateway, &Request::new("PUT", "/config").body("debug"));
    assert_eq!(elsewhere.status, 405);
    assert_eq!(elsewhere.header("allow"), Some("GET, HEAD"));
    let level = send(&gateway, &Request::get("/log")).json();
    assert_eq!(level["level"], "info");
}

#[test]
fn no_page_in_a_browser_changes_the_level_or_reads_anything() {
    let gateway = Setup::new()
        .server("allowed_hosts = [\"ops.internal\"]")
        .start();
    let named = |request: Request, host: &str| request.without("Host").header("Host", host);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:8081"] {
        let response = send(&gateway, &put("trace").header("Origin", origin));
        assert_eq!(response.status, 403, "{origin}");
    }
    // DNS rebinding: the page's own name resolves to the gateway.
    for host in [
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "10.0.0.9",
        "",
    ] {
        for path in ["/log", "/config", "/metrics"] {
            let response = send(&gateway, &named(Request::get(path), host));
            assert_eq!(response.status, 403, "{host} {path}");
        }
        // Probes learn nothing but that the process lives.
        for path in ["/livez", "/readyz"] {
            let response = send(&gateway, &named(Request::get(path), host));
            assert_eq!(response.status, 200, "{host} {path}");
        }
        assert_eq!(send(&gateway, &named(put("trace"), host)).status, 403);
    }
    let twice = put("trace").header("Host", "evil.example");
    assert_ne!(send(&gateway, &twice).status, 200);
    let level = send(&gateway, &Request::get("/log")).json();
    assert_eq!(level["level"], "info");
    for host in ["localhost:9", "127.0.0.1", "[::1]:8081", "ops.internal:80"] {
        let response = send(&gateway, &named(put("warn"), host));
        assert_eq!(response.status, 200, "{host}");
    }
}

#[test]
fn a_health_check_without_a_host_is_served() {
    let gateway = Setup::new().start();
    let mut client = Client::connect(gateway.admin);
    client.send(b"GET /readyz HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_level_set_at_runtime_is_replaced_by_a_changed_configuration() {
    let gateway = Setup::new().log("level = \"info\"").start();
    let level = |expected: &str| {
        wait::until(&format!("the level {expected}"), || {
            let shown = send(&gateway, &Request::get("/log")).json();
            (shown["level"] == expected).then_some(shown)
        })
    };
    assert_eq!(send(&gateway, &put("debug")).status, 200);
    // A change of another key.
    gateway.edit(|text| format!("demo = \"on\"\n{text}"));
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    assert_eq!(level("debug")["configured"], "info");
    gateway.edit(|text| text.replace("level = \"info\"", "level = \"warn\""));
    assert_eq!(level("warn")["configured"], "warn");
}
