//! Keep-alive comments in silent streams: only where configured, and only between
//! events.

use std::sync::Arc;
use std::time::Duration;

use crate::support::client::{BodyFrame, Client, Request};
use crate::support::gateway::{Gateway, Setup, value};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

const COMMENT: &str = ": keep-alive\n\n";

/// A gateway that sends a comment after every 100 ms of silence, and an upstream.
fn with_keepalive(
    script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
) -> (Upstream, Gateway) {
    let upstream = Upstream::start(script);
    let gateway = Setup::injecting_usage(&upstream)
        .server("keepalive_comments = \"100ms\"")
        .start();
    (upstream, gateway)
}

#[track_caller]
fn assert_next(client: &mut Client, expected: &str) {
    let received = client.read_exact(expected.len());
    assert_eq!(String::from_utf8(received).unwrap(), expected);
}

#[test]
fn u06_a_silent_stream_gets_comments_between_its_events() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let (_upstream, gateway) = with_keepalive(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for event in [response::delta("one"), response::finish()] {
            passed.acquire();
            exchange.send(response::chunk(event));
        }
        passed.acquire();
        exchange.send(response::chunk(response::usage(3, 4) + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    let mut received_bytes = 0;
    for next in [response::delta("one"), response::finish(), String::new()] {
        // The upstream stays silent until these have arrived.
        assert_next(&mut client, COMMENT);
        assert_next(&mut client, COMMENT);
        received_bytes += 2 * COMMENT.len();
        gate.release();
        let mut received = String::new();
        while !next.is_empty() && !received.ends_with(&next) {
            match client.next_frame() {
                BodyFrame::Data(data) => received += &String::from_utf8(data).unwrap(),
                end => panic!("{end:?} after {received:?}"),
            }
        }
        received_bytes += received.len();
    }
    let (rest, complete) = client.read_body();
    let rest = String::from_utf8(rest).unwrap();
    assert!(complete && rest.ends_with(response::DONE), "{rest:?}");
    assert!(!rest.contains("prompt_tokens"), "{rest:?}");
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "response_bytes"), received_bytes + rest.len());
    assert_eq!(value(line, "input_tokens"), 3);
    gateway.wait_until_idle();
}

#[test]
fn no_comment_is_sent_within_an_event_or_after_the_last() {
    let (one, two) = (response::delta("one"), response::delta("two"));
    let (half, rest) = two.split_at(30);
    let parts = [
        one.clone() + half,
        rest.to_owned() + &response::finish() + response::DONE,
    ];
    let (_upstream, gateway) = with_keepalive(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for part in &parts {
            exchange.send(response::chunk(part));
            std::thread::sleep(Duration::from_millis(500));
        }
        exchange.send(response::LAST_CHUNK);
    });
    let response = gateway.send(&Request::stream("m"));
    assert!(response.complete);
    let expected = [one, two, response::finish(), response::DONE.to_owned()].concat();
    // One may have been sent before the first part.
    let received = response.text();
    assert_eq!(received.trim_start_matches(COMMENT), expected);
}

/// The body the client gets when the upstream pauses in the middle of it.
fn body_with_pause(
    headers: &'static str,
    start: &'static str,
    setup: impl Fn(&Upstream) -> Setup,
) -> String {
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let head: Vec<&str> = headers
            .split('|')
            .chain(["Transfer-Encoding: chunked"])
            .collect();
        exchange.send(response::head("200 OK", &head));
        exchange.send(response::chunk(start));
        std::thread::sleep(Duration::from_millis(400));
        exchange.send(response::chunk("data: [DONE]\n\n"));
        exchange.send(response::LAST_CHUNK);
    });
    let response = setup(&upstream).start().send(&Request::stream("m"));
    assert!(response.complete);
    response.text()
}

#[test]
fn other_responses_and_gateways_without_the_option_get_none() {
    let on = |upstream: &Upstream| {
        Setup::with_upstream(upstream).server("keepalive_comments = \"100ms\"")
    };
    let (json, event) = ("{}\n\n", "data: {}\n\n");
    let stream = "Content-Type: text/event-stream";
    for (headers, start) in [
        ("Content-Type: application/json", json),
        ("Content-Type: audio/mpeg", event),
        (
            "Content-Type: text/event-stream|Content-Encoding: gzip",
            event,
        ),
        (stream, json),
    ] {
        let body = [start, response::DONE].concat();
        assert_eq!(body_with_pause(headers, start, on), body, "{headers}");
    }
    // The bytes count, not the type.
    for headers in [
        stream,
        "Content-Type: text/plain",
        "Content-Type: application/json",
    ] {
        assert!(
            body_with_pause(headers, event, on).contains(COMMENT),
            "{headers}"
        );
    }
    let off = body_with_pause(stream, event, Setup::with_upstream);
    assert_eq!(off, [event, response::DONE].concat());
}

#[test]
fn comments_do_not_keep_a_stalled_stream_alive() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        assert!(exchange.wait_for_disconnect());
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("keepalive_comments = \"100ms\"")
        .section("[timeouts]\nidle = \"1s\"")
        .start();
    let response = gateway.send(&Request::stream("m"));
    let before = crate::support::assert_response::stream_error(&response, "upstream_stalled");
    let before = String::from_utf8(before).unwrap();
    assert_eq!(before.replace(COMMENT, ""), response::delta("one"));
    assert!(before.contains(COMMENT));
    upstream.wait_for_closed(1);
}
