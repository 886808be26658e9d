//! Log lines hold what `docs/logs.md` says of them, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, refused_base_url, reply};

/// On every line.
const ALWAYS: [&str; 3] = ["timestamp", "level", "message"];
const ANSWER: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":8,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":4}}}"#;

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

/// The words in backquotes.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What is said of each field of a request's line.
fn documented() -> BTreeMap<String, String> {
    let rows = rows("Requests").into_iter();
    rows.map(|row| (words(&row[0])[0].to_owned(), row[1].clone()))
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
        Value::Bool(_) => "truth",
        _ => "nothing that is documented",
    }
}

/// The lines that a gateway wrote in its life, which saw requests end in every
/// way that there is.
fn lines() -> Vec<Value> {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if body.contains("\"slow\"") {
            exchange.gateway_left();
        } else if body.contains("\"stalls\"") {
            exchange.send(reply::stream_head());
            exchange.send(reply::chunk(reply::delta("one")));
            exchange.gateway_left();
        } else if body.contains("\"broken\"") {
            exchange.send(reply::json("500 Internal Server Error", "{}"));
        } else if body.contains("\"stream\":true") {
            let events = [
                reply::delta("one"),
                reply::finish(),
                reply::usage(30, 12),
                reply::DONE.to_owned(),
            ];
            exchange.send(reply::stream(&events));
        } else {
            exchange.send(reply::json("200 OK", ANSWER));
        }
    });
    let setup = ["slow", "stalls", "broken"]
        .into_iter()
        .fold(Setup::over(&upstream), |setup, name| {
            setup.model(name, "up", name)
        });
    let mut gateway = setup
        .provider("gone", &refused_base_url(), "")
        .provider("hasty", &upstream.base_url(), "timeouts = { head = \"50ms\" }")
        .model("late", "hasty", "slow")
        .section("[models.two]\ntargets = [{ provider = \"gone\" }, { provider = \"up\", priority = 1 }]")
        .section("[prices.\"up/*\"]\ninput = \"1\"\noutput = \"2\"")
        .key("alice", "tk-alice", "")
        .server("max_body = \"2KiB\"")
        .section(&crate::telemetry::traces::to(&refused_base_url(), ""))
        .log("level = \"debug\"")
        .start();
    for model in ["m", "two", "broken", "late", "nobody"] {
        gateway.ask(&Request::chat(model).key("tk-alice"));
    }
    assert!(gateway.ask(&Request::stream("m").key("tk-alice")).complete);
    gateway.ask(&Request::chat("m"));
    gateway.ask(&Request::get("/nowhere"));
    let mut leaver = gateway.client();
    leaver.send(&Request::stream("stalls").key("tk-alice").bytes());
    leaver.head();
    drop(leaver);
    let mut leaver = gateway.client();
    leaver.send(&Request::chat("slow").key("tk-alice").bytes());
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    drop(leaver);
    gateway.access_lines(10);
    crate::support::wait::until("a word of the lost traces", || {
        gateway.said().contains("traces are lost").then_some(())
    });
    gateway.signal("TERM");
    gateway.ended();
    let said = gateway.said();
    let lines = said.lines().filter(|line| !line.is_empty());
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
        "ok",
        "timeout",
        "upstream_error",
    ];
    assert!(outcomes.iter().eq(expected), "{outcomes:?}");
    events(&lines);
}

/// The other lines are told of too, with all that they hold.
fn events(lines: &[Value]) {
    let mut told = BTreeMap::new();
    for row in rows("Everything else") {
        for message in words(&row[0]) {
            told.insert(message.to_owned(), row.clone());
        }
    }
    let mut seen = BTreeSet::new();
    for line in lines.iter().filter(|line| line["message"] != "request") {
        let message = text(line, "message");
        let row = told
            .get(&message)
            .unwrap_or_else(|| panic!("{message:?} is not documented"));
        assert!(
            words(&row[1]).contains(&text(line, "level").as_str()),
            "{line}"
        );
        let known = words(&row[2]);
        for (name, _) in fields(line) {
            assert!(known.contains(&name.as_str()), "{name}: {line}");
        }
        seen.insert(message);
    }
    for message in [
        "listening",
        "config",
        "attempt begins",
        "attempt failed",
        "traces are lost",
        "draining",
        "stopped",
    ] {
        assert!(seen.contains(message), "{message}: {seen:?}");
    }
}

#[test]
fn a_request_beyond_a_limit_and_one_that_is_refused_early_keep_to_the_table() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("max_body = \"1KiB\"\nmax_buffered = \"1KiB\"\nmax_in_flight = 1")
        .start();
    let mut holder = gateway.client();
    let request = Request::chat("m");
    let bytes = request.bytes();
    holder.send(&bytes[..bytes.len() - 1]);
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 503);
    holder.send(&bytes[bytes.len() - 1..]);
    assert_eq!(holder.answer().status, 200);
    gateway.ask(&Request::get("/v1/nothing"));
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
