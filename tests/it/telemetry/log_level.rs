//! The log level, told and changed while the gateway runs.

use serde_json::json;

use crate::support::client::{Answer, Client, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;

fn ask(gateway: &Gateway, request: &Request) -> Answer {
    let mut client = Client::connect(gateway.admin);
    client.send(&request.bytes());
    client.answer()
}

fn put(body: &str) -> Request {
    Request::new("PUT", "/log").body(body)
}

fn messages(gateway: &Gateway, message: &str) -> usize {
    let quoted = format!("\"message\":\"{message}\"");
    gateway.said().matches(&quoted).count()
}

#[test]
fn lines_come_and_go_with_the_level() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let mut gateway = Setup::over(&upstream).start();
    let shown = |level: &str| json!({ "level": level, "configured": "info" });
    assert_eq!(ask(&gateway, &Request::get("/log")).json(), shown("info"));
    gateway.ask(&Request::chat("m"));
    gateway.access_lines(1);
    assert_eq!(messages(&gateway, "attempt begins"), 0);

    let answer = ask(&gateway, &put("debug"));
    assert_eq!((answer.status, answer.json()), (200, shown("debug")));
    gateway.ask(&Request::chat("m"));
    gateway.access_lines(2);
    assert_eq!(messages(&gateway, "attempt begins"), 1);

    let answer = ask(&gateway, &put("{\"level\": \"error\"}"));
    assert_eq!((answer.status, answer.json()), (200, shown("error")));
    gateway.ask(&Request::chat("m"));
    gateway.settle();
    assert_eq!(ask(&gateway, &put("info\n")).json(), shown("info"));
    assert_eq!(ask(&gateway, &Request::get("/log")).json(), shown("info"));
    gateway.ask(&Request::chat("m"));
    gateway.signal("TERM");
    gateway.ended();
    assert_eq!(messages(&gateway, "request"), 3);
    assert_eq!(messages(&gateway, "attempt begins"), 1);
    let changes: Vec<_> = gateway.lines_at("WARN");
    let levels: Vec<String> = changes
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line| text(line, "message") == "log level changed")
        .map(|line| text(&line, "from") + " " + &text(&line, "to"))
        .collect();
    assert_eq!(levels, ["info debug", "debug error", "error info"]);
}

#[test]
fn what_is_no_level_changes_nothing_and_says_what_would() {
    let gateway = Setup::new().start();
    for body in ["", "loud", "DEBUG", "{\"level\":7}", &"x".repeat(10_000)] {
        let answer = ask(&gateway, &put(body));
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains("error, warn, info, debug, trace"));
    }
    for method in ["POST", "DELETE", "PATCH"] {
        let answer = ask(&gateway, &Request::new(method, "/log").body("debug"));
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT"));
    }
    let elsewhere = ask(&gateway, &Request::new("PUT", "/config").body("debug"));
    assert_eq!(elsewhere.status, 405);
    assert_eq!(elsewhere.header("allow"), Some("GET, HEAD"));
    let level = ask(&gateway, &Request::get("/log")).json();
    assert_eq!(level["level"], "info");
}

#[test]
fn no_page_in_a_browser_changes_the_level_or_reads_anything() {
    let gateway = Setup::new()
        .server("allowed_hosts = [\"ops.internal\"]")
        .start();
    let named = |request: Request, host: &str| request.without("Host").header("Host", host);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:8081"] {
        let answer = ask(&gateway, &put("trace").header("Origin", origin));
        assert_eq!(answer.status, 403, "{origin}");
    }
    // DNS rebinding: the page's own name points here.
    for host in [
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "10.0.0.9",
        "",
    ] {
        for path in ["/log", "/config", "/metrics", "/livez"] {
            let answer = ask(&gateway, &named(Request::get(path), host));
            assert_eq!(answer.status, 403, "{host} {path}");
        }
        assert_eq!(ask(&gateway, &named(put("trace"), host)).status, 403);
    }
    let twice = put("trace").header("Host", "evil.example");
    assert_ne!(ask(&gateway, &twice).status, 200);
    let level = ask(&gateway, &Request::get("/log")).json();
    assert_eq!(level["level"], "info");
    for host in ["localhost:9", "127.0.0.1", "[::1]:8081", "ops.internal:80"] {
        let answer = ask(&gateway, &named(put("warn"), host));
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn a_health_check_that_names_no_host_is_answered() {
    let gateway = Setup::new().start();
    let mut client = Client::connect(gateway.admin);
    client.send(b"GET /readyz HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_level_that_was_set_gives_way_to_a_configuration_that_says_something_new() {
    let gateway = Setup::new().log("level = \"info\"").start();
    let level = |expected: &str| {
        wait::until(&format!("the level {expected}"), || {
            let shown = ask(&gateway, &Request::get("/log")).json();
            (shown["level"] == expected).then_some(shown)
        })
    };
    assert_eq!(ask(&gateway, &put("debug")).status, 200);
    // Something else has changed.
    gateway.edit(|text| format!("demo = \"on\"\n{text}"));
    gateway.await_metric("trunkline_config_generation", &[], 2.0);
    assert_eq!(level("debug")["configured"], "info");
    gateway.edit(|text| text.replace("level = \"info\"", "level = \"warn\""));
    assert_eq!(level("warn")["configured"], "warn");
}
