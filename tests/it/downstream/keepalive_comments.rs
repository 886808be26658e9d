//! Signs of life in long silences: where they are asked for, between events,
//! and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, value};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::Gate;

const COMMENT: &str = ": keep-alive\n\n";

/// A gateway that sends a comment in each silence of 100 ms, and an upstream.
fn talkative(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::start(script);
    let gateway = Setup::injecting(&upstream)
        .server("keepalive_comments = \"100ms\"")
        .start();
    (upstream, gateway)
}

#[track_caller]
fn reads(client: &mut Client, expected: &str) {
    let came = client.take(expected.len());
    assert_eq!(String::from_utf8(came).unwrap(), expected);
}

#[test]
fn u06_a_silent_stream_gets_comments_between_its_events() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let (_upstream, gateway) = talkative(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for event in [reply::delta("one"), reply::finish()] {
            passed.pass();
            exchange.send(reply::chunk(event));
        }
        passed.pass();
        exchange.send(reply::chunk(reply::usage(3, 4) + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    let mut own = 0;
    for next in [reply::delta("one"), reply::finish(), String::new()] {
        // The upstream says nothing until these have come.
        reads(&mut client, COMMENT);
        reads(&mut client, COMMENT);
        own += 2 * COMMENT.len();
        gate.open();
        let mut came = String::new();
        while !next.is_empty() && !came.ends_with(&next) {
            match client.piece() {
                crate::support::client::Piece::Data(data) => {
                    came += &String::from_utf8(data).unwrap()
                }
                end => panic!("{end:?} after {came:?}"),
            }
        }
        own += came.len();
    }
    let (rest, complete) = client.rest();
    let rest = String::from_utf8(rest).unwrap();
    assert!(complete && rest.ends_with(reply::DONE), "{rest:?}");
    assert!(!rest.contains("prompt_tokens"), "{rest:?}");
    let line = &gateway.access_lines(1)[0];
    assert_eq!(value(line, "response_bytes"), own + rest.len());
    assert_eq!(value(line, "input_tokens"), 3);
    gateway.settle();
}

#[test]
fn no_comment_comes_within_an_event_or_behind_the_last() {
    let (one, two) = (reply::delta("one"), reply::delta("two"));
    let (half, rest) = two.split_at(30);
    let pieces = [
        one.clone() + half,
        rest.to_owned() + &reply::finish() + reply::DONE,
    ];
    let (_upstream, gateway) = talkative(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for piece in &pieces {
            exchange.send(reply::chunk(piece));
            std::thread::sleep(Duration::from_millis(500));
        }
        exchange.send(reply::LAST_CHUNK);
    });
    let answer = gateway.ask(&Request::stream("m"));
    assert!(answer.complete);
    let expected = [one, two, reply::finish(), reply::DONE.to_owned()].concat();
    // One may have come before the first piece.
    let came = answer.text();
    assert_eq!(came.trim_start_matches(COMMENT), expected);
}

/// What comes of a body of this kind that pauses in the middle.
fn paused(headers: &'static str, setup: impl Fn(&Upstream) -> Setup) -> String {
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let head: Vec<&str> = headers
            .split('|')
            .chain(["Transfer-Encoding: chunked"])
            .collect();
        exchange.send(reply::head("200 OK", &head));
        exchange.send(reply::chunk("{}\n\n"));
        std::thread::sleep(Duration::from_millis(400));
        exchange.send(reply::chunk("data: [DONE]\n\n"));
        exchange.send(reply::LAST_CHUNK);
    });
    let answer = setup(&upstream).start().ask(&Request::stream("m"));
    assert!(answer.complete);
    answer.text()
}

#[test]
fn other_answers_and_other_gateways_get_none() {
    let on = |upstream: &Upstream| Setup::over(upstream).server("keepalive_comments = \"100ms\"");
    let whole = "{}\n\ndata: [DONE]\n\n";
    for headers in [
        "Content-Type: application/json",
        "Content-Type: audio/mpeg",
        "Content-Type: text/event-stream|Content-Encoding: gzip",
    ] {
        assert_eq!(paused(headers, on), whole, "{headers}");
    }
    let stream = "Content-Type: text/event-stream";
    assert!(paused(stream, on).contains(COMMENT));
    assert_eq!(paused(stream, Setup::over), whole);
}

#[test]
fn comments_do_not_make_a_stalled_stream_live() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        assert!(exchange.gateway_left());
    });
    let gateway = Setup::over(&upstream)
        .server("keepalive_comments = \"100ms\"")
        .section("[timeouts]\ngap = \"1s\"")
        .start();
    let answer = gateway.ask(&Request::stream("m"));
    let before = crate::support::assert_response::stream_error(&answer, "upstream_stalled");
    let before = String::from_utf8(before).unwrap();
    assert_eq!(before.replace(COMMENT, ""), reply::delta("one"));
    assert!(before.contains(COMMENT));
    upstream.ended(1);
}
