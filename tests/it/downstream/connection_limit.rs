//! At `server.max_connections`, idle connections make room for new ones; where none is
//! idle, a new one is refused at once.

use std::sync::Arc;

use crate::downstream::tls::with_tls;
use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;
use crate::support::websocket::{Peer, TEXT, echo_upstream, open_websocket};

const LIMIT_REACHED: &str = "connection limit reached";
const EVICTED: [(&str, &str); 1] = [("kind", "evicted")];
const REFUSED: [(&str, &str); 1] = [("reason", "connections")];
/// First bytes of HTTP/2 with prior knowledge: the preface and empty SETTINGS.
const HTTP2_START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A gateway that is full with four connections, over two workers.
fn small(setup: Setup) -> Setup {
    setup.server("max_connections = 4\nworkers = 2")
}

/// The same with one worker, whose connections become idle in the order of their
/// responses.
fn ordered(setup: Setup) -> Setup {
    setup.server("max_connections = 4\nworkers = 1")
}

#[track_caller]
fn serve(client: &mut Client) {
    client.send(&Request::get("/health").bytes());
    assert_eq!(client.response().status, 200);
}

#[track_caller]
fn await_open(gateway: &Gateway, connections: u8) {
    gateway.await_metric("trunkline_connections", &[], connections.into());
}

#[test]
fn s4_the_connection_that_is_idle_longest_makes_room() {
    let gateway = ordered(Setup::new()).start();
    let mut idle: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    // In another order than they were accepted in.
    for index in [2, 0, 3, 1] {
        serve(&mut idle[index]);
    }
    let mut newer = Vec::new();
    for (evicted, index) in [2, 0, 3].into_iter().enumerate() {
        let mut client = gateway.client();
        serve(&mut client);
        newer.push(client);
        idle[index].assert_closed();
        gateway.await_metric(
            "trunkline_connection_errors_total",
            &EVICTED,
            (evicted + 1) as f64,
        );
    }
    serve(&mut idle[1]);
    newer.iter_mut().for_each(serve);
    gateway.await_metric("trunkline_shed_total", &REFUSED, 0.0);
    gateway.await_log("WARN", &[LIMIT_REACHED], 1);
    assert_eq!(gateway.finish().matches(LIMIT_REACHED).count(), 1);
}

#[test]
fn s4_connections_that_never_sent_a_byte_lock_no_one_out() {
    let gateway = small(Setup::new()).start();
    let silent: Vec<Client> = (0..20).map(|_| gateway.client()).collect();
    // The first are refused: the silent ones may still send something.
    gateway.await_room();
    drop(silent);
}

#[test]
fn s4_half_a_request_head_or_preface_locks_no_one_out() {
    for half in [&b"GET /hea"[..], b"PRI", HTTP2_START] {
        let gateway = small(Setup::new()).start();
        let mut clients: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
        for client in &mut clients {
            client.send(half);
        }
        await_open(&gateway, 4);
        // The first are refused: the rest of a head may still arrive.
        gateway.await_room();
    }
}

#[test]
fn s4_idle_http2_connections_make_room() {
    let gateway = small(Setup::new()).start();
    let mut clients: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send(HTTP2_START);
        // Its SETTINGS: the connection is established. This client acknowledges nothing.
        client.read_raw(9).unwrap();
    }
    for _ in 0..8 {
        serve(&mut gateway.client());
    }
    gateway.await_metric("trunkline_shed_total", &REFUSED, 0.0);
}

#[test]
fn s4_a_busy_gateway_refuses_at_once_with_an_error() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = small(Setup::with_upstream(&upstream)).start();
    let mut busy: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    for client in &mut busy {
        client.send(&Request::chat("m").bytes());
    }
    upstream.wait_for_requests(4);
    let mut delays = std::collections::BTreeSet::new();
    for _ in 0..40 {
        // It need not send anything.
        let mut client = gateway.client();
        let response = client.response();
        let text = assert_response::error(&response, 503, "overloaded", None);
        assert!(text.contains("connections"), "{text}");
        assert_eq!(response.header("connection"), Some("close"));
        assert!(!response.request_id().is_empty());
        delays.insert(response.header("retry-after").unwrap().to_owned());
        client.assert_closed();
    }
    assert!(delays.len() > 1, "all would return at once: {delays:?}");
    gateway.await_metric("trunkline_shed_total", &REFUSED, 40.0);
    gateway.await_metric("trunkline_connection_errors_total", &EVICTED, 0.0);
    // A client that has sent a whole request can read its response as well.
    let mut client = gateway.client();
    let _ = client.try_send(&Request::chat("m").bytes());
    assert_eq!(client.response().status, 503);
    gate.release_all();
    for client in &mut busy {
        assert_eq!(client.response().status, 200);
    }
    drop(busy);
    await_open(&gateway, 0);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn s4_streams_are_not_idle() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        exchange.wait_for_disconnect();
    });
    let gateway = small(Setup::with_upstream(&upstream)).start();
    let mut streams: Vec<Client> = (0..3).map(|_| gateway.client()).collect();
    for client in &mut streams {
        client.send(&Request::stream("m").bytes());
        assert_eq!(client.head().status, 200);
        client.read_exact(response::delta("one").len());
    }
    for _ in 0..6 {
        serve(&mut gateway.client());
    }
    for client in &mut streams {
        client.socket().set_nonblocking(true).unwrap();
        let peeked = client.socket().peek(&mut [0; 1]);
        let kind = peeked.unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::WouldBlock, "a stream was cut");
    }
}

#[test]
fn s4_a_silent_websocket_is_not_idle() {
    let upstream = echo_upstream();
    let gateway = small(Setup::with_upstream(&upstream)).start();
    let mut websockets: Vec<Client> = (0..3).map(|_| open_websocket(&gateway)).collect();
    for _ in 0..6 {
        serve(&mut gateway.client());
    }
    for client in &mut websockets {
        assert!(client.send_message(TEXT, b"hi"));
        assert_eq!(client.read_frame(), Some((TEXT, b"hi".to_vec())));
    }
}

#[test]
fn s4_idle_tls_connections_make_room_and_busy_ones_have_it_closed() {
    let authority = CertificateAuthority::new();
    let issued = authority.issue("127.0.0.1", Flaw::None);
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = with_tls(ordered(Setup::with_upstream(&upstream)), &issued, "").start();
    let config = authority.client(&[], None);
    let connect = || Client::connect_tls(gateway.listen, &config);
    let mut idle: Vec<Client> = (0..4).map(|_| connect()).collect();
    idle.iter_mut().for_each(serve);
    serve(&mut connect());
    idle[0].assert_closed();
    drop(idle);
    await_open(&gateway, 0);
    let mut busy: Vec<Client> = (0..4).map(|_| connect()).collect();
    for client in &mut busy {
        client.send(&Request::chat("m").bytes());
    }
    upstream.wait_for_requests(4);
    // It could not read a response in plain text.
    let mut refused = gateway.client();
    assert!(refused.try_head().is_none());
    gateway.await_metric("trunkline_shed_total", &REFUSED, 1.0);
    gate.release_all();
    for client in &mut busy {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn s4_a_lower_limit_after_a_reload_closes_idle_connections() {
    let gateway = ordered(Setup::new()).start();
    let mut idle: Vec<Client> = (0..4).map(|_| gateway.client()).collect();
    idle.iter_mut().for_each(serve);
    gateway.reload(|text| text.replace("max_connections = 4", "max_connections = 2"));
    let mut last = gateway.client();
    serve(&mut last);
    for client in &mut idle[..3] {
        client.assert_closed();
    }
    serve(&mut idle[3]);
    serve(&mut last);
}
