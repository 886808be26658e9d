//! WebSockets: what passes through one, unbuffered, both ways at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::downstream::tls::with_tls;
use crate::support::assert_response;
use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY, text};
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait;
use crate::support::wait::Gate;
use crate::support::websocket::{
    ACCEPT, BINARY, CLOSE, PING, Peer, TEXT, echo, echoing, frame, handshake, knock, open, opening,
    switch,
};

const IN_FLIGHT: &str = "trunkline_tunnels_in_flight";

/// Closes as both sides should.
#[track_caller]
fn part(client: &mut Client) {
    let bye = [&1000_u16.to_be_bytes()[..], b"bye"].concat();
    assert!(client.say(CLOSE, &bye));
    assert_eq!(client.hear(), Some((CLOSE, bye)));
    client.assert_closed();
}

#[test]
fn a_handshake_passes_as_it_is() {
    let upstream = Upstream::start(|exchange| {
        let headers = [
            "Sec-WebSocket-Extensions: permessage-deflate",
            "X-Request-Id: theirs",
            "Set-Cookie: a=b",
        ];
        exchange.send(switch(&headers));
        echo(exchange);
    });
    let gateway = Setup::over(&upstream).start();
    let extensions = "permessage-deflate; a=\"b\"";
    let request = handshake("/v1/realtime?x=%20y&model=m&z")
        .header("Sec-WebSocket-Extensions", extensions)
        .header("OpenAI-Beta", "realtime=v1")
        .key("whatever");
    let (_client, head) = knock(&gateway, &request);
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
    let seen = upstream.arrived(1).remove(0);
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
        assert_eq!(seen.all(name), value, "{name}");
    }
}

#[test]
fn messages_pass_both_ways_and_are_counted() {
    let upstream = echoing();
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    gateway.await_metric(IN_FLIGHT, &[], 1.0);
    let bytes: Vec<u8> = (0..=255).collect();
    let messages = [
        (TEXT, &b"{}"[..]),
        (BINARY, &bytes),
        (PING, b"?"),
        (TEXT, b""),
    ];
    for (opcode, payload) in messages {
        assert!(client.say(opcode, payload));
        assert_eq!(client.hear(), Some((opcode, payload.to_vec())));
    }
    part(&mut client);
    let line = gateway.access_lines(1).remove(0);
    // Frames with their heads and masks, the last one included.
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
    gateway.settle();
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
fn megabytes_pass_both_ways_at_once() {
    const MESSAGES: u8 = 12;
    let upstream = echoing();
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    let mut writer = client.socket().try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let message = frame(BINARY, &vec![number; 1 << 20], true);
            std::io::Write::write_all(&mut writer, &message).unwrap();
        }
    });
    for number in 0..MESSAGES {
        let (opcode, payload) = client.hear().unwrap();
        assert_eq!((opcode, payload.len()), (BINARY, 1 << 20));
        assert!(
            payload.iter().all(|byte| *byte == number),
            "message {number}"
        );
    }
    writing.join().unwrap();
    part(&mut client);
}

#[test]
fn a_piece_of_a_message_passes_at_once() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let upstream = opening(move |exchange| {
        let message = frame(TEXT, b"hello", false);
        exchange.send(&message[..4]);
        passed.pass();
        exchange.send(&message[4..]);
        // A byte comes as a byte, though its frame is not whole.
        assert_eq!(exchange.take_raw(1), Some(vec![0x81]));
        exchange.send(frame(TEXT, b"got it", false));
        exchange.gateway_left();
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    assert_eq!(
        client.take_raw(4).unwrap(),
        frame(TEXT, b"hello", false)[..4]
    );
    gate.open();
    assert_eq!(client.take_raw(3).unwrap(), b"llo");
    client.send(&[0x81]);
    assert_eq!(client.hear(), Some((TEXT, b"got it".to_vec())));
}

#[test]
fn what_comes_right_behind_a_handshake_is_not_lost() {
    let upstream = Upstream::start(|exchange| {
        let first = frame(TEXT, b"welcome", false);
        exchange.send([switch(&[]).as_bytes(), &first].concat());
        echo(exchange);
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    let request = handshake("/v1/realtime?model=m").bytes();
    client.send(&[request, frame(TEXT, b"early", true)].concat());
    assert_eq!(client.head().status, 101);
    assert_eq!(client.hear(), Some((TEXT, b"welcome".to_vec())));
    assert_eq!(client.hear(), Some((TEXT, b"early".to_vec())));
    part(&mut client);
}

#[test]
fn a_connection_that_served_others_may_become_one() {
    let upstream = Upstream::start(|exchange| {
        if exchange.request().method == "POST" {
            exchange.read_body();
            exchange.send(reply::completion("hi"));
            return;
        }
        exchange.send(switch(&[]));
        echo(exchange);
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    assert_eq!(client.answer().status, 200);
    client.send(&handshake("/v1/realtime?model=m").bytes());
    assert_eq!(client.head().status, 101);
    assert!(client.say(TEXT, b"x"));
    assert_eq!(client.hear(), Some((TEXT, b"x".to_vec())));
    part(&mut client);
    // The upstream's own connection was made for it.
    let connections: Vec<_> = upstream.requests().iter().map(|it| it.connection).collect();
    assert_eq!(connections, [0, 1]);
}

/// A gateway that speaks TLS, over an upstream that does and would rather speak
/// HTTP/2.
fn secured(authority: &Authority, upstream: &Upstream) -> Gateway {
    let setup = Setup::new();
    let ca = setup.file("ca.pem", authority.pem().as_bytes());
    let lines = format!("ca_file = \"{}\"", ca.display());
    let setup = setup.provider("up", &upstream.base_url(), &lines);
    let issued = authority.issue("127.0.0.1", Flaw::None);
    with_tls(setup.model("m", "up", "real-model"), &issued, "").start()
}

#[test]
fn tls_on_both_sides_makes_no_difference() {
    let authority = Authority::new();
    let server = authority.server(Flaw::None, &["h2", "http/1.1"]);
    let upstream = Upstream::start_tls(server, |exchange| {
        exchange.send(switch(&[]));
        echo(exchange);
    });
    let gateway = secured(&authority, &upstream);
    let config = authority.client(&["http/1.1"], None);
    let mut client = Client::connect_tls(gateway.listen, &config);
    client.send(&handshake("/v1/realtime?model=m").bytes());
    assert_eq!(client.head().status, 101);
    let message = vec![b'x'; 300_000];
    assert!(client.say(TEXT, &message));
    assert_eq!(client.hear(), Some((TEXT, message)));
    assert!(client.say(CLOSE, b""));
    assert_eq!(client.hear(), Some((CLOSE, Vec::new())));
}

#[test]
fn a_place_at_the_provider_is_held_to_the_end() {
    let upstream = Upstream::start(|exchange| {
        if exchange.request().method == "POST" {
            exchange.read_body();
            exchange.send(reply::completion("hi"));
            return;
        }
        exchange.send(switch(&[]));
        echo(exchange);
    });
    let lines = "pool = { max_in_flight = 1, wait = \"10ms\" }";
    let gateway = Setup::new()
        .provider("up", &upstream.base_url(), lines)
        .model("m", "up", "real-model")
        .start();
    let mut client = open(&gateway);
    let answer = gateway.ask(&Request::chat("m"));
    assert_response::error(&answer, 503, "overloaded", None);
    part(&mut client);
    gateway.await_metric(IN_FLIGHT, &[], 0.0);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
}

#[test]
fn a_reload_leaves_it_alone() {
    let upstream = echoing();
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    gateway.reload(|text| text.replace("real-model", "other-model"));
    assert!(client.say(TEXT, b"still here"));
    assert_eq!(client.hear(), Some((TEXT, b"still here".to_vec())));
    let mut next = open(&gateway);
    assert!(upstream.requests()[1].target.ends_with("=other-model"));
    part(&mut client);
    part(&mut next);
}

#[test]
fn a_slow_reader_holds_the_sender_up() {
    const MOST: usize = 256;
    const PIECE: usize = 1 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let upstream = opening(move |exchange| {
        let piece = frame(BINARY, &vec![1; PIECE], false);
        while count.load(Ordering::Relaxed) < MOST && exchange.send(&piece) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        exchange.gateway_left();
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = open(&gateway);
    // What the system's own buffers take; a gateway that held more would be
    // sent all of it.
    let mut seen = (usize::MAX, Instant::now());
    let stuck = wait::until("the sender to be held up", || {
        let now = sent.load(Ordering::Relaxed);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        (seen.1.elapsed() > Duration::from_millis(500)).then_some(now)
    });
    assert!(stuck < MOST / 2, "{stuck} MiB were taken");
    for _ in 0..MOST {
        assert_eq!(client.hear().unwrap().1.len(), PIECE);
    }
}
