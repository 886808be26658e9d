//! `/trunkline/status/events`: the status, for as long as somebody watches.

use serde_json::Value;

use crate::client::{Client, Piece, Request};
use crate::gateway::{Gateway, Setup};
use crate::judge;
use crate::upstream::{Upstream, reply};
use crate::wait;

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
    let data = text.strip_prefix(b"data: ").unwrap();
    Some(serde_json::from_slice(data).unwrap())
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
fn so_many_may_watch_and_one_who_leaves_makes_room() {
    let gateway = Setup::new().server("workers = 1").start();
    let mut watching: Vec<Client> = (0..16).map(|_| watch(&gateway, EVENTS)).collect();
    let refused = gateway.ask(&Request::get(EVENTS));
    judge::error(&refused, 503, "overloaded", None);
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
