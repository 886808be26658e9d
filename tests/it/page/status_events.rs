//! `/trunkline/status/events`: the status as a stream.

use serde_json::{Value, json};

use crate::support::assert_response;
use crate::support::client::{BodyFrame, Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;

const EVENTS: &str = "/trunkline/status/events";

#[track_caller]
fn subscribe(gateway: &Gateway, path: &str) -> Client {
    let mut client = gateway.client();
    client.send(&Request::get(path).bytes());
    let head = client.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.text("content-type"), Some("text/event-stream"));
    assert_eq!(head.text("cache-control"), Some("no-store"));
    client
}

/// The next event; `None` at the end of the stream.
#[track_caller]
fn event(client: &mut Client) -> Option<Value> {
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        match client.next_frame() {
            BodyFrame::Data(data) => text.extend(data),
            BodyFrame::End if text.is_empty() => return None,
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
fn events_follow_changes() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("root_path = \"/api\"")
        .start();
    let mut client = subscribe(&gateway, "/api/trunkline/status/events");
    assert_eq!(event(&mut client).unwrap()["requests"]["total"], 0);
    gateway.send(&Request::chat("m"));
    while event(&mut client).unwrap()["requests"]["total"] != 1 {}
}

#[test]
fn after_the_first_event_only_changes_are_sent() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    let mut client = subscribe(&gateway, EVENTS);
    let full = event(&mut client).unwrap();
    assert!(ids(&full["models"]).contains(&"m"));
    assert!(!full["providers"].as_array().unwrap().is_empty());
    assert_eq!(full["recent"], json!([]));
    let unchanged = event(&mut client).unwrap();
    assert_eq!(
        (&unchanged["models"], &unchanged["providers"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(unchanged.get("recent"), None);
    assert_eq!(unchanged["version"], full["version"]);
    assert!(unchanged["at"].as_u64() > full["at"].as_u64());
    let id = gateway.send(&Request::chat("m")).request_id();
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
    // A new subscriber gets the full status.
    let again = event(&mut subscribe(&gateway, EVENTS)).unwrap();
    assert_eq!(ids(&again["models"]), ids(&full["models"]));
}

#[test]
fn subscribers_are_bounded_and_a_disconnect_makes_room() {
    let gateway = Setup::new().server("workers = 1").start();
    let mut watching: Vec<Client> = (0..16).map(|_| subscribe(&gateway, EVENTS)).collect();
    let refused = gateway.send(&Request::get(EVENTS));
    assert_response::error(&refused, 503, "overloaded", None);
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&after), "{after}");
    // The status itself is still there.
    assert_eq!(gateway.send(&Request::get("/trunkline/status")).status, 200);
    watching.pop();
    wait::until("a free subscription", || {
        let mut client = gateway.client();
        client.send(&Request::get(EVENTS).bytes());
        (client.head().status == 200).then_some(())
    });
}

#[test]
fn events_end_when_the_gateway_drains() {
    let mut gateway = Setup::new().start();
    let mut client = subscribe(&gateway, EVENTS);
    assert_eq!(event(&mut client).unwrap()["draining"], false);
    gateway.signal("TERM");
    let mut last = None;
    while let Some(event) = event(&mut client) {
        last = Some(event);
    }
    assert_eq!(last.unwrap()["draining"], true);
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}
