//! Draining: readiness changes first, then new requests are rejected, and streams
//! run to their end or to the deadline (docs/faults.md, O rows).

use std::net::TcpStream;
use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, text, value};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

/// An upstream that streams one event, then the rest once the gate opens.
fn gated_stream(gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        if !body.contains("\"stream\":true") {
            gate.acquire();
            exchange.send(response::completion("late"));
            return;
        }
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        gate.acquire();
        exchange.send(response::chunk(
            response::delta("two") + &response::finish() + response::DONE,
        ));
        exchange.send(response::LAST_CHUNK);
    })
}

/// Opens a stream and reads its first event.
#[track_caller]
fn open_stream(gateway: &Gateway) -> Client {
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    client.read_exact(response::delta("one").len());
    client
}

#[track_caller]
fn assert_connections_refused(gateway: &Gateway) {
    wait::until("the listener to be closed", || {
        TcpStream::connect(gateway.listen).err()
    });
}

#[test]
fn o01_streams_finish_while_new_requests_are_rejected() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let mut gateway = Setup::with_upstream(&upstream).start();
    assert_eq!(gateway.get_admin("/readyz").status, 200);
    let mut streams: Vec<Client> = (0..10).map(|_| open_stream(&gateway)).collect();
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    assert_eq!(gateway.get_admin("/livez").status, 200);
    assert_connections_refused(&gateway);
    assert!(gateway.is_running());
    gate.release_all();
    for stream in &mut streams {
        let (rest, complete) = stream.read_body();
        assert!(complete, "a stream was truncated");
        assert_eq!(
            String::from_utf8(rest).unwrap(),
            response::delta("two") + &response::finish() + response::DONE
        );
    }
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    for line in gateway.access_lines(10) {
        assert_eq!(text(&line, "outcome"), "ok");
    }
}

#[test]
fn a_unary_request_in_flight_gets_its_response() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let mut gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    gateway.signal("INT");
    assert_connections_refused(&gateway);
    gate.release_all();
    let response = client.response();
    assert_eq!(response.status, 200);
    assert!(response.text().contains("late"));
    client.assert_closed();
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn an_idle_connection_accepts_no_new_request() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let mut gateway = Setup::with_upstream(&upstream).start();
    let mut idle = gateway.client();
    idle.send(&Request::get("/v1/models").bytes());
    assert_eq!(idle.response().status, 200);
    let mut stream = open_stream(&gateway);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    if idle.try_send(&Request::chat("m").bytes()).is_ok() {
        if let Some(head) = idle.try_head() {
            let (body, complete) = idle.read_body();
            assert!(complete);
            assert_eq!(head.status, 503, "a new request was accepted");
            assert!(
                String::from_utf8(body)
                    .unwrap()
                    .contains("server_shutting_down")
            );
        }
        idle.assert_closed();
    }
    gate.release_all();
    assert!(stream.read_body().1);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn o02_the_deadline_ends_streams_with_an_error_event() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let mut gateway = Setup::with_upstream(&upstream)
        .server("drain_timeout = \"300ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    upstream.wait_for_requests(1);
    let head = client.head();
    let mut body = client.read_exact(response::delta("one").len());
    gateway.signal("TERM");
    let (rest, complete) = client.read_body();
    body.extend(rest);
    let response = crate::support::client::Response {
        status: head.status,
        head,
        interim: Vec::new(),
        body,
        complete,
    };
    assert_eq!(
        assert_response::stream_error(&response, "server_shutting_down"),
        response::delta("one").into_bytes()
    );
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    gate.release_all();
}

#[test]
fn o02_the_deadline_ends_requests_without_a_response() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let mut gateway = Setup::with_upstream(&upstream)
        .server("drain_timeout = \"300ms\"")
        .start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    upstream.wait_for_requests(1);
    gateway.signal("TERM");
    let response = client.response();
    assert_response::error(&response, 503, "server_shutting_down", None);
    // The upstream may be processing it.
    assert_eq!(response.header("x-should-retry"), Some("false"));
    client.assert_closed();
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    gate.release_all();
}

#[test]
fn o01_clients_are_accepted_until_the_drain_delay_is_over() {
    let gate = Arc::new(Semaphore::default());
    gate.release_all();
    let upstream = gated_stream(&gate);
    // Longer than the test; a second signal shortens it.
    let mut gateway = Setup::with_upstream(&upstream)
        .server("drain_delay = \"600s\"")
        .start();
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    for _ in 0..3 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    assert!(gateway.is_running());
    gateway.signal("TERM");
    assert_connections_refused(&gateway);
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let gate = Arc::new(Semaphore::default());
    let upstream = gated_stream(&gate);
    let mut gateway = Setup::with_upstream(&upstream).start();
    let mut stream = open_stream(&gateway);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    gateway.await_log("INFO", &["draining", "\"limit_ms\":600000", "at once"], 1);
    gateway.signal("TERM");
    let (rest, _) = stream.read_body();
    let text = String::from_utf8(rest).unwrap();
    assert!(text.contains("server_shutting_down") && !text.contains("[DONE]"));
    gateway.wait_for_exit();
    // Not by its client, as `cancelled` would say.
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(value(&line, "outcome"), "shed");
    assert_eq!(value(&line, "code"), "server_shutting_down");
    gate.release_all();
}

#[test]
fn an_idle_gateway_stops_at_once() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Setup::new().start();
        let mut idle = gateway.client();
        idle.send(&Request::get("/health").bytes());
        assert_eq!(idle.response().status, 200);
        gateway.signal(signal);
        assert_eq!(gateway.wait_for_exit().code(), Some(0), "SIG{signal}");
        idle.assert_closed();
    }
}
