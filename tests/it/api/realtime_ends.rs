//! WebSockets: every way in which one ends.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use crate::support::client::Client;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::Upstream;
use crate::support::wait::{Semaphore, Watched};
use crate::support::websocket::{
    CLOSE, GOING_AWAY, PING, Peer, TEXT, echo_upstream, frame, handshake, open_websocket,
    send_handshake, websocket_upstream,
};

/// The payload of each Close frame; `None` for an end without one.
type Ends = Watched<Vec<Option<Vec<u8>>>>;

const IN_FLIGHT: &str = "trunkline_websockets_open";

/// Waits for the access-log line of the only request and asserts it.
#[track_caller]
fn assert_end(gateway: &Gateway, outcome: &str, code: &str) {
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(text(&line, "status"), "101");
    assert_eq!(text(&line, "outcome"), outcome);
    assert_eq!(text(&line, "code"), code);
    gateway.await_metric(IN_FLIGHT, &[], 0.0);
    gateway.wait_until_idle();
}

/// Whether the connection ends with a reset.
fn is_reset(client: &Client) -> bool {
    let mut bytes = [0; 64];
    loop {
        match client.socket().read(&mut bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn a_close_by_the_upstream_is_forwarded() {
    let upstream = websocket_upstream(|exchange| {
        exchange.send_message(CLOSE, &1000_u16.to_be_bytes());
        assert_eq!(exchange.read_frame(), Some((CLOSE, vec![3, 232])));
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    assert_eq!(client.read_frame(), Some((CLOSE, vec![3, 232])));
    assert!(client.send_message(CLOSE, &[3, 232]));
    client.assert_closed();
    assert_end(&gateway, "ok", "");
}

#[test]
fn an_upstream_that_disconnects_without_a_close_frame_is_an_error() {
    let upstream = websocket_upstream(|exchange| {
        exchange.send_message(TEXT, b"last");
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    assert_eq!(client.read_frame(), Some((TEXT, b"last".to_vec())));
    client.assert_closed();
    drop(client);
    assert_end(&gateway, "upstream_error", "upstream_disconnected");
}

#[test]
fn a_reset_by_the_upstream_is_forwarded() {
    let upstream = websocket_upstream(|exchange| {
        assert_eq!(exchange.read_frame(), Some((TEXT, b"go".to_vec())));
        exchange.reset();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    assert!(client.send_message(TEXT, b"go"));
    assert!(is_reset(&client));
    assert_end(&gateway, "upstream_error", "upstream_disconnected");
}

#[test]
fn a_client_that_disconnects_ends_the_upstream_connection() {
    for resets in [false, true] {
        let observed = Arc::new(Watched::new(None));
        let shared = Arc::clone(&observed);
        let upstream = websocket_upstream(move |exchange| {
            assert_eq!(exchange.read_frame(), Some((TEXT, b"bye".to_vec())));
            exchange.send_message(TEXT, b"received");
            let end = exchange.read_frame();
            shared.with(|observed| *observed = Some(end));
        });
        let gateway = Setup::with_upstream(&upstream).start();
        let mut client = open_websocket(&gateway);
        assert!(client.send_message(TEXT, b"bye"));
        assert_eq!(client.read_frame(), Some((TEXT, b"received".to_vec())));
        if resets {
            client.reset();
        } else {
            drop(client);
        }
        let end = observed.wait("the end of the client", Clone::clone);
        assert_eq!(end, None);
        assert_end(&gateway, "cancelled", "");
    }
}

#[test]
fn a_client_that_shuts_down_writing_still_receives() {
    let upstream = websocket_upstream(|exchange| {
        assert_eq!(exchange.read_frame(), None);
        exchange.send_message(TEXT, b"the rest");
        exchange.send_message(CLOSE, b"");
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    client.shutdown_write();
    assert_eq!(client.read_frame(), Some((TEXT, b"the rest".to_vec())));
    assert_eq!(client.read_frame(), Some((CLOSE, Vec::new())));
    client.assert_closed();
}

#[test]
fn a_client_that_disconnects_is_recorded_though_the_upstream_does_not_react() {
    let gate = Arc::new(Semaphore::default());
    let over = Arc::clone(&gate);
    let upstream = websocket_upstream(move |_| {
        over.acquire();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    drop(open_websocket(&gateway));
    // The wait for the upstream is short.
    assert_end(&gateway, "cancelled", "");
    gate.release();
}

#[test]
fn the_gateway_disconnects_when_both_have_sent_close() {
    let gate = Arc::new(Semaphore::default());
    let over = Arc::clone(&gate);
    let upstream = websocket_upstream(move |exchange| {
        assert_eq!(exchange.read_frame(), Some((CLOSE, Vec::new())));
        exchange.send_message(CLOSE, b"");
        over.acquire();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    assert!(client.send_message(CLOSE, b""));
    assert_eq!(client.read_frame(), Some((CLOSE, Vec::new())));
    client.assert_closed();
    assert_end(&gateway, "ok", "");
    gate.release();
}

/// An upstream that records how each WebSocket ends.
fn recording_upstream() -> (Upstream, Arc<Ends>) {
    let ends = Arc::new(Ends::default());
    let recorded = Arc::clone(&ends);
    let upstream = websocket_upstream(move |exchange| {
        loop {
            match exchange.read_frame() {
                Some((CLOSE, payload)) => break recorded.with(|ends| ends.push(Some(payload))),
                Some((opcode, payload)) => {
                    exchange.send_message(opcode, &payload);
                }
                None => break recorded.with(|ends| ends.push(None)),
            }
        }
        exchange.wait_for_disconnect();
    });
    (upstream, ends)
}

#[test]
fn an_idle_websocket_is_closed_on_both_sides() {
    let (upstream, ends) = recording_upstream();
    let lines = "tunnel_idle_timeout = \"3s\"\nidle_timeout = \"1s\"";
    let gateway = Setup::with_upstream(&upstream).server(lines).start();
    let mut client = open_websocket(&gateway);
    // A ping resets the timeout; the timeouts of other connections do not apply.
    for _ in 0..9 {
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(client.send_message(PING, b""));
        assert_eq!(client.read_frame(), Some((PING, Vec::new())));
    }
    assert_eq!(client.read_frame(), Some((CLOSE, GOING_AWAY.to_vec())));
    client.assert_closed();
    drop(client);
    let ends = ends.wait("a Close frame", |ends| {
        (!ends.is_empty()).then(|| ends.clone())
    });
    assert_eq!(ends, [Some(GOING_AWAY.to_vec())]);
    assert_end(&gateway, "timeout", "tunnel_idle");
}

#[test]
fn a_drain_waits_and_then_sends_close_between_frames() {
    let (upstream, ends) = recording_upstream();
    let lines = "drain_timeout = \"2s\"";
    let mut gateway = Setup::with_upstream(&upstream).server(lines).start();
    let mut between_frames = open_websocket(&gateway);
    let mut within_frame = open_websocket(&gateway);
    let half = frame(TEXT, b"half of this", true);
    within_frame.send(&half[..9]);
    let mut closing = open_websocket(&gateway);
    gateway.signal("TERM");
    crate::support::wait::until("/readyz to turn 503", || {
        (gateway.get_admin("/readyz").status == 503).then_some(())
    });
    // Open WebSockets continue.
    assert!(closing.send_message(TEXT, b"still"));
    assert_eq!(closing.read_frame(), Some((TEXT, b"still".to_vec())));
    assert!(closing.send_message(CLOSE, b""));
    drop(closing);
    assert_eq!(
        between_frames.read_frame(),
        Some((CLOSE, GOING_AWAY.to_vec()))
    );
    between_frames.assert_closed();
    // In the direction that is between two frames, a Close frame can be sent.
    assert_eq!(
        within_frame.read_frame(),
        Some((CLOSE, GOING_AWAY.to_vec()))
    );
    within_frame.assert_closed();
    drop((between_frames, within_frame));
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    let mut ends = ends.wait("three ends", |ends| (ends.len() == 3).then(|| ends.clone()));
    ends.sort();
    assert_eq!(ends, [None, Some(Vec::new()), Some(GOING_AWAY.to_vec())]);
    let lines = gateway.access_lines(3);
    let shed = lines.iter().filter(|line| text(line, "outcome") == "shed");
    assert_eq!(shed.count(), 2, "{lines:#?}");
}

#[test]
fn a_client_that_disconnects_ends_the_upstream_handshake() {
    let upstream = Upstream::start(|exchange| {
        assert!(exchange.wait_for_disconnect());
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&handshake("/v1/realtime?model=m").bytes());
    upstream.wait_for_requests(1);
    drop(client);
    upstream.wait_for_closed(1);
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(text(&line, "outcome"), "cancelled");
    gateway.wait_until_idle();
}

#[test]
fn an_upstream_that_does_not_respond_is_a_timeout() {
    let upstream = Upstream::start(|exchange| {
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::new()
        .provider(
            "up",
            &upstream.base_url(),
            "timeouts = { response_header = \"200ms\" }",
        )
        .model("m", "up", "real-model")
        .start();
    let (_, head) = send_handshake(&gateway, &handshake("/v1/realtime?model=m"));
    assert_eq!(head.status, 504);
    upstream.wait_for_closed(1);
}

#[test]
fn many_websockets_leave_no_resources_behind() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    for round in 0..5 {
        let mut clients: Vec<Client> = (0..10).map(|_| open_websocket(&gateway)).collect();
        for client in &mut clients {
            assert!(client.send_message(TEXT, b"x"), "{round}");
            assert_eq!(client.read_frame(), Some((TEXT, b"x".to_vec())));
        }
    }
    gateway.await_metric(IN_FLIGHT, &[], 0.0);
    gateway.await_metric("trunkline_connections", &[], 0.0);
    gateway.await_metric("trunkline_upstream_connections", &[], 0.0);
    gateway.wait_until_idle();
}
