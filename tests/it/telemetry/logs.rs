//! Log lines are exactly those documented in `docs/logs.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::wait::Semaphore;

/// Fields of every line.
const ALWAYS: [&str; 3] = ["timestamp", "level", "message"];
const COMPLETION: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":8,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":4}}}"#;

/// The rows of the table under this heading, cell by cell.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = include_str!("../../../docs/logs.md");
    let section = page.split("\n## ").find(|it| it.starts_with(heading));
    let lines = section.unwrap().lines();
    let rows = lines.filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter(|row| row.starts_with('`'))
        .map(|row| row.split(" | ").map(str::to_owned).collect())
        .collect()
}

/// The parts of a cell in backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The documented value of each field of the access log.
fn documented() -> BTreeMap<String, String> {
    let rows = rows("Requests").into_iter();
    rows.map(|row| (quoted(&row[0])[0].to_owned(), row[1].clone()))
        .collect()
}

fn fields(line: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let fields = line.as_object().unwrap().iter();
    fields.filter(|(name, _)| !ALWAYS.contains(&name.as_str()))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        _ => "nothing that is documented",
    }
}

/// The log of a gateway whose requests ended in every possible way.
fn lines() -> Vec<Value> {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"slow\"") {
            exchange.wait_for_disconnect();
        } else if body.contains("\"stalls\"") {
            exchange.send(response::stream_head());
            exchange.send(response::chunk(response::delta("one")));
            exchange.wait_for_disconnect();
        } else if body.contains("\"broken\"") {
            exchange.send(response::json("500 Internal Server Error", "{}"));
        } else if body.contains("\"stream\":true") {
            let events = [
                response::delta("one"),
                response::finish(),
                response::usage(30, 12),
                response::DONE.to_owned(),
            ];
            exchange.send(response::stream(&events));
        } else {
            exchange.send(response::json("200 OK", COMPLETION));
        }
    });
    let setup = ["slow", "stalls", "broken"]
        .into_iter()
        .fold(Setup::with_upstream(&upstream), |setup, name| {
            setup.model(name, "up", name)
        });
    let mut gateway = setup
        .provider("gone", &refused_base_url(), "")
        .provider("hasty", &upstream.base_url(), "timeouts = { response_header = \"50ms\" }")
        .model("late", "hasty", "slow")
        .section("[models.two]\ntargets = [{ provider = \"gone\" }, { provider = \"up\", priority = 1 }]")
        .section("[prices.\"up/*\"]\ninput = \"1\"\noutput = \"2\"")
        .key("alice", "tk-alice", "")
        .key("bob", "tk-bob", "team = \"search\"")
        .section("[limits.tokens]\ntokens = [\"9000000/total\"]")
        .section("[limits.twice]\nteams = [\"search\"]\nrequests = [\"2/total\", \"4/second burst 1\"]\nwait = \"9s\"")
        .server("max_body = \"2KiB\"")
        .section(&crate::telemetry::traces::traces_section(&refused_base_url(), ""))
        .section("[metrics]\notlp = true\notlp_interval = \"1s\"")
        .log("level = \"debug\"")
        .start();
    for model in ["m", "two", "broken", "late", "no-such-model"] {
        let request = Request::chat(model).key("tk-alice");
        gateway.send(&request.header("x-session-id", "ses_1"));
    }
    for status in [200, 200, 429] {
        let request = Request::chat("m").key("tk-bob");
        assert_eq!(gateway.send(&request).status, status);
    }
    assert!(gateway.send(&Request::stream("m").key("tk-alice")).complete);
    gateway.send(&Request::chat("m"));
    gateway.send(&Request::get("/nowhere"));
    let mut disconnecting = gateway.client();
    disconnecting.send(&Request::stream("stalls").key("tk-alice").bytes());
    disconnecting.head();
    drop(disconnecting);
    let mut disconnecting = gateway.client();
    disconnecting.send(&Request::chat("slow").key("tk-alice").bytes());
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    drop(disconnecting);
    gateway.access_lines(13);
    crate::support::wait::until("the warnings about failed exports", || {
        let output = gateway.output();
        let failed = ["trace export failed", "metric export failed"];
        let all = failed.iter().all(|message| output.contains(message));
        all.then_some(())
    });
    gateway.signal("TERM");
    gateway.wait_for_exit();
    let output = gateway.output();
    let lines = output.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn every_field_is_documented_and_every_documented_field_is_there() {
    let documented = documented();
    let lines = lines();
    let mut seen = BTreeSet::new();
    let mut outcomes = BTreeSet::new();
    for line in &lines {
        for name in ALWAYS {
            assert!(line[name].is_string(), "{name}: {line}");
        }
        if line["message"] == "request" {
            outcomes.insert(text(line, "outcome"));
            for (name, value) in fields(line) {
                let expected = documented.get(name).map(String::as_str);
                assert_eq!(expected, Some(kind(value)), "{name}: {line}");
                seen.insert(name.clone());
            }
        }
    }
    let known: BTreeSet<String> = documented.into_keys().collect();
    assert_eq!(seen, known);
    let expected = [
        "cancelled",
        "client_error",
        "limited",
        "ok",
        "timeout",
        "upstream_error",
    ];
    assert!(outcomes.iter().eq(expected), "{outcomes:?}");
    assert_events_documented(&lines);
}

/// Asserts that every other line is documented with its level and fields.
fn assert_events_documented(lines: &[Value]) {
    let mut events_by_message = BTreeMap::new();
    for row in rows("Everything else") {
        for message in quoted(&row[0]) {
            events_by_message.insert(message.to_owned(), row.clone());
        }
    }
    let mut seen = BTreeSet::new();
    for line in lines.iter().filter(|line| line["message"] != "request") {
        let message = text(line, "message");
        let row = events_by_message
            .get(&message)
            .unwrap_or_else(|| panic!("{message:?} is not documented"));
        assert!(
            quoted(&row[1]).contains(&text(line, "level").as_str()),
            "{line}"
        );
        let known = quoted(&row[2]);
        for (name, _) in fields(line) {
            assert!(known.contains(&name.as_str()), "{name}: {line}");
        }
        seen.insert(message);
    }
    for message in [
        "listening",
        "configuration warning",
        "attempt started",
        "attempt failed",
        "trace export failed",
        "metric export failed",
        "draining",
        "stopped",
    ] {
        assert!(seen.contains(message), "{message}: {seen:?}");
    }
}

#[test]
fn shed_and_rejected_requests_are_logged_as_documented() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .server("max_body = \"1KiB\"\nmax_buffered = \"1KiB\"\nmax_in_flight = 1")
        .start();
    let mut holder = gateway.client();
    holder.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    assert_eq!(gateway.send(&Request::chat("m")).status, 503);
    gate.release();
    assert_eq!(holder.response().status, 200);
    gateway.send(&Request::get("/v1/nothing"));
    let documented = documented();
    let lines = gateway.access_lines(3);
    let outcomes: BTreeSet<String> = lines.iter().map(|line| text(line, "outcome")).collect();
    assert!(outcomes.contains("shed"), "{outcomes:?}");
    for line in &lines {
        for (name, value) in fields(line) {
            let expected = documented.get(name).map(String::as_str);
            assert_eq!(expected, Some(kind(value)), "{name}: {line}");
        }
    }
}
