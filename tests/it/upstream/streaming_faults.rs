//! A broken stream never looks complete: an error event between events, an abort
//! within one; a success after the last one.

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

/// How an upstream ends the connection.
#[derive(Debug, Clone, Copy)]
enum Exit {
    Fin,
    Reset,
}

/// Streams `sent`, ends the connection once the client has read all of it, and
/// returns the client's response.
#[track_caller]
fn broken_stream(
    setup: impl Fn(&Upstream) -> Setup,
    sent: &[String],
    exit: Exit,
) -> (Response, Gateway) {
    let gate = Arc::new(Semaphore::default());
    let script = (Arc::clone(&gate), sent.to_vec());
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for part in &script.1 {
            exchange.send(response::chunk(part));
        }
        script.0.acquire();
        match exit {
            Exit::Fin => exchange.close(),
            Exit::Reset => exchange.reset(),
        }
    });
    let gateway = setup(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    let head = client.head();
    let mut body = client.read_exact(sent.concat().len());
    gate.release();
    let (rest, complete) = client.read_body();
    body.extend(rest);
    gateway.wait_until_idle();
    let response = Response {
        status: head.status,
        head,
        interim: Vec::new(),
        body,
        complete,
    };
    (response, gateway)
}

#[track_caller]
fn assert_outcome(gateway: &Gateway, expected: &str) {
    assert_eq!(text(&gateway.access_lines(1)[0], "outcome"), expected);
}

#[test]
fn a_disconnect_between_events_becomes_an_error_event() {
    for exit in [Exit::Fin, Exit::Reset] {
        let sent = [response::delta("one"), response::delta("two")];
        let (response, gateway) = broken_stream(Setup::with_upstream, &sent, exit);
        let before = assert_response::stream_error(&response, "upstream_disconnected");
        assert_eq!(before, sent.concat().as_bytes(), "{exit:?}");
        assert_outcome(&gateway, "upstream_error");
    }
}

#[test]
fn a_disconnect_between_events_while_usage_is_injected_becomes_an_error_event() {
    let sent = [response::delta("one"), response::delta("two")];
    let (response, gateway) = broken_stream(Setup::injecting_usage, &sent, Exit::Reset);
    assert_eq!(
        assert_response::stream_error(&response, "upstream_disconnected"),
        sent.concat().as_bytes()
    );
    assert_outcome(&gateway, "upstream_error");
}

#[test]
fn a_disconnect_within_an_event_aborts() {
    for exit in [Exit::Fin, Exit::Reset] {
        for half in [
            "data: {\"choices\":[{\"delta\":{\"content\":\"tw",
            "data: {}\n",
            "d",
            "data: {}\r\n",
            ": comm",
        ] {
            let sent = [response::delta("one"), half.to_owned()];
            let (response, gateway) = broken_stream(Setup::with_upstream, &sent, exit);
            assert!(
                !response.complete,
                "{exit:?} after {half:?} looks complete: {}",
                response.text()
            );
            assert_eq!(response.text(), sent.concat(), "{exit:?} after {half:?}");
            assert_outcome(&gateway, "upstream_error");
        }
    }
}

#[test]
fn a_disconnect_after_the_last_event_is_a_success() {
    for exit in [Exit::Fin, Exit::Reset] {
        let sent = [
            response::delta("one"),
            response::finish(),
            response::DONE.to_owned(),
        ];
        let (response, gateway) = broken_stream(Setup::with_upstream, &sent, exit);
        assert!(response.complete, "{exit:?}");
        assert_eq!(response.text(), sent.concat(), "{exit:?}");
        assert_outcome(&gateway, "ok");
    }
}

/// The client's response to a stream whose HTTP body ends cleanly.
#[track_caller]
fn ended_stream(events: &[String]) -> (Response, Gateway) {
    let upstream = Upstream::with_response(response::stream(events));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::stream("m"));
    gateway.wait_until_idle();
    (response, gateway)
}

#[test]
fn a_clean_end_without_a_finish_is_incomplete() {
    let sent = [response::delta("one"), response::delta("two")];
    let (response, gateway) = ended_stream(&sent);
    assert_eq!(
        assert_response::stream_error(&response, "upstream_incomplete"),
        sent.concat().as_bytes()
    );
    assert_outcome(&gateway, "upstream_error");
}

#[test]
fn a_stream_without_events_is_incomplete() {
    let (response, _gateway) = ended_stream(&[": only a comment\n\n".to_owned()]);
    assert_response::stream_error(&response, "upstream_incomplete");
}

#[test]
fn a_finish_without_done_is_complete() {
    let sent = [response::delta("one"), response::finish()];
    let (response, gateway) = ended_stream(&sent);
    assert!(response.complete);
    assert_eq!(response.text(), sent.concat());
    assert_outcome(&gateway, "ok");
}

#[test]
fn a_clean_end_within_an_event_is_not_complete() {
    let (response, gateway) = ended_stream(&[response::delta("one"), "data: {\"choi".to_owned()]);
    assert!(!response.complete, "looks complete: {}", response.text());
    assert_outcome(&gateway, "upstream_error");
}

#[test]
fn an_error_in_the_stream_is_forwarded_once() {
    let error = response::event(
        r#"{"error":{"message":"no capacity","type":"server_error","code":503,"param":null}}"#,
    );
    for tail in [vec![], vec![response::DONE.to_owned()]] {
        let sent = [vec![response::delta("one"), error.clone()], tail].concat();
        let (response, gateway) = ended_stream(&sent);
        assert!(response.complete);
        assert_eq!(response.text(), sent.concat());
        assert_outcome(&gateway, "upstream_error");
    }
}

#[test]
fn an_error_in_the_stream_before_a_disconnect_is_forwarded_once() {
    let error = response::event(
        r#"{"error":{"message":"no capacity","type":"server_error","code":null,"param":null}}"#,
    );
    let sent = [response::delta("one"), error];
    let (response, gateway) = broken_stream(Setup::with_upstream, &sent, Exit::Fin);
    assert_eq!(
        response.text().matches("\"error\"").count(),
        1,
        "{}",
        response.text()
    );
    assert_outcome(&gateway, "upstream_error");
}

/// The client's response to a stream that stalls without an end.
#[track_caller]
fn stalled_stream(sent: &[String]) -> (Response, Gateway) {
    let parts = sent.to_vec();
    let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for part in &parts {
            exchange.send(response::chunk(part));
        }
        assert!(
            exchange.wait_for_disconnect(),
            "a stalled upstream was kept"
        );
    });
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.up.timeouts]\nidle = \"300ms\"")
        .start();
    let response = gateway.send(&Request::stream("m"));
    upstream.wait_for_closed(1);
    gateway.wait_until_idle();
    (response, gateway)
}

#[test]
fn a_stall_between_events_becomes_an_error_event() {
    let sent = [response::delta("one"), response::delta("two")];
    let (response, gateway) = stalled_stream(&sent);
    assert_eq!(
        assert_response::stream_error(&response, "upstream_stalled"),
        sent.concat().as_bytes()
    );
    assert_outcome(&gateway, "timeout");
}

#[test]
fn a_stall_within_an_event_aborts() {
    let sent = [response::delta("one"), "data: {\"ch".to_owned()];
    let (response, gateway) = stalled_stream(&sent);
    assert!(!response.complete, "looks complete: {}", response.text());
    assert_outcome(&gateway, "timeout");
}

#[test]
fn a_stall_after_the_last_event_is_a_success() {
    let sent = [
        response::delta("one"),
        response::finish(),
        response::DONE.to_owned(),
    ];
    let (response, gateway) = stalled_stream(&sent);
    assert!(response.complete);
    assert_eq!(response.text(), sent.concat());
    assert_outcome(&gateway, "ok");
}

#[test]
fn a_head_without_an_event_in_time_is_a_timeout() {
    let (response, gateway) = stalled_stream(&[]);
    if response.status == 200 {
        assert_response::stream_error(&response, "upstream_stalled");
    } else {
        assert_response::error(&response, 504, "upstream_timeout", None);
    }
    assert_outcome(&gateway, "timeout");
}

#[test]
fn comments_keep_a_slow_stream_alive() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        for _ in 0..8 {
            // Each comment arrives well within `timeouts.idle`; together they take longer.
            std::thread::sleep(std::time::Duration::from_millis(200));
            exchange.send(response::chunk(": keep-alive\n\n"));
        }
        passed.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = Setup::with_upstream(&upstream)
        .section("[providers.up.timeouts]\nidle = \"1s\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.read_exact(": keep-alive\n\n".len() * 8);
    gate.release();
    assert!(client.read_body().1);
    assert_outcome(&gateway, "ok");
}

#[test]
fn an_error_event_names_the_request() {
    let (response, gateway) =
        broken_stream(Setup::with_upstream, &[response::delta("one")], Exit::Fin);
    assert_response::stream_error(&response, "upstream_disconnected");
    let line = gateway.access_line(&response.request_id());
    assert_eq!(text(&line, "endpoint"), "chat_completions");
    assert_eq!(value(&line, "status"), 200);
}
