//! A stream that breaks never looks whole: an error event where events are
//! apart, an abort inside one, and a success once all was said.

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::Gate;

/// How an upstream leaves.
#[derive(Debug, Clone, Copy)]
enum Exit {
    Fin,
    Reset,
}

/// Streams `sent`, leaves once the client has read all of it, and yields what
/// the client then has.
#[track_caller]
fn broken(setup: impl Fn(&Upstream) -> Setup, sent: &[String], exit: Exit) -> (Answer, Gateway) {
    let gate = Arc::new(Gate::default());
    let script = (Arc::clone(&gate), sent.to_vec());
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for piece in &script.1 {
            exchange.send(reply::chunk(piece));
        }
        script.0.pass();
        match exit {
            Exit::Fin => exchange.close(),
            Exit::Reset => exchange.reset(),
        }
    });
    let gateway = setup(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    let head = client.head();
    let mut body = client.take(sent.concat().len());
    gate.open();
    let (rest, complete) = client.rest();
    body.extend(rest);
    gateway.settle();
    let answer = Answer {
        status: head.status,
        head,
        interim: Vec::new(),
        body,
        complete,
    };
    (answer, gateway)
}

#[track_caller]
fn outcome(gateway: &Gateway, expected: &str) {
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), expected);
}

#[test]
fn a_break_between_events_becomes_an_error_event() {
    for exit in [Exit::Fin, Exit::Reset] {
        let sent = [reply::delta("one"), reply::delta("two")];
        let (answer, gateway) = broken(Setup::over, &sent, exit);
        let before = assert_response::stream_error(&answer, "upstream_disconnected");
        assert_eq!(before, sent.concat().as_bytes(), "{exit:?}");
        outcome(&gateway, "upstream_error");
    }
}

#[test]
fn a_break_between_events_while_usage_is_injected_becomes_an_error_event() {
    let sent = [reply::delta("one"), reply::delta("two")];
    let (answer, gateway) = broken(Setup::injecting, &sent, Exit::Reset);
    assert_eq!(
        assert_response::stream_error(&answer, "upstream_disconnected"),
        sent.concat().as_bytes()
    );
    outcome(&gateway, "upstream_error");
}

#[test]
fn a_break_inside_an_event_aborts() {
    for exit in [Exit::Fin, Exit::Reset] {
        for half in [
            "data: {\"choices\":[{\"delta\":{\"content\":\"tw",
            "data: {}\n",
            "d",
            "data: {}\r\n",
            ": comm",
        ] {
            let sent = [reply::delta("one"), half.to_owned()];
            let (answer, gateway) = broken(Setup::over, &sent, exit);
            assert!(
                !answer.complete,
                "{exit:?} after {half:?} looks whole: {}",
                answer.text()
            );
            assert_eq!(answer.text(), sent.concat(), "{exit:?} after {half:?}");
            outcome(&gateway, "upstream_error");
        }
    }
}

#[test]
fn a_break_after_everything_was_said_is_a_success() {
    for exit in [Exit::Fin, Exit::Reset] {
        let sent = [reply::delta("one"), reply::finish(), reply::DONE.to_owned()];
        let (answer, gateway) = broken(Setup::over, &sent, exit);
        assert!(answer.complete, "{exit:?}");
        assert_eq!(answer.text(), sent.concat(), "{exit:?}");
        outcome(&gateway, "ok");
    }
}

/// What the client gets of a stream that the upstream ends as HTTP wants it.
#[track_caller]
fn whole(events: &[String]) -> (Answer, Gateway) {
    let upstream = Upstream::answering(reply::stream(events));
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::stream("m"));
    gateway.settle();
    (answer, gateway)
}

#[test]
fn a_clean_end_without_a_finish_is_incomplete() {
    let sent = [reply::delta("one"), reply::delta("two")];
    let (answer, gateway) = whole(&sent);
    assert_eq!(
        assert_response::stream_error(&answer, "upstream_incomplete"),
        sent.concat().as_bytes()
    );
    outcome(&gateway, "upstream_error");
}

#[test]
fn a_stream_of_no_events_at_all_is_incomplete() {
    let (answer, _gateway) = whole(&[": only a comment\n\n".to_owned()]);
    assert_response::stream_error(&answer, "upstream_incomplete");
}

#[test]
fn a_finish_without_done_is_complete() {
    let sent = [reply::delta("one"), reply::finish()];
    let (answer, gateway) = whole(&sent);
    assert!(answer.complete);
    assert_eq!(answer.text(), sent.concat());
    outcome(&gateway, "ok");
}

#[test]
fn a_clean_end_inside_an_event_is_not_taken_for_complete() {
    let (answer, gateway) = whole(&[reply::delta("one"), "data: {\"choi".to_owned()]);
    assert!(!answer.complete, "looks whole: {}", answer.text());
    outcome(&gateway, "upstream_error");
}

#[test]
fn an_error_in_the_stream_is_passed_on_once() {
    let error = reply::event(
        r#"{"error":{"message":"no capacity","type":"server_error","code":503,"param":null}}"#,
    );
    for tail in [vec![], vec![reply::DONE.to_owned()]] {
        let sent = [vec![reply::delta("one"), error.clone()], tail].concat();
        let (answer, gateway) = whole(&sent);
        assert!(answer.complete);
        assert_eq!(answer.text(), sent.concat());
        outcome(&gateway, "upstream_error");
    }
}

#[test]
fn an_error_in_the_stream_before_a_break_is_still_passed_on_once() {
    let error = reply::event(
        r#"{"error":{"message":"no capacity","type":"server_error","code":null,"param":null}}"#,
    );
    let sent = [reply::delta("one"), error];
    let (answer, gateway) = broken(Setup::over, &sent, Exit::Fin);
    assert_eq!(
        answer.text().matches("\"error\"").count(),
        1,
        "{}",
        answer.text()
    );
    outcome(&gateway, "upstream_error");
}

/// What the client gets of a stream that stops and stays open.
#[track_caller]
fn stalled(sent: &[String]) -> (Answer, Gateway) {
    let pieces = sent.to_vec();
    let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for piece in &pieces {
            exchange.send(reply::chunk(piece));
        }
        assert!(exchange.gateway_left(), "a stalled upstream was kept");
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.timeouts]\ngap = \"300ms\"")
        .start();
    let answer = gateway.ask(&Request::stream("m"));
    upstream.ended(1);
    gateway.settle();
    (answer, gateway)
}

#[test]
fn a_stall_between_events_becomes_an_error_event() {
    let sent = [reply::delta("one"), reply::delta("two")];
    let (answer, gateway) = stalled(&sent);
    assert_eq!(
        assert_response::stream_error(&answer, "upstream_stalled"),
        sent.concat().as_bytes()
    );
    outcome(&gateway, "timeout");
}

#[test]
fn a_stall_inside_an_event_aborts() {
    let sent = [reply::delta("one"), "data: {\"ch".to_owned()];
    let (answer, gateway) = stalled(&sent);
    assert!(!answer.complete, "looks whole: {}", answer.text());
    outcome(&gateway, "timeout");
}

#[test]
fn a_stall_after_everything_was_said_is_a_success() {
    let sent = [reply::delta("one"), reply::finish(), reply::DONE.to_owned()];
    let (answer, gateway) = stalled(&sent);
    assert!(answer.complete);
    assert_eq!(answer.text(), sent.concat());
    outcome(&gateway, "ok");
}

#[test]
fn a_head_without_any_event_in_time_is_a_timeout() {
    let (answer, gateway) = stalled(&[]);
    if answer.status == 200 {
        assert_response::stream_error(&answer, "upstream_stalled");
    } else {
        assert_response::error(&answer, 504, "upstream_timeout", None);
    }
    outcome(&gateway, "timeout");
}

#[test]
fn comments_keep_a_slow_stream_alive() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        for _ in 0..8 {
            // Each comment comes well within the gap; all of them take longer.
            std::thread::sleep(std::time::Duration::from_millis(200));
            exchange.send(reply::chunk(": keep-alive\n\n"));
        }
        passed.pass();
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.timeouts]\ngap = \"1s\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.take(": keep-alive\n\n".len() * 8);
    gate.open();
    assert!(client.rest().1);
    outcome(&gateway, "ok");
}

#[test]
fn an_error_event_names_the_request() {
    let (answer, gateway) = broken(Setup::over, &[reply::delta("one")], Exit::Fin);
    assert_response::stream_error(&answer, "upstream_disconnected");
    let line = gateway.access_line(&answer.request_id());
    assert_eq!(text(&line, "endpoint"), "chat_completions");
    assert_eq!(value(&line, "status"), 200);
}
