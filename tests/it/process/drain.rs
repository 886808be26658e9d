//! Promise 8, no drop on the way out: readiness first, then no new work, and
//! streams run to their end or to the deadline.

use std::net::TcpStream;
use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;

/// An upstream that streams one event, then the rest once the gate is open.
fn gated(gate: &Arc<Gate>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if !body.contains("\"stream\":true") {
            gate.pass();
            exchange.send(reply::completion("late"));
            return;
        }
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        gate.pass();
        exchange.send(reply::chunk(
            reply::delta("two") + &reply::finish() + reply::DONE,
        ));
        exchange.send(reply::LAST_CHUNK);
    })
}

/// Opens a stream and reads its first event.
#[track_caller]
fn open_stream(gateway: &Gateway) -> Client {
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.take(reply::delta("one").len());
    client
}

#[track_caller]
fn refuses_connections(gateway: &Gateway) {
    wait::until("the listener to be closed", || {
        TcpStream::connect(gateway.listen).err()
    });
}

#[test]
fn o01_streams_finish_while_new_work_is_refused() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let mut gateway = Setup::over(&upstream).start();
    assert_eq!(gateway.ask_admin("/readyz").status, 200);
    let mut streams: Vec<Client> = (0..10).map(|_| open_stream(&gateway)).collect();
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.ask_admin("/readyz").status == 503).then_some(())
    });
    assert_eq!(gateway.ask_admin("/livez").status, 200);
    refuses_connections(&gateway);
    assert!(gateway.is_alive());
    gate.open_for_good();
    for stream in &mut streams {
        let (rest, complete) = stream.rest();
        assert!(complete, "a stream was cut");
        assert_eq!(
            String::from_utf8(rest).unwrap(),
            reply::delta("two") + &reply::finish() + reply::DONE
        );
    }
    assert_eq!(gateway.ended().code(), Some(0));
    for line in gateway.access_lines(10) {
        assert_eq!(text(&line, "outcome"), "ok");
    }
}

#[test]
fn a_unary_request_in_flight_gets_its_answer() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let mut gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.arrived(1);
    gateway.signal("INT");
    refuses_connections(&gateway);
    gate.open_for_good();
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("late"));
    client.assert_closed();
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn a_connection_at_rest_gets_no_new_work_in() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let mut gateway = Setup::over(&upstream).start();
    let mut resting = gateway.client();
    resting.send(&Request::get("/v1/models").bytes());
    assert_eq!(resting.answer().status, 200);
    let mut stream = open_stream(&gateway);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.ask_admin("/readyz").status == 503).then_some(())
    });
    if resting.try_send(&Request::chat("m").bytes()).is_ok() {
        if let Some(head) = resting.try_head() {
            let (body, complete) = resting.rest();
            assert!(complete);
            assert_eq!(head.status, 503, "new work was taken in");
            assert!(
                String::from_utf8(body)
                    .unwrap()
                    .contains("server_shutting_down")
            );
        }
        resting.assert_closed();
    }
    gate.open_for_good();
    assert!(stream.rest().1);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn o02_the_deadline_ends_streams_with_an_error_event() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let mut gateway = Setup::over(&upstream)
        .server("drain_timeout = \"300ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    upstream.arrived(1);
    let head = client.head();
    let mut body = client.take(reply::delta("one").len());
    gateway.signal("TERM");
    let (rest, complete) = client.rest();
    body.extend(rest);
    let answer = crate::support::client::Answer {
        status: head.status,
        head,
        interim: Vec::new(),
        body,
        complete,
    };
    assert_eq!(
        assert_response::stream_error(&answer, "server_shutting_down"),
        reply::delta("one").into_bytes()
    );
    assert_eq!(gateway.ended().code(), Some(0));
    gate.open_for_good();
}

#[test]
fn o02_the_deadline_ends_requests_that_have_no_answer_yet() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let mut gateway = Setup::over(&upstream)
        .server("drain_timeout = \"300ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.arrived(1);
    gateway.signal("TERM");
    let answer = client.answer();
    assert_response::error(&answer, 503, "server_shutting_down", None);
    // The upstream may be at work on it.
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    client.assert_closed();
    assert_eq!(gateway.ended().code(), Some(0));
    gate.open_for_good();
}

#[test]
fn o01_callers_are_taken_in_until_the_delay_is_over() {
    let gate = Arc::new(Gate::default());
    gate.open_for_good();
    let upstream = gated(&gate);
    // Longer than the test: a second signal cuts it short.
    let mut gateway = Setup::over(&upstream)
        .server("drain_delay = \"600s\"")
        .start();
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.ask_admin("/readyz").status == 503).then_some(())
    });
    for _ in 0..3 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    assert!(gateway.is_alive());
    gateway.signal("TERM");
    refuses_connections(&gateway);
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let gate = Arc::new(Gate::default());
    let upstream = gated(&gate);
    let mut gateway = Setup::over(&upstream).start();
    let mut stream = open_stream(&gateway);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.ask_admin("/readyz").status == 503).then_some(())
    });
    gateway.signal("TERM");
    gateway.ended();
    let (rest, complete) = stream.rest();
    let text = String::from_utf8(rest).unwrap();
    assert!(!text.contains("[DONE]"));
    assert!(
        !complete || text.contains("server_shutting_down"),
        "a cut stream looks whole"
    );
    gate.open_for_good();
}

#[test]
fn an_idle_gateway_ends_at_once() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Setup::new().start();
        let mut resting = gateway.client();
        resting.send(&Request::get("/health").bytes());
        assert_eq!(resting.answer().status, 200);
        gateway.signal(signal);
        assert_eq!(gateway.ended().code(), Some(0), "SIG{signal}");
        resting.assert_closed();
    }
}
