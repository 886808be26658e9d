//! WebSockets: forwarding, unbuffered and in both directions at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::downstream::tls::with_tls;
use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY, text};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;
use crate::support::websocket::{
    ACCEPT, BINARY, CLOSE, PING, Peer, TEXT, echo, echo_upstream, frame, handshake, open_websocket,
    send_handshake, switching_protocols, websocket_upstream,
};

const IN_FLIGHT: &str = "trunkline_websockets_open";

/// Closes the WebSocket from the client's side, with a Close frame.
#[track_caller]
fn close(client: &mut Client) {
    let payload = [&1000_u16.to_be_bytes()[..], b"bye"].concat();
    assert!(client.send_message(CLOSE, &payload));
    assert_eq!(client.read_frame(), Some((CLOSE, payload)));
    client.assert_closed();
}

#[test]
fn a_handshake_is_forwarded_unchanged() {
    let upstream = Upstream::start(|exchange| {
        let headers = [
            "Sec-WebSocket-Extensions: permessage-deflate",
            "X-Request-Id: theirs",
            "Set-Cookie: a=b",
        ];
        exchange.send(switching_protocols(&headers));
        echo(exchange);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let extensions = "permessage-deflate; a=\"b\"";
    let request = handshake("/v1/realtime?x=%20y&model=m&z")
        .header("Sec-WebSocket-Extensions", extensions)
        .header("OpenAI-Beta", "realtime=v1")
        .key("whatever");
    let (_client, head) = send_handshake(&gateway, &request);
    assert_eq!(head.status, 101);
    for (name, value) in [
        ("upgrade", Some("websocket")),
        ("connection", Some("upgrade")),
        ("sec-websocket-accept", Some(ACCEPT)),
        ("sec-websocket-extensions", Some("permessage-deflate")),
        ("x-request-id", Some("theirs")),
        ("x-trunkline-provider", Some("up")),
        ("x-trunkline-model", Some("real-model")),
        ("set-cookie", None),
        ("sec-websocket-protocol", None),
        ("content-length", None),
        ("transfer-encoding", None),
    ] {
        assert_eq!(head.text(name), value, "{name}");
    }
    let seen = upstream.wait_for_requests(1).remove(0);
    assert_eq!(seen.target, "/v1/realtime?x=%20y&model=real-model&z");
    let bearer = format!("Bearer {UPSTREAM_KEY}");
    for (name, value) in [
        ("authorization", &[&*bearer][..]),
        ("connection", &["Upgrade"]),
        ("upgrade", &["websocket"]),
        ("sec-websocket-version", &["13"]),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ=="]),
        ("sec-websocket-extensions", &[extensions]),
        ("openai-beta", &["realtime=v1"]),
        ("content-length", &[]),
    ] {
        assert_eq!(seen.header_values(name), value, "{name}");
    }
}

#[test]
fn messages_are_forwarded_both_ways_and_counted() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    gateway.await_metric(IN_FLIGHT, &[], 1.0);
    let bytes: Vec<u8> = (0..=255).collect();
    let messages = [
        (TEXT, &b"{}"[..]),
        (BINARY, &bytes),
        (PING, b"?"),
        (TEXT, b""),
    ];
    for (opcode, payload) in messages {
        assert!(client.send_message(opcode, payload));
        assert_eq!(client.read_frame(), Some((opcode, payload.to_vec())));
    }
    close(&mut client);
    let line = gateway.access_lines(1).remove(0);
    // Frames with their heads and masks, including the last one.
    let count = (2 + 2) + (4 + 256) + (2 + 1) + 2 + (2 + 5);
    for (field, value) in [
        ("endpoint", "realtime"),
        ("status", "101"),
        ("outcome", "ok"),
        ("model", "m"),
        ("provider", "up"),
        ("response_bytes", &count.to_string()),
        ("request_bytes", &(count + 5 * 4).to_string()),
    ] {
        assert_eq!(text(&line, field), value, "{field}");
    }
    gateway.wait_until_idle();
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum(IN_FLIGHT, &[]), Some(0.0));
    let labels = [
        ("endpoint", "realtime"),
        ("status", "1xx"),
        ("outcome", "ok"),
    ];
    assert_eq!(metrics.sum("trunkline_requests_total", &labels), Some(1.0));
}

#[test]
fn megabytes_are_forwarded_both_ways_at_once() {
    const MESSAGES: u8 = 12;
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    let mut writer = client.socket().try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let message = frame(BINARY, &vec![number; 1 << 20], true);
            std::io::Write::write_all(&mut writer, &message).unwrap();
        }
    });
    for number in 0..MESSAGES {
        let (opcode, payload) = client.read_frame().unwrap();
        assert_eq!((opcode, payload.len()), (BINARY, 1 << 20));
        assert!(
            payload.iter().all(|byte| *byte == number),
            "message {number}"
        );
    }
    writing.join().unwrap();
    close(&mut client);
}

#[test]
fn a_part_of_a_message_is_forwarded_at_once() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = websocket_upstream(move |exchange| {
        let message = frame(TEXT, b"hello", false);
        exchange.send(&message[..4]);
        passed.acquire();
        exchange.send(&message[4..]);
        // A byte is forwarded at once, although its frame is incomplete.
        assert_eq!(exchange.read_raw(1), Some(vec![0x81]));
        exchange.send(frame(TEXT, b"got it", false));
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    assert_eq!(
        client.read_raw(4).unwrap(),
        frame(TEXT, b"hello", false)[..4]
    );
    gate.release();
    assert_eq!(client.read_raw(3).unwrap(), b"llo");
    client.send(&[0x81]);
    assert_eq!(client.read_frame(), Some((TEXT, b"got it".to_vec())));
}

#[test]
fn bytes_right_after_a_handshake_are_not_lost() {
    let upstream = Upstream::start(|exchange| {
        let first = frame(TEXT, b"welcome", false);
        exchange.send([switching_protocols(&[]).as_bytes(), &first].concat());
        echo(exchange);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    let request = handshake("/v1/realtime?model=m").bytes();
    client.send(&[request, frame(TEXT, b"early", true)].concat());
    assert_eq!(client.head().status, 101);
    assert_eq!(client.read_frame(), Some((TEXT, b"welcome".to_vec())));
    assert_eq!(client.read_frame(), Some((TEXT, b"early".to_vec())));
    close(&mut client);
}

#[test]
fn a_reused_connection_can_become_a_websocket() {
    let upstream = Upstream::start(|exchange| {
        if exchange.request().method == "POST" {
            exchange.read_body();
            exchange.send(response::completion("hi"));
            return;
        }
        exchange.send(switching_protocols(&[]));
        echo(exchange);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    assert_eq!(client.response().status, 200);
    client.send(&handshake("/v1/realtime?model=m").bytes());
    assert_eq!(client.head().status, 101);
    assert!(client.send_message(TEXT, b"x"));
    assert_eq!(client.read_frame(), Some((TEXT, b"x".to_vec())));
    close(&mut client);
    // The upstream connection was opened for it.
    let connections: Vec<_> = upstream.requests().iter().map(|it| it.connection).collect();
    assert_eq!(connections, [0, 1]);
}

/// A TLS gateway, over a TLS upstream that prefers HTTP/2.
fn secured(authority: &CertificateAuthority, upstream: &Upstream) -> Gateway {
    let setup = Setup::new();
    let ca = setup.file("ca.pem", authority.pem().as_bytes());
    let lines = format!("ca_file = \"{}\"", ca.display());
    let setup = setup.provider("up", &upstream.base_url(), &lines);
    let issued = authority.issue("127.0.0.1", Flaw::None);
    with_tls(setup.model("m", "up", "real-model"), &issued, "").start()
}

#[test]
fn tls_on_both_sides_makes_no_difference() {
    let authority = CertificateAuthority::new();
    let server = authority.server(Flaw::None, &["h2", "http/1.1"]);
    let upstream = Upstream::start_tls(server, |exchange| {
        exchange.send(switching_protocols(&[]));
        echo(exchange);
    });
    let gateway = secured(&authority, &upstream);
    let config = authority.client(&["http/1.1"], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&handshake("/v1/realtime?model=m").bytes());
    assert_eq!(client.head().status, 101);
    let message = vec![b'x'; 300_000];
    assert!(client.send_message(TEXT, &message));
    assert_eq!(client.read_frame(), Some((TEXT, message)));
    assert!(client.send_message(CLOSE, b""));
    assert_eq!(client.read_frame(), Some((CLOSE, Vec::new())));
}

#[test]
fn a_permit_at_the_provider_is_held_to_the_end() {
    let upstream = Upstream::start(|exchange| {
        if exchange.request().method == "POST" {
            exchange.read_body();
            exchange.send(response::completion("hi"));
            return;
        }
        exchange.send(switching_protocols(&[]));
        echo(exchange);
    });
    let lines = "pool = { max_in_flight = 1, acquire_timeout = \"10ms\" }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let mut client = open_websocket(&gateway);
    let response = gateway.send(&Request::chat("m"));
    assert_response::error(&response, 503, "overloaded", None);
    close(&mut client);
    gateway.await_metric(IN_FLIGHT, &[], 0.0);
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
}

#[test]
fn a_reload_does_not_affect_an_open_websocket() {
    let upstream = echo_upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    gateway.reload(|text| text.replace("real-model", "other-model"));
    assert!(client.send_message(TEXT, b"still here"));
    assert_eq!(client.read_frame(), Some((TEXT, b"still here".to_vec())));
    let mut next = open_websocket(&gateway);
    assert!(upstream.requests()[1].target.ends_with("=other-model"));
    close(&mut client);
    close(&mut next);
}

#[test]
fn a_slow_reader_slows_the_sender() {
    const MOST: usize = 256;
    const MESSAGE_SIZE: usize = 1 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let upstream = websocket_upstream(move |exchange| {
        let message = frame(BINARY, &vec![1; MESSAGE_SIZE], false);
        while count.load(Ordering::Relaxed) < MOST && exchange.send(&message) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = open_websocket(&gateway);
    // The kernel's buffers take this much; a gateway that buffered would take all
    // of it.
    let mut seen = (usize::MAX, Instant::now());
    let sent = wait::until("the sender to be blocked", || {
        let now = sent.load(Ordering::Relaxed);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        (seen.1.elapsed() > Duration::from_millis(500)).then_some(now)
    });
    assert!(sent < MOST / 2, "{sent} MiB were accepted");
    for _ in 0..MOST {
        assert_eq!(client.read_frame().unwrap().1.len(), MESSAGE_SIZE);
    }
}
