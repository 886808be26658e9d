//! WebSockets: every way in which one ends.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use crate::support::client::Client;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::Upstream;
use crate::support::wait::{Gate, Watched};
use crate::support::websocket::{
    CLOSE, GOING_AWAY, PING, Peer, TEXT, echoing, frame, handshake, knock, open, opening,
};

/// What was said at the end of each, if anything.
type Ends = Watched<Vec<Option<Vec<u8>>>>;

const IN_FLIGHT: &str = "trunkline_tunnels_in_flight";

/// Waits for the access line of the only request, and holds it to this.
#[track_caller]
fn ended(gateway: &Gateway, outcome: &str, code: &str) {
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(text(&line, "status"), "101");
    assert_eq!(text(&line, "outcome"), outcome);
    assert_eq!(text(&line, "code"), code);
    gateway.await_metric(IN_FLIGHT, &[], 0.0);
    gateway.settle();
}

/// Whether the connection ends by a reset, and not as it should.
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
fn an_upstream_that_closes_well() {
    let upstream = opening(|exchange| {
        exchange.say(CLOSE, &1000_u16.to_be_bytes());
        assert_eq!(exchange.hear(), Some((CLOSE, vec![3, 232])));
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    assert_eq!(client.hear(), Some((CLOSE, vec![3, 232])));
    assert!(client.say(CLOSE, &[3, 232]));
    client.assert_closed();
    ended(&gateway, "ok", "");
}

#[test]
fn an_upstream_that_leaves_without_a_word() {
    let upstream = opening(|exchange| {
        exchange.say(TEXT, b"last");
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    assert_eq!(client.hear(), Some((TEXT, b"last".to_vec())));
    client.assert_closed();
    drop(client);
    ended(&gateway, "upstream_error", "upstream_disconnected");
}

#[test]
fn an_upstream_that_resets() {
    let upstream = opening(|exchange| {
        assert_eq!(exchange.hear(), Some((TEXT, b"go".to_vec())));
        exchange.reset();
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    assert!(client.say(TEXT, b"go"));
    assert!(is_reset(&client));
    ended(&gateway, "upstream_error", "upstream_disconnected");
}

#[test]
fn a_caller_who_leaves() {
    for resets in [false, true] {
        let heard = Arc::new(Watched::new(None));
        let hearing = Arc::clone(&heard);
        let upstream = opening(move |exchange| {
            assert_eq!(exchange.hear(), Some((TEXT, b"bye".to_vec())));
            exchange.say(TEXT, b"heard");
            let end = exchange.hear();
            hearing.with(|heard| *heard = Some(end));
        });
        let gateway = Setup::over(&upstream).start();
        let mut client = open(&gateway);
        assert!(client.say(TEXT, b"bye"));
        assert_eq!(client.hear(), Some((TEXT, b"heard".to_vec())));
        if resets {
            client.reset();
        } else {
            drop(client);
        }
        let end = heard.wait("the end of the caller", Clone::clone);
        assert_eq!(end, None);
        ended(&gateway, "cancelled", "");
    }
}

#[test]
fn a_caller_who_says_no_more_still_hears() {
    let upstream = opening(|exchange| {
        assert_eq!(exchange.hear(), None);
        exchange.say(TEXT, b"the rest");
        exchange.say(CLOSE, b"");
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    client.finish_sending();
    assert_eq!(client.hear(), Some((TEXT, b"the rest".to_vec())));
    assert_eq!(client.hear(), Some((CLOSE, Vec::new())));
    client.assert_closed();
}

#[test]
fn a_caller_who_leaves_an_upstream_that_does_not_care() {
    let gate = Arc::new(Gate::default());
    let over = Arc::clone(&gate);
    let upstream = opening(move |_| {
        over.pass();
    });
    let gateway = Setup::over(&upstream).start();
    drop(open(&gateway));
    // The upstream is not waited for much longer.
    ended(&gateway, "cancelled", "");
    gate.open();
}

#[test]
fn both_have_said_goodbye_and_neither_leaves() {
    let gate = Arc::new(Gate::default());
    let over = Arc::clone(&gate);
    let upstream = opening(move |exchange| {
        assert_eq!(exchange.hear(), Some((CLOSE, Vec::new())));
        exchange.say(CLOSE, b"");
        over.pass();
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    assert!(client.say(CLOSE, b""));
    assert_eq!(client.hear(), Some((CLOSE, Vec::new())));
    client.assert_closed();
    ended(&gateway, "ok", "");
    gate.open();
}

/// An upstream that notes how each WebSocket ends: whether there was a goodbye.
fn noting() -> (Upstream, Arc<Ends>) {
    let ends = Arc::new(Ends::default());
    let noted = Arc::clone(&ends);
    let upstream = opening(move |exchange| {
        loop {
            match exchange.hear() {
                Some((CLOSE, word)) => break noted.with(|ends| ends.push(Some(word))),
                Some((opcode, payload)) => {
                    exchange.say(opcode, &payload);
                }
                None => break noted.with(|ends| ends.push(None)),
            }
        }
        exchange.gateway_left();
    });
    (upstream, ends)
}

#[test]
fn silence_is_ended_with_a_word_to_both() {
    let (upstream, ends) = noting();
    let lines = "tunnel_idle_timeout = \"3s\"\nidle_timeout = \"1s\"";
    let gateway = Setup::over(&upstream).server(lines).start();
    let mut client = open(&gateway);
    // A ping is enough to go on; the limits of other connections do not count.
    for _ in 0..9 {
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(client.say(PING, b""));
        assert_eq!(client.hear(), Some((PING, Vec::new())));
    }
    assert_eq!(client.hear(), Some((CLOSE, GOING_AWAY.to_vec())));
    client.assert_closed();
    drop(client);
    let ends = ends.wait("a goodbye", |ends| (!ends.is_empty()).then(|| ends.clone()));
    assert_eq!(ends, [Some(GOING_AWAY.to_vec())]);
    ended(&gateway, "timeout", "tunnel_idle");
}

#[test]
fn a_drain_waits_and_then_says_so_where_a_frame_ends() {
    let (upstream, ends) = noting();
    let lines = "drain_timeout = \"2s\"";
    let mut gateway = Setup::over(&upstream).server(lines).start();
    let mut whole = open(&gateway);
    let mut torn = open(&gateway);
    let half = frame(TEXT, b"half of this", true);
    torn.send(&half[..9]);
    let mut parting = open(&gateway);
    gateway.signal("TERM");
    crate::support::wait::until("/readyz to turn 503", || {
        (gateway.ask_admin("/readyz").status == 503).then_some(())
    });
    // Those that are open go on.
    assert!(parting.say(TEXT, b"still"));
    assert_eq!(parting.hear(), Some((TEXT, b"still".to_vec())));
    assert!(parting.say(CLOSE, b""));
    drop(parting);
    assert_eq!(whole.hear(), Some((CLOSE, GOING_AWAY.to_vec())));
    whole.assert_closed();
    // Of the direction that is whole, the end can be told.
    assert_eq!(torn.hear(), Some((CLOSE, GOING_AWAY.to_vec())));
    torn.assert_closed();
    drop((whole, torn));
    assert_eq!(gateway.ended().code(), Some(0));
    let mut ends = ends.wait("three ends", |ends| (ends.len() == 3).then(|| ends.clone()));
    ends.sort();
    assert_eq!(ends, [None, Some(Vec::new()), Some(GOING_AWAY.to_vec())]);
    let lines = gateway.access_lines(3);
    let shed = lines.iter().filter(|line| text(line, "outcome") == "shed");
    assert_eq!(shed.count(), 2, "{lines:#?}");
}

#[test]
fn a_caller_who_leaves_before_the_upstream_has_answered() {
    let upstream = Upstream::start(|exchange| {
        assert!(exchange.gateway_left());
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&handshake("/v1/realtime?model=m").bytes());
    upstream.arrived(1);
    drop(client);
    upstream.ended(1);
    let line = gateway.access_lines(1).remove(0);
    assert_eq!(text(&line, "outcome"), "cancelled");
    gateway.settle();
}

#[test]
fn an_upstream_that_does_not_answer() {
    let upstream = Upstream::start(|exchange| {
        exchange.gateway_left();
    });
    let gateway = Setup::new()
        .provider(
            "up",
            &upstream.base_url(),
            "timeouts = { head = \"200ms\" }",
        )
        .model("m", "up", "real-model")
        .start();
    let (_, head) = knock(&gateway, &handshake("/v1/realtime?model=m"));
    assert_eq!(head.status, 504);
    upstream.ended(1);
}

#[test]
fn many_leave_nothing_behind() {
    let upstream = echoing();
    let gateway = Setup::over(&upstream).start();
    for round in 0..5 {
        let mut clients: Vec<Client> = (0..10).map(|_| open(&gateway)).collect();
        for client in &mut clients {
            assert!(client.say(TEXT, b"x"), "{round}");
            assert_eq!(client.hear(), Some((TEXT, b"x".to_vec())));
        }
    }
    gateway.await_metric(IN_FLIGHT, &[], 0.0);
    gateway.await_metric("trunkline_connections", &[], 0.0);
    gateway.await_metric("trunkline_upstream_connections", &[], 0.0);
    gateway.settle();
}
