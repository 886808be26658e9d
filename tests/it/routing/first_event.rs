//! With another target left, a stream is accepted by its first event; with
//! none, or after it, nothing is held back and nothing is mixed.

use std::sync::Arc;

use crate::routing::failover::{good, in_order, over};
use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::Gate;

const ERROR: &str =
    r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#;

fn streaming(events: &[String]) -> Vec<u8> {
    reply::stream(events)
}

fn text_of(events: &[String]) -> String {
    events.concat()
}

fn good_text() -> String {
    text_of(&[
        reply::delta("one"),
        reply::delta("two"),
        reply::finish(),
        reply::DONE.to_owned(),
    ])
}

#[test]
fn a_stream_that_begins_badly_is_not_the_callers_concern() {
    for bad in [
        streaming(&[]),
        streaming(&[": keep-alive\n\n".to_owned()]),
        streaming(&[reply::DONE.to_owned()]),
        streaming(&[reply::event(ERROR)]),
        streaming(&[
            ": wait\n\n".to_owned(),
            format!("event: error\n{}", reply::event(ERROR)),
        ]),
        streaming(&[format!("data: {ERROR}")]),
        reply::whole("200 OK", &["Content-Type: application/json"], ""),
    ] {
        let (failing, fine) = (Upstream::answering(&bad), good());
        let gateway = over(&[&failing, &fine], "");
        let answer = gateway.ask(&Request::stream("m"));
        let bad = String::from_utf8_lossy(&bad);
        assert_eq!((answer.status, answer.text()), (200, good_text()), "{bad}");
        assert!(answer.complete);
        assert_eq!(failing.requests().len(), 1);
        gateway.settle();
    }
}

#[test]
fn the_last_target_speaks_for_itself() {
    let bad = streaming(&[reply::event(ERROR)]);
    let [one, two] = [(); 2].map(|()| Upstream::answering(&bad));
    let gateway = over(&[&one, &two], "");
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!((answer.status, answer.text()), (200, reply::event(ERROR)));
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[test]
fn what_was_held_back_comes_in_order_and_untouched() {
    let events = [
        ": a\n\n".to_owned(),
        ": b\r\n\r\n".to_owned(),
        reply::delta("one"),
        reply::finish(),
        reply::DONE.to_owned(),
    ];
    let split: Vec<String> = text_of(&events).chars().map(String::from).collect();
    for pieces in [events.to_vec(), split] {
        let [one, two] = [(); 2].map(|()| Upstream::answering(streaming(&pieces)));
        let gateway = over(&[&one, &two], "");
        let answer = gateway.ask(&Request::stream("m"));
        assert_eq!(answer.text(), text_of(&events));
        assert!(answer.complete && two.requests().is_empty());
    }
}

/// Streams these, piece by piece as the gate opens.
fn gated(gate: &Arc<Gate>, pieces: &[String]) -> Upstream {
    let (gate, pieces) = (Arc::clone(gate), pieces.to_vec());
    Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for piece in &pieces {
            exchange.send(reply::chunk(piece));
            gate.pass();
        }
        exchange.send(reply::LAST_CHUNK);
    })
}

#[test]
fn nothing_is_held_back_behind_the_first_event_or_at_the_last_target() {
    let gate = Arc::new(Gate::default());
    let pieces = [
        ": a\n\n".to_owned(),
        reply::delta("one"),
        reply::delta("two"),
    ];
    let only = gated(&gate, &pieces);
    let gateway = over(&[&only], "");
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.take(pieces[0].len());
    gate.open();
    client.take(pieces[1].len());
    gate.open_for_good();
    let gate = Arc::new(Gate::default());
    let (first, spare) = (gated(&gate, &pieces), good());
    let gateway = over(&[&first, &spare], "");
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    gate.open();
    client.head();
    client.take(pieces[0].len() + pieces[1].len());
    gate.open();
    client.take(pieces[2].len());
    gate.open_for_good();
    assert!(spare.requests().is_empty());
}

#[test]
fn behind_the_first_event_there_is_no_way_back() {
    let broken = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        exchange.finish();
    });
    let spare = good();
    let gateway = over(&[&broken, &spare], "retry = { processed = true }");
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(
        assert_response::stream_error(&answer, "upstream_disconnected"),
        reply::delta("one").as_bytes()
    );
    assert!(spare.requests().is_empty());
}

/// Sends a head and leaves.
fn head_only(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    exchange.send(reply::stream_head());
    exchange.close();
}

#[test]
fn a_head_alone_is_no_answer_and_the_request_may_have_been_processed() {
    let (leaving, fine) = (Upstream::start(head_only), good());
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.gateway_left();
    });
    let bases = [leaving.base_url(), silent.base_url(), fine.base_url()];
    let short = "[providers.p1.timeouts]\ngap = \"200ms\"";
    let gateway = in_order(&bases, "").section(short).start();
    assert_response::error(
        &gateway.ask(&Request::stream("m")),
        502,
        "upstream_disconnected",
        None,
    );
    let gateway = in_order(&bases[1..], "")
        .section("[providers.p0.timeouts]\ngap = \"200ms\"")
        .start();
    assert_response::error(
        &gateway.ask(&Request::stream("m")),
        504,
        "upstream_timeout",
        None,
    );
    assert!(fine.requests().is_empty());
    let gateway = in_order(&bases, "retry = { processed = true }")
        .section(short)
        .start();
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!((answer.status, answer.text()), (200, good_text()));
}

#[test]
fn a_caller_who_leaves_while_the_first_event_is_awaited_ends_the_upstreams_request() {
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        assert!(exchange.gateway_left());
    });
    let spare = good();
    let gateway = over(&[&silent, &spare], "");
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    silent.arrived(1);
    drop(client);
    silent.ended(1);
    gateway.settle();
    assert!(spare.requests().is_empty());
}
