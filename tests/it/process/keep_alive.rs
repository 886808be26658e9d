//! Clients that keep their connections while the process is stopped or replaced
//! (docs/faults.md#a1).

use std::sync::Arc;

use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

const CLIENTS: usize = 20;

/// Streams wait for the gate after their first event.
fn upstream(gate: &Arc<Semaphore>) -> Upstream {
    let gate = Arc::clone(gate);
    Upstream::start(move |exchange| {
        if !exchange.start_stream_if_requested() {
            return;
        }
        exchange.send(response::chunk(response::delta("one")));
        gate.acquire();
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    })
}

/// Clients that do not know yet that their stream is the last response.
fn open_streams(gateway: &Gateway) -> Vec<Client> {
    let open = |_| {
        let mut client = gateway.client();
        client.send(&Request::stream("m").bytes());
        let head = client.head();
        assert_eq!(head.status, 200);
        assert!(!head.headers.iter().any(|(name, _)| name == "connection"));
        client.read_exact(response::delta("one").len());
        client
    };
    (0..CLIENTS).map(open).collect()
}

#[test]
fn a1_the_request_after_a_stream_is_served_at_a_hand_over() {
    let gate = Arc::new(Semaphore::default());
    let upstream = upstream(&gate);
    let sharing = || Setup::with_upstream(&upstream).server("reuse_port = true");
    let mut old = sharing().start();
    let streams = open_streams(&old);
    let next = sharing()
        .env("TRUNKLINE_SERVER__LISTEN", &old.listen.to_string())
        .env("TRUNKLINE_ADMIN__LISTEN", &old.admin.to_string())
        .start();
    old.signal("TERM");
    old.await_log("INFO", &["\"draining\""], 1);
    gate.release_all();
    for mut client in streams {
        assert!(client.read_body().1);
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("connection"), Some("close"));
        client.assert_closed();
    }
    assert_eq!(old.wait_for_exit().code(), Some(0));
    assert_eq!(next.send(&Request::chat("m")).status, 200);
}

#[test]
fn a1_the_request_after_a_stream_is_rejected_at_a_stop() {
    let gate = Arc::new(Semaphore::default());
    let upstream = upstream(&gate);
    let mut gateway = Setup::with_upstream(&upstream).start();
    let streams = open_streams(&gateway);
    gateway.signal("TERM");
    gateway.await_log("INFO", &["\"draining\""], 1);
    gate.release_all();
    for mut client in streams {
        assert!(client.read_body().1);
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        assert_response::error(&response, 503, "server_shutting_down", None);
        client.assert_closed();
    }
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    assert_eq!(upstream.requests().len(), CLIENTS);
}

#[test]
fn a1_a_connection_without_a_next_request_holds_up_the_exit_only_shortly() {
    let gate = Arc::new(Semaphore::default());
    let upstream = upstream(&gate);
    let mut gateway = Setup::with_upstream(&upstream)
        .server("idle_timeout = \"600s\"")
        .start();
    let mut streams = open_streams(&gateway);
    gateway.signal("TERM");
    gateway.await_log("INFO", &["\"draining\""], 1);
    gate.release_all();
    for client in &mut streams {
        assert!(client.read_body().1);
    }
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    for client in &mut streams {
        client.assert_closed();
    }
}

#[test]
fn a1_responses_before_the_drain_say_that_they_are_the_last() {
    let gate = Arc::new(Semaphore::default());
    gate.release_all();
    let upstream = upstream(&gate);
    let mut gateway = Setup::with_upstream(&upstream)
        .server("drain_delay = \"600s\"")
        .start();
    let mut kept = gateway.client();
    kept.send(&Request::chat("m").bytes());
    assert_eq!(kept.response().header("connection"), None);
    gateway.signal("TERM");
    wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    for mut client in [kept, gateway.client()] {
        for request in [Request::get("/health"), Request::stream("m")] {
            client.send(&request.bytes());
            let response = client.response();
            assert_eq!(response.status, 200);
            assert_eq!(response.header("connection"), Some("close"));
            client.assert_closed();
            client = gateway.client();
        }
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
}
