//! `/trunkline/status/events`: the status, for as long as somebody watches.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{Client, Piece, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;

const EVENTS: &str = "/trunkline/status/events";

#[track_caller]
fn watch(gateway: &Gateway, path: &str) -> Client {
    let mut client = gateway.client();
    client.send(&Request::get(path).bytes());
    let head = client.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.text("content-type"), Some("text/event-stream"));
    assert_eq!(head.text("cache-control"), Some("no-store"));
    client
}

/// The next event; none at the end of the stream.
#[track_caller]
fn event(client: &mut Client) -> Option<Value> {
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        match client.piece() {
            Piece::Data(data) => text.extend(data),
            Piece::End if text.is_empty() => return None,
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&text)),
        }
    }
    let text = text.strip_prefix(b"event: change\n").unwrap_or(&text);
    let data = text.strip_prefix(b"data: ").unwrap();
    Some(serde_json::from_slice(data).unwrap())
}

fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn events_follow_what_happens() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("root_path = \"/api\"")
        .start();
    let mut client = watch(&gateway, "/api/trunkline/status/events");
    assert_eq!(event(&mut client).unwrap()["requests"]["total"], 0);
    gateway.ask(&Request::chat("m"));
    while event(&mut client).unwrap()["requests"]["total"] != 1 {}
}

#[test]
fn after_the_first_event_only_what_changes_is_sent() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    let mut client = watch(&gateway, EVENTS);
    let whole = event(&mut client).unwrap();
    assert!(ids(&whole["models"]).contains(&"m"));
    assert!(!whole["providers"].as_array().unwrap().is_empty());
    assert_eq!(whole["recent"], json!([]));
    let quiet = event(&mut client).unwrap();
    assert_eq!(
        (&quiet["models"], &quiet["providers"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(quiet.get("recent"), None);
    assert_eq!(quiet["version"], whole["version"]);
    assert!(quiet["at"].as_u64() > whole["at"].as_u64());
    let id = gateway.ask(&Request::chat("m")).request_id();
    let change = loop {
        let event = event(&mut client).unwrap();
        if event["requests"]["total"] == 1 {
            break event;
        }
    };
    assert_eq!(ids(&change["models"]), ["m"]);
    assert_eq!(change["models"][0]["total"], 1);
    assert_eq!(change["providers"].as_array().unwrap().len(), 1);
    assert_eq!(ids(&change["recent"]), [id]);
    // Who comes anew is told all of it.
    let again = event(&mut watch(&gateway, EVENTS)).unwrap();
    assert_eq!(ids(&again["models"]), ids(&whole["models"]));
}

#[test]
fn so_many_may_watch_and_one_who_leaves_makes_room() {
    let gateway = Setup::new().server("workers = 1").start();
    let mut watching: Vec<Client> = (0..16).map(|_| watch(&gateway, EVENTS)).collect();
    let refused = gateway.ask(&Request::get(EVENTS));
    assert_response::error(&refused, 503, "overloaded", None);
    assert_eq!(refused.header("retry-after"), Some("1"));
    // The status itself is still there.
    assert_eq!(gateway.ask(&Request::get("/trunkline/status")).status, 200);
    watching.pop();
    wait::until("a place to watch from", || {
        let mut client = gateway.client();
        client.send(&Request::get(EVENTS).bytes());
        (client.head().status == 200).then_some(())
    });
}

#[test]
fn events_end_when_the_gateway_drains() {
    let mut gateway = Setup::new().start();
    let mut client = watch(&gateway, EVENTS);
    assert_eq!(event(&mut client).unwrap()["draining"], false);
    gateway.signal("TERM");
    let mut last = None;
    while let Some(event) = event(&mut client) {
        last = Some(event);
    }
    assert_eq!(last.unwrap()["draining"], true);
    assert_eq!(gateway.ended().code(), Some(0));
}
